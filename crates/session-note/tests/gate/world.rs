//! Editors, a note to edit, and a seeded dice; the real document engine throughout.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ObjType, ROOT, ReadDoc, ScalarValue};
use session_note::admit::{
    AncestryIndex, Candidate, ContentRefusal, ContentView, Judged, Limits, Outcome, Policy, judge,
    plain_bytes,
};

/// A small seeded generator, so that every failure can be told by its seed.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        (self.roll() % sides as u64) as usize
    }
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }
}

pub(crate) const NOON: i64 = 1_773_748_800_000;

pub(crate) fn actor(number: u8) -> ActorId {
    ActorId::from([number; 16])
}

pub(crate) fn commit() -> CommitOptions {
    CommitOptions::default().with_time(NOON)
}

/// A document with a text, a map of fields and a map in that map.
pub(crate) fn note() -> Automerge {
    let mut document = Automerge::new().with_actor(actor(1));
    let edit = |tx: &mut automerge::transaction::Transaction<'_>| {
        let text = tx.put_object(ROOT, "plan", ObjType::Text)?;
        tx.splice_text(&text, 0, 0, "gait training")?;
        let fields = tx.put_object(ROOT, "fields", ObjType::Map)?;
        tx.put(&fields, "side", "left")?;
        tx.put(&fields, "count", 3)?;
        tx.put_object(&fields, "inner", ObjType::Map)?;
        Ok::<_, automerge::AutomergeError>(())
    };
    document.transact_with(|_| commit(), edit).unwrap();
    document
}

pub(crate) fn changes(document: &Automerge) -> Vec<Change> {
    document.get_changes(&[])
}

pub(crate) fn scan(change: &Change) -> Candidate {
    Candidate::scan(plain_bytes(change), &Limits::V1).unwrap()
}

pub(crate) fn anything(_: &ContentView<'_>) -> Result<(), ContentRefusal> {
    Ok(())
}

pub(crate) fn judge_all(document: &Automerge, waiting: &[Candidate]) -> Judged {
    let index = AncestryIndex::of(document).unwrap();
    judge(document, &index, waiting, &Policy::default(), &mut anything).unwrap()
}

pub(crate) fn codes(judged: &Judged) -> Vec<u16> {
    let code = |outcome: &Outcome| match outcome {
        Outcome::Rejected { code, .. } => *code,
        Outcome::Admitted => 0,
        Outcome::AlreadyKnown => 1,
        Outcome::Waiting { .. } => 2,
    };
    judged.outcomes().iter().map(|(_, outcome)| code(outcome)).collect()
}

/// The document must still load from what it saves, accept a further edit, and be readable whole.
pub(crate) fn assert_healthy(document: &Automerge) {
    let loaded = Automerge::load(&document.save()).unwrap();
    assert_eq!(loaded.get_heads(), document.get_heads());
    let mut edited = document.fork();
    edited.transact_with(|_| commit(), |tx| tx.put(ROOT, "further", 1)).unwrap();
    Automerge::load(&edited.save()).unwrap();
    assert_eq!(document.get_changes(&[]).len(), loaded.get_changes(&[]).len());
    let _ = document.hydrate(None);
}

/// One random edit by an honest editor, committed as one change.
pub(crate) fn random_edit(document: &mut Automerge, dice: &mut Dice) {
    let maps = maps_of(document);
    let texts = texts_of(document);
    let edit = |tx: &mut automerge::transaction::Transaction<'_>| -> Result<(), automerge::AutomergeError> {
        for _ in 0..=dice.below(3) {
            let map = &maps[dice.below(maps.len())];
            let key = ["side", "count", "a", "b", "plan", "näh"][dice.below(6)];
            match dice.below(8) {
                0 if map.depth < 6 => drop(tx.put_object(&map.id, key, ObjType::Map)?),
                1 if map.depth < 6 => {
                    let text = tx.put_object(&map.id, key, ObjType::Text)?;
                    tx.splice_text(&text, 0, 0, "new text 👣 é")?;
                    tx.splice_text(&text, 1, 2, "")?;
                }
                2 if tx.get(&map.id, key)?.is_some() => tx.delete(&map.id, key)?,
                3..=5 if !texts.is_empty() => {
                    let text = &texts[dice.below(texts.len())];
                    let length = tx.length(text);
                    let at = dice.below(length + 1);
                    let delete = dice.below(length - at + 1).min(4) as isize;
                    let words = ["", "a", "stairs ", "x 👣 y"][dice.below(4)];
                    tx.splice_text(text, at, delete, words)?;
                }
                _ => tx.put(&map.id, key, random_scalar(dice))?,
            }
        }
        Ok(())
    };
    document.transact_with(|_| commit(), edit).unwrap();
}

fn random_scalar(dice: &mut Dice) -> ScalarValue {
    match dice.below(9) {
        0 => ScalarValue::Null,
        1 => ScalarValue::Boolean(true),
        2 => ScalarValue::Boolean(false),
        3 => ScalarValue::Uint(dice.roll()),
        4 => ScalarValue::Int(-(dice.below(1 << 20) as i64)),
        5 => ScalarValue::F64(dice.below(1000) as f64 / 7.0),
        6 => ScalarValue::Bytes(vec![7; dice.below(300)]),
        7 => ScalarValue::Timestamp(NOON),
        _ => ScalarValue::Str("word ".repeat(dice.below(4)).into()),
    }
}

struct MapAt {
    id: automerge::ObjId,
    depth: usize,
}

fn maps_of(document: &Automerge) -> Vec<MapAt> {
    let mut maps = vec![MapAt { id: ROOT, depth: 0 }];
    let mut next = 0;
    while next < maps.len() {
        let (id, depth) = (maps[next].id.clone(), maps[next].depth);
        let children = document.keys(&id).filter_map(|key| document.get(&id, key).unwrap());
        let children = children.filter(|(value, _)| value.to_objtype() == Some(ObjType::Map));
        maps.extend(children.map(|(_, id)| MapAt { id, depth: depth + 1 }));
        next += 1;
    }
    maps
}

fn texts_of(document: &Automerge) -> Vec<automerge::ObjId> {
    let maps = maps_of(document);
    let children = maps
        .iter()
        .flat_map(|map| document.keys(&map.id).filter_map(|key| document.get(&map.id, key).unwrap()));
    children.filter(|(value, _)| value.to_objtype() == Some(ObjType::Text)).map(|(_, id)| id).collect()
}

/// Three editors who edit, merge and now and then commit at older heads under a fresh actor.
pub(crate) fn history(seed: u64, steps: usize) -> (Automerge, Vec<Automerge>) {
    let start = note();
    let mut dice = Dice::new(seed);
    let mut editors: Vec<Automerge> = (0..3).map(|n| start.clone().with_actor(actor(10 + n))).collect();
    let mut fresh = 100;
    for _ in 0..steps {
        let who = dice.below(3);
        match dice.below(10) {
            0..=1 => {
                let mut other = editors[dice.below(3)].clone();
                editors[who].merge(&mut other).unwrap();
            }
            2 if fresh < 250 => {
                let all = changes(&editors[who]);
                let heads = vec![all[dice.below(all.len())].hash()];
                editors[who].set_actor(actor(fresh));
                fresh += 1;
                let mut tx = editors[who].transaction_at(automerge::PatchLog::inactive(), &heads).unwrap();
                tx.put(ROOT, "seen", dice.below(9) as i64).unwrap();
                tx.commit_with(commit());
            }
            _ => random_edit(&mut editors[who], &mut dice),
        }
    }
    (start, editors)
}
