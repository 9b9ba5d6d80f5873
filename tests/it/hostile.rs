//! Every known attack over a real connection: an enrolled device that signs correctly sends each to a real
//! server. Refused or harmless; the server stays up, the note still loads, others go on, memory is bounded.

#[path = "../../crates/session-note/tests/gate/attacks.rs"]
mod attacks;
#[path = "../../crates/session-note/tests/gate/chunks.rs"]
mod chunks;
#[path = "hostile/ground.rs"]
mod ground;
#[path = "hostile/process.rs"]
pub(crate) mod process;

use automerge::Change;
use chart::ids::ChangeHash;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome as Gate, prescan};
use sync_protocol::Outcome;

use crate::kill::ward::Ward;
use crate::rogue::{Answer, Rogue};
use attacks::Attack;
use chunks::{chunk, uleb};
use ground::Victim;
use process::Process;

/// Memory one attack may cost the server, in bytes.
const BYTES_EACH: u64 = 16 << 20;

/// The hash of a chunk, whatever is in it.
fn hash_of(bytes: &[u8]) -> ChangeHash {
    use sha2::Digest;
    ChangeHash::from_bytes(sha2::Sha256::digest(bytes.get(8..).unwrap_or_default()).into())
}

/// What the gate says in this process: its code and its sentence; 0 if it admits.
fn word_of_the_gate(victim: &Victim, rogue: &Rogue, bytes: &[u8]) -> (u16, String) {
    let candidate = match Candidate::scan(bytes.to_vec(), &Limits::V1) {
        Ok(candidate) => candidate,
        Err(refusal) => return (refusal.code(), refusal.to_string()),
    };
    let submitted = Submitted { candidate, person: rogue.person(), device: rogue.device() };
    match victim.note.admit(&[submitted]).unwrap().outcomes.remove(0).1 {
        Gate::Admitted => (0, String::new()),
        Gate::Rejected { code, sentence } => (code, sentence),
        other => panic!("the gate says {other:?}"),
    }
}

/// Sends one attack and compares the server's word with the gate's.
#[track_caller]
fn check(victim: &Victim, rogue: &mut Rogue, name: &str, expected: u16, bytes: Vec<u8>) {
    let (code, sentence) = word_of_the_gate(victim, rogue, &bytes);
    assert_eq!(code, expected, "{name}: {sentence}");
    let hash = hash_of(&bytes);
    let answer = rogue.offer(victim.document, hash, bytes);
    match answer {
        // A change over the limit is refused by the protocol, before the gate can say so.
        Answer::Refused(_, said) => {
            assert!(code == 103 || (code < 200 && said == sentence), "{name}: {said}");
        }
        Answer::Receipt => {
            let fate = rogue.fate_of(hash);
            let admitted = if code == 0 { Outcome::Admitted } else { Outcome::Rejected };
            assert_eq!((fate.outcome, fate.sentence.as_str()), (admitted, sentence.as_str()), "{name}");
        }
    }
}

#[test]
fn every_known_attack_is_refused_and_costs_nobody_anything() {
    let mut ward = Ward::open(1);
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let mut rogue = Rogue::connect(&ward.clinic.url, &dir, &person);
    let victim = Victim::make(&mut rogue);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    let ground = victim.ground(&rogue);
    let mut attacks = ground.controls();
    attacks.extend(ground.lost_references());
    attacks.extend(ground.misfits());
    attacks.extend(ground.headers());
    attacks.extend(ground.nests());
    assert!(attacks.len() > 60);
    let mut worst = (0, String::new());
    for (number, Attack { name, code, mut change }) in attacks.into_iter().enumerate() {
        victim.speak_as(&mut change, &rogue, number);
        let bytes = Change::from(change).raw_bytes().to_vec();
        server.forget_peak();
        let before = server.memory();
        check(&victim, &mut rogue, &name, code, bytes);
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

/// Chunks that are no plain change of a note: name, code, bytes.
fn chunks_that_are_none(victim: &Victim) -> Vec<(&'static str, u16, Vec<u8>)> {
    let sound = victim.sound.clone();
    let columns = |columns: &[(u8, &[u8])]| {
        let mut data = vec![1];
        data.extend(victim.note.heads().first().unwrap().as_bytes());
        data.extend([vec![16], vec![9; 16], vec![1], uleb(victim.start_op()), vec![0, 0, 0]].concat());
        data.push(u8::try_from(columns.len()).unwrap());
        columns.iter().for_each(|(spec, bytes)| {
            data.extend([vec![*spec], uleb(bytes.len() as u64)].concat());
        });
        columns.iter().for_each(|(_, bytes)| data.extend(*bytes));
        chunk(1, &data)
    };
    let key: (u8, &[u8]) = (0x15, &[0x7f, 1, b'x']);
    let rest: [(u8, &[u8]); 2] = [(0x34, &[1]), (0x56, &[0x7f, 0])];
    let run: &[u8] = &[0xc0, 0x8d, 0xb7, 0x01, 1];
    let keys: &[u8] = &[0xc0, 0x8d, 0xb7, 0x01, 1, b'x'];
    let one: (u8, &[u8]) = (0x42, &[0x7f, 1]);
    let none: (u8, &[u8]) = (0x70, &[0x7f, 0]);
    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    vec![
        (
            "three million operations in a run",
            118,
            columns(&[(0x15, keys), rest[0], (0x42, run), rest[1], none]),
        ),
        (
            "three million predecessors",
            119,
            columns(&[
                key,
                rest[0],
                one,
                rest[1],
                (0x70, &[0x7f, 0xc0, 0x8d, 0xb7, 0x01]),
                (0x71, run),
                (0x73, run),
            ]),
        ),
        ("a deflate bomb", 102, victim.deflated(20 << 20)),
        ("a whole document", 102, victim.note.save()),
        ("a bundle", 102, chunk(3, &[0; 40])),
        ("a flipped checksum", 105, flipped(5)),
        ("a flipped content", 105, flipped(sound.len() - 1)),
        ("a change cut short", 104, sound[..sound.len() - 1].to_vec()),
        ("two changes", 104, [sound.clone(), sound.clone()].concat()),
        ("garbage", 101, vec![0xaa; 300]),
        ("a change that is too large", 103, vec![0; 256 * 1024 + 1]),
    ]
}

#[test]
fn bytes_that_are_no_change_are_refused_at_the_door_for_next_to_nothing() {
    let mut ward = Ward::open(1);
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let mut rogue = Rogue::connect(&ward.clinic.url, &dir, &person);
    let victim = Victim::make(&mut rogue);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    for (name, code, bytes) in chunks_that_are_none(&victim) {
        server.forget_peak();
        let (memory, cpu) = (server.memory(), server.cpu());
        check(&victim, &mut rogue, name, code, bytes);
        let (memory, cpu) = (server.peak().saturating_sub(memory), server.cpu().saturating_sub(cpu));
        println!("{name}: {} KiB, {} ms", memory / 1024, cpu.as_millis());
        assert!(memory < BYTES_EACH && cpu.as_millis() < 50, "{name}: {memory} bytes, {cpu:?}");
    }
    ward.check_whole("beside broken bytes");
}

/// Changes that build on one that never comes.
fn orphans(victim: &Victim, rogue: &Rogue, from: u64, count: u64) -> (Vec<ChangeHash>, Vec<Vec<u8>>) {
    let mut found: Vec<(ChangeHash, Vec<u8>)> = (from..from + count)
        .map(|number| {
            let mut change = victim.ground(rogue).controls().remove(0).change;
            victim.speak_as(&mut change, rogue, 200);
            change.deps = vec![automerge::ChangeHash([9; 32])];
            change.time += i64::try_from(number).unwrap();
            let bytes = Change::from(change).raw_bytes().to_vec();
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
