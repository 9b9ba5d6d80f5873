//! Whatever the facts: recompute answers, answers the same again, and its answer survives JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chart::code::{Discipline, Mode, PayerId, ServiceCode};
use chart::facts::{Arrival, DaySlice, Facts, PersonFacts, SegmentFacts, Standing};
use chart::ids::{ActivityId, DeviceId, DocumentId, PatientId, PersonId, SegmentId, VersionId};
use chart::reference::Profession;
use chart::register::{Alternative, Fact};
use chart::report::{BillState, PoolOutcome, Report, Severity};
use chart::time::{ClockTime, Minutes, Timestamp};
use chart::visit::{Activity, SegmentValue, TypedTotals};
use chrono::NaiveDate;
use compliance::assess::{read_visit, write_visit};
use compliance::{Rulebook, recompute};
use proptest::prelude::*;

static BOOK: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::builtin().unwrap());

const CODES: [&str; 12] = [
    "97112", "97110", "97130", "97150", "G0283", "97550", "97161", "98940", "97999", "97532", "97139",
    "97140",
];

fn code() -> impl Strategy<Value = ServiceCode> {
    proptest::sample::select(&CODES[..]).prop_map(|text| ServiceCode::parse(text).unwrap())
}

fn small_id() -> impl Strategy<Value = [u8; 16]> {
    (0u8..6).prop_map(|n| [n; 16])
}

fn clock() -> impl Strategy<Value = ClockTime> {
    prop_oneof![
        9 => (28_700_000i64..28_700_300, -300i16..300),
        1 => (0i64..121_000_000, -1080i16..=1080),
    ]
    .prop_map(|(minute, offset)| ClockTime::new(minute, offset).unwrap())
}

fn date() -> impl Strategy<Value = NaiveDate> {
    prop_oneof![
        8 => (0i64..3).prop_map(|days| NaiveDate::from_ymd_opt(2024, 7, 26).unwrap() + chrono::Duration::days(days)),
        1 => Just(NaiveDate::MIN),
        1 => Just(NaiveDate::MAX),
    ]
}

fn minutes() -> impl Strategy<Value = Minutes> {
    prop_oneof![9 => 0u32..90, 1 => Just(u32::MAX)].prop_map(Minutes::new)
}

fn mode() -> impl Strategy<Value = Mode> {
    let known =
        ["one_on_one", "group", "supervised", "independent", "rest", "waiting", "set_up", "levitating"];
    proptest::sample::select(known.to_vec()).prop_map(Mode::from)
}

fn value() -> impl Strategy<Value = SegmentValue> {
    let people = (
        proptest::option::of(small_id().prop_map(PersonId::from_bytes)),
        proptest::option::of(small_id().prop_map(PersonId::from_bytes)),
    );
    let times = (proptest::option::weighted(0.9, clock()), proptest::option::weighted(0.9, clock()));
    let odd = (
        proptest::option::of(any::<bool>()),
        proptest::bool::weighted(0.1),
        proptest::option::of(any::<u64>()),
    );
    (
        code(),
        times,
        proptest::option::weighted(0.2, minutes()),
        proptest::option::of(mode()),
        people,
        odd,
        proptest::option::weighted(0.1, minutes()),
    )
        .prop_map(
            |(code, (start, end), typed, mode, (performer, other), (counted, error, elapsed), share)| {
                SegmentValue {
                    start,
                    end,
                    typed_minutes: typed,
                    mode,
                    performer,
                    directed_by: other,
                    supervised_by: other,
                    co_treatment_share: share,
                    counted,
                    entered_in_error: error,
                    elapsed_ms: elapsed,
                    ..SegmentValue::of(code)
                }
            },
        )
}

fn fact<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Fact<T>> {
    let side = (value.clone(), any::<u8>()).prop_map(|(value, version)| Alternative {
        value,
        versions: BTreeSet::from([VersionId::from_bytes([version; 16])]),
        by: Vec::new(),
    });
    prop_oneof![
        1 => Just(Fact::Missing),
        7 => value.prop_map(Fact::Agreed),
        1 => proptest::collection::vec(side, 0..4).prop_map(Fact::Disputed),
    ]
}

fn payer() -> impl Strategy<Value = PayerId> + Clone {
    proptest::sample::select(vec!["medicare", "aetna", "cash", "full15", "nobody", "bcbs_experimental_97112"])
        .prop_map(|text| PayerId(text.to_owned()))
}

fn slice() -> impl Strategy<Value = DaySlice> {
    let segment = (small_id(), any::<u8>(), fact(value().boxed()), small_id()).prop_map(
        |(activity, segment, value, device)| SegmentFacts {
            activity: ActivityId::from_bytes(activity),
            segment: SegmentId::from_bytes([segment; 16]),
            value,
            devices: BTreeSet::from([DeviceId::from_bytes(device)]),
        },
    );
    let discipline =
        proptest::sample::select(vec!["pt", "ot", "chiropractic", "dance"]).prop_map(Discipline::from);
    let units = proptest::collection::btree_map(code(), prop_oneof![0u32..4, Just(u32::MAX)], 0..3).boxed();
    let typed = proptest::collection::btree_map(code(), "[0-9.x-]{0,11}", 0..3).boxed();
    (
        (small_id(), proptest::option::of(small_id()), proptest::option::of(discipline)),
        fact(date().boxed()),
        fact(small_id().prop_map(PersonId::from_bytes).boxed()),
        fact(payer().boxed()),
        fact(units),
        fact(typed),
        proptest::collection::vec(segment, 0..6),
    )
        .prop_map(
            |((document, patient, discipline), date, provider, payer, tie_pick, billed_units, segments)| {
                DaySlice {
                    document: DocumentId::from_bytes(document),
                    patient: patient.map(PatientId::from_bytes),
                    discipline,
                    date,
                    provider,
                    payer,
                    tie_pick,
                    billed_units,
                    segments,
                }
            },
        )
}

fn person() -> impl Strategy<Value = PersonFacts> {
    let professions = Profession::KNOWN.to_vec();
    (
        proptest::option::of(proptest::sample::select(professions)),
        proptest::option::of("[0-9]{8,11}"),
        proptest::option::of(date()),
        proptest::option::of(date()),
    )
        .prop_map(|(profession, npi, license_valid_to, excluded_from)| PersonFacts {
            roles: BTreeSet::new(),
            profession: profession.map(Profession::from),
            npi,
            license_valid_to,
            excluded_from,
        })
}

fn words() -> impl Strategy<Value = String> {
    let texts = [
        "",
        "balance exercises",
        "wobble chair",
        "PNF stretching",
        "massage",
        "{curly} é 3x10",
        "walk 300 ft",
        "59 GP CQ KX GA GZ GX",
    ];
    proptest::sample::select(texts.to_vec()).prop_map(str::to_owned)
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let at = prop_oneof![-62_167_219_200_000i64..253_402_300_799_999, Just(i64::MIN), Just(i64::MAX)];
    (small_id(), any::<i64>(), at).prop_map(|(device, ahead, at)| Arrival {
        device: DeviceId::from_bytes(device),
        clock_ahead_ms: ahead,
        received_at: Timestamp::from_unix_ms(at),
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let empty = read_visit(r#"{"date":"2024-07-26","segments":[],"goals":[{"task":"Walk"}]}"#).unwrap();
    let fields =
        ["response", "modifiers.97112", "modifiers", "region.98940", "necessity.reason", "gap_reason"];
    let own_fields = proptest::collection::btree_map(
        proptest::sample::select(fields.to_vec()).prop_map(str::to_owned),
        words(),
        0..4,
    );
    let plan = [
        "poc.established",
        "poc.sent",
        "poc.verbal",
        "poc.ends",
        "progress.treatment_days_since_report",
        "poc.order_signed_dated",
    ];
    let plan_values = proptest::sample::select(vec!["2024-05-01", "+262142-12-31", "true", "11", "-1", ""])
        .prop_map(str::to_owned);
    let episode_fields = proptest::collection::btree_map(
        proptest::sample::select(plan.to_vec()).prop_map(str::to_owned),
        plan_values,
        0..5,
    );
    let activity =
        (proptest::collection::vec(words(), 0..3), words()).prop_map(|(techniques, text)| Activity {
            techniques,
            fields: BTreeMap::from([("description".to_owned(), text.clone()), ("device".to_owned(), text)]),
            ..Activity::default()
        });
    let activities =
        proptest::collection::btree_map(small_id().prop_map(ActivityId::from_bytes), activity, 0..4);
    let totals = (proptest::option::of(minutes()), proptest::option::of(minutes()))
        .prop_map(|(timed, treatment)| TypedTotals { timed, treatment });
    let arrival = arrival();
    let people = proptest::collection::btree_map(small_id().prop_map(PersonId::from_bytes), person(), 0..4);
    let day = (slice(), proptest::collection::vec(slice(), 0..3), proptest::collection::vec(slice(), 0..3));
    let chart = (activities, own_fields, episode_fields, fact(totals.boxed()), proptest::option::of(clock()));
    (day, chart, people, proptest::collection::vec(arrival, 0..3), date()).prop_map(
        move |(
            (own, patient_day, provider_day),
            (activities, own_fields, episode_fields, totals, check_in),
            people,
            arrivals,
            as_of,
        )| {
            let mut facts = empty.clone();
            facts.standing = Standing::Complete;
            facts.note.slice = own;
            facts.note.activities = activities;
            facts.note.fields = own_fields;
            facts.note.totals = totals;
            facts.note.check_in = check_in;
            facts.note.check_out = check_in;
            facts.patient_day = patient_day;
            facts.provider_day = provider_day;
            facts.people = people;
            facts.arrivals = arrivals;
            facts.as_of = as_of;
            if let Some(episode) = &mut facts.episode {
                episode.fields = episode_fields;
                episode.started_on = Some(as_of);
            }
            facts
        },
    )
}

/// Every contested fact of the day, as it is: `choose` gives the side taken of each, by its versions.
fn choose_all(facts: &mut Facts, choose: &mut dyn FnMut(&[BTreeSet<VersionId>]) -> usize) {
    fn one<T: Clone>(fact: &mut Fact<T>, choose: &mut dyn FnMut(&[BTreeSet<VersionId>]) -> usize) {
        let Fact::Disputed(sides) = fact else { return };
        let versions: Vec<_> = sides.iter().map(|side| side.versions.clone()).collect();
        let side = if sides.is_empty() { 0 } else { choose(&versions) };
        *fact = sides.get(side).map_or(Fact::Missing, |side| Fact::Agreed(side.value.clone()));
    }
    fn slice(slice: &mut DaySlice, choose: &mut dyn FnMut(&[BTreeSet<VersionId>]) -> usize) {
        one(&mut slice.date, choose);
        one(&mut slice.provider, choose);
        one(&mut slice.payer, choose);
        one(&mut slice.tie_pick, choose);
        one(&mut slice.billed_units, choose);
        slice.segments.iter_mut().for_each(|segment| one(&mut segment.value, choose));
    }
    slice(&mut facts.note.slice, choose);
    one(&mut facts.note.place, choose);
    one(&mut facts.note.diagnoses, choose);
    one(&mut facts.note.totals, choose);
    facts.patient_day.iter_mut().chain(&mut facts.provider_day).for_each(|one| slice(one, choose));
}

/// The same facts with a version of its own for every side, so that an alternative names its sides, and with
/// every note there once, as a note has one discipline.
fn with_versions(mut facts: Facts) -> Facts {
    for (slice, n) in facts.patient_day.iter_mut().chain(&mut facts.provider_day).zip(100u8..) {
        slice.document = DocumentId::from_bytes([n; 16]);
    }
    fn number<T>(fact: &mut Fact<T>, next: &mut u16) {
        if let Fact::Disputed(sides) = fact {
            for side in sides {
                *next += 1;
                let mut id = [0u8; 16];
                id[..2].copy_from_slice(&next.to_be_bytes());
                side.versions = BTreeSet::from([VersionId::from_bytes(id)]);
            }
        }
    }
    let mut next = 0;
    for slice in
        std::iter::once(&mut facts.note.slice).chain(&mut facts.patient_day).chain(&mut facts.provider_day)
    {
        number(&mut slice.date, &mut next);
        number(&mut slice.provider, &mut next);
        number(&mut slice.payer, &mut next);
        number(&mut slice.tie_pick, &mut next);
        number(&mut slice.billed_units, &mut next);
        slice.segments.iter_mut().for_each(|segment| number(&mut segment.value, &mut next));
    }
    number(&mut facts.note.totals, &mut next);
    facts
}

/// What must hold of every report.
fn sound(report: &Report) {
    let blocked = report.findings.iter().any(|finding| finding.severity == Severity::Blocker);
    let own_open = report
        .pools
        .iter()
        .filter(|pool| pool.documents.contains(&report.document))
        .any(|pool| !matches!(&pool.outcome, PoolOutcome::Counted(counted) if counted.rule.is_some()));
    assert!(report.bill != BillState::Ready || !(blocked || own_open));
    for pool in &report.pools {
        if let PoolOutcome::Disputed { alternatives, total_units_min, total_units_max, complete } =
            &pool.outcome
        {
            assert!(total_units_min <= total_units_max);
            let totals: BTreeSet<u32> = alternatives.iter().map(|one| one.counted.total_units).collect();
            assert_eq!(*complete, !alternatives.is_empty());
            assert!(totals.iter().all(|total| (total_units_min..=total_units_max).contains(&total)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn recompute_answers_whatever_the_facts(facts in facts()) {
        let report = recompute(&facts, &BOOK);
        sound(&report);
        prop_assert_eq!(&recompute(&facts, &BOOK), &report);
        let text = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[test]
    fn the_portable_visit_reads_back_what_it_writes(facts in facts()) {
        let read = read_visit(&write_visit(&facts)).unwrap();
        prop_assert_eq!(read, facts);
    }

    #[test]
    fn any_line_is_answered_with_json(line in ".{0,200}") {
        let answer = compliance::assess_line(&line, &BOOK);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&answer).unwrap().is_object());
    }

    #[test]
    fn an_alternatives_units_are_what_the_engine_gives_when_it_is_chosen(facts in facts()) {
        let facts = with_versions(facts);
        let report = recompute(&facts, &BOOK);
        for pool in &report.pools {
            let PoolOutcome::Disputed { alternatives, .. } = &pool.outcome else { continue };
            for alternative in alternatives {
                let mut chosen = facts.clone();
                // A choice the alternative does not name makes no difference to it: the last side will do.
                choose_all(&mut chosen, &mut |sides| {
                    let named = sides.iter().position(|side| side.is_subset(&alternative.versions));
                    named.unwrap_or(sides.len() - 1)
                });
                let after = recompute(&chosen, &BOOK);
                let Some(same) = after.pools.iter().find(|one| one.discipline == pool.discipline) else {
                    // Chosen so, its notes are of another day.
                    prop_assert!(alternative.counted.per_code.is_empty());
                    continue;
                };
                let (PoolOutcome::Counted(units) | PoolOutcome::Held { so_far: units, .. }) = &same.outcome
                else {
                    panic!("still open: {:?}", same.outcome)
                };
                prop_assert_eq!(&units.per_code, &alternative.counted.per_code, "{}", &alternative.label);
                prop_assert_eq!(&units.minutes, &alternative.counted.minutes, "{}", &alternative.label);
            }
        }
    }

    #[test]
    fn a_disputed_value_reaches_no_bill_line(facts in facts(), picks in proptest::collection::vec(0usize..4, 40)) {
        let facts = with_versions(facts);
        let report = recompute(&facts, &BOOK);
        let own = report.pools.iter().find(|pool| pool.documents.contains(&report.document));
        if !own.is_some_and(|pool| matches!(&pool.outcome, PoolOutcome::Counted(counted) if counted.rule.is_some())) {
            prop_assert!(report.billing.lines.is_empty());
        }
        // Whatever is chosen, the lines that were shown stay as they were.
        let mut picks = picks.into_iter().cycle();
        let mut chosen = facts.clone();
        choose_all(&mut chosen, &mut |sides| picks.next().unwrap() % sides.len());
        let after = recompute(&chosen, &BOOK).billing;
        for line in &report.billing.lines {
            let known = |one: &&chart::billing::BillLine| {
                (&one.code, &one.modifiers, one.units, one.minutes)
                    == (&line.code, &line.modifiers, line.units, line.minutes)
            };
            prop_assert!(after.lines.iter().any(|one| known(&one)), "{:?} is not in {:?}", line, after);
        }
    }
}
