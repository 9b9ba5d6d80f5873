//! Chunks written by hand: every second spelling, every bomb and every truncation is refused.

use automerge::Automerge;
use session_note::admit::{Limits, prescan};

use crate::chunks::{chunk, uleb};
use crate::hostile::verdict_on;
use crate::world::{actor, changes, note};

/// A first change of actor 2 upon the note with these columns.
fn columns(columns: &[(u8, &[u8])]) -> Vec<u8> {
    columns_beside(&[], columns)
}

/// The same, listing other actors.
fn columns_beside(others: &[u8], columns: &[(u8, &[u8])]) -> Vec<u8> {
    let mut data = vec![1];
    data.extend(note().get_heads()[0].0);
    data.push(16);
    data.extend([2; 16]);
    data.extend([1, 19, 0, 0, others.len() as u8]);
    others.iter().for_each(|other| data.extend([vec![16], vec![*other; 16]].concat()));
    data.push(columns.len() as u8);
    columns.iter().for_each(|(spec, bytes)| data.extend([vec![*spec], uleb(bytes.len() as u64)].concat()));
    columns.iter().for_each(|(_, bytes)| data.extend(*bytes));
    chunk(1, &data)
}

fn check_columns(name: &str, expected: u16, given: &[(u8, &[u8])]) {
    assert_eq!(verdict_on(&note(), columns(given)), expected, "{name}");
}

#[test]
fn columns_have_one_form_and_a_budget() {
    const KEY: (u8, &[u8]) = (0x15, &[0x7f, 1, b'x']);
    const REST: [(u8, &[u8]); 4] = [(0x34, &[1]), (0x42, &[0x7f, 1]), (0x56, &[0x7f, 0]), (0x70, &[0x7f, 0])];
    let [insert, action, value, preds] = REST;
    check_columns("control", 0, &[KEY, insert, action, value, preds]);
    // 3,000,000 operations in some hundred bytes.
    let run: &[u8] = &[0xc0, 0x8d, 0xb7, 0x01, 1];
    check_columns(
        "run-length bomb",
        118,
        &[(0x15, &[0xc0, 0x8d, 0xb7, 0x01, 1, b'x']), insert, (0x42, run), value, preds],
    );
    check_columns(
        "pred bomb",
        119,
        &[KEY, insert, action, value, (0x70, &[0x7f, 0xc0, 0x8d, 0xb7, 0x01]), (0x71, run), (0x73, run)],
    );
    check_columns(
        "pred count of 2^63",
        119,
        &[
            KEY,
            insert,
            action,
            value,
            (0x70, &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ],
    );
    check_columns("longer key column", 120, &[(0x15, &[2, 1, b'x']), insert, action, value, preds]);
    check_columns("shorter insert column", 120, &[KEY, action, value, preds]);
    check_columns("run of one", 121, &[KEY, insert, (0x42, &[1, 1]), value, preds]);
    check_columns("column of nulls", 121, &[(0x01, &[0, 1]), KEY, insert, action, value, preds]);
    check_columns("overlong number", 107, &[KEY, insert, (0x42, &[0x7f, 0x81, 0x00]), value, preds]);
    check_columns("deflated column", 116, &[KEY, insert, (0x4a, &[0x7f, 1]), value, preds]);
    check_columns("unknown column", 116, &[KEY, insert, action, value, preds, (0x7c, &[1])]);
    check_columns("columns out of order", 116, &[insert, KEY, action, value, preds]);
    check_columns("column twice", 116, &[KEY, insert, action, action, value, preds]);
    check_columns("empty column", 116, &[(0x01, &[]), KEY, insert, action, value, preds]);
    check_columns("value beyond its column", 125, &[KEY, insert, action, (0x56, &[0x7f, 0x16]), preds]);
    check_columns("value nobody reads", 125, &[KEY, insert, action, value, (0x57, &[7]), preds]);
    check_columns("no key", 123, &[insert, action, value, preds]);
    check_columns("text key and element key", 123, &[(0x13, &[0x7f, 0]), KEY, insert, action, value, preds]);
    check_columns(
        "actor not listed",
        126,
        &[(0x01, &[0x7f, 9]), (0x02, &[0x7f, 15]), KEY, insert, action, value, preds],
    );
    check_columns("actor without number", 126, &[(0x01, &[0x7f, 0]), KEY, insert, action, value, preds]);
}

#[test]
fn the_other_actors_are_exactly_those_mentioned() {
    let beside = |others: &[u8], object_actor: &[u8]| {
        let object: &[(u8, &[u8])] = &[(0x01, object_actor), (0x02, &[0x7f, 15])];
        let rest: &[(u8, &[u8])] = &[
            (0x15, &[0x7f, 1, b'x']),
            (0x34, &[1]),
            (0x42, &[0x7f, 1]),
            (0x56, &[0x7f, 0]),
            (0x70, &[0x7f, 0]),
        ];
        verdict_on(&note(), columns_beside(others, &[object, rest].concat()))
    };
    assert_eq!(beside(&[1], &[0x7f, 1]), 0);
    assert_eq!(beside(&[1, 3], &[0x7f, 1]), 111, "one that is not mentioned");
    assert_eq!(beside(&[3, 1], &[0x7f, 2]), 111, "out of order");
    assert_eq!(beside(&[1, 1], &[0x7f, 1]), 111, "twice");
    assert_eq!(beside(&[2], &[0x7f, 1]), 111, "the author itself");
    assert_eq!(beside(&[], &[0x7f, 1]), 126, "one that is not listed");
}

#[test]
fn whatever_is_not_one_plain_change_is_refused() {
    let plain = columns(&[
        (0x15, &[0x7f, 1, b'x']),
        (0x34, &[1]),
        (0x42, &[0x7f, 1]),
        (0x56, &[0x7f, 0]),
        (0x70, &[0x7f, 0]),
    ]);
    assert_eq!(verdict_on(&note(), plain.clone()), 0);
    let spoilt = |at: usize| {
        let mut bytes = plain.clone();
        bytes[at] ^= 1;
        bytes
    };
    let refused = [
        ("nothing", 101, Vec::new()),
        ("another file", 101, spoilt(0)),
        ("wrong checksum", 105, spoilt(5)),
        ("flipped content", 105, spoilt(plain.len() - 1)),
        ("a document", 102, note().save()),
        ("a compressed change", 102, chunk(2, &[0; 10])),
        ("a bundle", 102, chunk(3, &[0; 10])),
        ("an unknown kind", 102, chunk(7, &[0; 10])),
        ("a tail", 104, [plain.clone(), vec![0]].concat()),
        ("two changes", 104, [plain.clone(), plain.clone()].concat()),
        ("a change cut short", 104, plain[..plain.len() - 1].to_vec()),
        ("a header", 104, chunk(1, &[0])[..10].to_vec()),
        ("a change of nothing", 106, chunk(1, &[])),
        ("too large", 103, vec![0; 256 * 1024 + 1]),
        ("2^63 dependencies", 109, chunk(1, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])),
    ];
    for (name, code, bytes) in refused {
        assert_eq!(prescan(&bytes, &Limits::V1).map_err(|refusal| refusal.code()), Err(code), "{name}");
    }
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
