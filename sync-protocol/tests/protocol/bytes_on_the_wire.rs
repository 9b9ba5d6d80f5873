//! The bytes of version 1, held against `tests/contract/wire-v1.txt`. Never rewritten by a run: a
//! difference means that older tablets would no longer understand this server.

use std::collections::BTreeMap;

use sync_protocol::{ErrorCode, ReasonCode, RefuseCode, codec, statement};

use crate::samples::{DEVICE, PERSON, SITE, every_message, hash};

const CONTRACT: &str = include_str!("../../../tests/contract/wire-v1.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn contract() -> BTreeMap<&'static str, &'static str> {
    let lines = CONTRACT.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_once(": ").expect("a line reads `name: hex`")).collect()
}

fn today() -> Vec<(&'static str, String)> {
    let frames = every_message().into_iter();
    let mut bytes: Vec<_> =
        frames.map(|(name, message)| (name, hex(&codec::encode(&message).expect(name)))).collect();
    let hello = statement::hello(&[0x11; 32], SITE, DEVICE, 1, Some(PERSON));
    let locked = statement::hello(&[0x11; 32], SITE, DEVICE, 1, None);
    let heads = [hash(3), hash(2), hash(3)];
    let push = statement::push(SITE, crate::samples::document(5), &heads, DEVICE, PERSON, 7);
    bytes.push(("statement-hello", hex(&hello)));
    bytes.push(("statement-hello-of-a-locked-tablet", hex(&locked)));
    bytes.push(("statement-push", hex(&push)));
    bytes
}

#[test]
fn every_message_has_the_bytes_of_the_contract() {
    let contract = contract();
    let differing = today().into_iter().filter(|(name, bytes)| contract.get(name) != Some(&bytes.as_str()));
    let lines: Vec<_> = differing.map(|(name, bytes)| format!("{name}: {bytes}")).collect();
    assert!(lines.is_empty(), "these differ from the contract:\n{}", lines.join("\n"));
}

#[test]
fn the_contract_holds_nothing_that_is_not_checked() {
    let today: Vec<_> = today().into_iter().map(|(name, _)| name).collect();
    for name in contract().keys() {
        assert!(today.contains(name), "{name} stands in the contract and is not checked");
    }
}

#[test]
fn the_bytes_of_the_contract_read_back_as_the_messages() {
    let contract = contract();
    for (name, message) in every_message() {
        let digits = contract.get(name).expect(name).as_bytes();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16);
        let bytes: Vec<u8> = digits.chunks(2).map(|digits| pair(digits).expect("hex")).collect();
        assert_eq!(codec::decode(&bytes), Ok(message), "{name}");
    }
}

#[test]
fn the_specification_lists_every_code_under_its_number() {
    let spec = include_str!("../../../docs/wire.md");
    let section = |from: &str, to: &str| {
        let after = spec.split_once(from).expect(from).1;
        after.split_once(to).expect(to).0
    };
    let check = |table: &str, number: u16, name: &str| {
        assert!(table.contains(&format!("| {number} | {name} |")), "{number} {name}");
    };
    let errors = section("### Errors", "### Refusals");
    let refusals = section("### Refusals", "### Outcomes");
    let reasons = section("### Outcomes", "## Contract");
    ErrorCode::KNOWN.iter().for_each(|code| check(errors, code.number(), code.name()));
    RefuseCode::KNOWN.iter().for_each(|code| check(refusals, code.number(), code.name()));
    ReasonCode::KNOWN.iter().for_each(|code| check(reasons, code.number(), code.name()));
    let rows = |table: &str| table.lines().filter(|line| line.starts_with("| ")).count() - 1;
    assert_eq!(rows(errors), ErrorCode::KNOWN.len());
    assert_eq!(rows(refusals), RefuseCode::KNOWN.len());
    assert_eq!(rows(reasons), ReasonCode::KNOWN.len());
}
