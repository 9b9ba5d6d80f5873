//! Commands that need no server, and sentences when something is wrong.

use crate::clinic::{Clinic, repository, run, run_with_input};

const UNITS: &str =
    r#"{"rule":"cms_8_minute","services":[{"code":"97112","minutes":24},{"code":"97110","minutes":23}]}"#;

#[test]
fn assess_answers_every_line_and_stops_at_none() {
    let lines = [UNITS, "{nonsense", "", "[1]", "{\"odd\":1}", UNITS];
    let ended = run_with_input(&["assess"], lines.join("\n").as_bytes());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let answers: Vec<serde_json::Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<&str> =
        answers.iter().map(|answer| answer["error"]["code"].as_str().unwrap_or("answered")).collect();
    assert_eq!(
        codes,
        ["answered", "malformed_json", "not_an_object", codes[3], "answered"],
        "an empty line is passed over, a bad one is answered: {}",
        ended.out
    );
    assert_ne!(codes[3], "answered");
    assert_eq!(answers[0], answers[4]);
    assert_eq!(answers[0]["per_code"]["97112"], 2, "{}", ended.out);
    assert_eq!(answers[0]["per_code"]["97110"], 1, "{}", ended.out);
}

#[test]
fn assess_survives_bytes_that_are_no_text_and_lines_without_end() {
    let mut input = b"\xff\xfe\n".to_vec();
    input.extend(vec![b'x'; 3 << 20]);
    input.extend_from_slice(format!("\n{UNITS}").as_bytes());
    let ended = run_with_input(&["assess"], &input);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let answers: Vec<&str> = ended.out.lines().collect();
    assert_eq!(answers.len(), 3, "{}", ended.out);
    assert!(answers[0].contains("not_utf8") && answers[1].contains("too_large"), "{}", ended.out);
    assert!(answers[2].contains("97112"));
}

#[test]
fn vectors_names_the_failing_case_with_both_values() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let case = |name: &str, units: u32| {
        format!(
            r#"{{"name":"{name}","rule_set":"cms_8_minute","services":[{{"code":"97110","minutes":20}}],
            "expected":{{"total_units":{units},"per_code":{{"97110":{units}}}}}}}"#
        )
    };
    let good = file("good.json", &format!("[{}]", case("twenty minutes", 1)));
    let bad = file("bad.json", &format!("[{},{}]", case("twenty minutes", 1), case("planted", 9)));
    let ended = run(&["vectors", &good]);
    assert_eq!((ended.code, ended.out.trim()), (Some(0), "1 passed, 0 failed"), "{}", ended.err);
    let ended = run(&["vectors", &good, &bad]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("planted") && ended.out.contains("expected") && ended.out.contains("actual"));
    assert!(ended.out.trim_end().ends_with("2 passed, 1 failed"), "{}", ended.out);
    for (name, text) in [("empty.json", "[]"), ("odd.json", "{\"a\":1}"), ("text.json", "hello")] {
        let strange = file(name, text);
        let ended = run(&["vectors", &good, &strange]);
        assert_eq!(ended.code, Some(1), "{name}");
        assert!(ended.out.contains(name) && ended.out.contains("no cases"), "{}", ended.out);
    }
    let ended = run(&["vectors", "no-such-file.json"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("no-such-file.json"), "{}", ended.err);
}

#[test]
fn a_wrong_command_line_exits_2_with_a_sentence() {
    for args in [&["serv"][..], &["init"], &["vectors"], &["person", "add", "--name", "x"]] {
        let ended = run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(!ended.err.is_empty());
    }
    let ended = run(&["person", "add", "--name", "x", "--role", "therapst"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("did you mean `therapist`?"), "{}", ended.err);
}

#[test]
fn init_refuses_a_directory_that_is_not_empty_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), "precious").unwrap();
    let ended = run(&["init", dir.path().to_str().unwrap(), "--name", "x"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("is not empty"), "{}", ended.err);
    let ended = run(&["init", dir.path().join("new").to_str().unwrap(), "--name", " "]);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["mine"]);
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_open_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let clinic = Clinic::new();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&clinic.dir), 0o700);
    for file in ["keys.toml", "admin.token", "metrics.token"] {
        assert_eq!(mode(&clinic.path(file)), 0o600, "{file}");
    }
}

#[test]
fn verify_names_the_first_bad_entry() {
    let clinic = Clinic::new();
    let ended = run(&["verify", clinic.data()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("sound: 2 entries"), "{}", ended.out);
    let journal = clinic.path("record/journal");
    let segment = std::fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let ended = run(&["verify", clinic.data(), "--json"]);
    assert_eq!(ended.code, Some(1));
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&value["sound"], &value["first_bad"]["seq"]), (&false.into(), &2.into()), "{value}");
    assert_eq!(std::fs::read(&segment).unwrap(), bytes, "verify changes nothing");
    let ended = run(&["verify", clinic.path("no-such-place").to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
}

#[test]
fn the_configuration_init_writes_is_one_serve_reads() {
    let clinic = Clinic::new();
    let text = std::fs::read_to_string(clinic.path("gaitway.toml")).unwrap();
    let operations = std::fs::read_to_string(repository("docs/operations.md")).unwrap();
    for key in gaitway::config::KEYS {
        assert!(text.contains(key), "{key} is not in the written configuration");
        assert!(operations.contains(&format!("`{key}`")), "{key} is not in docs/operations.md");
    }
}
