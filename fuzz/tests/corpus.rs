//! Every input of the corpora keeps every promise, the corpora reach what they are for, and a short
//! seeded run finds nothing. `GAITWAY_FUZZ` sets the executions of each target, tenfold for the quick
//! ones.

#![cfg(test)]

use fuzz::{Target, corpus, run};

fn executions() -> u64 {
    std::env::var("GAITWAY_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000)
}

fn check(target: Target, reaches: &[&str]) {
    let quick = matches!(target, Target::Prescan | Target::Frame);
    // Each opens a store of several files on a real disk.
    let slow = target == Target::Store;
    let many = if quick { executions() * 10 } else { executions() / if slow { 10 } else { 1 } };
    let done = run::run(target, many, 7).unwrap();
    println!("{}", done.line(target));
    assert!(done.broken.is_empty(), "{}", corpus::to_hex(&done.broken[0]));
    for word in reaches {
        assert!(done.words.contains_key(*word), "nothing became `{word}`: {:?}", done.words);
    }
}

#[test]
fn the_gate_keeps_its_promises_on_changes_with_mended_checksums() {
    check(Target::Gate, &["admitted", "waiting", "206", "301"]);
}

#[test]
fn the_engine_reads_what_the_door_lets_in() {
    check(Target::Prescan, &["read", "read as it came", "105", "121"]);
}

#[test]
fn frames_that_are_strange_read_or_give_a_reason() {
    check(Target::Frame, &["Push", "Page", "Malformed"]);
}

#[test]
fn a_damaged_journal_is_mended_or_reported() {
    check(Target::Journal, &["unharmed", "refused", "reported"]);
}

#[test]
fn what_people_do_is_admitted_in_every_scene() {
    let honest = corpus::read(Target::Gate).unwrap();
    let honest: Vec<_> = honest.into_iter().filter(|(name, _)| !name.starts_with("found")).collect();
    for (name, input) in &honest {
        // Another word means that the scenes have changed since: `fuzz seeds` writes them anew.
        assert_eq!(Target::Gate.run(input), "admitted", "{name}");
    }
    let mut places: Vec<&str> =
        honest.iter().filter_map(|(name, _)| name.split_once('-')).map(|(_, place)| place).collect();
    places.sort();
    places.dedup();
    // All 24 commands and the chains.
    assert_eq!(places.len(), 25, "{places:?}");
}

#[test]
fn a_damaged_store_is_mended_or_refused() {
    check(Target::Store, &["unharmed", "mended", "refused"]);
}
