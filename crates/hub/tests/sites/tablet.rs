//! A tablet of one clinic: the note's own machine and the protocol's.

use crate::*;

/// A tablet of one clinic.
pub(crate) struct Tablet {
    pub(crate) site: usize,
    pub(crate) key: SigningKey,
    pub(crate) author: Author,
    pub(crate) note: NoteDocument,
    pub(crate) counter: u64,
    /// The changes of which its feed said on the last connection what became of them.
    pub(crate) told: BTreeSet<ChangeHash>,
    /// Every change it made or was sent.
    pub(crate) known: BTreeMap<ChangeHash, Submitted>,
    /// Those that were rejected.
    pub(crate) rejected: BTreeSet<ChangeHash>,
    /// How often it was sent what does not fit beside what it has.
    pub(crate) misfits: usize,
    /// Whether the clinic knows its actor as somebody else's.
    refused: bool,
}

impl Tablet {
    pub(crate) fn enrol(group: &mut Group, site: usize, n: u8) -> Self {
        let key = SigningKey::from_bytes(&[n; 32]);
        let now = group.now;
        let Site { hub, store, entropy, .. } = &mut group.sites[site];
        let (_, code) = hub.issue_code(now, entropy, "tablet", [therapist(site)].into()).unwrap();
        let public_key = key.verifying_key().to_bytes();
        let (_, enrolment) = hub.enrol(now, entropy, store, &code, public_key).unwrap();
        group.run();
        let actor = ActorId::from_bytes([n; 16]);
        let author = Author { person: therapist(site), device: enrolment.device, actor };
        let note = NoteDocument::new(VISIT, Kind::Visit);
        let (counter, told, known, rejected) = (u64::from(n) << 32, [].into(), [].into(), [].into());
        Self { site, key, author, note, counter, told, known, rejected, misfits: 0, refused: false }
    }

    fn takes(&mut self, submitted: Vec<Submitted>) {
        let taken = self.note.take_in(&submitted).unwrap();
        let out = |(_, outcome): &&(_, GateOutcome)| matches!(outcome, GateOutcome::Rejected { .. });
        self.misfits += taken.outcomes.iter().filter(out).count();
        self.note = taken.note;
        self.known.extend(submitted.into_iter().map(|one| (one.candidate.sketch().hash, one)));
    }

    /// Takes out what was rejected, and goes on under another name if it was its own.
    fn takes_out(&mut self) {
        let left = self.known.iter().filter(|(hash, _)| !self.rejected.contains(*hash));
        let left: Vec<Submitted> = left.map(|(_, one)| one.clone()).collect();
        self.note = NoteDocument::new(VISIT, Kind::Visit).take_in(&left).unwrap().note;
        let own = |hash: &ChangeHash| {
            self.known.get(hash).is_some_and(|one| one.candidate.sketch().actor == self.author.actor)
        };
        if self.refused || self.rejected.iter().any(own) {
            self.author.actor = ActorId::random(&mut Dice(self.counter));
        }
    }

    /// Does something to the note, brings it to the clinic, and hears what the clinic has.
    pub(crate) fn does(&mut self, group: &mut Group, json: &str) -> ChangeHash {
        self.counter += 1;
        let mut entropy = Dice(self.counter);
        let command = serde_json::from_str(json).unwrap();
        let issued = Issued { id: CommandId::random(&mut entropy), command };
        let (fresh, seen) = (ActorId::random(&mut entropy), self.note.heads());
        let done = self.note.commit(&self.author, fresh, group.now, &seen, &[issued]).expect(json);
        let own = Candidate::scan(done.bytes.clone(), &Limits::V1).unwrap();
        let (person, device) = (self.author.person, self.author.device);
        self.known.insert(done.hash, Submitted { candidate: own, person, device });
        let (device, person, heads) = (self.author.device, self.author.person, vec![done.hash]);
        let clinic = clinic_id(self.site);
        let signed = sync_protocol::statement::push(clinic, VISIT, &heads, device, person, self.counter);
        let push = DocumentPush {
            push_id: PushId::random(&mut entropy),
            document: VISIT,
            kind: DocumentKind::Visit,
            base_heads: Vec::new(),
            heads,
            changes: vec![done.bytes],
            envelope: Envelope {
                device,
                person,
                counter: self.counter,
                signature: self.key.sign(&signed).to_bytes(),
            },
            replaces: Vec::new(),
            part: 0,
            more: false,
        };
        self.talks(group, Some(push));
        if self.refused {
            self.known.remove(&done.hash);
            self.takes_out();
            self.refused = false;
        }
        done.hash
    }

    /// One connection to its clinic: brings a push, takes the feed over.
    pub(crate) fn talks(&mut self, group: &mut Group, push: Option<DocumentPush>) {
        let now = group.now;
        let scopes = vec![ScopeName::Caseload(self.author.person)];
        self.told.clear();
        let mut session = TabletSession::new(
            TabletConfig {
                versions: sync_protocol::VERSIONS.to_vec(),
                site: clinic_id(self.site),
                device: self.author.device,
                person: Some(self.author.person),
                receipted: None,
                cursor: None,
                scopes: scopes.clone(),
                features: Vec::new(),
                app: "test".into(),
                ask_verdicts: true,
            },
            now,
        );
        if let Some(push) = push {
            session.queue_push(now, push).unwrap();
        }
        let site = &mut group.sites[self.site];
        let connection = site.hub.connect(now, &mut site.entropy);
        let mut for_others = Vec::new();
        for round in 0.. {
            let mut moved = false;
            if round == 20 {
                session.pull(None, scopes.clone(), Priority::All, 400_000, false).unwrap();
                moved = true;
            }
            while let Some((to, frame)) = site.hub.poll_transmit() {
                if to != connection {
                    for_others.push((to, frame));
                    continue;
                }
                session.handle_message(now, &frame);
                moved = true;
            }
            while let Some(event) = session.poll_event() {
                self.hears(&mut session, now, event);
                moved = true;
            }
            while let Some(frame) = session.poll_transmit() {
                let Site { hub, store, entropy, .. } = &mut *site;
                hub.handle_frame(now, entropy, store, connection, &frame);
                moved = true;
            }
            site.settle();
            if !moved && round > 20 {
                break;
            }
        }
        site.hub.disconnect(connection);
        for (to, frame) in for_others {
            group.deliver(self.site, to, &frame);
        }
        group.run();
    }

    pub(crate) fn hears(&mut self, session: &mut TabletSession, now: Timestamp, event: TabletEvent) {
        match event {
            TabletEvent::Sign { statement } => session.prove(now, self.key.sign(&statement).to_bytes()),
            TabletEvent::Page(page) => {
                for entry in page.entries {
                    if let FeedBody::Verdict(verdict) = &entry.body {
                        for item in &verdict.items {
                            self.told.extend(&item.hashes);
                            match item.outcome {
                                Outcome::Rejected => self.rejected.extend(&item.hashes),
                                _ => self.rejected.retain(|hash| !item.hashes.contains(hash)),
                            }
                        }
                        if self.rejected.iter().any(|hash| self.note.contains(hash)) {
                            self.takes_out();
                        }
                    }
                    if let FeedBody::Changes(changes) = entry.body
                        && changes.document == VISIT
                    {
                        let take = |bytes| Submitted {
                            candidate: Candidate::scan(bytes, &Limits::V1).unwrap(),
                            person: changes.person,
                            device: changes.device,
                        };
                        let submitted: Vec<Submitted> = changes.changes.into_iter().map(take).collect();
                        for one in &submitted {
                            let hash = one.candidate.sketch().hash;
                            self.told.insert(hash);
                            self.rejected.remove(&hash);
                        }
                        self.takes(submitted);
                    }
                }
            }
            TabletEvent::Failed(failure) => panic!("{}", failure.sentence),
            TabletEvent::Refused(refuse) if refuse.code == RefuseCode::NewActor => self.refused = true,
            TabletEvent::Refused(refuse) => panic!("{}", refuse.sentence),
            _ => {}
        }
    }
}

pub(crate) fn open_visit(site: usize) -> String {
    let (clinic, provider) = (clinic_id(site), therapist(site));
    format!(
        r#"{{"command":"open_visit","patient":"{PATIENT}","discipline":"pt","clinic":"{clinic}",
            "facts":{{"provider":"{provider}","date":"2026-03-17","payer":"medicare_ffs","place":"11"}}}}"#
    )
}
pub(crate) fn start(n: u8, code: &str, at: &str) -> String {
    let (activity, segment) = (ActivityId::from_bytes([n; 16]), SegmentId::from_bytes([n + 100; 16]));
    format!(
        r#"{{"command":"start_segment","activity":"{activity}","segment":"{segment}","code":"{code}",
            "start":"2026-03-17T{at}-05:00","mode":"one_on_one"}}"#
    )
}
pub(crate) fn stop(n: u8, at: &str) -> String {
    let (activity, segment) = (ActivityId::from_bytes([n; 16]), SegmentId::from_bytes([n + 100; 16]));
    format!(
        r#"{{"command":"stop_segment","activity":"{activity}","segment":"{segment}","end":"2026-03-17T{at}-05:00"}}"#
    )
}
