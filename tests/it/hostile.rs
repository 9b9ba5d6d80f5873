//! Every known attack over a real connection: an enrolled device that signs correctly sends each to a real
//! server. Refused or harmless; the server stays up, the note still loads, others go on, memory is bounded.

#[path = "../../crates/session-note/tests/gate/attacks.rs"]
mod attacks;
#[path = "../../crates/session-note/tests/gate/broken.rs"]
mod broken;
#[path = "../../crates/session-note/tests/gate/chunks.rs"]
mod chunks;
#[path = "hostile/ground.rs"]
mod ground;
#[path = "hostile/process.rs"]
pub(crate) mod process;
#[path = "../../crates/session-note/tests/gate/table.rs"]
mod table;

use chart::ids::ChangeHash;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome as Gate, prescan};
use sync_protocol::Outcome;

use crate::kill::ward::Ward;
use crate::rogue::{Answer, Rogue};
use attacks::{Attack, raw};
use ground::Victim;
use process::Process;

/// Memory one attack may cost the server, in bytes.
const BYTES_EACH: u64 = 16 << 20;

/// The hash of a chunk, whatever is in it.
fn hash_of(bytes: &[u8]) -> ChangeHash {
    use sha2::Digest;
    ChangeHash::from_bytes(sha2::Sha256::digest(bytes.get(8..).unwrap_or_default()).into())
}

/// What the gate says in this process: its code and its sentence; 0 if it admits, 2 if it waits.
fn word_of_the_gate(victim: &Victim, rogue: &Rogue, attack: &Attack) -> (u16, String) {
    let submitted = |candidate| Submitted { candidate, person: rogue.person(), device: rogue.device() };
    let scan = |bytes: &Vec<u8>| Candidate::scan(bytes.clone(), &Limits::V1);
    let mut all: Vec<Submitted> =
        attack.after.iter().map(|before| submitted(scan(before).unwrap())).collect();
    match scan(&attack.bytes) {
        Ok(candidate) => all.push(submitted(candidate)),
        Err(refusal) => return (refusal.code(), refusal.to_string()),
    }
    match victim.note.admit(&all).unwrap().outcomes.pop().unwrap().1 {
        Gate::Admitted => (0, String::new()),
        Gate::Waiting { .. } => (2, String::new()),
        Gate::Rejected { code, sentence } => (code, sentence),
        Gate::AlreadyKnown => panic!("{} is no attack", attack.name),
    }
}

/// Sends one attack and compares the server's word with the gate's.
#[track_caller]
fn check(victim: &Victim, rogue: &mut Rogue, attack: Attack) {
    let (code, sentence) = word_of_the_gate(victim, rogue, &attack);
    let Attack { name, code: expected, bytes, after } = attack;
    assert_eq!(code, expected, "{name}: {sentence}");
    if let Some(before) = after {
        let hash = hash_of(&before);
        assert_eq!(rogue.offer(victim.document, hash, before), Answer::Receipt, "{name}");
        assert_eq!(rogue.fate_of(hash).outcome, Outcome::Admitted, "{name}");
    }
    let hash = hash_of(&bytes);
    match (rogue.offer(victim.document, hash, bytes), code) {
        // A change over the limit, or none, is refused by the protocol before the gate can say so.
        (Answer::Refused(..), _) if code == 103 || name == "nothing" => {}
        (Answer::Refused(_, said), 100..200) => assert_eq!(said, sentence, "{name}"),
        // What waits has no fate.
        (Answer::Receipt, 2) => assert_eq!(rogue.fates.get(&hash), None, "{name}"),
        (Answer::Receipt, 0 | 200..) => {
            let fate = rogue.fate_of(hash);
            let admitted = if code == 0 { Outcome::Admitted } else { Outcome::Rejected };
            assert_eq!((fate.outcome, fate.sentence), (admitted, sentence), "{name}");
        }
        (answer, _) => panic!("{name}: {answer:?}"),
    }
}

/// The rows of the table that the door refuses, or those that it lets through; each by an actor of its own.
fn rows(victim: &Victim, rogue: &Rogue, at_the_door: bool) -> Vec<Attack> {
    let count = table::table(&victim.ground(rogue, 0)).len();
    let row = |number| table::table(&victim.ground(rogue, number)).remove(number);
    (0..count).map(row).filter(|attack| (100..200).contains(&attack.code) == at_the_door).collect()
}

#[test]
fn every_known_attack_past_the_door_is_refused_and_costs_nobody_anything() {
    let mut ward = Ward::open(1);
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let mut rogue = Rogue::connect(&ward.clinic.url, &dir, &person);
    let victim = Victim::make(&mut rogue);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    let mut worst = (0, String::new());
    for (number, attack) in rows(&victim, &rogue, false).into_iter().enumerate() {
        let name = attack.name.clone();
        server.forget_peak();
        let before = server.memory();
        check(&victim, &mut rogue, attack);
        worst = worst.max((server.peak().saturating_sub(before), name));
        if number % 8 == 0 {
            let word = ward.hands[0].write(ward.notes[number / 8 % 2]).unwrap();
            assert!(ward.hands[0].hear(ward.notes[number / 8 % 2], word));
            crate::support::sync(&mut ward.hands[0].tablet);
        }
    }
    println!("the most any of them cost the server: {} KiB for {}", worst.0 / 1024, worst.1);
    assert!(worst.0 < BYTES_EACH, "{worst:?}");
    assert!(ward.clinic.server.as_mut().unwrap().is_running());
    let before = victim.on(&ward);
    assert_eq!(before["content"]["text"]["subjective"], "gait trainins", "what the controls wrote");
    ward.check_whole("beside attacks");
    ward.clinic.stop_server();
    ward.clinic.start_server(&[]);
    assert_eq!(victim.on(&ward)["heads"], before["heads"], "the note loads from the log");
    ward.check_whole("after attacks and a restart");
}

#[test]
fn every_known_attack_at_the_door_is_refused_there_for_next_to_nothing() {
    let mut ward = Ward::open(1);
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let mut rogue = Rogue::connect(&ward.clinic.url, &dir, &person);
    let victim = Victim::make(&mut rogue);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    let mut worst = (0, 0);
    for attack in rows(&victim, &rogue, true) {
        let name = attack.name.clone();
        server.forget_peak();
        let (memory, cpu) = (server.memory(), server.cpu());
        check(&victim, &mut rogue, attack);
        let memory = server.peak().saturating_sub(memory);
        let ms = server.cpu().saturating_sub(cpu).as_millis();
        assert!(memory < BYTES_EACH && ms < 50, "{name}: {memory} bytes, {ms} ms");
        worst = (worst.0.max(memory), worst.1.max(ms));
    }
    println!("the most any of them cost the server: {} KiB, {} ms", worst.0 / 1024, worst.1);
    let before = victim.on(&ward);
    assert_eq!(before["content"]["text"]["subjective"], "gait training", "nothing of it was written");
    ward.check_whole("beside broken bytes");
    ward.clinic.stop_server();
    ward.clinic.start_server(&[]);
    assert_eq!(victim.on(&ward)["heads"], before["heads"], "the note loads from the log");
}

/// Changes that build on one that never comes.
fn orphans(victim: &Victim, rogue: &Rogue, from: u64, count: u64) -> (Vec<ChangeHash>, Vec<Vec<u8>>) {
    let mut sound = victim.ground(rogue, 200).sound();
    sound.deps = vec![automerge::ChangeHash([9; 32])];
    let mut found: Vec<(ChangeHash, Vec<u8>)> = (from..from + count)
        .map(|number| {
            let mut change = sound.clone();
            change.time += i64::try_from(number).unwrap();
            let bytes = raw(change);
            (prescan(&bytes, &Limits::V1).unwrap().hash, bytes)
        })
        .collect();
    found.sort();
    found.into_iter().unzip()
}

#[test]
fn orphans_wait_on_the_disk_within_a_quota_and_hold_nobody_up() {
    let mut ward = Ward::open(1);
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let mut rogue = Rogue::connect(&ward.clinic.url, &dir, &person);
    let victim = Victim::make(&mut rogue);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    server.forget_peak();
    let (memory, cpu) = (server.memory(), server.cpu());
    let mut answers = Vec::new();
    for round in 0..10 {
        let (heads, changes) = orphans(&victim, &rogue, round * 2_000, 2_000);
        let push = rogue.push(victim.document, heads, changes);
        answers.push(rogue.answer_to(push));
    }
    let taken = answers.iter().filter(|answer| **answer == Answer::Receipt).count();
    let later = answers.iter().filter(
        |answer| matches!(answer, Answer::Refused(code, _) if *code == sync_protocol::RefuseCode::Later),
    );
    assert_eq!((taken, later.count()), (8, 2), "16,000 of 20,000 fit the quota of one device");
    let (memory, cpu) = (server.peak().saturating_sub(memory), server.cpu().saturating_sub(cpu));
    println!("20,000 orphans: {} KiB, {} ms", memory / 1024, cpu.as_millis());
    assert!(memory < 4 * BYTES_EACH, "{memory} bytes");
    // The note itself takes sound work, and others' notes too; quickly.
    let cpu = server.cpu();
    for word in 0..5 {
        let word_written = ward.hands[0].write(ward.notes[word % 2]).unwrap();
        assert!(ward.hands[0].hear(ward.notes[word % 2], word_written));
    }
    crate::support::sync(&mut ward.hands[0].tablet);
    println!("five edits beside them: {} ms", server.cpu().saturating_sub(cpu).as_millis());
    ward.check_whole("beside orphans");
    ward.clinic.stop_server();
    ward.clinic.start_server(&[]);
    assert_eq!(victim.on(&ward)["content"]["text"]["subjective"], "gait training");
}
