//! Whatever people do through the commands of a note is admitted, in every order of arrival.

use automerge::Automerge;
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::Outcome;
use session_note::schema::Kind;

use crate::ward::{COMMANDS, Chance, DOCUMENT, Ward, admitted, admitted_in_batches};

/// `GAITWAY_GATE_HONEST` clinic days of each kind, or 30.
#[expect(clippy::disallowed_methods, reason = "how long to search is asked of whoever runs the test")]
fn days() -> u64 {
    std::env::var("GAITWAY_GATE_HONEST").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

/// Whatever the order, the document is the same, loads in a fresh engine and reads the same.
fn check(
    start: &NoteDocument,
    arrivals: &[Submitted],
    expected: &NoteDocument,
    chance: &mut Chance,
    why: &str,
) {
    let batch = [1, 3, 200][chance.below(3)];
    let (note, verdicts) = admitted_in_batches(start, arrivals, batch, chance);
    for (hash, outcome) in &verdicts {
        assert_eq!(*outcome, Outcome::Admitted, "{why}, {hash}");
    }
    assert_eq!(note.heads(), expected.heads(), "{why}");
    assert_eq!(note.read_visit(), expected.read_visit(), "{why}");
    assert_eq!(note.read_episode(), expected.read_episode(), "{why}");
    let loaded = Automerge::load(&note.save()).unwrap();
    assert_eq!(loaded.get_heads().len(), note.heads().len(), "{why}");
}

#[test]
fn work_of_every_command_is_admitted_in_any_order_and_batch() {
    let mut done = [0; COMMANDS];
    let (mut changes, mut orders) = (0, 0);
    for seed in 0..days() {
        for (kind, people) in [(Kind::Visit, 4), (Kind::Episode, 3)] {
            let mut ward = Ward::new(kind, people, seed);
            ward.live(if kind == Kind::Visit { 70 } else { 40 });
            let expected = ward.merged();
            done.iter_mut().zip(ward.done).for_each(|(sum, more)| *sum += more);
            let start = NoteDocument::new(DOCUMENT, kind);
            let mut chance = Chance::new(seed ^ 99);
            let mut arrivals = ward.work.clone();
            for round in 0..3 {
                chance.shuffle(&mut arrivals);
                check(&start, &arrivals, &expected, &mut chance, &format!("seed {seed}, {kind:?}, {round}"));
                orders += 1;
            }
            changes += arrivals.len();
        }
    }
    println!("{changes} changes, {orders} orders; commands {done:?}");
    let rare: Vec<usize> = (0..COMMANDS).filter(|place| done[*place] < 5).collect();
    assert!(rare.is_empty(), "places of commands that hardly became a change: {rare:?} of {done:?}");
}

#[test]
fn six_changes_are_admitted_in_all_their_720_orders() {
    for seed in [1, 5, 9] {
        let mut ward = Ward::new(Kind::Visit, 3, seed);
        while ward.work.len() < 6 {
            ward.live(4);
        }
        let work = ward.work[..6].to_vec();
        let start = NoteDocument::new(DOCUMENT, Kind::Visit);
        let expected = admitted(&start, &work);
        let mut chance = Chance::new(seed);
        let mut orders = 0;
        permute(&mut work.clone(), 0, &mut |arrivals| {
            orders += 1;
            check(&start, arrivals, &expected, &mut chance, &format!("seed {seed}, order {orders}"));
        });
        assert_eq!(orders, 720);
    }
}

fn permute(items: &mut [Submitted], from: usize, each: &mut dyn FnMut(&[Submitted])) {
    if from + 1 >= items.len() {
        return each(items);
    }
    for place in from..items.len() {
        items.swap(from, place);
        permute(items, from + 1, each);
        items.swap(from, place);
    }
}
