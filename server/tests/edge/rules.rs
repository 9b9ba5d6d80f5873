//! The rules on the command line: listed, checked, loaded from official files, told aloud.

use serde_json::Value;

use crate::clinic::{Clinic, gaitway, run};

fn json(args: &[&str]) -> Value {
    let ended = run(args);
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn every_finding_and_rule_is_listed_with_its_day_and_source() {
    let rows = json(&["rules", "list", "--json"]);
    let rows = rows.as_array().unwrap();
    let of = |table: &str| rows.iter().filter(|row| row["table"] == table).collect::<Vec<_>>();
    assert!(of("finding").len() >= 140 && of("code").len() >= 99, "{}", rows.len());
    for row in rows.iter().filter(|row| row["table"] != "source") {
        assert!(row["from"].is_string() && row["sources"][0].is_string(), "{row}");
    }
    assert!(of("finding").iter().all(|row| row["severity"].is_string()));
    let mut ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids tell rows apart");
}

#[test]
fn a_rule_is_shown_whole_and_a_mistyped_one_names_the_nearest() {
    let shown = run(&["rules", "show", "payer/aetna"]);
    assert!(shown.out.contains("unit_rule: cpt_midpoint") && shown.out.contains("cites: "), "{}", shown.out);
    let wrong = run(&["rules", "show", "payer/aetnx"]);
    assert_eq!(
        (wrong.code, wrong.err.contains("did you mean `payer/aetna`?")),
        (Some(1), true),
        "{}",
        wrong.err
    );
}

#[test]
fn the_shipped_rules_pass_the_lint_and_a_row_without_source_does_not() {
    let clean = run(&["rules", "lint"]);
    assert_eq!(
        (clean.code, clean.out.trim_end().ends_with(" 0 complaints")),
        (Some(0), true),
        "{}",
        clean.out
    );
    let dir = tempfile::tempdir().unwrap();
    let text = "[[setting]]\nname = \"own\"\nvalue = 3\nfrom = \"2024-01-01\"\n";
    std::fs::write(dir.path().join("own.toml"), text).unwrap();
    let ended = run(&["rules", "lint", "--rules", dir.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("own.toml: setting/own: it cites no source"), "{}", ended.out);
    assert!(ended.out.contains("own.toml, line 1: missing field `source`"), "{}", ended.out);
}

#[test]
fn coverage_says_what_is_not_known() {
    let row = &json(&["rules", "coverage", "--payer", "tricare", "--code", "97112", "--json"])[0];
    assert_eq!((row["unit_rule"].clone(), row["payable"].clone()), (Value::Null, true.into()), "{row}");
    assert!(row["gaps"][0].as_str().unwrap().contains("counting rule is not set"), "{row}");
    let row = &json(&["rules", "coverage", "--payer", "medicare", "--code", "97014", "--json"])[0];
    assert_eq!((&row["payable"], &row["instead"]), (&false.into(), &"G0283".into()), "{row}");
    let every = json(&["rules", "coverage", "--date", "2026-01-05", "--json"]);
    assert!(every.as_array().unwrap().len() >= 12 * 99);
    assert_eq!(run(&["rules", "coverage", "--payer", "nobody"]).code, Some(1));
}

const PAIRS: &str = "Column 1\tColumn 2\t*\tEffective\tDeletion\tModifier\tRationale\n\
                     97110\t97112\t\t20250101\t*\t1\tmade up\n";

#[test]
fn a_loaded_quarter_is_what_the_clinics_server_starts_with() {
    let clinic = Clinic::new();
    let official = clinic.path("official.txt");
    std::fs::write(&official, PAIRS).unwrap();
    let official = official.to_str().unwrap();
    let before = clinic.serve();
    let name = |clinic: &Clinic| clinic.ok(&["status"]).lines().next().unwrap().to_owned();
    let built_in = name(&clinic);
    assert_eq!(before.stop(), Some(0));
    let told = clinic.ok(&["rules", "load", official, "--quarter", "2025q1", "--setting", "practitioner"]);
    assert!(told.contains("ncci_practitioner_2025q1.toml: 1 of 1 rows"), "{told}");
    assert!(clinic.path("rules/ncci_practitioner_2025q1.toml").is_file());
    // The directory beside the clinic's other files is read when the server is started.
    let server = clinic.serve();
    let rules = clinic.path("rules");
    let listed = json(&["rules", "list", "--table", "pair", "--rules", rules.to_str().unwrap(), "--json"]);
    assert!(
        listed.as_array().unwrap().iter().any(|row| row["id"] == "pair/practitioner/2025q1/97110/2025-01-01")
    );
    assert_eq!(name(&clinic), built_in, "the edition is the built-in one; the fingerprint differs");
    assert_eq!(server.stop(), Some(0));
    let twice = clinic.say(&["rules", "load", official, "--quarter", "soon", "--setting", "practitioner"]);
    assert_eq!(twice.code, Some(2), "{}", twice.err);
    std::fs::write(clinic.path("official.txt"), PAIRS.replace("20250101", "2025")).unwrap();
    let wrong = clinic.say(&["rules", "load", official, "--quarter", "2025q1", "--setting", "practitioner"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("line 2: `2025` is no day"), "{}", wrong.err);
}

#[test]
fn a_visit_in_a_file_is_told_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("visit.json");
    let visit = r#"{"date":"2024-08-05","payer":"medicare","discipline":"pt","diagnoses":["I69.354"],
        "segments":[{"code":"97112","start":"09:00","end":"09:24","mode":"one_on_one","provider":"pt1"},
                    {"code":"97110","start":"09:24","end":"09:47","mode":"one_on_one","provider":"pt1"}]}"#;
    std::fs::write(&file, visit).unwrap();
    let told = run(&["explain", file.to_str().unwrap()]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    for words in [
        "47 minutes lie between 38 and 52: 3 units for the day.",
        "since 2000-04-01",
        "Line 2: 97112 x 2, modifiers GP, 24 minutes, diagnoses 1, estimated 58.92 USD.",
        "Estimate of the allowed amount",
        "blocker `signature-missing`",
        "Source: ",
        "It is held from the bill:",
    ] {
        assert!(told.out.contains(words), "{words} is not in {}", told.out);
    }
    for (name, words) in [("no-such-file.json", "neither a note's id nor a file"), ("", "neither")] {
        let ended = run(&["explain", name]);
        assert!(ended.code == Some(1) && ended.err.contains(words), "{}", ended.err);
    }
}

const VISIT: &str = "11111111-1111-4111-8111-111111111111";

#[test]
fn a_note_on_the_server_is_told_to_a_supervisor_and_to_nobody_else() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let nora = clinic.ok(&["person", "add", "--name", "Nora Chen", "--role", "supervisor"]);
    let token = clinic.ok(&["token", &nora]);
    let maria = clinic.ok(&["person", "add", "--name", "Maria Lopez", "--role", "therapist"]);
    let patient = clinic.ok(&["patient", "add", "--name", "Fictional Patient", "--care-team", &maria]);
    let code = clinic.ok(&["device", "code", "--name", "East room"]);
    let tablet = clinic.path("tablet");
    let tablet = tablet.to_str().unwrap();
    let enrolled = run(&["tablet", "enrol", tablet, "--server", &server.url, "--code", &code]);
    assert_eq!(enrolled.code, Some(0), "{}", enrolled.err);
    let lines = [format!(
        r#"{{"command":"open_visit","patient":"{patient}","discipline":"pt","facts":{{"payer":"medicare_ffs","date":"2026-03-17"}}}}"#
    )];
    let path = clinic.path("lines");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let applied = gaitway()
        .args(["tablet", "apply", tablet, "--document", VISIT, "--person", &maria])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .unwrap();
    let answers = String::from_utf8(applied.stdout).unwrap();
    let synced = run(&["tablet", "sync", tablet, "--person", &maria]);
    assert_eq!(synced.code, Some(0), "{answers} {}", synced.err);
    let patiently = std::time::Instant::now();
    let told = loop {
        let told = clinic.say(&["explain", VISIT, "--token", &token]);
        if told.code == Some(0) || patiently.elapsed().as_secs() > 30 {
            break told;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(told.code, Some(0), "{answers} {}", told.err);
    assert!(
        told.out.contains(&format!("Note {VISIT}")) && told.out.contains("COMPUTED FROM"),
        "{}",
        told.out
    );
    assert!(!told.out.contains("Fictional Patient"));
    let admin = clinic.say(&["explain", VISIT]);
    assert_eq!(admin.code, Some(1), "the administrator's token reads no chart: {}", admin.out);
}
