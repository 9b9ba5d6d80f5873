//! Others' work, reference data, scopes, and reports from one engine on both sides.

use std::collections::BTreeSet;

use chart::facts::Standing;
use chart::reference::{Appointment, Reference};
use chart::report::{Confirmed, Published};
use chart::time::ClockTime;
use session_note::schema::Kind;
use sync_protocol::message::{
    FeedBody, FeedChanges, FeedReference, FeedReport, ScopeChange, ScopeDocument, ScopeName, Supply,
};
use sync_protocol::{Outcome, ReasonCode, ReferenceKind};
use tablet::{Event, SaveState};

use crate::world::{ANNA, BEN, Clinic, OTHER_VISIT, Rig, VISIT, hashes, set_field};

fn two_tablets() -> (Rig, Rig, Clinic) {
    let (mut rig, mut other, mut clinic) = (Rig::new(1), Rig::new(2), Clinic::new());
    other.edit(BEN, VISIT, vec![set_field("education", "given")]);
    other.edit(BEN, VISIT, vec![set_field("home_program", "printed")]);
    clinic.connect(&mut other);
    rig.pump();
    (rig, other, clinic)
}

#[test]
fn others_work_is_merged_and_survives_a_restart() {
    let (mut rig, mut other, mut clinic) = two_tablets();
    rig.field(VISIT, "good");
    rig.pump();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed);
    assert_eq!(rig.heads(VISIT).len(), 2);
    let visit = rig.tablet.note(&rig.store, VISIT).unwrap().visit.unwrap();
    assert_eq!((visit.fields["education"].as_str(), visit.fields["response"].as_str()), ("given", "good"));
    let mut again = rig.restarted(2);
    assert_eq!(again.heads(VISIT), rig.heads(VISIT));
    assert_eq!(other.heads(VISIT).len(), 1);
}

#[test]
fn a_page_that_comes_twice_changes_nothing() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed.clone());
    let heads = rig.heads(VISIT);
    clinic.page(&mut rig, feed);
    assert_eq!(rig.heads(VISIT), heads);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn the_cursor_stands_behind_what_it_covers() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    rig.disks.clear();
    clinic.page(&mut rig, feed);
    for disk in &rig.disks {
        let mut survivor = Rig::on(1, disk.clone(), 30);
        survivor.pump();
        let mut late = Clinic::new();
        late.connect(&mut survivor);
        if late.pulls[0].cursor.is_some() {
            assert_eq!(survivor.heads(VISIT).len(), 1);
        }
    }
    assert!(!rig.disks.is_empty());
}

#[test]
fn what_is_missing_is_asked_for_and_nothing_is_shown_half() {
    let (mut rig, mut other, mut clinic) = two_tablets();
    let all = clinic.pushes[0].changes.clone();
    let FeedBody::Changes(whole) = clinic.feed().remove(0) else { panic!("no changes") };
    let late = FeedChanges { changes: vec![all[1].clone()], ..whole.clone() };
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![FeedBody::Changes(late)]);
    let first = hashes(&clinic.pushes[0])[0];
    assert_eq!(clinic.needs.last().unwrap().hashes, [first]);
    let view = rig.tablet.note(&rig.store, VISIT).unwrap();
    assert!(view.visit.unwrap().fields.is_empty());
    assert_eq!(view.problems.len(), 1);
    // The question survives a restart, and the answer completes the note.
    let mut rig = rig.restarted(2);
    rig.pump();
    clinic.needs.clear();
    clinic.connect(&mut rig);
    assert_eq!(clinic.needs.last().unwrap().hashes, [first]);
    let early = FeedChanges { changes: vec![all[0].clone()], ..whole };
    clinic.supply(&mut rig, Supply { document: VISIT, entries: vec![early], more: false });
    assert_eq!(rig.heads(VISIT), other.heads(VISIT));
}

#[test]
fn bytes_that_are_no_change_are_kept_and_shown_as_a_problem() {
    let (mut rig, _, mut clinic) = two_tablets();
    let FeedBody::Changes(mut feed) = clinic.feed().remove(0) else { panic!("no changes") };
    feed.changes[1][9] ^= 0x40;
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![FeedBody::Changes(feed)]);
    assert!(rig.saw(|event| matches!(event, Event::CannotBeShown { .. })));
    let view = rig.tablet.note(&rig.store, VISIT).unwrap();
    assert_eq!(view.problems.len(), 1);
    rig.field(OTHER_VISIT, "everything else works");
    rig.pump();
    assert_eq!(rig.response(OTHER_VISIT).as_deref(), Some("everything else works"));
}

#[test]
fn what_enters_is_asked_for_and_what_leaves_stays_on_the_disk() {
    let (mut rig, mut other, mut clinic) = two_tablets();
    let heads = other.heads(VISIT).into_iter().collect::<Vec<_>>();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![FeedBody::Entered(scope(heads))]);
    assert_eq!(clinic.needs.len(), 1);
    let feed = clinic.feed();
    clinic.page(&mut rig, feed);
    assert_eq!(rig.tablet.documents().len(), 1);
    clinic.page(&mut rig, vec![FeedBody::Left(scope(Vec::new()))]);
    assert_eq!(rig.tablet.documents().len(), 0);
    assert_eq!(rig.heads(VISIT), other.heads(VISIT));
}

#[test]
fn own_work_that_waits_keeps_a_note_in_the_list() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.receipts = false;
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![FeedBody::Left(scope(Vec::new()))]);
    assert_eq!(rig.tablet.documents().len(), 1);
}

fn scope(heads: Vec<chart::ids::ChangeHash>) -> ScopeChange {
    let documents = vec![ScopeDocument { document: VISIT, heads }];
    ScopeChange { scope: ScopeName::Caseload(ANNA), documents }
}

#[test]
fn a_note_that_left_while_own_work_waited_is_gone_once_that_is_settled() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.receipts = false;
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![FeedBody::Left(scope(Vec::new()))]);
    clinic.disconnect(&mut rig);
    rig.field(VISIT, "better");
    clinic.receipts = true;
    clinic.connect(&mut rig);
    assert_eq!(rig.tablet.documents().len(), 1);
    let done: Vec<_> = clinic.have.keys().copied().collect();
    clinic.verdict(&mut rig, done, Outcome::Admitted, ReasonCode::None);
    assert_eq!(rig.tablet.documents().len(), 0);
    assert_eq!(rig.restarted(2).tablet.documents().len(), 0);
}

#[test]
fn what_enters_again_with_news_is_asked_for_at_once() {
    let (mut rig, mut other, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed);
    clinic.page(&mut rig, vec![FeedBody::Left(scope(Vec::new()))]);
    other.edit(BEN, VISIT, vec![set_field("education", "repeated")]);
    other.pump();
    let news = other.heads(VISIT).into_iter().collect();
    clinic.page(&mut rig, vec![FeedBody::Entered(scope(news))]);
    assert_eq!(clinic.needs.len(), 1);
}

#[test]
fn a_report_that_does_not_fit_its_page_is_asked_for_until_it_comes() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed);
    let digest = chart::ids::Digest::from_bytes([5; 32]);
    let report = |body| FeedBody::Report(FeedReport { document: VISIT, digest, body });
    clinic.page(&mut rig, vec![report(None)]);
    assert_eq!(clinic.fetches, [VISIT]);
    clinic.disconnect(&mut rig);
    let mut rig = rig.restarted(2);
    clinic.connect(&mut rig);
    assert_eq!(clinic.fetches, [VISIT, VISIT]);
    clinic.page(&mut rig, vec![report(Some(b"{}".to_vec()))]);
    clinic.disconnect(&mut rig);
    clinic.connect(&mut rig);
    assert_eq!(clinic.fetches, [VISIT, VISIT]);
}

#[test]
fn the_word_that_a_rewound_record_holds_a_note_again_survives_a_restart() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed.clone());
    clinic.disconnect(&mut rig);
    clinic.standing = sync_protocol::Standing::Rewound;
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    clinic.page(&mut rig, feed);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    assert_eq!(rig.restarted(2).save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn only_the_lost_part_of_others_work_is_offered_to_a_rewound_record() {
    let (mut rig, _, mut clinic) = two_tablets();
    let early = clinic.feed();
    let mut other = Rig::new(3);
    other.edit(BEN, VISIT, vec![set_field("response", "good")]);
    clinic.connect(&mut other);
    clinic.disconnect(&mut other);
    let all = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, all.clone());
    clinic.disconnect(&mut rig);
    clinic.standing = sync_protocol::Standing::Rewound;
    clinic.connect(&mut rig);
    clinic.page(&mut rig, early);
    let offered: Vec<_> = clinic.supplies.iter().flat_map(|supply| supply.entries.clone()).collect();
    assert_eq!(offered.into_iter().map(FeedBody::Changes).collect::<Vec<_>>(), all[1..]);
}

#[test]
fn a_note_that_left_before_it_was_begun_here_goes_once_its_work_is_settled() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![FeedBody::Left(scope(Vec::new()))]);
    rig.field(VISIT, "good");
    clinic.talk(&mut rig);
    let done: Vec<_> = clinic.have.keys().copied().collect();
    clinic.verdict(&mut rig, done, Outcome::Admitted, ReasonCode::None);
    assert_eq!(rig.tablet.documents().len(), 0);
}

#[test]
fn the_server_is_given_what_it_asks_for() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed);
    rig.field(VISIT, "good");
    clinic.talk(&mut rig);
    let (theirs, own) = (hashes(&clinic.pushes[0]), hashes(&clinic.pushes[1]));
    clinic.ask(&mut rig, VISIT, vec![theirs[0], own[0]]);
    assert_eq!(clinic.supplies.len(), 1);
    assert_eq!(clinic.supplies[0].entries[0].envelope, Some(clinic.pushes[0].envelope.clone()));
    assert_eq!(hashes(&clinic.pushes[2]), own);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn others_work_is_offered_again_to_a_rewound_record() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed.clone());
    clinic.disconnect(&mut rig);
    clinic.standing = sync_protocol::Standing::Rewound;
    clinic.connect(&mut rig);
    assert_ne!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    clinic.page(&mut rig, Vec::new());
    let offered: Vec<_> = clinic.supplies.iter().flat_map(|supply| &supply.entries).collect();
    assert_eq!(offered.len(), 1);
    assert_eq!(FeedBody::Changes(offered[0].clone()), feed[0]);
}

#[test]
fn an_offer_that_a_restart_of_the_app_cut_short_is_made_on_the_next_connection() {
    let (mut rig, _, mut clinic) = two_tablets();
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed.clone());
    clinic.disconnect(&mut rig);
    clinic.standing = sync_protocol::Standing::Rewound;
    clinic.connect(&mut rig);
    let mut rig = rig.restarted(2);
    clinic.standing = sync_protocol::Standing::Continues;
    clinic.connect(&mut rig);
    clinic.page(&mut rig, Vec::new());
    let offered: Vec<_> = clinic.supplies.iter().flat_map(|supply| supply.entries.clone()).collect();
    assert_eq!(offered.into_iter().map(FeedBody::Changes).collect::<Vec<_>>(), feed);
    clinic.page(&mut rig, feed);
    clinic.disconnect(&mut rig);
    clinic.connect(&mut rig);
    clinic.page(&mut rig, Vec::new());
    assert_eq!(clinic.supplies.len(), 1, "what the server has again is not offered again");
}

fn appointment() -> FeedBody {
    let appointment = Appointment {
        id: VISIT,
        patient: chart::ids::PatientId::from_bytes([7; 16]),
        episode: None,
        provider: ANNA,
        at: ClockTime::parse("2026-09-21T09:00-05:00").unwrap(),
        discipline: chart::code::Discipline::from("PT"),
        payer: None,
    };
    let body = serde_json::to_vec(&Reference::Appointment(appointment)).unwrap();
    FeedBody::Reference(FeedReference {
        kind: ReferenceKind::Appointment,
        id: VISIT.as_bytes().to_vec(),
        body: Some(body),
        origin: None,
        word: None,
    })
}

#[test]
fn two_tablets_begin_one_visit_of_one_appointment() {
    let (mut rig, mut other, mut clinic) = (Rig::new(1), Rig::new(2), Clinic::new());
    for tablet in [&mut rig, &mut other] {
        clinic.connect(tablet);
        clinic.page(tablet, vec![appointment()]);
        clinic.disconnect(tablet);
        let began = tablet.tablet.create_visit_from_appointment(
            tablet.now,
            &mut tablet.dice,
            &tablet.store,
            ANNA,
            VISIT,
        );
        assert!(began.unwrap().is_some());
        tablet.pump();
        clinic.connect(tablet);
        clinic.disconnect(tablet);
    }
    let feed = clinic.feed();
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed);
    let view = rig.tablet.note(&rig.store, VISIT).unwrap();
    let visit = view.visit.unwrap();
    assert_eq!(visit.provider.fact().agreed(), Some(&ANNA));
    assert_eq!(rig.tablet.kind(VISIT), Some(Kind::Visit));
    let mut again = rig.restarted(4);
    let repeated =
        again.tablet.create_visit_from_appointment(again.now, &mut again.dice, &again.store, ANNA, VISIT);
    assert_eq!(repeated.unwrap(), None);
}

#[test]
fn a_report_is_provisional_until_the_server_has_listed_the_day() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![appointment()]);
    rig.tablet.create_visit_from_appointment(rig.now, &mut rig.dice, &rig.store, ANNA, VISIT).unwrap();
    clinic.talk(&mut rig);
    let today = "2026-09-21".parse().unwrap();
    let own = rig.tablet.report(&rig.store, VISIT, today).unwrap();
    assert_eq!(own.standing, Standing::Provisional);
    let confirmed = Confirmed {
        as_of: today,
        standing: Standing::Complete,
        patient_day: BTreeSet::new(),
        provider_day: BTreeSet::new(),
        arrivals: vec![chart::facts::Arrival {
            device: crate::world::device(1),
            clock_ahead_ms: 5,
            received_at: rig.now,
        }],
        claim: None,
        patient: None,
        provider_history: None,
        unheard: [].into(),
    };
    // The server's report: the same engine over the same inputs, and what only it knows.
    let publish = |rig: &mut Rig, clinic: &mut Clinic, confirmed: &Confirmed| {
        let note = rebuilt(clinic);
        let around = session_note::facts::Around {
            arrivals: confirmed.arrivals.clone(),
            ..session_note::facts::Around::default()
        };
        let facts = session_note::facts::gather(&note, around, confirmed.as_of, confirmed.standing.clone());
        let report = compliance::recompute(&facts, &compliance::Rulebook::builtin().unwrap());
        let published = Published { report, confirmed: confirmed.clone() };
        let body = serde_json::to_vec(&published).unwrap();
        let report =
            FeedReport { document: VISIT, digest: chart::ids::Digest::from_bytes([0; 32]), body: Some(body) };
        clinic.page(rig, vec![FeedBody::Report(report)]);
        published.report
    };
    let published = publish(&mut rig, &mut clinic, &confirmed);
    let shown = rig.tablet.report(&rig.store, VISIT, today).unwrap();
    assert_eq!(serde_json::to_vec(&shown).unwrap(), serde_json::to_vec(&published).unwrap());
    assert_eq!(shown.standing, Standing::Complete);
    // A note of the day that the tablet does not hold, or an edit of its own, and it is provisional.
    let unseen = Confirmed { patient_day: [OTHER_VISIT].into(), ..confirmed.clone() };
    publish(&mut rig, &mut clinic, &unseen);
    assert_eq!(rig.tablet.report(&rig.store, VISIT, today).unwrap().standing, Standing::Provisional);
    publish(&mut rig, &mut clinic, &confirmed);
    rig.field(VISIT, "good");
    assert_eq!(rig.tablet.report(&rig.store, VISIT, today).unwrap().standing, Standing::Provisional);
}

fn rebuilt(clinic: &Clinic) -> session_note::NoteDocument {
    use session_note::admission::Submitted;
    use session_note::admit::{Candidate, Limits};
    let submitted: Vec<Submitted> = clinic
        .pushes
        .iter()
        .flat_map(|push| push.changes.iter().map(|change| (push.envelope.clone(), change.clone())))
        .map(|(envelope, change)| Submitted {
            candidate: Candidate::scan(change, &Limits::V1).unwrap(),
            person: envelope.person,
            device: envelope.device,
        })
        .collect();
    session_note::NoteDocument::new(VISIT, Kind::Visit).admit(&submitted).unwrap().note
}

#[test]
fn a_long_chain_that_comes_backwards_is_taken_in_whole_though_little_of_it_waits_in_memory() {
    let (mut rig, mut other, mut clinic) = (Rig::new(1), Rig::new(2), Clinic::new());
    let long = tablet::limits::WAITING_CHANGES * 2 + 30;
    for number in 0..long {
        other.edit(BEN, VISIT, vec![set_field("education", &format!("given {number}"))]);
    }
    clinic.connect(&mut other);
    let whole: Vec<FeedChanges> = clinic
        .feed()
        .into_iter()
        .filter_map(|body| if let FeedBody::Changes(feed) = body { Some(feed) } else { None })
        .collect();
    let changes: Vec<Vec<u8>> = whole.iter().flat_map(|feed| feed.changes.clone()).collect();
    assert_eq!(changes.len(), long);
    let backwards: Vec<FeedBody> = changes[1..]
        .chunks(40)
        .rev()
        .map(|part| {
            let changes = part.iter().rev().cloned().collect();
            FeedBody::Changes(FeedChanges { changes, ..whole[0].clone() })
        })
        .collect();
    clinic.connect(&mut rig);
    let needs = clinic.needs.len();
    for page in backwards.chunks(3) {
        clinic.page(&mut rig, page.to_vec());
    }
    assert!(clinic.needs.len() > needs, "what is missing is asked for");
    assert!(rig.heads(VISIT).iter().all(|head| !other.heads(VISIT).contains(head)));
    // A start forgets nothing: all of it waits in the log.
    let mut rig = rig.restarted(2);
    clinic.connect(&mut rig);
    let first = FeedChanges { changes: vec![changes[0].clone()], ..whole[0].clone() };
    clinic.page(&mut rig, vec![FeedBody::Changes(first)]);
    assert_eq!(rig.heads(VISIT), other.heads(VISIT));
    let needs = clinic.needs.len();
    assert_eq!(rig.restarted(3).heads(VISIT), other.heads(VISIT));
    rig.wait(5_000);
    clinic.talk(&mut rig);
    assert_eq!(clinic.needs.len(), needs, "and nothing more is asked for");
}
