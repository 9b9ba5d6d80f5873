//! What the costliest bytes cost: time of one core and memory, measured, each under the promise of
//! docs/gate.md. Reads the processor time of its own thread and counts what it allocates; no wall
//! clock, so a busy machine changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "a test fails by panicking, and uses a part of the tests' world"
)]

#[cfg(test)]
#[path = "gate/chunks.rs"]
mod chunks;
#[cfg(test)]
#[path = "gate/world.rs"]
mod world;

#[cfg(test)]
mod cost {
    use std::hint::black_box;

    use automerge::legacy::{Key, ObjectId, Op, OpId, OpType, SortedVec};
    use automerge::transaction::{Transactable, Transaction};
    use automerge::{Automerge, Change, ChangeHash, ExpandedChange, ObjType, ROOT, ReadDoc};
    use session_note::admit::{AncestryIndex, Candidate, ContentView, Limits, Policy, judge};

    use crate::chunks::{chunk, uleb};
    use crate::world::{NOON, actor, anything, codes, commit, note, scan};

    const CPU_MS_MAX: f64 = 50.0;
    const BYTES_MAX: u64 = 16 << 20;

    /// Processor time of this thread, in milliseconds.
    fn cpu_ms() -> f64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    }

    /// The best of up to nine runs, and the most that was allocated at a time.
    fn cost(mut work: impl FnMut()) -> (f64, u64) {
        let mut best = f64::INFINITY;
        for _ in 0..9 {
            let start = cpu_ms();
            work();
            best = best.min(cpu_ms() - start);
            if best < CPU_MS_MAX / 4.0 {
                break;
            }
        }
        (best, allocation_counter::measure(work).bytes_max)
    }

    fn check(name: &str, mut work: impl FnMut() -> u16, expected: u16) {
        assert_eq!(work(), expected, "{name}");
        let (ms, bytes) = cost(|| _ = black_box(work()));
        println!("{name:42} {expected:3} {ms:8.3} ms {:8} KiB", bytes >> 10);
        assert!(ms < CPU_MS_MAX, "{name}: {ms} ms");
        assert!(bytes < BYTES_MAX, "{name}: {bytes} bytes");
    }

    /// The door's word on bytes, or 0.
    fn door(bytes: &[u8]) -> u16 {
        Candidate::scan(bytes.to_vec(), &Limits::V1).map_or_else(|refusal| refusal.code(), |_| 0)
    }

    /// The columns of one put in the root, with some replaced.
    fn put_with(columns: &[(u8, &[u8])]) -> Vec<u8> {
        let mut data = vec![1];
        data.extend(note().get_heads()[0].0);
        data.push(16);
        data.extend([2; 16]);
        data.extend([1, 19, 0, 0, 0, columns.len() as u8]);
        columns
            .iter()
            .for_each(|(spec, bytes)| data.extend([vec![*spec], uleb(bytes.len() as u64)].concat()));
        columns.iter().for_each(|(_, bytes)| data.extend(*bytes));
        chunk(1, &data)
    }

    #[test]
    fn bytes_that_want_to_grow_are_refused_before_they_do() {
        let run: &[u8] = &[0xc0, 0x8d, 0xb7, 0x01, 1];
        let key: (u8, &[u8]) = (0x15, &[0x7f, 1, b'x']);
        let three_million = put_with(&[
            (0x15, &[0xc0, 0x8d, 0xb7, 0x01, 1, b'x']),
            (0x34, &[1]),
            (0x42, run),
            (0x56, &[0x7f, 0]),
            (0x70, &[0x7f, 0]),
        ]);
        assert!(three_million.len() < 150);
        check("3,000,000 operations in a run", || door(&three_million), 118);
        let preds = [0x7f, 0xc0, 0x8d, 0xb7, 0x01];
        let preds = put_with(&[
            key,
            (0x34, &[1]),
            (0x42, &[0x7f, 1]),
            (0x56, &[0x7f, 0]),
            (0x70, &preds),
            (0x71, run),
        ]);
        check("3,000,000 overwritten values in a run", || door(&preds), 119);
        let deflated = chunk(2, &vec![0x5a; 194_000]);
        check("a compressed chunk", || door(&deflated), 102);
        let column =
            put_with(&[key, (0x34, &[1]), (0x4a, &[0x5a; 250]), (0x56, &[0x7f, 0]), (0x70, &[0x7f, 0])]);
        check("a compressed column", || door(&column), 116);
        let huge_actor =
            chunk(1, &[vec![0], uleb(200_000), vec![2; 200_000], vec![1, 19, 0, 0, 0, 0]].concat());
        check("an actor of 200,000 bytes", || door(&huge_actor), 110);
        let huge = vec![0x85; 1 << 20];
        check("a change of a megabyte", || door(&huge), 103);
        let deps = [uleb(1 << 40), vec![7; 200_000]].concat();
        check("2^40 dependencies", || door(&chunk(1, &deps)), 109);
        let noise = chunk(
            1,
            &(0..250_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>(),
        );
        check("a quarter of a megabyte of noise", || door(&noise), 110);
    }

    struct Table {
        document: Automerge,
        index: AncestryIndex,
    }

    impl Table {
        fn new() -> Self {
            let document = note();
            let index = AncestryIndex::of(&document).unwrap();
            Self { document, index }
        }
        /// The whole way of one change: door and judge.
        fn whole_way(&self, bytes: &[u8]) -> u16 {
            match Candidate::scan(bytes.to_vec(), &Limits::V1) {
                Err(refusal) => refusal.code(),
                Ok(candidate) => self.judged(&[candidate])[0],
            }
        }
        fn judged(&self, waiting: &[Candidate]) -> Vec<u16> {
            codes(&judge(&self.document, &self.index, waiting, &Policy::default(), &mut anything).unwrap())
        }
    }

    fn change(operations: Vec<Op>) -> ExpandedChange {
        ExpandedChange {
            operations,
            actor_id: actor(2),
            hash: None,
            seq: 1,
            start_op: 19.try_into().unwrap(),
            time: NOON,
            message: None,
            deps: note().get_heads(),
            extra_bytes: Vec::new(),
            author: None,
        }
    }

    fn op(obj: ObjectId, key: &str, action: OpType, pred: &[OpId]) -> Op {
        Op { action, obj, key: Key::Map(key.into()), pred: SortedVec::from(pred.to_vec()), insert: false }
    }

    #[test]
    fn maps_in_maps_stop_at_the_eighth() {
        let object = |level: u64| match level {
            0 => ObjectId::Root,
            _ => ObjectId::Id(OpId(18 + level, actor(2))),
        };
        let nest = |depth: u64| {
            let one = |level| op(object(level), "m", OpType::Make(ObjType::Map), &[]);
            Change::from(change((0..depth).map(one).collect())).raw_bytes().to_vec()
        };
        let table = Table::new();
        let (deep, deepest) = (nest(300), nest(5_000));
        check("maps 300 deep", || table.whole_way(&deep), 210);
        check("maps 5,000 deep", || table.whole_way(&deepest), 210);
    }

    #[test]
    fn thousands_of_orphans_wait_at_little_cost() {
        let orphan = |number: i64| {
            let mut orphan = change(vec![op(ObjectId::Root, "x", OpType::Put(1.into()), &[])]);
            (orphan.deps, orphan.time) = (vec![ChangeHash([9; 32])], NOON + number);
            scan(&Change::from(orphan))
        };
        let orphans: Vec<Candidate> = (0..5_000).map(orphan).collect();
        let table = Table::new();
        check("5,000 orphans", || table.judged(&orphans).into_iter().max().unwrap(), 2);
    }

    fn edited(edit: &dyn Fn(&mut Transaction<'_>)) -> Vec<u8> {
        let mut editor = note().with_actor(actor(2));
        let edit = |tx: &mut Transaction<'_>| {
            edit(tx);
            Ok::<_, automerge::AutomergeError>(())
        };
        editor.transact_with(|_| commit(), edit).unwrap();
        note().get_changes_added(&editor)[0].raw_bytes().to_vec()
    }

    #[test]
    fn the_largest_change_that_is_admitted_keeps_the_promise_too() {
        let table = Table::new();
        let puts = edited(&|tx| (0..5_000).for_each(|n| tx.put(ROOT, format!("{n:044}"), n).unwrap()));
        check("5,000 fields", || table.whole_way(&puts), 0);
        let same = edited(&|tx| (0..5_000).for_each(|n| tx.put(ROOT, "x", n).unwrap()));
        check("one field, 5,000 times", || table.whole_way(&same), 0);
        let maps = edited(&|tx| {
            for n in 0..5_000 {
                tx.put_object(ROOT, n.to_string(), ObjType::Map).unwrap();
            }
        });
        check("5,000 maps", || table.whole_way(&maps), 0);
        let letters = edited(&|tx| {
            let text = tx.get(ROOT, "plan").unwrap().unwrap().1;
            (0..5_000).for_each(|_| tx.splice_text(&text, 0, 0, "x").unwrap());
        });
        check("5,000 letters, each at the start", || table.whole_way(&letters), 0);
        let wide =
            edited(&|tx| (0..3).for_each(|n| tx.put(ROOT, n.to_string(), "w".repeat(64 << 10)).unwrap()));
        check("three values of 64 KiB", || table.whole_way(&wide), 0);
    }

    /// A chain of changes, each of a new actor or all of one.
    fn chain(length: u32, new_actors: bool) -> Vec<Candidate> {
        let mut deps = note().get_heads();
        let link = |number: u32| {
            let mut link =
                change(vec![op(ObjectId::Root, &format!("k{number}"), OpType::Put(1.into()), &[])]);
            let mut name = [9; 16];
            match new_actors {
                true => name[..4].copy_from_slice(&number.to_be_bytes()),
                false => link.seq = u64::from(number) + 1,
            }
            (link.actor_id, link.start_op) = (name.into(), u64::from(19 + number).try_into().unwrap());
            let link = Change::from(ExpandedChange { deps: deps.clone(), ..link });
            deps = vec![link.hash()];
            scan(&link)
        };
        (0..length).map(link).collect()
    }

    #[test]
    fn an_actor_for_every_change_costs_what_one_actor_costs() {
        let table = Table::new();
        // The note has an actor of its own.
        let codes = table.judged(&chain(1_025, true));
        assert_eq!((&codes[..1_023], &codes[1_023..]), ([0; 1_023].as_slice(), [214, 211].as_slice()));
        let measured = [false, true].map(|new_actors| {
            let chain = chain(1_023, new_actors);
            let (ms, bytes) = cost(|| _ = black_box(table.judged(&chain)));
            println!("1,023 changes, each of a new actor: {new_actors}, {ms:.3} ms {} KiB", bytes >> 10);
            (ms, bytes)
        });
        let [(one_ms, _), (many_ms, many_bytes)] = measured;
        assert!(many_ms < 4.0 * one_ms, "{many_ms} ms beside {one_ms} ms");
        assert!(many_bytes < BYTES_MAX, "{many_bytes}");
    }

    #[test]
    fn a_chain_of_orphans_that_each_miss_more_does_not_cost_their_square() {
        let mut last = ChangeHash([1; 32]);
        let link = |number: u32| {
            let mut link = change(vec![op(ObjectId::Root, "x", OpType::Put(1.into()), &[])]);
            let missing = (0..63u8).map(|n| {
                let mut name = [n; 32];
                name[..4].copy_from_slice(&number.to_be_bytes());
                ChangeHash(name)
            });
            link.deps = missing.chain([last]).collect();
            link.deps.sort();
            let link = Change::from(link);
            last = link.hash();
            scan(&link)
        };
        let chain: Vec<Candidate> = (0..500).map(link).collect();
        let table = Table::new();
        check("500 orphans that miss 63 more each", || table.judged(&chain).into_iter().max().unwrap(), 2);
    }

    /// A document in which 10 changes of one actor set fields of the root 5,000 times each.
    fn crowded(key: &dyn Fn(u32, u32) -> String) -> Table {
        let mut editor = note().with_actor(actor(7));
        for round in 0..10 {
            let edit = |tx: &mut Transaction<'_>| (0..5_000).try_for_each(|n| tx.put(ROOT, key(round, n), n));
            editor.transact_with(|_| commit(), edit).unwrap();
        }
        let index = AncestryIndex::of(&editor).unwrap();
        Table { document: editor, index }
    }

    /// 200 changes upon a document's heads, each of which sets one field.
    fn puts(document: &Automerge, key: &str) -> Vec<Candidate> {
        let mut editor = document.clone().with_actor(actor(8));
        (0..200).for_each(|n| drop(editor.transact_with(|_| commit(), |tx| tx.put(ROOT, key, n)).unwrap()));
        document.get_changes_added(&editor).iter().map(scan).collect()
    }

    #[test]
    fn a_field_rewritten_fifty_thousand_times_costs_later_writers_nothing() {
        let table = crowded(&|_, _| "x".to_owned());
        let cost_of = |key: &str| {
            let work = puts(&table.document, key);
            cost(|| assert_eq!(table.judged(&work).into_iter().max(), Some(0))).0
        };
        let (rewritten, other) = (cost_of("x"), cost_of("y"));
        println!("200 puts: of the rewritten field {rewritten:.1} ms, of another {other:.1} ms");
        assert!(rewritten < 1.5 * other, "{rewritten} ms beside {other} ms");
    }

    #[test]
    fn a_rule_that_asks_for_seen_fields_does_not_count_fifty_thousand() {
        let table = crowded(&|round, n| format!("k{round} {n}"));
        let work = puts(&table.document, "y");
        let judged = |asks: bool| {
            let mut rule = |view: &ContentView<'_>| {
                assert!(!asks || (view.has_seen_keys_at(&[]) && !view.has_seen_keys_at(&["plan"])));
                Ok(())
            };
            judge(&table.document, &table.index, &work, &Policy::default(), &mut rule).unwrap()
        };
        let [asking, not] = [true, false].map(|asks| cost(|| _ = black_box(judged(asks))).0);
        println!("200 puts beside 50,000 fields: asking {asking:.1} ms, not asking {not:.1} ms");
        assert!(asking < 1.2 * not, "{asking} ms beside {not} ms");
    }
}
