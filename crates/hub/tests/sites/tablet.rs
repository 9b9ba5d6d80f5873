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
        Self { site, key, author, note, counter: u64::from(n) << 32, told: BTreeSet::new() }
    }

    /// Does something to the note, brings it to the clinic, and hears what the clinic has.
    pub(crate) fn does(&mut self, group: &mut Group, json: &str) -> ChangeHash {
        self.counter += 1;
        let mut entropy = Dice(self.counter);
        let command = serde_json::from_str(json).unwrap();
        let issued = Issued { id: CommandId::random(&mut entropy), command };
        let (fresh, seen) = (ActorId::random(&mut entropy), self.note.heads());
        let done = self.note.commit(&self.author, fresh, group.now, &seen, &[issued]).expect(json);
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
                        self.told.extend(verdict.items.iter().flat_map(|item| &item.hashes));
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
                        self.told.extend(submitted.iter().map(|one| one.candidate.sketch().hash));
                        self.note = self.note.take_in(&submitted).unwrap().note;
                    }
                }
            }
            TabletEvent::Failed(failure) => panic!("{}", failure.sentence),
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
