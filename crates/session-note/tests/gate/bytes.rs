//! The door on what it must take, and on every shortened change; what it must refuse stands in the table of
//! attacks.

use automerge::Automerge;
use session_note::admit::{Limits, prescan};

use crate::attacks::Ground;
use crate::broken::{PLAIN, written};
use crate::hostile::{ground, verdict_on};
use crate::world::{actor, changes, note};

#[test]
fn columns_in_their_one_form_are_taken() {
    let ground = ground();
    assert_eq!(verdict_on(&note(), written(&ground, &[], &PLAIN)), 0);
    let Ground { map, .. } = &ground;
    let number = [0x7f, u8::try_from(map.0).unwrap()];
    let beside = [&[(0x01, [0x7f, 1].as_slice()), (0x02, &number)], PLAIN.as_slice()].concat();
    assert_eq!(verdict_on(&note(), written(&ground, &[&map.1], &beside)), 0);
}

#[test]
fn no_shortened_change_is_taken_and_no_compressed_one() {
    let plain = written(&ground(), &[], &PLAIN);
    for end in 0..plain.len() {
        assert!(prescan(&plain[..end], &Limits::V1).is_err(), "the first {end} bytes");
    }
    let mut compressed = Automerge::new();
    compressed.set_actor(actor(4));
    let long = "w".repeat(900);
    compressed
        .transact(|tx| automerge::transaction::Transactable::put(tx, automerge::ROOT, "x", long))
        .unwrap();
    let mut change = changes(&compressed).remove(0);
    assert_eq!(prescan(&change.bytes(), &Limits::V1).map_err(|refusal| refusal.code()), Err(102));
}
