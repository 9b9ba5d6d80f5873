//! A case: changes of one document on their way to a verdict, as a value that can be judged anywhere: on
//! the hub's own thread, on another one, or in another process. It knows no store and no connection.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DeviceId, DocumentId, PatientId, PersonId};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use session_note::NoteDocument;
use session_note::admission::{Admission, Submitted};
use session_note::admit::{Candidate, IndexError, Limits, Outcome};
use session_note::facts;
use session_note::schema::Kind;

use crate::limits::DEADLY_CHANGES_MAX;
use crate::moved::MOVED;
use crate::shown::Shown;

/// The version of the bytes a case travels in.
const FORMAT: u32 = 1;

/// Changes of one document, and the document they are judged on.
#[derive(Clone, Debug)]
pub struct Case {
    pub(crate) note: NoteDocument,
    pub(crate) submitted: Vec<Submitted>,
    dangerous: bool,
    held: BTreeMap<ChangeHash, String>,
    /// Changes that are held if the note turns out to be about one of these patients, who left their author's
    /// caseload: a new note tells its patient only once it was read.
    moved: BTreeMap<ChangeHash, BTreeSet<PatientId>>,
}

/// What decides which of the submitted changes a note takes in.
pub type Gate<'a> = dyn Fn(&NoteDocument, &[Submitted]) -> Result<Admission, IndexError> + 'a;

/// What came of a case.
#[derive(Debug)]
pub struct Judgement {
    pub(crate) note: NoteDocument,
    /// The gate's word on each change, or why there is none.
    pub(crate) outcomes: Result<Vec<(ChangeHash, Outcome)>, String>,
    pub(crate) held: BTreeMap<ChangeHash, String>,
    /// Those of the held ones whose patient had left their author's caseload.
    pub(crate) moved: BTreeSet<ChangeHash>,
}

/// Why a case's bytes cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a case cannot be read: {0}")]
pub struct CaseError(String);

#[derive(Encode, Decode)]
struct Written {
    #[n(0)]
    format: u32,
    #[n(1)]
    document: ByteArray<16>,
    #[n(2)]
    kind: u8,
    #[n(3)]
    note: ByteVec,
    #[n(4)]
    changes: Vec<WrittenChange>,
}

#[derive(Encode, Decode)]
struct WrittenChange {
    #[n(0)]
    bytes: ByteVec,
    #[n(1)]
    person: ByteArray<16>,
    #[n(2)]
    device: ByteArray<16>,
}

impl Case {
    pub(crate) fn new(note: NoteDocument, submitted: Vec<Submitted>, dangerous: bool) -> Self {
        Self { note, submitted, dangerous, held: BTreeMap::new(), moved: BTreeMap::new() }
    }

    pub(crate) fn with_moved(self, moved: BTreeMap<ChangeHash, BTreeSet<PatientId>>) -> Self {
        Self { moved, ..self }
    }

    /// The document.
    pub const fn document(&self) -> DocumentId {
        self.note.id()
    }

    /// Whether judging a change of it has ended a process before: it must be tried apart first.
    pub const fn is_dangerous(&self) -> bool {
        self.dangerous
    }

    /// The changes that are still to be judged, in log order.
    pub fn changes(&self) -> impl Iterator<Item = (ChangeHash, &[u8])> {
        self.submitted.iter().map(|one| (one.candidate.sketch().hash, one.candidate.bytes()))
    }

    /// How many changes are to be judged.
    pub fn len(&self) -> usize {
        self.submitted.len()
    }

    /// Whether nothing is left to be judged.
    pub fn is_empty(&self) -> bool {
        self.submitted.is_empty()
    }

    /// The same document with the first changes only.
    pub fn first(&self, changes: usize) -> Case {
        let submitted = self.submitted.iter().take(changes).cloned().collect();
        Self::new(self.note.clone(), submitted, self.dangerous)
    }

    /// Takes a change out unjudged, with what builds on it: it is held with this sentence.
    pub fn hold(&mut self, hash: ChangeHash, sentence: &str) {
        self.held.insert(hash, sentence.to_owned());
        let mut gone = BTreeSet::from([hash]);
        let mut before = 0;
        // A follower may stand before what it follows, so once through is not enough.
        while gone.len() > before {
            before = gone.len();
            for one in &self.submitted {
                let sketch = one.candidate.sketch();
                if sketch.deps.iter().any(|dep| gone.contains(dep)) {
                    gone.insert(sketch.hash);
                }
            }
        }
        self.submitted.retain(|one| !gone.contains(&one.candidate.sketch().hash));
    }

    /// Takes every change out unjudged and holds it with this sentence.
    pub fn hold_all(&mut self, sentence: &str) {
        for one in std::mem::take(&mut self.submitted) {
            self.held.insert(one.candidate.sketch().hash, sentence.to_owned());
        }
    }

    /// Finds the changes that whoever judges does not survive and holds them, with what follows them.
    /// `survives` tries a part of the case where it harms nobody, and says how it ended if it did not
    /// end well.
    pub fn sift(&mut self, survives: &mut dyn FnMut(&Case) -> Result<(), String>) {
        for _ in 0..DEADLY_CHANGES_MAX {
            if self.is_empty() {
                return;
            }
            let Err(mut how) = survives(self) else { return };
            // The shortest beginning that is not survived ends with a deadly change.
            let (mut lives, mut dies) = (0, self.len());
            while dies - lives > 1 {
                let middle = lives + (dies - lives) / 2;
                match survives(&self.first(middle)) {
                    Ok(()) => lives = middle,
                    Err(ended) => (dies, how) = (middle, ended),
                }
            }
            let deadly = self.changes().nth(dies - 1).map(|(hash, _)| hash);
            if let Some(hash) = deadly {
                self.hold(hash, &format!("checking it stopped the clinic's server and {how}"));
            }
        }
        if survives(self).is_err() {
            self.hold_all("checking it stopped the clinic's server; it has too many parts that do");
        }
    }

    /// Judges: the gate on a copy of the note, and a first reading of what came of it. Deterministic; takes
    /// a stack of at least 8 MiB.
    pub fn judge(self) -> Judgement {
        self.judge_by(&NoteDocument::admit)
    }

    /// [`Case::judge`] by another gate than this version's: an older or a later one, or one with a fault.
    pub fn judge_by(self, gate: &Gate<'_>) -> Judgement {
        let Self { note, submitted, held, moved, dangerous } = self;
        if submitted.is_empty() {
            return Judgement { note, outcomes: Ok(Vec::new()), held, moved: BTreeSet::new() };
        }
        match gate(&note, &submitted) {
            Ok(admission) => {
                let patient =
                    (!moved.is_empty()).then(|| Shown::of(&admission.note, false).patient).flatten();
                let late =
                    |patients: &BTreeSet<PatientId>| patient.is_some_and(|one| patients.contains(&one));
                let late: BTreeSet<ChangeHash> =
                    moved.iter().filter(|(_, patients)| late(patients)).map(|(hash, _)| *hash).collect();
                if !late.is_empty() {
                    // Judged again without them: what stays must stand without what is held.
                    let mut rest = Self { note, submitted, held, moved: BTreeMap::new(), dangerous };
                    late.iter().for_each(|hash| rest.hold(*hash, MOVED));
                    return Judgement { moved: late, ..rest.judge_by(gate) };
                }
                // Reading is done here once, so that a document that cannot be read shows it before its
                // verdict, and so that whoever takes the judgement need not read it: the note keeps it.
                read_whole(&admission.note);
                let outcomes = Ok(admission.outcomes);
                Judgement { note: admission.note, outcomes, held, moved: BTreeSet::new() }
            }
            Err(error) => Judgement { note, outcomes: Err(error.to_string()), held, moved: BTreeSet::new() },
        }
    }

    /// The case as bytes for another process; they hold what the note holds, so they go through a pipe and
    /// never to a disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        let changes = self.submitted.iter().map(|one| WrittenChange {
            bytes: one.candidate.bytes().to_vec().into(),
            person: ByteArray::from(*one.person.as_bytes()),
            device: ByteArray::from(*one.device.as_bytes()),
        });
        let written = Written {
            format: FORMAT,
            document: ByteArray::from(*self.note.id().as_bytes()),
            kind: self.note.kind().number(),
            note: self.note.save().into(),
            changes: changes.collect(),
        };
        // Writing to a vector cannot fail.
        minicbor::to_vec(written).unwrap_or_default()
    }

    /// Reads [`Case::to_bytes`].
    ///
    /// # Errors
    /// When the bytes are no case, or one of a newer version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CaseError> {
        let unreadable = |why: String| CaseError(why);
        let written: Written = minicbor::decode(bytes).map_err(|error| unreadable(error.to_string()))?;
        if written.format != FORMAT {
            return Err(unreadable(format!("its format is {}", written.format)));
        }
        let document = DocumentId::from_bytes(*written.document);
        let kind = Kind::from_number(written.kind);
        let kind = kind.ok_or_else(|| unreadable(format!("its kind is {}", written.kind)))?;
        let note = NoteDocument::load(document, kind, &written.note);
        let note = note.map_err(|error| unreadable(error.to_string()))?;
        let mut submitted = Vec::new();
        for change in written.changes {
            let candidate = Candidate::scan(change.bytes.into(), &Limits::V1);
            submitted.push(Submitted {
                candidate: candidate.map_err(|refusal| unreadable(refusal.to_string()))?,
                person: PersonId::from_bytes(*change.person),
                device: DeviceId::from_bytes(*change.device),
            });
        }
        Ok(Self::new(note, submitted, true))
    }
}

fn read_whole(note: &NoteDocument) {
    match note.kind() {
        Kind::Visit => _ = facts::note(note),
        Kind::Episode => _ = note.read_episode(),
    }
}

impl Judgement {
    /// The document.
    pub const fn document(&self) -> DocumentId {
        self.note.id()
    }
}
