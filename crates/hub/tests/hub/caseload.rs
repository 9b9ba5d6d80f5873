//! A caseload changes hands: one entry, wholly or not at all; what was written before counts as before, what
//! was written after waits for a supervisor, and nothing is lost.

use chart::ids::TransferId;
use hub::{HubError, TransferAct, TransferPreview, TransferWish};

use super::*;

const SIGN: &str = r#"{"command":"sign","meaning":"author","credentials":"PT"}"#;
const MINUTE: i64 = 60_000;

/// A clinic where the first of two therapists treats the patient, with a signed and an unsigned note.
struct Ward {
    clinic: Clinic,
    a: Tablet,
    b: Tablet,
    signed: Tablet,
    boss: PersonId,
}

fn ward() -> Ward {
    let (mut clinic, a, b) = two_therapists();
    let boss = clinic.person(31, Role::Supervisor);
    clinic.patient(&[a.author.person]);
    let mut ward = Ward { signed: a.with_visit(0x51), clinic, a, b, boss };
    let open = open_visit(ward.a.author.person);
    let pushes = [ward.signed.does(&open), ward.signed.does(SIGN)];
    let mut line = ward.signed.connect(&mut ward.clinic, ward.signed.caseload());
    pushes.into_iter().for_each(|push| line.push(&mut ward.clinic, &ward.signed, push));
    let push = ward.a.does(&open);
    line.push(&mut ward.clinic, &ward.a, push);
    // It shows that it is there once more, after all that was sent.
    ward.clinic.hub.heard(ward.clinic.now, line.connection);
    ward.clinic.hub.disconnect(line.connection);
    ward.clinic.settle();
    ward.clinic.store.keep(&ward.clinic.hub.poll_keep()).unwrap();
    ward.clinic.now = ward.clinic.now.plus_ms(60 * MINUTE);
    ward
}

impl Ward {
    fn wish(&self) -> TransferWish {
        TransferWish { from: self.a.author.person, to: self.b.author.person, patients: None, from_when: None }
    }
    fn preview(&mut self, wish: &TransferWish) -> TransferPreview {
        let Clinic { hub, store, entropy, now, .. } = &mut self.clinic;
        hub.preview_transfer(*now, entropy, store, wish).unwrap()
    }
    fn act(&mut self, wish: &TransferWish) -> TransferAct {
        let TransferPreview { act, state, .. } = self.preview(wish);
        TransferAct { act, state, wish: wish.clone(), by: self.boss, reason: "she moves away".into() }
    }
    fn transfer(&mut self, act: TransferAct) -> Result<(), HubError> {
        let Clinic { hub, store, entropy, now, .. } = &mut self.clinic;
        let ticket = hub.transfer(*now, entropy, store, act)?;
        self.clinic.settle();
        let done = std::iter::from_fn(|| self.clinic.hub.poll_done()).find(|(done, _)| *done == ticket);
        assert_eq!(done.map(|(_, result)| result), Some(Ok(())));
        Ok(())
    }
    fn team(&self) -> BTreeSet<PersonId> {
        self.clinic.hub.directory().patients[&PATIENT].care_team.clone()
    }
    /// What a tablet that begins with nothing is sent of two notes.
    fn sees(&mut self, tablet: &Tablet) -> BTreeSet<DocumentId> {
        let mut reader = Tablet { cursor: None, receipted: None, ..tablet.with_visit(0x77) };
        let mut line = reader.connect(&mut self.clinic, tablet.caseload());
        let mut here = BTreeSet::new();
        for event in line.events.drain(..) {
            let TabletEvent::Page(page) = event else { continue };
            reader.cursor = Some(page.next);
            for entry in page.entries {
                match entry.body {
                    FeedBody::Entered(change) => here.extend(change.documents.iter().map(|row| row.document)),
                    FeedBody::Left(change) => {
                        change.documents.iter().for_each(|row| _ = here.remove(&row.document));
                    }
                    FeedBody::Changes(changes) => _ = here.insert(changes.document),
                    _ => {}
                }
            }
        }
        self.clinic.hub.disconnect(line.connection);
        here
    }
    /// A change of a note made at this minute after the server's clock, brought by its tablet.
    fn writes(&mut self, mut tablet: Tablet, command: &str, minutes: i64) -> (Tablet, ChangeHash) {
        tablet.counter += 1;
        let mut entropy = Counter(tablet.counter);
        let issued =
            Issued { id: CommandId::random(&mut entropy), command: serde_json::from_str(command).unwrap() };
        let at = self.clinic.now.plus_ms(minutes * MINUTE);
        let (fresh, seen) = (ActorId::random(&mut entropy), tablet.note.heads());
        let done = tablet.note.commit(&tablet.author, fresh, at, &seen, &[issued]).unwrap();
        let push = tablet.push_of(vec![(done.hash, done.bytes)]);
        self.clinic.now = self.clinic.now.plus_ms(1_000);
        let mut line = tablet.connect(&mut self.clinic, tablet.caseload());
        line.push(&mut self.clinic, &tablet, push);
        self.clinic.hub.disconnect(line.connection);
        (tablet, done.hash)
    }
    fn held(&mut self) -> Vec<(ChangeHash, String)> {
        let rows = self.clinic.hub.quarantine(&self.clinic.store, 20).unwrap();
        let open = rows.into_iter().filter(|row| row.open);
        open.flat_map(|row| row.hashes.into_iter().map(move |hash| (hash, row.reason.clone()))).collect()
    }
}

const COMMENT: &str = r#"{"command":"comment","anchor":"plan","text":"later"}"#;

#[test]
fn a_preview_counts_what_moves_and_names_the_tablets_that_may_hold_edits() {
    let mut ward = ward();
    let wish = ward.wish();
    let preview = ward.preview(&wish);
    let row = &preview.patients[0];
    assert_eq!((row.patient, row.episodes, row.notes, row.unsigned, row.held), (PATIENT, 0, 2, 1, 0));
    let tablets: Vec<_> = preview.tablets.iter().map(|row| (row.device, row.connected, row.behind)).collect();
    assert_eq!(tablets, [(ward.a.author.device, false, 0)], "and not the other therapist's");
    let heard = ward.clinic.now.plus_ms(-60 * MINUTE);
    assert_eq!(preview.tablets[0].heard_at, Some(heard));
    // A server that was started again knows it still.
    ward.clinic.restart();
    assert_eq!(ward.preview(&wish).tablets, preview.tablets);
    let (office, _) = ward.writes(ward.b.with_visit(0x61), &open_visit(ward.b.author.person), 0);
    assert_eq!(ward.preview(&wish).tablets[0].behind, 1, "the note of the other tablet is news to it");
    assert_eq!(ward.sees(&office), [office.note.id()].into());
}

#[test]
fn the_new_therapist_gets_everything_and_the_old_one_keeps_what_is_to_be_finished() {
    let mut ward = ward();
    let (unsigned, signed) = (VISIT, ward.signed.note.id());
    let (a, b) = (ward.a.with_visit(1), ward.b.with_visit(2));
    assert_eq!(ward.sees(&a), [unsigned, signed].into());
    assert_eq!(ward.sees(&b), [].into());
    let act = ward.act(&ward.wish());
    ward.transfer(act).unwrap();
    assert_eq!(ward.team(), [b.author.person].into());
    assert_eq!(ward.sees(&b), [unsigned, signed].into(), "the full backfill");
    assert_eq!(ward.sees(&a), [unsigned].into());
    // Finished and signed it leaves too, and nobody had to allow it.
    let tablet = std::mem::replace(&mut ward.a, b.with_visit(9));
    let (_, _) = ward.writes(tablet, SIGN, 0);
    assert_eq!(ward.held(), []);
    assert_eq!(ward.sees(&a), [].into());
    assert_eq!(ward.sees(&b), [unsigned, signed].into());
}

#[test]
fn what_was_written_before_the_patient_moved_is_admitted_and_what_was_written_later_is_held() {
    for (minutes, note_is_new, reason) in [
        (-10, true, None),
        (-10, false, None),
        (10, true, Some("CaseloadMoved")),
        (10, false, Some("CaseloadMoved")),
    ] {
        let mut ward = ward();
        let act = ward.act(&ward.wish());
        ward.transfer(act).unwrap();
        let author = ward.a.author;
        let (tablet, hash) = if note_is_new {
            ward.writes(ward.a.with_visit(0x41), &open_visit(author.person), minutes)
        } else {
            let tablet = std::mem::replace(&mut ward.signed, ward.b.with_visit(9));
            ward.writes(tablet, COMMENT, minutes)
        };
        let held: Vec<_> = reason.map(|reason| (hash, reason.to_owned())).into_iter().collect();
        assert_eq!(ward.held(), held, "{minutes} minutes, a new note: {note_is_new}");
        // The log says the same to a server that starts on it, and to one that has to judge again.
        ward.clinic.restart();
        assert_eq!(ward.held(), held);
        if reason.is_none() {
            continue;
        }
        let Clinic { hub, store, entropy, now, .. } = &mut ward.clinic;
        hub.release(*now, entropy, store, tablet.note.id(), &[hash], ward.boss, "it was hers to write")
            .unwrap();
        ward.clinic.settle();
        assert_eq!(ward.held(), []);
        let note = ward.clinic.hub.note(&ward.clinic.store, tablet.note.id()).unwrap().unwrap();
        assert_eq!(note.heads, tablet.note.heads());
        let entry =
            note.history.iter().find(|row| row.entry.by.change == Some(hash)).expect("in the history");
        assert_eq!((entry.entry.by.person, entry.entry.by.device), (author.person, author.device));
    }
}

#[test]
fn a_tablet_whose_clock_runs_ahead_is_judged_by_the_servers_time() {
    // The tablet's clock shows an hour too much: ten minutes before the act it reads fifty after it.
    let mut ward = ward();
    let act = ward.act(&ward.wish());
    ward.transfer(act).unwrap();
    let ahead = 60;
    let mut tablet = ward.a.with_visit(0x41);
    tablet.counter += 1;
    let mut entropy = Counter(tablet.counter);
    let command = serde_json::from_str(&open_visit(tablet.author.person)).unwrap();
    let issued = Issued { id: CommandId::random(&mut entropy), command };
    let at = ward.clinic.now.plus_ms((ahead - 10) * MINUTE);
    let (fresh, seen) = (ActorId::random(&mut entropy), tablet.note.heads());
    let done = tablet.note.commit(&tablet.author, fresh, at, &seen, &[issued]);
    let done = done.unwrap();
    let push = tablet.push_of(vec![(done.hash, done.bytes)]);
    // The session's own clock tells the server how far ahead it is.
    let server_now = ward.clinic.now;
    ward.clinic.now = server_now.plus_ms(ahead * MINUTE);
    let config = TabletConfig {
        versions: sync_protocol::VERSIONS.to_vec(),
        site: CLINIC,
        device: tablet.author.device,
        person: Some(tablet.author.person),
        receipted: None,
        cursor: None,
        scopes: vec![tablet.caseload()],
        features: Vec::new(),
        app: "test".into(),
        ask_verdicts: true,
    };
    let mut session = TabletSession::new(config, ward.clinic.now);
    session.queue_push(ward.clinic.now, push).unwrap();
    ward.clinic.now = server_now;
    let Clinic { hub, entropy, .. } = &mut ward.clinic;
    let connection = hub.connect(server_now, entropy);
    for _ in 0..20 {
        let theirs = server_now.plus_ms(ahead * MINUTE);
        while let Some((_, frame)) = ward.clinic.hub.poll_transmit() {
            session.handle_message(theirs, &frame);
        }
        while let Some(event) = session.poll_event() {
            if let TabletEvent::Sign { statement } = &event {
                session.prove(theirs, tablet.key.sign(statement).to_bytes());
            }
        }
        while let Some(frame) = session.poll_transmit() {
            let Clinic { hub, store, entropy, .. } = &mut ward.clinic;
            hub.handle_frame(server_now, entropy, store, connection, &frame);
        }
        ward.clinic.settle();
    }
    let note = ward.clinic.hub.note(&ward.clinic.store, tablet.note.id()).unwrap().expect("the note");
    assert_eq!((note.heads, ward.held()), (tablet.note.heads(), Vec::new()));
}

#[test]
fn an_act_that_power_failed_in_is_done_wholly_or_not_at_all() {
    let mut ward = ward();
    let (unsigned, signed) = (VISIT, ward.signed.note.id());
    let (a, b) = (ward.a.with_visit(1), ward.b.with_visit(2));
    let act = ward.act(&ward.wish());
    // The disk as it is after each commit of the act and of what follows from it.
    let mut disks = vec![ward.clinic.store.clone()];
    let Clinic { hub, store, entropy, now, .. } = &mut ward.clinic;
    hub.transfer(*now, entropy, store, act.clone()).unwrap();
    loop {
        let committed = ward.clinic.commit();
        disks.push(ward.clinic.store.clone());
        let Clinic { hub, store, entropy, .. } = &mut ward.clinic;
        if !hub.work(entropy, store, 1) && !committed {
            break;
        }
    }
    let mut done = 0;
    for mut disk in disks {
        disk.reopen();
        ward.clinic.store = disk;
        ward.clinic.restart();
        let moved = ward.team() == [b.author.person].into();
        assert!(moved || ward.team() == [a.author.person].into(), "never both, never nobody");
        let (theirs, left) = if moved {
            ([unsigned, signed].into(), [unsigned].into())
        } else {
            ([].into(), [unsigned, signed].into())
        };
        assert_eq!((ward.sees(&b), ward.sees(&a)), (theirs, left));
        assert_eq!(ward.clinic.hub.transfers().len(), usize::from(moved));
        // Sent again it ends in the same place, once.
        ward.transfer(act.clone()).unwrap();
        assert_eq!(ward.team(), [b.author.person].into());
        assert_eq!(ward.sees(&b), [unsigned, signed].into());
        assert_eq!(ward.clinic.hub.transfers().len(), 1);
        done += usize::from(moved);
    }
    assert!(done > 1, "the act was cut after its entry too");
}

#[test]
fn an_act_is_refused_when_it_does_not_fit_or_the_caseload_has_changed() {
    let mut ward = ward();
    let (wish, act) = (ward.wish(), ward.act(&ward.wish()));
    let (_, _) = ward.writes(ward.a.with_visit(0x41), &open_visit(ward.a.author.person), 0);
    let cases = [
        (act.clone(), "the caseload has changed since it was looked at"),
        (TransferAct { by: ward.b.author.person, ..act.clone() }, "decides who treats whom"),
        (TransferAct { reason: " ".into(), ..act.clone() }, "a reason has between"),
        (
            TransferAct { wish: TransferWish { to: wish.from, ..wish.clone() }, ..act.clone() },
            "somebody else",
        ),
        (
            TransferAct {
                wish: TransferWish { from: wish.to, to: wish.from, ..wish.clone() },
                ..act.clone()
            },
            "nobody on this caseload",
        ),
    ];
    for (act, sentence) in cases {
        let refused = ward.transfer(act).unwrap_err().to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
    assert_eq!((ward.team(), ward.clinic.hub.transfers()), ([wish.from].into(), Vec::new()));
    let act = ward.act(&wish);
    ward.transfer(act.clone()).unwrap();
    let other = TransferAct { wish: TransferWish { from: wish.to, to: wish.from, ..wish }, ..act };
    let refused = ward.transfer(other).unwrap_err().to_string();
    assert!(refused.contains("done before"), "{refused}");
}

#[test]
fn patients_leave_when_their_time_has_come_and_come_back_when_they_are_put_back() {
    let mut ward = ward();
    let (old, new) = (ward.a.author.person, ward.b.author.person);
    let monday = ward.clinic.now.plus_ms(3 * 24 * 60 * MINUTE);
    let act = ward.act(&TransferWish { from_when: Some(monday), ..ward.wish() });
    ward.transfer(act.clone()).unwrap();
    assert_eq!(ward.team(), [old, new].into(), "until then both");
    let again = ward.act_refused(TransferAct { act: TransferId::from_bytes([7; 16]), ..act });
    assert!(again.contains("already"), "{again}");
    let (_, _) = ward.writes(ward.a.with_visit(0x41), &open_visit(old), 0);
    assert_eq!(ward.held(), []);
    ward.clinic.restart();
    assert_eq!(ward.clinic.hub.poll_timeout().map(|(at, _)| at), Some(monday));
    ward.clinic.now = monday;
    let Clinic { hub, store, entropy, now, .. } = &mut ward.clinic;
    hub.handle_timeout(*now, entropy, store);
    ward.clinic.settle();
    assert_eq!(ward.team(), [new].into());
    assert_eq!(ward.clinic.hub.poll_timeout(), None);
    let (tablet, hash) = ward.writes(ward.a.with_visit(0x42), &open_visit(old), 1);
    assert_eq!(ward.held(), [(hash, "CaseloadMoved".to_owned())]);
    ward.clinic.restart();
    assert_eq!(ward.team(), [new].into());
    ward.clinic.patient(&[old, new]);
    let (_, _) = ward.writes(tablet.with_visit(0x43), &open_visit(old), 2);
    assert_eq!(
        ward.held(),
        [(hash, "CaseloadMoved".to_owned())],
        "what was held stays so, what is new is not"
    );
}

impl Ward {
    fn act_refused(&mut self, act: TransferAct) -> String {
        let Clinic { hub, store, entropy, now, .. } = &mut self.clinic;
        hub.transfer(*now, entropy, store, act).unwrap_err().to_string()
    }
}
