//! New payers, new quarters and a clinic's own rows are data alone; what is wrong with them is said with
//! file, line and reason.

use std::collections::BTreeSet;

use chart::report::{PoolOutcome, Report};
use compliance::assess::read_visit;
use compliance::rulebook::official::{Converted, File, Quarter, Table};
use compliance::{Rulebook, recompute};
use serde_json::json;

fn report(book: &Rulebook, date: &str, payer: &str, codes: &[(&str, u32)]) -> Report {
    let mut minute = 9 * 60;
    let mut segments = Vec::new();
    for (code, minutes) in codes {
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let (start, end) = (clock(minute), clock(minute + minutes));
        segments
            .push(json!({"code": code, "start": start, "end": end, "mode": "one_on_one", "provider": "pt1"}));
        minute += minutes;
    }
    let visit = json!({"date": date, "payer": payer, "discipline": "pt", "segments": segments});
    recompute(&read_visit(&visit.to_string()).unwrap(), book)
}

fn ids(report: &Report) -> BTreeSet<&str> {
    report.findings.iter().map(|finding| finding.id.as_str()).collect()
}

fn units(report: &Report) -> u32 {
    let PoolOutcome::Counted(counted) = &report.pools[0].outcome else { panic!("{report:?}") };
    counted.total_units
}

const PAYER: &str = r#"
[[source]]
key = "riverbend-contract"
text = "Contract of the clinic with Riverbend Mutual, 2026"
read = "own"

[[payer]]
id = "riverbend_mutual"
aliases = ["riverbend"]
label = "Riverbend Mutual"
unit_rule = "full_15"
flags = ["ncci"]
reviewed = "2024-08-01"
from = "2024-01-01"
source = "riverbend-contract"
"#;

#[test]
fn a_new_payer_is_a_file_and_nothing_else() {
    let session = [("97112", 20), ("97110", 14)];
    let without = report(&Rulebook::builtin().unwrap(), "2024-08-05", "riverbend", &session);
    assert!(ids(&without).contains("payer-profile-missing") && ids(&without).contains("units-rule-missing"));
    let book = Rulebook::builtin_with(&[("riverbend.toml", PAYER)]).unwrap();
    let with = report(&book, "2024-08-05", "riverbend", &session);
    assert!(!ids(&with).contains("payer-profile-missing") && !ids(&with).contains("units-rule-missing"));
    assert_eq!((units(&with), with.billing.lines.len()), (1, 1));
}

/// A quarter as it is published, rows and codes made up but for their form.
const PAIRS: &str = "\
Practitioner PTP edits, a notice of the publisher, more words of the notice
Column 1\tColumn 2\t*=in existence\tEffective\tDeletion\tModifier\tPTP Edit Rationale
97110\t97112\t\t20250101\t*\t1\tMisuse of column two code with column one code
97110\t97116\t\t20200101\t20241231\t1\tended before the quarter
97140\t97112\t\t20200101\t20250215\t0\tends within the quarter
97530\t97112\t\t20200101\t20200101\t9\tnever held
00100\t97112\t\t20200101\t*\t0\ta code this rulebook does not know
";
const LIMITS: &str = "\
\"Notice of the publisher, with a comma\"
HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale
97110,2,3 Date of Service Edit: Clinical,Clinical: Data
97112,1,2 Date of Service Edit: Policy,\"CMS Policy, quoted\"
00100,2,3 Date of Service Edit: Clinical,Clinical: Data
";

fn quarter() -> Quarter {
    Quarter::parse("2025q1").unwrap()
}

fn convert(
    text: &str,
    setting: &str,
    quarter: Quarter,
    book: &Rulebook,
) -> Result<Converted, compliance::rulebook::official::OfficialError> {
    let file = File { name: "made-up.txt", bytes: text.as_bytes() };
    compliance::rulebook::official::convert(&[file], setting, quarter, book).map(|mut made| made.remove(0))
}

fn with_quarter() -> Rulebook {
    let book = Rulebook::builtin().unwrap();
    let pairs = convert(PAIRS, "practitioner", quarter(), &book).unwrap();
    let limits = convert(LIMITS, "practitioner", quarter(), &book).unwrap();
    assert_eq!((pairs.table, pairs.rows, pairs.kept), (Table::Pairs, 5, 2));
    assert_eq!((limits.table, limits.rows, limits.kept), (Table::Limits, 3, 2));
    assert_eq!(pairs.file, "ncci_practitioner_2025q1.toml");
    assert_eq!(limits.file, "mue_practitioner_2025q1.toml");
    Rulebook::builtin_with(&[(&pairs.file, &pairs.text), (&limits.file, &limits.text)]).unwrap()
}

#[test]
fn a_new_quarter_holds_from_its_first_day_and_the_old_one_before() {
    let book = with_quarter();
    let session = [("97112", 15), ("97110", 15)];
    for (date, needs, stale) in [
        ("2024-08-05", false, false),
        ("2024-11-05", false, true),
        ("2025-02-03", true, false),
        ("2025-05-05", true, true),
    ] {
        let report = report(&book, date, "medicare", &session);
        assert_eq!(ids(&report).contains("ncci-pair-needs-modifier"), needs, "{date}");
        assert_eq!(ids(&report).contains("ncci-table-stale"), stale, "{date}");
    }
    let asked = report(&book, "2025-02-03", "medicare", &session).billing.lines[1].asked.clone();
    assert_eq!(asked, ["59"], "the bundled code asks for a word");
}

#[test]
fn an_edit_that_ends_within_its_quarter_holds_until_then() {
    let book = with_quarter();
    let session = [("97112", 15), ("97140", 15)];
    for (date, never) in [("2025-02-15", true), ("2025-02-16", false)] {
        assert_eq!(
            ids(&report(&book, date, "medicare", &session)).contains("ncci-pair-never"),
            never,
            "{date}"
        );
    }
}

#[test]
fn the_limits_of_a_quarter_are_those_of_its_file() {
    let book = with_quarter();
    let over = |date: &str| {
        let report = report(&book, date, "medicare", &[("97112", 30), ("97110", 15)]);
        report
            .findings
            .iter()
            .find(|finding| finding.id == "units-over-mue")
            .map(|f| f.values["limit"].clone())
    };
    assert_eq!((over("2024-08-05"), over("2025-02-03")), (None, Some("1".to_owned())));
}

#[test]
fn a_code_not_counted_by_minutes_counts_up_to_the_limit_of_the_quarter_of_its_day() {
    let limits = "HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\n\
                  95851,2,3 Date of Service Edit: Clinical,Clinical: Data\n\
                  97012,4,3 Date of Service Edit: Clinical,Clinical: Data\n";
    let quarter = convert(limits, "practitioner", quarter(), &Rulebook::builtin().unwrap()).unwrap();
    let book = Rulebook::builtin_with(&[(&quarter.file, &quarter.text)]).unwrap();
    let units = |date: &str, code: &str| {
        let segment = json!({"code": code, "start": "09:00", "end": "09:20", "provider": "pt1"});
        let visit = json!({
            "date": date, "payer": "medicare", "discipline": "pt", "segments": [segment], "units": {code: 3},
        });
        let report = recompute(&read_visit(&visit.to_string()).unwrap(), &book);
        (self::units(&report), ids(&report).contains("units-untimed-more-than-one"))
    };
    for (date, code, expected) in [
        ("2024-08-05", "95851", (3, false)),
        ("2025-02-03", "95851", (2, false)),
        ("2024-08-05", "97012", (1, true)),
        ("2025-02-03", "97012", (3, false)),
    ] {
        assert_eq!(units(date, code), expected, "{code} on {date}");
    }
}

#[test]
fn a_clinics_row_takes_the_place_of_a_built_in_one() {
    let session = [("97112", 8), ("97110", 8)];
    let own = r#"
overrides = true
[[payer]]
id = "aetna"
aliases = []
label = "Aetna, our contract"
unit_rule = "cms_8_minute"
flags = ["ncci"]
reviewed = "2024-08-01"
from = "2024-01-01"
source = "commercial-practice"
"#;
    // Its name sorts before the built-in files: what overrides is read last all the same.
    let book = Rulebook::builtin_with(&[("a_clinic.toml", own)]).unwrap();
    assert_eq!(units(&report(&Rulebook::builtin().unwrap(), "2024-08-05", "aetna", &session)), 2);
    assert_eq!(units(&report(&book, "2024-08-05", "aetna", &session)), 1);
    assert_ne!(book.fingerprint(), Rulebook::builtin().unwrap().fingerprint());
}

#[test]
fn a_wrong_clinic_file_is_refused_with_file_line_and_reason() {
    let refused = |text: &str| Rulebook::builtin_with(&[("clinic.toml", text)]).unwrap_err().to_string();
    for (text, words) in [
        (&PAYER.replace("unit_rule", "unit_role"), "clinic.toml, line 11: unknown field `unit_role`"),
        (&PAYER.replace("full_15", "best"), "clinic.toml, line 11: unknown variant `best`"),
        (
            &PAYER.replace("source = \"riverbend-contract\"", "source = \"hearsay\""),
            "clinic.toml, line 15: the citation `hearsay` is in no list of sources",
        ),
        (
            &format!("overrides = true{}", PAYER.replace("\"riverbend\"", "\"aetna\"")),
            "clinic.toml, line 9: the payer name `aetna` stands twice: `aetna` has it too",
        ),
        (&PAYER.replace("from = \"2024-01-01\"\n", ""), "clinic.toml, line 7: missing field `from`"),
        (
            &"\n[[edition]]\nsetting = \"hospital\"\nname = \"x\"\nfrom = \"2025-01-01\"\nuntil = \"2024-01-01\"\nsource = \"ncci-2024q3\"\n".to_owned(),
            "clinic.toml: the edition x ends before it begins",
        ),
    ] {
        let sentence = refused(text);
        assert!(sentence.starts_with(words) && !sentence.contains('\n'), "{sentence}");
    }
}

#[test]
fn a_wrong_official_file_is_refused_with_its_line() {
    let book = Rulebook::builtin().unwrap();
    let refused = |text: &str| convert(text, "practitioner", quarter(), &book).unwrap_err().to_string();
    for (text, words) in [
        ("nothing of the kind\n".to_owned(), "made-up.txt: there is no row"),
        (PAIRS.replace("20250215", "2025021"), "made-up.txt, line 5: `2025021` is no day"),
        (PAIRS.replace("\t1\tended", "\t7\tended"), "made-up.txt, line 4: `7` is no modifier indicator"),
        (format!("{PAIRS}garbled line\n"), "made-up.txt, line 8: this is no row"),
        (
            LIMITS.replace("2 Date", "x Date"),
            "made-up.txt, line 4: `x Date of Service Ed` is no adjudication indicator",
        ),
        (LIMITS.replace("97112,1", "97110,1"), "made-up.txt, line 4: the limit of 97110 stands twice"),
    ] {
        let sentence = refused(&text);
        assert!(sentence.starts_with(words), "{sentence}");
    }
    for text in ["2025q5", "2025", "q1", "2025q0", ""] {
        assert_eq!(Quarter::parse(text), None, "{text}");
    }
}

#[test]
fn loading_the_same_quarter_again_replaces_it() {
    let book = Rulebook::builtin().unwrap();
    let again = convert(PAIRS, "practitioner", Quarter::parse("2024q3").unwrap(), &book).unwrap();
    let book = Rulebook::builtin_with(&[(&again.file, &again.text)]).unwrap();
    // The built-in edit of these two is not in the file that took the edition's place.
    let found = report(&book, "2024-08-05", "medicare", &[("97140", 15), ("97124", 15)]);
    assert!(!ids(&found).contains("ncci-pair-never") && !ids(&found).contains("ncci-table-stale"));
}
