//! The house itself: the direction of imports and the habits of the tree, held on every test run.
//!
//! These read the tree as it stands on disk and change nothing. What is checked is in `xtask`, with
//! the tests that plant a fault for every check.

#[track_caller]
fn check(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn layers_hold() {
    check(&xtask::layers::check(&xtask::workspace::root().unwrap()).unwrap());
}

#[test]
fn tree_is_tidy() {
    check(&xtask::tidy::check(&xtask::workspace::root().unwrap()).unwrap().problems);
}

#[test]
fn no_test_file_is_forgotten() {
    let here = xtask::workspace::root().unwrap().join("tests/it");
    let main = std::fs::read_to_string(here.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&here).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(
                main.lines().any(|line| line == format!("mod {module};")),
                "tests/it/{name} is not declared in main.rs, so nobody runs it"
            );
        }
    }
}
