//! The whole gate on notes that people have worked on. An input is a scene and the contents of one to
//! eight changes; each is wrapped with the right length and checksum, so that nothing ends at the
//! checksum. Whatever is judged: the note stays loadable, readable and editable, holds what was
//! admitted and nothing else, and takes in elsewhere what was admitted here.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use chart::ids::{ActorId, ChangeHash, CommandId, DeviceId, PersonId};
use chart::time::Timestamp;
use chart::visit::Visit;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};
use session_note::schema::Kind;
use session_note::{Author, Command, CommandError, Issued, NoteDocument, dispute};

use crate::chunks::chunk;
use crate::ward::{COMMANDS, DOCUMENT, Editor, Ward};

/// The place of the signature among the commands.
const SIGN: usize = 22;

/// A note at a point in its life, and honest changes upon it.
struct Scene {
    name: &'static str,
    note: NoteDocument,
    people: Vec<Editor>,
    next: Vec<(usize, Vec<u8>)>,
    /// One after the other, by people who hear each other.
    chain: Vec<Vec<u8>>,
}

fn scenes() -> &'static [Scene] {
    static SCENES: OnceLock<Vec<Scene>> = OnceLock::new();
    SCENES.get_or_init(|| {
        let disputed = |visit: &Visit| !dispute::disputes(visit).is_empty() && visit.signatures.is_empty();
        let signed = |visit: &Visit| !visit.signatures.is_empty();
        vec![
            scene("begun", Kind::Visit, 2, &|_| true),
            scene("visit", Kind::Visit, 30, &disputed),
            scene("signed", Kind::Visit, 60, &signed),
            scene("episode", Kind::Episode, 25, &|_| true),
        ]
    })
}

/// What a group of people did, merged, in the first life that is as wanted; then each command that
/// fits, once, by somebody.
fn scene(name: &'static str, kind: Kind, steps: usize, wanted: &dyn Fn(&Visit) -> bool) -> Scene {
    let lived = (1..).map(|seed| {
        let mut ward = Ward::new(kind, 3, seed);
        ward.live(steps);
        let note = ward.merged();
        (ward, note)
    });
    let mut lived = lived.skip_while(|(_, note)| !wanted(&note.read_visit().value));
    let (mut ward, note) = lived.next().expect("some life is as wanted");
    let whole = ward.editors[0].note.clone();
    (1..3).for_each(|who| ward.takes(who, &whole));
    let people = ward.editors.clone();
    // An input does not say whose a fresh actor is.
    let known = |made: &Submitted| {
        let actor = made.candidate.sketch().actor;
        people.iter().any(|editor| editor.author.actor == actor)
    };
    let mut next: Vec<(usize, Vec<u8>)> = Vec::new();
    for place in 0..COMMANDS {
        for attempt in 0..6 {
            ward.editors.clone_from(&people);
            if let Some(made) = tries(&mut ward, (place + attempt) % 3, place).filter(|made| known(made)) {
                next.push((place, made.candidate.bytes().to_vec()));
                break;
            }
        }
    }
    ward.editors.clone_from(&people);
    let mut chain: Vec<Vec<u8>> = Vec::new();
    for place in (0..COMMANDS).cycle().take(4 * COMMANDS).filter(|place| *place != SIGN) {
        if chain.len() == 8 {
            break;
        }
        let before = ward.editors.clone();
        match tries(&mut ward, place % 3, place).filter(|made| known(made)) {
            Some(made) => {
                chain.push(made.candidate.bytes().to_vec());
                let from = ward.editors[place % 3].note.clone();
                ward.takes((place + 1) % 3, &from);
            }
            None => ward.editors = before,
        }
    }
    Scene { name, note, people, next, chain }
}

/// One person tries a command of this place.
fn tries(ward: &mut Ward, who: usize, place: usize) -> Option<Submitted> {
    let command = ward.command_at(who, place);
    ward.gives(who, vec![command])
}

/// Honest changes by name, as they are sent.
pub(crate) fn victims() -> Vec<(String, Vec<u8>)> {
    let name = |scene: &Scene, place: usize| format!("{}-{place}", scene.name);
    let of =
        |scene: &'static Scene| scene.next.iter().map(|(place, bytes)| (name(scene, *place), bytes.clone()));
    scenes().iter().flat_map(of).collect()
}

/// The content of a chunk: what follows magic, checksum, kind and length.
pub(crate) fn content(bytes: &[u8]) -> &[u8] {
    let length = bytes[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    &bytes[9 + length..]
}

fn packed(scene: usize, contents: &[&[u8]]) -> Vec<u8> {
    let mut input = vec![scene as u8];
    for content in contents {
        input.extend((content.len() as u16).to_le_bytes());
        input.extend(*content);
    }
    input
}

pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (number, scene) in scenes().iter().enumerate() {
        for (place, bytes) in &scene.next {
            seeds.push((format!("{}-{place}", scene.name), packed(number, &[content(bytes)])));
        }
        let chain: Vec<&[u8]> = scene.chain.iter().map(|bytes| content(bytes)).collect();
        seeds.push((format!("{}-several", scene.name), packed(number, &chain)));
    }
    seeds
}

fn unpacked(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (content, later) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        chunks.push(chunk(1, content));
        rest = later;
        if chunks.len() == 8 {
            break;
        }
    }
    chunks
}

pub(crate) fn run(input: &[u8]) -> String {
    let Some((number, rest)) = input.split_first() else { return "empty".to_owned() };
    let scene = &scenes()[usize::from(*number) % scenes().len()];
    let mut words = BTreeSet::new();
    let mut work = Vec::new();
    for bytes in unpacked(rest) {
        match Candidate::scan(bytes, &Limits::V1) {
            Err(refusal) => _ = words.insert(refusal.code()),
            Ok(candidate) => {
                let (person, device) = author_of(scene, candidate.sketch().actor);
                work.push(Submitted { candidate, person, device });
            }
        }
    }
    if work.is_empty() {
        return words.last().map_or("nothing".to_owned(), u16::to_string);
    }
    let judged = scene.note.admit(&work).expect("the scene's own index");
    let admitted = check(scene, &work, &judged.note, &judged.outcomes);
    let taken = scene.note.take_in(&work).expect("the scene's own index");
    check(scene, &work, &taken.note, &taken.outcomes);
    // What was admitted here is taken in elsewhere, whatever came beside it here.
    let only: Vec<Submitted> =
        work.iter().filter(|one| admitted.contains(&one.candidate.sketch().hash)).cloned().collect();
    let elsewhere = scene.note.take_in(&only).expect("the scene's own index");
    assert_eq!(elsewhere.note.heads(), judged.note.heads());
    let words: BTreeSet<String> = judged.outcomes.iter().map(|(_, outcome)| word(outcome)).collect();
    words.into_iter().collect::<Vec<_>>().join(" and ")
}

/// The person whose actor it is; somebody, if it is a stranger's.
fn author_of(scene: &Scene, actor: ActorId) -> (PersonId, DeviceId) {
    let owner = scene.people.iter().find(|editor| editor.author.actor == actor);
    owner.or(scene.people.first()).map(|editor| (editor.author.person, editor.author.device)).unwrap()
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Admitted => "admitted".to_owned(),
        Outcome::AlreadyKnown => "known".to_owned(),
        Outcome::Waiting { .. } => "waiting".to_owned(),
        Outcome::Rejected { code, sentence } => {
            assert!(!(212..=213).contains(code), "the engine found what no check did: {sentence}");
            code.to_string()
        }
    }
}

/// The note after a judgement: whole, readable, editable, and holding exactly what was admitted.
fn check(
    scene: &Scene,
    work: &[Submitted],
    note: &NoteDocument,
    outcomes: &[(ChangeHash, Outcome)],
) -> BTreeSet<ChangeHash> {
    let given: BTreeSet<ChangeHash> = work.iter().map(|one| one.candidate.sketch().hash).collect();
    assert_eq!(outcomes.iter().map(|(hash, _)| *hash).collect::<BTreeSet<_>>(), given);
    let mut admitted = BTreeSet::new();
    for (hash, outcome) in outcomes {
        let inside = matches!(outcome, Outcome::Admitted | Outcome::AlreadyKnown);
        assert_eq!(note.contains(hash), inside, "{outcome:?}");
        if *outcome == Outcome::Admitted {
            admitted.insert(*hash);
        }
    }
    let added = note.changes_since(&scene.note.heads());
    assert_eq!(added.iter().map(|(hash, _)| *hash).collect::<BTreeSet<_>>(), admitted);
    if admitted.is_empty() {
        assert_eq!(note.heads(), scene.note.heads());
        return admitted;
    }
    let saved = note.save();
    let loaded = NoteDocument::load(DOCUMENT, note.kind(), &saved).expect("what was saved loads");
    assert_eq!((loaded.heads(), loaded.save()), (note.heads(), saved));
    let (visit, episode) = (note.read_visit(), note.read_episode());
    assert_eq!((&loaded.read_visit(), &loaded.read_episode()), (&visit, &episode));
    _ = note.history();
    edits_on(note);
    admitted
}

/// Somebody can go on working.
fn edits_on(note: &NoteDocument) {
    let mut note = note.clone();
    let author = Author {
        person: PersonId::from_bytes([9; 16]),
        device: DeviceId::from_bytes([9; 16]),
        actor: ActorId::from_bytes([0x99; 16]),
    };
    let command = match note.kind() {
        Kind::Visit => Command::Comment { anchor: "totals".to_owned(), text: "seen".to_owned() },
        Kind::Episode => Command::SetField { field: "seen".to_owned(), value: "yes".to_owned() },
    };
    let issued = [Issued { id: CommandId::from_bytes([0x98; 16]), command }];
    let (at, seen) = (Timestamp::from_unix_ms(1_773_800_000_000), note.heads());
    match note.commit(&author, ActorId::from_bytes([0x97; 16]), at, &seen, &issued) {
        Ok(made) => {
            let saved = note.save();
            let loaded = NoteDocument::load(DOCUMENT, note.kind(), &saved).expect("what was edited loads");
            assert!(loaded.contains(&made.hash));
        }
        Err(CommandError::Engine(error)) => panic!("{error}"),
        Err(_) => {}
    }
}
