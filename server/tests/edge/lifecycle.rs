//! Starting, stopping, dying: what a server refuses to start with, and what is there afterwards.

use crate::clinic::{Clinic, gaitway, get, run};

fn refuses(clinic: &Clinic, args: &[&str], code: i32, words: &str) {
    let mut all = vec!["serve", "--data", clinic.data()];
    all.extend(args);
    let ended = run(&all);
    assert_eq!(ended.code, Some(code), "{}", ended.err);
    assert!(ended.err.contains(words), "{words} is missing in: {}", ended.err);
    assert_eq!(ended.err.trim_end().lines().count(), 1, "one sentence: {}", ended.err);
}

#[test]
fn a_mistyped_setting_is_refused_with_the_nearest_one() {
    let clinic = Clinic::new();
    std::fs::write(clinic.path("gaitway.toml"), "listn = \"127.0.0.1:0\"\n").unwrap();
    refuses(&clinic, &[], 2, "`listn` is no setting; did you mean `listen`?");
    std::fs::write(clinic.path("gaitway.toml"), "").unwrap();
    let ended = gaitway()
        .args(["serve", "--data", clinic.data()])
        .env("GAITWAY_LISTN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("did you mean `GAITWAY_LISTEN`?"));
}

#[test]
fn plaintext_off_this_machine_is_refused() {
    let clinic = Clinic::new();
    refuses(&clinic, &["--listen", "0.0.0.0:0"], 2, "--behind-tls-proxy");
}

#[test]
fn a_directory_that_is_no_clinic_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(&["serve", "--data", dir.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("gaitway init"), "{}", ended.err);
}

#[cfg(unix)]
#[test]
fn keys_that_others_may_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let clinic = Clinic::new();
    for file in ["keys.toml", "admin.token"] {
        let path = clinic.path(file);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        refuses(&clinic, &["--listen", "127.0.0.1:0"], 1, "chmod 600");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn the_keys_of_another_clinic_do_not_open_the_record() {
    let (one, two) = (Clinic::new(), Clinic::new());
    // A server that opened it all the same would never end.
    std::fs::copy(one.path("keys.toml"), two.path("keys.toml")).unwrap();
    let ended = run(&["serve", "--data", two.data(), "--listen", "127.0.0.1:0", "--log", "error"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("keys.toml is not this record's"), "{}", ended.err);
    assert!(run(&["verify", two.data()]).out.contains("sound: 2 entries"), "nothing was changed");
}

#[test]
fn two_servers_on_one_directory_are_one_too_many() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    refuses(&clinic, &["--listen", "127.0.0.1:0", "--log", "error"], 1, "another process is already using");
    assert_eq!(get(&server, "/readyz", &[]).status, 200, "the first one is not disturbed");
    assert!(clinic.ok(&["status"]).contains("Elm Street"), "and is still found");
}

#[test]
fn an_address_that_is_taken_is_said_and_the_record_is_closed() {
    let clinic = Clinic::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refuses(&clinic, &["--listen", &address, "--log", "error"], 1, "listening on");
    assert_eq!(clinic.serve().stop(), Some(0));
}

#[test]
fn stopping_exits_0_and_what_was_entered_is_there_again() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let person = clinic.ok(&["person", "add", "--name", "Maria Lopez", "--role", "therapist"]);
    clinic.ok(&["setting", "set", "assistant_method", "cms"]);
    assert_eq!(server.stop(), Some(0));
    assert!(!clinic.path("server.address").exists());
    let ended = clinic.say(&["person", "list"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("no server runs on"), "{}", ended.err);
    assert_eq!(run(&["verify", clinic.data()]).code, Some(0));
    let server = clinic.serve();
    assert!(clinic.ok(&["person", "list"]).contains(&person));
    assert!(clinic.ok(&["setting", "list"]).contains("assistant_method = cms"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_was_committed_before_the_power_went_is_there_though_nobody_was_told() {
    let clinic = Clinic::new();
    let mut server = clinic.serve_with(&[("GAITWAY_KILL_AT", "after-commit-before-receipt:2")]);
    let first = clinic.ok(&["person", "add", "--name", "Maria Lopez", "--role", "therapist"]);
    let second = clinic.say(&["person", "add", "--name", "Ana Petrova", "--role", "assistant"]);
    assert_eq!(second.code, Some(1), "nobody was told");
    assert!(second.err.contains("does not answer"), "{}", second.err);
    assert_eq!(server.wait(), None, "it died of a signal");
    let server = clinic.serve();
    let people = clinic.ok(&["person", "list"]);
    assert!(people.contains(&first) && people.contains("Ana Petrova"), "{people}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_server_that_dies_while_starting_starts_the_next_time() {
    let clinic = Clinic::new();
    for stage in ["1", "2", "3"] {
        let ended = gaitway()
            .args(["serve", "--data", clinic.data(), "--listen", "127.0.0.1:0"])
            .env("GAITWAY_KILL_AT", format!("during-start:{stage}"))
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), None, "stage {stage}");
    }
    let server = clinic.serve();
    assert!(clinic.ok(&["person", "list"]).contains("Administrator"));
    assert_eq!(server.stop(), Some(0));
    let ended = gaitway()
        .args(["serve", "--data", clinic.data()])
        .env("GAITWAY_KILL_AT", "somewhere:1")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
}
