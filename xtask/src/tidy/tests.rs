//! Each habit on a small text: the planted fault is found, the honest text beside it is not.

use super::*;

fn rust(path: &str, text: &str, declared: Option<bool>) -> Vec<String> {
    let mut found = Found::default();
    rust_habits(&TextFile { path: path.to_owned(), text: text.to_owned() }, declared, &mut found);
    found.problems
}

fn any(text: &str) -> Vec<String> {
    let mut found = Found::default();
    text_habits(&TextFile { path: "a.md".to_owned(), text: text.to_owned() }, &mut found);
    found.problems
}

#[track_caller]
fn check_rust(body: &str, expected: &[&str]) {
    assert_eq!(rust("a/src/b.rs", &format!("//! x\n{body}\n"), Some(false)), expected);
}

#[test]
fn a_planted_unwrap_is_found_and_one_in_tests_is_not() {
    check_rust("fn f() { a\n.unwrap(); }", &["a/src/b.rs:3 has `.unwrap()` outside tests"]);
    check_rust("fn f() { a.expect(\"b\"); }", &["a/src/b.rs:2 has `.expect(` outside tests"]);
    check_rust("fn f() { a.expect(&format!(\"b\")); }", &["a/src/b.rs:2 has `.expect(` outside tests"]);
    check_rust("fn f() { self.expect(Kind::Map)?; }", &[]);
    check_rust("#[cfg(test)] mod tests { fn f() { a.unwrap(); } }", &[]);
    check_rust("// a.unwrap()\n#[expect(dead_code)] fn f() { \".unwrap()\"; a.unwrap_or(b); }", &[]);
    assert_eq!(rust("a/src/b.rs", "//! x\nfn f() { a.unwrap(); }\n", Some(true)), [""; 0]);
    assert_eq!(rust("tests/it/b.rs", "//! x\nfn f() { a.unwrap(); }\n", Some(false)), [""; 0]);
}

#[test]
fn unfinished_work_and_ignored_tests_are_found_in_tests_too() {
    check_rust("fn f() { todo!() }", &["a/src/b.rs:2 has `todo!`"]);
    check_rust("fn f() { dbg!(1) }", &["a/src/b.rs:2 has `dbg!`"]);
    check_rust("#[cfg(test)] mod t { fn f() { unimplemented!() } }", &["a/src/b.rs:2 has `unimplemented!`"]);
    check_rust("#[test]\n#[ignore = \"slow\"]\nfn f() {}", &["a/src/b.rs:3 ignores a test"]);
    check_rust("fn todo() {}", &[]);
}

#[test]
fn a_file_says_what_it_is_and_somebody_declares_it() {
    assert_eq!(
        rust("a/src/b.rs", "fn f() {}\n", Some(false)),
        ["a/src/b.rs does not open with `//!` saying what it is"]
    );
    assert_eq!(
        rust("tests/it/b.rs", "//! x\n", None),
        ["tests/it/b.rs is forgotten: no `mod` declares it, so nobody compiles it"]
    );
    assert_eq!(
        rust("a/src/b/mod.rs", "//! x\n", Some(false)),
        ["a/src/b/mod.rs is a mod.rs; name it after its directory, beside it"]
    );
}

#[test]
fn a_file_of_more_than_five_hundred_lines_is_found_and_one_over_four_hundred_is_noted() {
    let lines = |count: usize| format!("//! x\n{}", "\n".repeat(count - 1));
    assert_eq!(rust("a/src/b.rs", &lines(500), Some(false)), [""; 0]);
    assert_eq!(rust("a/src/b.rs", &lines(501), Some(false)).len(), 1);
    let mut found = Found::default();
    rust_habits(&TextFile { path: "a/src/b.rs".to_owned(), text: lines(401) }, Some(false), &mut found);
    assert_eq!((found.problems.len(), found.notes.len()), (0, 1));
}

#[test]
fn codes_and_payers_in_the_engine_are_found() {
    let check = |body: &str| rust("crates/compliance/src/a.rs", &format!("//! x\n{body}\n"), Some(false));
    assert_eq!(
        check("const A: &str = \"97112\";"),
        ["crates/compliance/src/a.rs:2 names the service code 97112; codes belong in rules/"]
    );
    assert_eq!(check("// G0283 as well\n").len(), 1);
    assert_eq!(check("if payer == \"medicare_ffs\" {}").len(), 1);
    assert_eq!(check("const MS: u32 = 90_000; let x = 9711; let y = 971_123; let z = a97112;"), [""; 0]);
    assert_eq!(check("#[cfg(test)] mod tests { const A: &str = \"97112 medicare\"; }"), [""; 0]);
}

#[test]
fn blanks_at_line_ends_and_missing_line_ends_are_found() {
    assert_eq!(any("a \nb\n"), ["a.md:1 ends with a blank"]);
    assert_eq!(any("a\nb"), ["a.md:2 does not end with a line end"]);
    assert_eq!(any("a\n\n"), ["a.md:2 ends with an empty line"]);
    assert_eq!(any(""), [""; 0]);
}

#[test]
fn places_on_one_machine_and_registries_are_found() {
    for place in PLACES {
        assert_eq!(any(&format!("see `{}x`\n", place.concat())).len(), 1);
        assert_eq!(any(&format!("see docs{}x\n", place.concat())), [""; 0]);
    }
    for host in REGISTRIES {
        assert_eq!(any(&format!("https://{}/x\n", host.concat())).len(), 1);
    }
    assert_eq!(any("a framework/b\n"), [""; 0]);
}
