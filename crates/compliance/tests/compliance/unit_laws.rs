//! The laws of counting units, each over at least 100,000 random sessions, and against a second,
//! naive allocator that tries every vector of units. The constants here are written out on purpose:
//! they must not come from the rules under test.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::ServiceCode;
use chart::report::{Choice, Counted, UnitRule};
use compliance::Rulebook;
use compliance::units::{UnitMap, Work, count};

/// Sessions a law is asked of.
#[expect(clippy::disallowed_methods, reason = "reads how long to run")]
fn cases() -> u32 {
    std::env::var("GAITWAY_SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

const CODES: [&str; 7] = ["97110", "97112", "97116", "97140", "97530", "97535", "97035"];

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: u64) -> u32 {
        u32::try_from(self.next() % n).unwrap()
    }
}

fn code(text: &str) -> ServiceCode {
    ServiceCode::parse(text).unwrap()
}

/// A session of one to six codes; small minutes are likelier, ties common.
fn session(rng: &mut Rng) -> BTreeMap<ServiceCode, u32> {
    let codes = 1 + rng.below(6);
    (0..codes)
        .map(|_| {
            let code = code(CODES[usize::try_from(rng.below(7)).unwrap()]);
            let minutes = if rng.below(3) == 0 { rng.below(17) } else { rng.below(51) };
            (code, minutes)
        })
        .collect()
}

fn work(minutes: &BTreeMap<ServiceCode, u32>) -> Work {
    Work { minutes: minutes.clone(), ..Work::default() }
}

fn each_session(law: impl Fn(&Rulebook, &BTreeMap<ServiceCode, u32>, &mut Rng)) {
    let book = Rulebook::builtin().unwrap();
    let mut rng = Rng(97_112);
    for _ in 0..cases() {
        let minutes = session(&mut rng);
        law(&book, &minutes, &mut rng);
    }
}

fn cms(book: &Rulebook, minutes: &BTreeMap<ServiceCode, u32>) -> Counted {
    count(book, UnitRule::Cms8Minute, &work(minutes), &[])
}

fn each(book: &Rulebook, minutes: &BTreeMap<ServiceCode, u32>) -> Counted {
    count(book, UnitRule::CptMidpoint, &work(minutes), &[])
}

fn total(minutes: &BTreeMap<ServiceCode, u32>) -> u32 {
    minutes.values().sum()
}

#[test]
fn p1_the_total_fixes_the_number_of_units() {
    each_session(|book, minutes, _| {
        assert_eq!(cms(book, minutes).total_units, (total(minutes) + 7) / 15, "{minutes:?}");
    });
}

#[test]
fn p2_every_code_gets_its_whole_quarter_hours_and_at_most_one_more() {
    each_session(|book, minutes, _| {
        for (code, units) in &cms(book, minutes).per_code {
            assert!((minutes[code] / 15..=minutes[code] / 15 + 1).contains(units), "{minutes:?}");
        }
    });
}

#[test]
fn p3_no_minutes_no_unit() {
    each_session(|book, minutes, _| {
        for rule in [UnitRule::Cms8Minute, UnitRule::CptMidpoint, UnitRule::Full15] {
            let counted = count(book, rule, &work(minutes), &[]);
            assert!(minutes.iter().filter(|(_, m)| **m == 0).all(|(code, _)| counted.per_code[code] == 0));
        }
    });
}

#[test]
fn p4_a_larger_leftover_never_loses_to_a_smaller_one() {
    each_session(|book, minutes, _| {
        for units in &cms(book, minutes).acceptable {
            let extra = |code: &ServiceCode| units[code] > minutes[code] / 15;
            for (one, a) in minutes {
                for (two, b) in minutes {
                    assert!(!(a % 15 > b % 15 && extra(two) && !extra(one)), "{minutes:?} {units:?}");
                }
            }
        }
    });
}

#[test]
fn p5_the_order_of_services_changes_nothing() {
    let book = Rulebook::builtin().unwrap();
    let mut rng = Rng(5);
    for _ in 0..cases() {
        let mut list: Vec<(ServiceCode, u32)> = session(&mut rng).into_iter().collect();
        let straight = list_counted(&book, &list);
        let turn = usize::try_from(rng.below(6)).unwrap() % list.len();
        list.rotate_left(turn);
        list.reverse();
        assert_eq!(list_counted(&book, &list), straight);
    }
}

/// Counts a list of services as the lines of a session come in, summing by code.
fn list_counted(book: &Rulebook, list: &[(ServiceCode, u32)]) -> Counted {
    let mut work = Work::default();
    for (code, minutes) in list {
        *work.minutes.entry(code.clone()).or_default() += minutes;
    }
    count(book, UnitRule::Cms8Minute, &work, &[])
}

#[test]
fn p6_splitting_a_code_over_several_lines_changes_nothing() {
    each_session(|book, minutes, rng| {
        let mut list = Vec::new();
        for (code, m) in minutes {
            let first = rng.below(u64::from(*m) + 1);
            list.push((code.clone(), first));
            list.insert(0, (code.clone(), m - first));
        }
        assert_eq!(list_counted(book, &list), cms(book, minutes));
    });
}

#[test]
fn p7_one_more_minute_adds_no_unit_or_one() {
    each_session(|book, minutes, rng| {
        let mut more = minutes.clone();
        let at = usize::try_from(rng.below(6)).unwrap() % more.len();
        *more.values_mut().nth(at).unwrap() += 1;
        let (before, after) = (cms(book, minutes).total_units, cms(book, &more).total_units);
        assert!(after == before || after == before + 1, "{minutes:?}");
    });
}

#[test]
fn p8_one_more_minute_on_a_code_never_lowers_that_code() {
    each_session(|book, minutes, rng| {
        let mut more = minutes.clone();
        let at = usize::try_from(rng.below(6)).unwrap() % more.len();
        let code = more.keys().nth(at).unwrap().clone();
        *more.get_mut(&code).unwrap() += 1;
        assert!(cms(book, &more).per_code[&code] >= cms(book, minutes).per_code[&code], "{minutes:?} {code}");
    });
}

#[test]
fn p9_one_more_minute_on_one_code_may_move_a_unit_from_another_and_the_trace_says_so() {
    let book = Rulebook::builtin().unwrap();
    let session =
        |first: u32| BTreeMap::from([(code("97110"), first), (code("97112"), 8), (code("97116"), 29)]);
    assert_eq!(cms(&book, &session(7)).per_code[&code("97112")], 1);
    let moved = cms(&book, &session(8));
    assert_eq!((moved.per_code[&code("97112")], moved.choice), (0, Choice::Default));
    assert!(moved.trace.iter().any(|step| step.contains("tie")), "{:?}", moved.trace);
}

#[test]
fn p10_every_acceptable_allocation_has_the_same_total_and_the_chosen_one_is_among_them() {
    each_session(|book, minutes, _| {
        let counted = cms(book, minutes);
        assert!(counted.acceptable.iter().all(|units| units.values().sum::<u32>() == counted.total_units));
        assert!(counted.acceptable.contains(&counted.per_code));
    });
}

#[test]
fn p11_whole_quarter_hours_never_give_more_than_either_rule() {
    each_session(|book, minutes, _| {
        let full = count(book, UnitRule::Full15, &work(minutes), &[]).total_units;
        assert!(full <= cms(book, minutes).total_units && full <= each(book, minutes).total_units);
    });
}

#[test]
fn p12_with_one_service_both_rules_agree() {
    each_session(|book, minutes, _| {
        let one: BTreeMap<_, _> = minutes.iter().take(1).map(|(code, m)| (code.clone(), *m)).collect();
        assert_eq!(cms(book, &one).per_code, each(book, &one).per_code);
    });
}

#[test]
fn p13_a_recorded_choice_holds_only_while_the_rule_accepts_it() {
    each_session(|book, minutes, rng| {
        let counted = cms(book, minutes);
        let index = usize::try_from(rng.below(1 << 20)).unwrap() % counted.acceptable.len();
        let pick = counted.acceptable[index].clone();
        let chosen = count(book, UnitRule::Cms8Minute, &work(minutes), std::slice::from_ref(&pick));
        assert_eq!(chosen.per_code, pick);
        let mut wrong = pick;
        *wrong.values_mut().next().unwrap() += 1;
        assert_eq!(count(book, UnitRule::Cms8Minute, &work(minutes), &[wrong]).per_code, counted.per_code);
    });
}

/// Every vector of units with the right total in which each code has its whole quarter hours or one
/// more, none without minutes has any, and no smaller leftover is preferred.
fn naive(minutes: &[(ServiceCode, u32)]) -> BTreeSet<UnitMap> {
    let total: u32 = minutes.iter().map(|(_, m)| m).sum();
    let wanted = if total < 8 { 0 } else { (total - 8) / 15 + 1 };
    let mut found = BTreeSet::new();
    for mask in 0u32..1 << minutes.len() {
        let extra = |index: usize| mask >> index & 1 == 1;
        let units: UnitMap = minutes
            .iter()
            .enumerate()
            .map(|(index, (code, m))| (code.clone(), m / 15 + u32::from(extra(index))))
            .collect();
        let fair = minutes.iter().enumerate().all(|(one, (_, a))| {
            (!extra(one) || a % 15 > 0)
                && minutes
                    .iter()
                    .enumerate()
                    .all(|(two, (_, b))| !(extra(one) && !extra(two) && b % 15 > a % 15))
        });
        if fair && units.values().sum::<u32>() == wanted {
            found.insert(units);
        }
    }
    found
}

#[test]
fn a_naive_allocator_finds_the_same_acceptable_allocations() {
    each_session(|book, minutes, _| {
        let list: Vec<_> = minutes.iter().map(|(code, m)| (code.clone(), *m)).collect();
        let ours: BTreeSet<UnitMap> = cms(book, minutes).acceptable.into_iter().collect();
        assert_eq!(ours, naive(&list), "{minutes:?}");
    });
}

#[test]
fn by_default_a_tie_falls_on_more_minutes_and_then_on_the_lower_code() {
    let book = Rulebook::builtin().unwrap();
    for (session, winner) in [
        (vec![("97110", 5), ("97112", 20), ("97140", 18)], "97112"),
        (vec![("97110", 20), ("97112", 5), ("97140", 18)], "97110"),
        (vec![("97116", 7), ("97112", 7), ("97140", 7)], "97112"),
    ] {
        let minutes = session.iter().map(|(text, m)| (code(text), *m)).collect();
        let counted = cms(&book, &minutes);
        assert_eq!(counted.choice, Choice::Default);
        assert_eq!(counted.per_code[&code(winner)], minutes[&code(winner)] / 15 + 1, "{session:?}");
    }
}

#[test]
fn pooled_codes_split_into_first_and_further_units() {
    let book = Rulebook::builtin().unwrap();
    for minutes in 0..200 {
        let alone = cms(&book, &BTreeMap::from([(code("97110"), minutes)])).total_units;
        for first in [minutes, minutes / 2, 0] {
            let pair = BTreeMap::from([(code("97129"), first), (code("97130"), minutes - first)]);
            let counted = cms(&book, &pair);
            assert_eq!(counted.per_code[&code("97129")], alone.min(1));
            assert_eq!(counted.per_code[&code("97130")], alone.saturating_sub(1));
        }
    }
}

#[test]
fn codes_of_other_lengths_count_outside_the_pool_from_their_own_midpoint() {
    let book = Rulebook::builtin().unwrap();
    for (text, minutes, units) in [
        ("97550", 15, 0),
        ("97550", 16, 1),
        ("97550", 90, 1),
        ("97551", 8, 1),
        ("97551", 38, 3),
        ("97545", 60, 0),
        ("97545", 61, 1),
        ("97546", 31, 1),
        ("96125", 30, 0),
        ("96125", 91, 2),
    ] {
        let counted = cms(&book, &BTreeMap::from([(code(text), minutes), (code("97110"), 7)]));
        assert_eq!((counted.per_code[&code(text)], counted.timed_minutes), (units, 7), "{text} {minutes}");
    }
}

#[test]
fn without_a_tie_there_is_one_outcome_whatever_was_recorded() {
    let book = Rulebook::builtin().unwrap();
    let session = work(&BTreeMap::from([(code("97110"), 30), (code("97112"), 10)]));
    let right = UnitMap::from([(code("97110"), 2), (code("97112"), 1)]);
    let wrong = UnitMap::from([(code("97110"), 3)]);
    for picks in [vec![], vec![right.clone()], vec![wrong.clone()], vec![right.clone(), wrong]] {
        let counted = count(&book, UnitRule::Cms8Minute, &session, &picks);
        assert_eq!((counted.choice, &counted.per_code, counted.total_units), (Choice::Only, &right, 3));
    }
}

#[test]
fn a_pooled_service_turns_back_into_both_its_codes() {
    let book = Rulebook::builtin().unwrap();
    for (recorded, minutes, expected) in [("97129", 45, [1, 2]), ("97130", 45, [1, 2]), ("97130", 10, [1, 0])]
    {
        let units = cms(&book, &BTreeMap::from([(code(recorded), minutes)])).per_code;
        assert_eq!(["97129", "97130"].map(|text| units[&code(text)]), expected, "{recorded} {minutes}");
    }
}

#[test]
fn a_recorded_choice_may_name_codes_outside_the_pool() {
    let book = Rulebook::builtin().unwrap();
    let mut work = work(&BTreeMap::from([(code("97112"), 20), (code("97110"), 20)]));
    work.done.insert(code("97016"));
    let pick = UnitMap::from([(code("97112"), 2), (code("97110"), 1), (code("97016"), 1)]);
    let counted = count(&book, UnitRule::Cms8Minute, &work, std::slice::from_ref(&pick));
    assert_eq!((counted.choice, counted.per_code), (Choice::Recorded, pick));
}

/// Units by code as a recorded choice writes them.
fn units(list: &[(&str, u32)]) -> UnitMap {
    list.iter().map(|(text, n)| (code(text), *n)).collect()
}

/// How minutes by code count by the day's total, with these choices recorded.
fn chosen(minutes: &[(&str, u32)], picks: &[&[(&str, u32)]], expected: Choice, per_code: &[(&str, u32)]) {
    let book = Rulebook::builtin().unwrap();
    let picks: Vec<UnitMap> = picks.iter().map(|pick| units(pick)).collect();
    let counted = count(&book, UnitRule::Cms8Minute, &work(&units(minutes)), &picks);
    assert_eq!((counted.choice, counted.per_code), (expected, units(per_code)), "{picks:?}");
}

#[test]
fn a_recorded_choice_with_a_code_nobody_did_is_none_unless_it_says_zero() {
    let tied = [("97110", 20), ("97112", 20)];
    let (default, other) = ([("97110", 2), ("97112", 1)], [("97110", 1), ("97112", 2)]);
    chosen(&tied, &[&other], Choice::Recorded, &other);
    chosen(&tied, &[&[("97110", 1), ("97112", 2), ("97140", 0)]], Choice::Recorded, &other);
    chosen(&tied, &[&[("97110", 1), ("97112", 2), ("97140", 1)]], Choice::Default, &default);
}

#[test]
fn two_recorded_choices_that_part_in_a_written_zero_alone_are_one() {
    let minutes = [("97110", 20), ("97112", 20), ("97140", 3), ("97116", 0)];
    // 43 minutes are three units; the three minutes are the smallest leftover.
    let (short, long) =
        ([("97112", 2), ("97110", 1)], [("97112", 2), ("97110", 1), ("97140", 0), ("97116", 0)]);
    chosen(&minutes, &[&short, &long], Choice::Recorded, &long);
    let contrary = [("97112", 1), ("97110", 2)];
    let default = [("97112", 1), ("97110", 2), ("97140", 0), ("97116", 0)];
    chosen(&minutes, &[&short, &contrary], Choice::Default, &default);
}

#[test]
fn a_recorded_choice_gives_a_pooled_service_the_sum_of_both_its_codes() {
    let choice = [("97129", 1), ("97130", 1), ("97110", 1)];
    let default = [("97129", 1), ("97110", 2)];
    chosen(&[("97129", 20), ("97110", 20)], &[&choice], Choice::Recorded, &choice);
    chosen(&[("97129", 20), ("97110", 20)], &[], Choice::Default, &default);
}

#[test]
fn a_code_of_a_pooled_service_that_nobody_wrote_stands_only_with_units() {
    for (recorded, minutes, expected) in [
        ("97130", 7, &[("97130", 0)][..]),
        ("97130", 8, &[("97129", 1), ("97130", 0)]),
        ("97129", 22, &[("97129", 1)]),
        ("97129", 23, &[("97129", 1), ("97130", 1)]),
    ] {
        chosen(&[(recorded, minutes)], &[], Choice::Only, expected);
    }
}

#[test]
fn a_service_without_leftover_minutes_wins_no_further_unit() {
    // 44 minutes are three units: two whole blocks, and one for the larger of the leftovers 0, 8 and 6.
    chosen(
        &[("97110", 30), ("97112", 8), ("97116", 6)],
        &[],
        Choice::Only,
        &[("97110", 2), ("97112", 1), ("97116", 0)],
    );
    let book = Rulebook::builtin().unwrap();
    for rule in [UnitRule::Cms8Minute, UnitRule::CptMidpoint, UnitRule::Full15] {
        let counted = count(&book, rule, &work(&units(&[("97110", 30), ("97112", 15)])), &[]);
        assert_eq!(counted.per_code, units(&[("97110", 2), ("97112", 1)]), "{rule:?}");
    }
}

#[test]
fn a_code_not_counted_by_minutes_is_there_if_it_was_done_or_took_minutes() {
    let book = Rulebook::builtin().unwrap();
    for (minutes, done, expected) in [(0, false, 0), (5, false, 1), (0, true, 1), (5, true, 1)] {
        let mut work = work(&units(&[("95851", minutes)]));
        work.done.extend(done.then(|| code("95851")));
        let per_code = count(&book, UnitRule::Cms8Minute, &work, &[]).per_code;
        assert_eq!(per_code, units(&[("95851", expected)]), "{minutes} minutes, done: {done}");
    }
}

#[test]
fn of_a_tie_of_many_as_many_outcomes_are_listed_as_the_limit_says() {
    let book = Rulebook::builtin().unwrap();
    let codes = "97032 97110 97112 97113 97116 97124 97140 97530 97533 97535 97537 97542";
    let counted = cms(&book, &codes.split(' ').map(|text| (code(text), 7)).collect());
    assert_eq!((counted.total_units, counted.acceptable.len()), (6, compliance::limits::ACCEPTABLE_LISTED));
}

#[test]
fn an_untimed_code_is_one_unit_unless_the_table_allows_more() {
    let book = Rulebook::builtin().unwrap();
    let units = |entered: u32, most: Option<u32>| {
        let text = "95851";
        let mut work = Work { done: BTreeSet::from([code(text)]), ..Work::default() };
        work.entered.insert(code(text), entered);
        work.most.extend(most.map(|most| (code(text), most)));
        count(&book, UnitRule::Cms8Minute, &work, &[]).per_code[&code(text)]
    };
    for (entered, most, expected) in
        [(3, None, 1), (3, Some(0), 1), (3, Some(3), 3), (9, Some(3), 3), (0, Some(3), 1), (2, Some(3), 2)]
    {
        assert_eq!(units(entered, most), expected, "{entered} entered, at most {most:?}");
    }
}
