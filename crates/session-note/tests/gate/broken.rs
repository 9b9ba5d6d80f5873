//! Bytes that are no plain change of a note, or are one in a second spelling, or a bomb: with the code that
//! refuses each at the door. It asserts nothing.

use std::sync::LazyLock;

use automerge::transaction::{Transactable, Transaction};
use automerge::{ActorId, Automerge, ObjType, ROOT};

use super::attacks::{Attack, Ground, raw};
use super::chunks::{chunk, uleb};

type Column<'a> = (u8, &'a [u8]);

const KEY: Column<'static> = (0x15, &[0x7f, 1, b'x']);
const INSERT: Column<'static> = (0x34, &[1]);
const ACTION: Column<'static> = (0x42, &[0x7f, 1]);
const VALUE: Column<'static> = (0x56, &[0x7f, 0]);
const PREDS: Column<'static> = (0x70, &[0x7f, 0]);
/// A field of the root set to nothing: the soundest columns there are.
pub(crate) const PLAIN: [Column<'static>; 5] = [KEY, INSERT, ACTION, VALUE, PREDS];

/// Three million of one number.
const RUN: &[u8] = &[0xc0, 0x8d, 0xb7, 0x01, 1];

/// A first change upon the ground, with these columns, that lists other actors.
pub(crate) fn written(ground: &Ground, others: &[&ActorId], columns: &[Column<'_>]) -> Vec<u8> {
    let mut data = uleb(ground.heads.len() as u64);
    ground.heads.iter().for_each(|head| data.extend(head.0));
    data.push(16);
    data.extend(ground.actor.to_bytes());
    data.extend([vec![1], uleb(ground.start_op), vec![0, 0], uleb(others.len() as u64)].concat());
    others.iter().for_each(|other| data.extend([&[16], other.to_bytes()].concat()));
    data.extend(uleb(columns.len() as u64));
    columns.iter().for_each(|(spec, bytes)| data.extend([vec![*spec], uleb(bytes.len() as u64)].concat()));
    columns.iter().for_each(|(_, bytes)| data.extend(*bytes));
    chunk(1, &data)
}

/// Columns have one form and a budget.
pub(crate) fn columns(ground: &Ground) -> Vec<Attack> {
    let one =
        |name, code, columns: &[Column<'_>]| Attack::of_bytes(name, code, written(ground, &[], columns));
    let [key, insert, action, value, preds] = PLAIN;
    let keys: Column<'_> = (0x15, &[0xc0, 0x8d, 0xb7, 0x01, 1, b'x']);
    let many: Column<'_> = (0x70, &[0x7f, 0xc0, 0x8d, 0xb7, 0x01]);
    let endless: Column<'_> = (0x70, &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    let [actor, counter]: [Column<'_>; 2] = [(0x01, &[0x7f, 9]), (0x02, &[0x7f, 15])];
    vec![
        one("three million operations", 118, &[keys, insert, (0x42, RUN), value, preds]),
        one("three million preds", 119, &[key, insert, action, value, many, (0x71, RUN), (0x73, RUN)]),
        one("2^63 preds", 119, &[key, insert, action, value, endless]),
        one("longer key column", 120, &[(0x15, &[2, 1, b'x']), insert, action, value, preds]),
        one("shorter insert column", 120, &[key, action, value, preds]),
        one("run of one", 121, &[key, insert, (0x42, &[1, 1]), value, preds]),
        one(
            "a run spelt twice",
            121,
            &[(0x15, &[4, 1, b'x']), (0x34, &[4]), (0x42, &[2, 1, 2, 1]), (0x56, &[4, 0]), (0x70, &[4, 0])],
        ),
        one("column of nulls", 121, &[(0x01, &[0, 1]), key, insert, action, value, preds]),
        one("overlong number", 107, &[key, insert, (0x42, &[0x7f, 0x81, 0x00]), value, preds]),
        one("deflated column", 116, &[key, insert, (0x4a, &[0x7f, 1]), value, preds]),
        one("unknown column", 116, &[key, insert, action, value, preds, (0x7c, &[1])]),
        one("columns out of order", 116, &[insert, key, action, value, preds]),
        one("column twice", 116, &[key, insert, action, action, value, preds]),
        one("empty column", 116, &[(0x01, &[]), key, insert, action, value, preds]),
        one("value beyond its column", 125, &[key, insert, action, (0x56, &[0x7f, 0x16]), preds]),
        one("value nobody reads", 125, &[key, insert, action, value, (0x57, &[7]), preds]),
        one("no key", 123, &[insert, action, value, preds]),
        one("two keys", 123, &[(0x13, &[0x7f, 0]), key, insert, action, value, preds]),
        one("actor not listed", 126, &[actor, counter, key, insert, action, value, preds]),
        one("actor without number", 126, &[(0x01, &[0x7f, 0]), key, insert, action, value, preds]),
    ]
}

/// The other actors are exactly those mentioned.
pub(crate) fn others(ground: &Ground) -> Vec<Attack> {
    let (maker, number) = (&ground.map.1, [vec![0x7f], uleb(ground.map.0)].concat());
    let last = &ActorId::from([0xff; 16]);
    let one = |name, code, others: &[&ActorId], object: &[u8]| {
        let columns = [&[(0x01, object), (0x02, &number)], PLAIN.as_slice()].concat();
        Attack::of_bytes(name, code, written(ground, others, &columns))
    };
    vec![
        one("other actor not mentioned", 111, &[maker, last], &[0x7f, 1]),
        one("other actors out of order", 111, &[last, maker], &[0x7f, 2]),
        one("other actor twice", 111, &[maker, maker], &[0x7f, 1]),
        one("the author as another", 111, &[&ground.actor], &[0x7f, 1]),
        one("other actor not listed", 126, &[], &[0x7f, 1]),
    ]
}

/// Chunks that are something else, or not whole, or more than one.
pub(crate) fn chunks(ground: &Ground) -> Vec<Attack> {
    let plain = written(ground, &[], &PLAIN);
    let spoilt = |at: usize| {
        let mut bytes = plain.clone();
        bytes[at] ^= 1;
        bytes
    };
    let endless = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let sound = raw(ground.sound());
    [
        ("nothing", 101, Vec::new()),
        ("garbage", 101, vec![0xaa; 300]),
        ("another file", 101, spoilt(0)),
        ("wrong checksum", 105, spoilt(5)),
        ("flipped content", 105, spoilt(plain.len() - 1)),
        ("a document", 102, document()),
        ("a compressed change", 102, chunk(2, &[0x5a; 90])),
        ("a deflate bomb", 102, BOMB.clone()),
        ("a bundle", 102, chunk(3, &[0; 40])),
        ("an unknown kind", 102, chunk(7, &[0; 10])),
        ("a tail", 104, [plain.clone(), vec![0]].concat()),
        ("two changes", 104, [sound.clone(), sound].concat()),
        ("cut short", 104, plain[..plain.len() - 1].to_vec()),
        ("a header", 104, chunk(1, &[0])[..10].to_vec()),
        ("a change of nothing", 106, chunk(1, &[])),
        ("too large", 103, vec![0; 256 * 1024 + 1]),
        ("2^63 dependencies", 109, chunk(1, &endless)),
    ]
    .map(|(name, code, bytes)| Attack::of_bytes(name, code, bytes))
    .into()
}

fn document() -> Vec<u8> {
    let mut document = Automerge::new().with_actor(ActorId::from([4; 16]));
    document.transact(|tx: &mut Transaction<'_>| tx.put(ROOT, "x", "y")).unwrap();
    document.save()
}

/// A compressed change that unfolds to twenty million bytes.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut document = Automerge::new().with_actor(ActorId::from([4; 16]));
    let zeros = "0".repeat(20 << 20);
    let write = |tx: &mut Transaction<'_>| {
        let text = tx.put_object(ROOT, "x", ObjType::Map)?;
        tx.put(&text, "y", zeros.as_str())
    };
    document.transact(write).unwrap();
    let mut changes = document.get_changes(&[]);
    let bytes = changes[0].bytes().into_owned();
    assert!(bytes[8] == 2 && bytes.len() < 256 * 1024, "it is a compressed chunk");
    bytes
});
