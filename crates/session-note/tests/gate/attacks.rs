//! Known ways to make the document engine panic, poison a document or burn memory, as changes upon any note:
//! with the code that refuses each. What is no change at all stands in `broken.rs`; `table.rs` is all of them.
//! It asserts nothing.

use automerge::legacy::{ElementId, Key, MarkData, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ObjType, ScalarValue};

/// The note the attacks are aimed at, and who makes them.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) heads: Vec<ChangeHash>,
    /// The first operation number that is free.
    pub(crate) start_op: u64,
    /// Who attacks, and has made no change yet.
    pub(crate) actor: ActorId,
    pub(crate) time: i64,
    /// What an honest actor writes first, so that an attack is refused for nothing but itself.
    pub(crate) first: Vec<Op>,
    /// A text, and two of its letters.
    pub(crate) text: OpId,
    pub(crate) letter: OpId,
    pub(crate) other_letter: OpId,
    /// A map, a field's name in it with the value there, and the value of another field.
    pub(crate) map: OpId,
    pub(crate) field: String,
    pub(crate) value: OpId,
    pub(crate) other_value: OpId,
}

/// An attack, or a control.
pub(crate) struct Attack {
    pub(crate) name: String,
    /// The code that refuses it; 0 if it is admitted, 2 if it waits for what never comes.
    pub(crate) code: u16,
    pub(crate) bytes: Vec<u8>,
    /// A sound change that must be in the note before it.
    pub(crate) after: Option<Vec<u8>>,
}

impl Attack {
    /// Bytes that are refused by themselves.
    pub(crate) fn of_bytes(name: &str, code: u16, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), code, bytes, after: None }
    }
}

pub(crate) fn raw(change: ExpandedChange) -> Vec<u8> {
    Change::from(change).raw_bytes().to_vec()
}

pub(crate) fn field(key: &str) -> Key {
    Key::Map(key.into())
}

fn element(id: &OpId) -> Key {
    Key::Seq(ElementId::Id(id.clone()))
}

fn put(value: impl Into<ScalarValue>) -> OpType {
    OpType::Put(value.into())
}

pub(crate) fn op(obj: Option<&OpId>, key: Key, action: OpType, pred: &[&OpId]) -> Op {
    let obj = obj.map_or(ObjectId::Root, |id| ObjectId::Id(id.clone()));
    let pred: Vec<OpId> = pred.iter().map(|id| (*id).clone()).collect();
    Op { action, obj, key, pred: SortedVec::from(pred), insert: false }
}

fn insert(obj: Option<&OpId>, key: Key, action: OpType) -> Op {
    Op { insert: true, ..op(obj, key, action, &[]) }
}

impl Ground {
    /// A well-formed first change with these operations.
    pub(crate) fn change(&self, operations: Vec<Op>) -> ExpandedChange {
        ExpandedChange {
            operations: [self.first.clone(), operations].concat(),
            actor_id: self.actor.clone(),
            hash: None,
            seq: 1,
            start_op: self.start_op.try_into().unwrap(),
            time: self.time,
            message: None,
            deps: self.heads.clone(),
            extra_bytes: Vec::new(),
            author: None,
        }
    }

    /// The attack's own operation of this number, from 0.
    fn own(&self, number: u64) -> OpId {
        OpId(self.start_op + self.first.len() as u64 + number, self.actor.clone())
    }

    fn one(&self, name: &str, code: u16, operation: Op) -> Attack {
        self.attack(name, code, self.change(vec![operation]))
    }

    fn attack(&self, name: &str, code: u16, change: ExpandedChange) -> Attack {
        Attack::of_bytes(name, code, raw(change))
    }

    /// The soundest of changes.
    pub(crate) fn sound(&self) -> ExpandedChange {
        self.change(vec![op(Some(&self.map), field("x"), put("y"), &[])])
    }

    /// What an honest editor writes.
    pub(crate) fn controls(&self) -> Vec<Attack> {
        vec![
            self.attack("put", 0, self.sound()),
            self.one("overwrite", 0, op(Some(&self.map), field(&self.field), put("right"), &[&self.value])),
            self.one("insert", 0, insert(Some(&self.text), element(&self.letter), put("s"))),
            self.one(
                "remove",
                0,
                op(Some(&self.text), element(&self.letter), OpType::Delete, &[&self.letter]),
            ),
        ]
    }

    /// References to what does not exist.
    pub(crate) fn lost_references(&self) -> Vec<Attack> {
        let Self { text, letter, map, value, other_value, .. } = self;
        let key = || field(&self.field);
        let stranger = &OpId(5, ActorId::from([66; 16]));
        let own = &self.own(0);
        let future = &OpId(4_000_000_000, self.actor.clone());
        let aim = op(None, field("aim"), OpType::Make(ObjType::Text), &[]);
        let stray = insert(Some(own), element(letter), put("x"));
        let stray_removal = op(Some(own), element(letter), OpType::Delete, &[letter]);
        let remove = || op(Some(text), element(letter), OpType::Delete, &[letter]);
        vec![
            self.one("object that does not exist", 206, op(Some(stranger), field("x"), put(1), &[])),
            self.one("object that is a scalar", 206, op(Some(value), field("x"), put(1), &[])),
            self.one("object that is a letter", 206, op(Some(letter), field("x"), put(1), &[])),
            self.one("insert after a missing element", 208, insert(Some(text), element(stranger), put("x"))),
            self.one("insert after the text itself", 208, insert(Some(text), element(text), put("x"))),
            self.one(
                "remove a missing element",
                208,
                op(Some(text), element(stranger), OpType::Delete, &[stranger]),
            ),
            self.one("pred that does not exist", 209, op(Some(map), key(), put(1), &[stranger])),
            self.one("pred of another field", 209, op(Some(map), key(), put(1), &[other_value])),
            self.one("pred missing", 209, op(Some(map), key(), put(1), &[])),
            self.one("pred too many", 209, op(Some(map), key(), put(1), &[value, other_value])),
            self.one("delete what is not there", 209, op(Some(map), field("x"), OpType::Delete, &[value])),
            self.one("pred that is itself", 126, op(Some(map), field("x"), put(1), &[own])),
            self.one("pred in the future", 126, op(Some(map), field("x"), put(1), &[future])),
            self.one("object that is itself", 126, op(Some(own), field("x"), put(1), &[])),
            self.one("delete without pred", 123, op(Some(map), key(), OpType::Delete, &[])),
            self.one(
                "remove another's pred",
                123,
                op(Some(text), element(letter), OpType::Delete, &[&self.other_letter]),
            ),
            self.attack(
                "insert after an element of another text",
                208,
                self.change(vec![aim.clone(), stray]),
            ),
            self.attack("remove an element of another text", 208, self.change(vec![aim, stray_removal])),
            self.attack("remove twice", 209, self.change(vec![remove(), remove()])),
        ]
    }

    /// Operations that do not fit their object.
    pub(crate) fn misfits(&self) -> Vec<Attack> {
        let Self { text, letter, map, value, .. } = self;
        let key = || field(&self.field);
        let head = || Key::Seq(ElementId::Head);
        let in_map = |action| op(Some(map), field("x"), action, &[]);
        let after = |action| insert(Some(text), element(letter), action);
        let unknown = ScalarValue::Unknown { type_code: 12, bytes: vec![1, 2] };
        let mark = || MarkData { name: "bold".into(), value: true.into(), expand: false };
        vec![
            self.one("field of a text", 207, op(Some(text), field("x"), put(1), &[])),
            self.one("insert into a map", 207, insert(Some(map), head(), put("x"))),
            self.one("insert into the root", 207, insert(None, head(), put("x"))),
            self.one("insert with a field name", 123, insert(None, field("x"), put("x"))),
            self.one("number in a text", 123, after(put(7))),
            self.one("nothing in a text", 123, after(put(""))),
            self.one("block in a text", 123, after(OpType::Make(ObjType::Map))),
            self.one("overwrite in a text", 123, op(Some(text), element(letter), put("x"), &[letter])),
            self.one("list", 122, in_map(OpType::Make(ObjType::List))),
            self.one("table", 122, in_map(OpType::Make(ObjType::Table))),
            self.one("increment of a text", 122, op(Some(map), key(), OpType::Increment(1), &[value])),
            self.one("counter", 125, in_map(put(ScalarValue::counter(1)))),
            self.one("unknown value", 125, in_map(put(unknown))),
            self.one("not a number", 125, in_map(put(f64::NAN))),
            self.one("empty key", 124, op(Some(map), field(""), put(1), &[])),
            self.one("long key", 124, op(Some(map), field(&"k".repeat(257)), put(1), &[])),
            self.one("long value", 125, in_map(put("v".repeat(64 * 1024 + 1)))),
            self.one("mark in the root", 116, insert(None, head(), OpType::MarkBegin(mark()))),
            self.one("mark end without begin", 122, after(OpType::MarkEnd(false))),
            self.one("expanding mark end", 116, after(OpType::MarkEnd(true))),
        ]
    }

    /// Headers that brick a document.
    pub(crate) fn headers(&self) -> Vec<Attack> {
        let with = |name: &str, code: u16, edit: &dyn Fn(&mut ExpandedChange)| {
            let mut change = self.sound();
            edit(&mut change);
            self.attack(name, code, change)
        };
        let start = |number: u64| move |c: &mut ExpandedChange| c.start_op = number.try_into().unwrap();
        let named =
            |actor: Vec<u8>| move |c: &mut ExpandedChange| c.actor_id = ActorId::from(actor.as_slice());
        vec![
            with("start_op too low", 203, &start(self.start_op - 1)),
            with("start_op 1", 203, &|c| {
                c.operations = vec![op(None, field("x"), put(1), &[])];
                start(1)(c);
            }),
            with("start_op leaps", 204, &start(self.start_op + 1_100_000)),
            with("start_op 2^32 - 1", 113, &start(u64::from(u32::MAX))),
            with("seq 0", 112, &|c| c.seq = 0),
            with("seq gap", 202, &|c| c.seq = 2),
            with("seq 100", 202, &|c| c.seq = 100),
            with("seq 2^64 - 1", 112, &|c| c.seq = u64::MAX),
            with("time before all time", 114, &|c| c.time = i64::MIN),
            with("time after all time", 114, &|c| c.time = i64::MAX),
            with("time in seconds", 114, &|c| c.time = 1_773_748_800),
            with("empty actor", 110, &named(Vec::new())),
            with("derived actor", 110, &named(vec![2; 17])),
            with("long actor", 110, &named(vec![2; 100_000])),
            with("long message", 115, &|c| c.message = Some("m".repeat(1_025))),
            with("repeated dependency", 109, &|c| c.deps = [c.deps.clone(), c.deps.clone()].concat()),
            with("too many dependencies", 109, &|c| c.deps = (0..65).map(|n| ChangeHash([n; 32])).collect()),
            with("a beginning of its own", 205, &|c| {
                c.operations = vec![op(None, field("x"), put(1), &[])];
                c.deps.clear();
                start(1)(c);
            }),
            with("orphan", 2, &|c| c.deps = vec![ChangeHash([9; 32])]),
            with("no operation", 117, &|c| c.operations.clear()),
            with("unknown footer", 128, &|c| c.extra_bytes = vec![9, 1, 1]),
            with("footer with a tail", 128, &|c| c.extra_bytes = vec![1, 1, 1, 1]),
            with("author on a later change", 128, &|c| (c.seq, c.extra_bytes) = (2, vec![1, 1, 1])),
        ]
    }

    /// Maps in maps, deeper than a note goes.
    pub(crate) fn nests(&self) -> Vec<Attack> {
        let nest = |depth: u64| {
            let inner = |level: u64| if level == 0 { self.map.clone() } else { self.own(level - 1) };
            let level = |level: u64| op(Some(&inner(level)), field("m"), OpType::Make(ObjType::Map), &[]);
            self.change((0..depth).map(level).collect())
        };
        vec![
            self.attack("nine deep", 210, nest(9)),
            self.attack("three hundred deep", 210, nest(300)),
            self.attack("ten thousand deep", 118, nest(10_000)),
        ]
    }

    /// One number for two changes.
    pub(crate) fn equivocation(&self) -> Vec<Attack> {
        let (first, mut second) = (self.sound(), self.sound());
        second.time += 1;
        let second = self.attack("one number for two changes", 201, second);
        vec![Attack { after: Some(raw(first)), ..second }]
    }
}
