//! Verdicts stand in an order in which whoever follows can take them: each change after what it builds on, also
//! where pushes lie across each other, as when tablets offer again what a record has lost.

use super::*;

#[test]
fn work_that_lies_across_others_work_is_served_each_change_after_what_it_builds_on() {
    let (mut clinic, mut a, mut b) = two_therapists();
    let write = |text: &str| {
        format!(r#"{{"command":"splice_text","field":"subjective","position":0,"insert":"{text}"}}"#)
    };
    let take = |tablet: &mut Tablet, push: &DocumentPush, by: Author| {
        use session_note::admission::Submitted;
        use session_note::admit::{Candidate, Limits};
        let scan = |bytes: &Vec<u8>| Candidate::scan(bytes.clone(), &Limits::V1).unwrap();
        let submitted: Vec<Submitted> = push
            .changes
            .iter()
            .map(|bytes| Submitted { candidate: scan(bytes), person: by.person, device: by.device })
            .collect();
        tablet.note = tablet.note.admit(&submitted).unwrap().note;
    };
    // The first begins, the second goes on, the first goes on upon that.
    let begun = a.does(&open_visit(a.author.person));
    take(&mut b, &begun, a.author);
    let middle = b.does(&write("two "));
    take(&mut a, &middle, b.author);
    let end = a.does(&write("three "));
    // To a record that has none of it the first brings both its changes at once.
    let changes = [&begun, &end].map(|push| (push.heads[0], push.changes[0].clone()));
    let both = a.push_of(changes.into());
    let mut lines = [a.connect(&mut clinic, a.caseload()), b.connect(&mut clinic, b.caseload())];
    clinic.hold_commits = true;
    lines[0].push(&mut clinic, &a, both);
    lines[1].push(&mut clinic, &b, middle);
    clinic.hold_commits = false;
    clinic.settle();
    let heads = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap().heads;
    assert_eq!(heads, a.note.heads());

    let mut reader = b.with_visit(0x77);
    reader.note = NoteDocument::new(VISIT, Kind::Visit);
    let mut line = reader.connect(&mut clinic, ScopeName::Caseload(b.author.person));
    let mut seen: BTreeSet<ChangeHash> = reader.note.heads();
    let mut served = 0;
    for event in line.events.drain(..) {
        let TabletEvent::Page(page) = event else { continue };
        for entry in page.entries {
            let FeedBody::Changes(changes) = entry.body else { continue };
            for bytes in &changes.changes {
                let sketch = session_note::admit::prescan(bytes, &session_note::admit::Limits::V1).unwrap();
                assert!(
                    served == 0 || sketch.deps.iter().all(|dep| seen.contains(dep)),
                    "a change is served before what it builds on"
                );
                seen.insert(sketch.hash);
                seen.extend(sketch.deps.iter().filter(|_| served == 0));
                served += 1;
            }
        }
    }
    assert_eq!(served, 3);
}

#[test]
fn a_report_that_waited_for_a_fellow_note_does_not_go_on_waiting_when_what_was_missing_has_come() {
    use chart::facts::Standing;
    let (mut clinic, mut a, mut b) = two_therapists();
    let mut fellow = a.with_visit(0x51);
    let mut lines = [a.connect(&mut clinic, a.caseload()), b.connect(&mut clinic, b.caseload())];
    let begun = a.does(&open_visit(a.author.person));
    lines[0].push(&mut clinic, &a, begun);
    b.hears(&mut lines[1]);
    let write = |text: &str| {
        format!(r#"{{"command":"splice_text","field":"subjective","position":0,"insert":"{text}"}}"#)
    };
    // The second writes; the first has seen it and writes upon it, and is the first to bring its part.
    let middle = b.does(&write("two "));
    let scan = |bytes: &Vec<u8>| {
        let limits = session_note::admit::Limits::V1;
        let candidate = session_note::admit::Candidate::scan(bytes.clone(), &limits).unwrap();
        session_note::admission::Submitted { candidate, person: b.author.person, device: b.author.device }
    };
    a.note = a.note.admit(&middle.changes.iter().map(scan).collect::<Vec<_>>()).unwrap().note;
    let end = a.does(&write("three "));
    lines[0].push(&mut clinic, &a, end);
    let push = fellow.does(&open_visit(a.author.person));
    lines[0].push(&mut clinic, &fellow, push);
    let standing = |clinic: &mut Clinic| {
        let published = clinic.hub.report(&clinic.store, fellow.note.id()).unwrap().expect("a report");
        published.confirmed.standing
    };
    assert_eq!(standing(&mut clinic), Standing::Pending, "work on a note of the day waits");
    lines[1].push(&mut clinic, &b, middle);
    assert_eq!(clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap().heads, a.note.heads());
    assert_eq!(standing(&mut clinic), Standing::Complete);
}
