//! The promises, held against what the machines say and what the log holds.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::reference::{Patient, Reference};
use chart::register::{Fact, Register};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::facts;
use session_note::schema::Kind;
use sync_protocol::ReasonCode;
use tablet::SaveState;

use crate::clinic::CORA;
use crate::log::{Fate, LoggedDocument};
use crate::machine::Machine;
use crate::reference::{Effect, Gone, Seen};
use crate::violation::{Broken, Promise, Violation, broken};
use crate::world::World;

/// A note as the log's admitted changes make it.
pub(crate) struct Truth {
    pub(crate) note: NoteDocument,
    /// Whose caseloads it is on.
    pub(crate) treating: BTreeSet<PersonId>,
    pub(crate) pending: bool,
}

impl World {
    /// Every change of a deed that was called safe is in the log.
    pub(crate) fn check_safe_work(&mut self, when: &str) -> Result<(), Violation> {
        if self.server.hub.is_none() {
            return Ok(());
        }
        self.log.follow(&self.server.disk)?;
        for deed in self.model.deeds.iter().filter(|deed| deed.safe) {
            if let Some(change) = deed.change
                && !self.log.changes.contains_key(&change)
            {
                let story = format!("{when}: {:?} of tablet {} is not in the log", deed.effect, deed.tablet);
                return Err(broken(Promise::Durable, story));
            }
        }
        Ok(())
    }

    /// Whether nothing is under way anywhere.
    pub(crate) fn is_settled(&self) -> bool {
        // Where something is held back, other tablets' copies of it wait with it.
        let held = |document: &DocumentId| {
            let logged = self.log.documents.get(document);
            logged.is_some_and(|logged| logged.changes.values().any(|change| change.fate == Fate::Held))
        };
        self.now - self.last_frame_at >= 12_000
            && self.server.is_idle()
            && self.wires.values().all(|wire| wire.is_clear())
            && self.tablets.iter().all(|machine| {
                let Some(app) = &machine.tablet else { return false };
                let done = |save| save == SaveState::SafeAtClinic;
                machine.is_idle()
                    && machine.welcomed
                    && machine.wire.is_some()
                    && machine.burst.is_none()
                    && app.documents().iter().all(|summary| done(summary.save) || held(&summary.document))
            })
    }

    pub(crate) fn why_unsettled(&mut self) -> String {
        let mut why = vec![format!("quiet for {} ms", self.now - self.last_frame_at)];
        if !self.server.is_idle() {
            let metrics = self.server.hub.as_ref().map(hub::Hub::metrics);
            why.push(format!("the server is busy: {metrics:?}"));
        }
        for machine in &mut self.tablets {
            let Some(app) = &mut machine.tablet else {
                why.push(format!("tablet {} is off", machine.index));
                continue;
            };
            if machine.wire.is_none() || !machine.welcomed {
                why.push(format!("tablet {} is not connected", machine.index));
            }
            for summary in app.documents() {
                if summary.save != SaveState::SafeAtClinic {
                    let status = app.status(summary.document);
                    let drafts = app.note(&machine.disk, summary.document).map(|view| view.drafts);
                    let timer = app.poll_timeout();
                    why.push(format!(
                        "tablet {}: {} is {status:?}, drafts {drafts:?}, next {timer:?} at {}",
                        machine.index,
                        summary.document,
                        self.now.saturating_add(machine.skew)
                    ));
                }
            }
        }
        why.join("; ")
    }

    /// Everything that must hold once all is quiet.
    pub(crate) fn check_everything(&mut self) -> Result<(), Violation> {
        self.log.follow(&self.server.disk)?;
        self.check_safe_work("in the end")?;
        let truths = self.truths()?;
        self.check_verdicts()?;
        self.check_order()?;
        self.check_server(&truths)?;
        self.check_effects(&truths)?;
        for (document, truth) in &truths {
            check_disputes(*document, truth, self.log.documents.get(document), &mut self.tally.disputes)?;
        }
        self.check_tablets(&truths)?;
        self.check_reports(&truths)?;
        self.check_scopes(&truths)
    }

    fn patients(&self) -> BTreeMap<chart::ids::PatientId, Patient> {
        let mut patients = BTreeMap::new();
        for reference in &self.log.references {
            if let Reference::Patient(patient) = reference {
                patients.insert(patient.id, patient.clone());
            }
        }
        patients
    }

    /// Every document, built from the log alone.
    fn truths(&self) -> Result<BTreeMap<DocumentId, Truth>, Violation> {
        let patients = self.patients();
        let mut truths = BTreeMap::new();
        for (document, logged) in &self.log.documents {
            let fates = |fate| logged.changes.values().filter(move |change| change.fate == fate);
            let admitted: Vec<Submitted> =
                fates(Fate::Admitted).map(|change| change.submitted.clone()).collect();
            if admitted.is_empty() {
                continue;
            }
            let note = NoteDocument::new(*document, logged.kind);
            let note = note.admit(&admitted).broken(Promise::Verdicts)?.note;
            if let Some(change) = admitted.iter().find(|one| !note.contains(&one.candidate.sketch().hash)) {
                let story = format!("{} was admitted and does not apply", change.candidate.sketch().hash);
                return Err(broken(Promise::Verdicts, story));
            }
            let (patient, mut treating) = match logged.kind {
                Kind::Visit => {
                    let visit = note.read_visit().value;
                    (visit.patient, facts::providers(&facts::slice(&visit)))
                }
                Kind::Episode => (note.read_episode().value.patient, BTreeSet::new()),
            };
            treating
                .extend(patient.and_then(|id| patients.get(&id)).into_iter().flat_map(|one| &one.care_team));
            let pending = fates(Fate::Held).next().is_some() || fates(Fate::Unjudged).next().is_some();
            truths.insert(*document, Truth { note, treating, pending });
        }
        Ok(truths)
    }

    /// Nothing waits without a verdict, nothing honest is rejected, nothing kept back is in a note.
    fn check_verdicts(&mut self) -> Result<(), Violation> {
        for (document, logged) in &self.log.documents {
            for (hash, change) in &logged.changes {
                match change.fate {
                    Fate::Admitted => {}
                    Fate::Held => self.tally.kept_back += 1,
                    // What it builds on went down with an older copy and never came.
                    Fate::Unjudged if self.rewound => self.tally.kept_back += 1,
                    // A person rejected it, or what it builds on, or it is in the note by another name.
                    Fate::Rejected
                        if matches!(
                            change.reason,
                            ReasonCode::Declined | ReasonCode::DependsOn | ReasonCode::MadeTwice
                        ) =>
                    {
                        self.tally.rejected += 1;
                    }
                    Fate::Unjudged | Fate::Rejected => {
                        let story = format!("{hash} of {document} is {:?} in the end", change.fate);
                        return Err(broken(Promise::Verdicts, story));
                    }
                }
            }
        }
        Ok(())
    }

    /// The hub shows what the log says.
    fn check_server(&mut self, truths: &BTreeMap<DocumentId, Truth>) -> Result<(), Violation> {
        let server = &mut self.server;
        let Some(hub) = &mut server.hub else { return Ok(()) };
        for (document, truth) in truths {
            let shown = hub.note(&server.disk, *document).broken(Promise::Quiet)?;
            let shown =
                shown.ok_or_else(|| broken(Promise::Converged, format!("the hub lacks {document}")))?;
            if shown.cannot_be_shown {
                return Err(broken(Promise::Quiet, format!("the hub cannot show {document}")));
            }
            if shown.heads != truth.note.heads() {
                let (shown, true_heads) = (&shown.heads, truth.note.heads());
                let story = format!("the hub shows {document} at other heads: {shown:?}, not {true_heads:?}");
                return Err(broken(Promise::Converged, story));
            }
            let content = match truth.note.kind() {
                Kind::Visit => serde_json::to_value(truth.note.read_visit().value),
                Kind::Episode => serde_json::to_value(truth.note.read_episode().value),
            };
            if content.broken(Promise::Quiet)? != shown.content {
                return Err(broken(Promise::Converged, format!("the hub shows {document} otherwise")));
            }
        }
        Ok(())
    }

    /// Notes in which rejected work could not be made again: a tablet says so, or is none of the clinic's
    /// any more.
    fn given_up(&self) -> BTreeSet<DocumentId> {
        let mut documents = BTreeSet::new();
        for (document, logged) in &self.log.documents {
            let of = |machine: &Machine| {
                let device = crate::clinic::device(machine.index);
                let mut rejected = logged.changes.values().filter(|change| change.fate == Fate::Rejected);
                let lost = self.is_revoked(machine.index) || self.rewound;
                let theirs = rejected.any(|change| change.submitted.device == device);
                let status = machine.tablet.as_ref().and_then(|app| app.status(*document));
                (theirs && lost) || status.is_some_and(|status| !status.notes.is_empty())
            };
            if self.tablets.iter().any(of) {
                documents.insert(*document);
            }
        }
        documents
    }

    /// Every saved deed is there once, in the note or in what is kept back.
    fn check_effects(&mut self, truths: &BTreeMap<DocumentId, Truth>) -> Result<(), Violation> {
        let given_up = self.given_up();
        for (document, truth) in truths {
            let pending = truth.pending || given_up.contains(document);
            let rejected =
                self.log.documents.get(document).is_some_and(|logged| {
                    logged.changes.values().any(|change| change.fate == Fate::Rejected)
                });
            self.tally.made_again += u64::from(rejected && !pending);
            let (visit, episode) = match truth.note.kind() {
                Kind::Visit => (Some(truth.note.read_visit().value), None),
                Kind::Episode => (None, Some(truth.note.read_episode().value)),
            };
            let seen = Seen { visit: visit.as_ref(), episode: episode.as_ref(), drafts: Vec::new() };
            for deed in self.model.deeds.iter().filter(|deed| deed.document == *document) {
                let Some(count) = seen.count(&deed.effect) else { continue };
                let (least, most) = match deed.gone {
                    Gone::No => (usize::from(deed.saved && !deed.may_be_gone && !pending), 1),
                    Gone::Saved if deed.may_be_gone || pending => (0, 1),
                    Gone::Saved => (0, 0),
                    Gone::Given | Gone::Unclear => (0, 1),
                };
                let most = most + usize::try_from(deed.may_repeat).unwrap_or(0);
                if count < least || count > most {
                    let story = format!(
                        "{:?} of tablet {} is there {count} times in {document}",
                        deed.effect, deed.tablet
                    );
                    return Err(broken(Promise::Converged, story));
                }
            }
        }
        let missing = self.model.deeds.iter().find(|deed| {
            deed.saved
                && !deed.may_be_gone
                && deed.gone == Gone::No
                && !self.log.documents.contains_key(&deed.document)
        });
        if let Some(deed) = missing {
            let story =
                format!("{:?} of tablet {}: its document is not in the log", deed.effect, deed.tablet);
            return Err(broken(Promise::Converged, story));
        }
        let plain = self.model.deeds.iter().find(|deed| {
            deed.effect == Effect::Plain
                && deed.saved
                && !deed.may_be_gone
                && deed.change.is_some_and(|change| !self.log.changes.contains_key(&change))
        });
        match plain {
            Some(deed) => {
                let story = format!("a change of tablet {} to {} never came", deed.tablet, deed.document);
                Err(broken(Promise::Converged, story))
            }
            None => Ok(()),
        }
    }

    /// Whether a tablet is revoked, as the log says.
    pub(crate) fn is_revoked(&self, tablet: usize) -> bool {
        let device = crate::clinic::device(tablet);
        let last = self.log.references.iter().rev().find_map(|reference| match reference {
            Reference::Device(known) if known.id == device => Some(known.revoked_at.is_some()),
            _ => None,
        });
        last == Some(true)
    }

    /// No tablet holds what it does not follow, unless something of its own is kept back.
    fn check_scopes(&self, truths: &BTreeMap<DocumentId, Truth>) -> Result<(), Violation> {
        for machine in &self.tablets {
            let Some(app) = &machine.tablet else { continue };
            if self.is_revoked(machine.index) {
                continue;
            }
            for summary in app.documents() {
                let document = summary.document;
                // A note on nobody's caseload stays with those who write in it.
                let wanted = truths
                    .get(&document)
                    .is_some_and(|truth| truth.treating.is_empty() || truth.is_followed_by(machine.person));
                let status = app.status(document);
                let nothing_admitted =
                    !truths.contains_key(&document) && self.log.documents.contains_key(&document);
                let kept_back = nothing_admitted
                    || status.is_some_and(|status| !status.notes.is_empty() || status.waiting > 0);
                if !wanted && !kept_back {
                    let story =
                        format!("tablet {} holds {document}, which it does not follow", machine.index);
                    return Err(broken(Promise::Scopes, story));
                }
            }
        }
        Ok(())
    }

    /// Every tablet holds what it should, as the log has it, and nothing else.
    fn check_tablets(&mut self, truths: &BTreeMap<DocumentId, Truth>) -> Result<(), Violation> {
        let revoked: BTreeSet<usize> = self
            .tablets
            .iter()
            .map(|machine| machine.index)
            .filter(|index| self.is_revoked(*index))
            .collect();
        for machine in &mut self.tablets {
            let (index, person) = (machine.index, machine.person);
            let Some(app) = &mut machine.tablet else { continue };
            if revoked.contains(&index) {
                continue;
            }
            for (document, truth) in truths.iter().filter(|(_, truth)| truth.is_followed_by(person)) {
                let view = app.note(&machine.disk, *document);
                let view = view.map_err(|_| {
                    broken(Promise::Converged, format!("tablet {index} lacks {document}, which it follows"))
                })?;
                let heads = truth.note.heads();
                let kept = |logged: &LoggedDocument| {
                    logged.is_shown_beside_what_is_held(&view.heads, |hash| truth.note.contains(hash))
                };
                let excused = self.rewound && self.log.documents.get(document).is_some_and(kept);
                if view.heads != heads && view.status.notes.is_empty() && !excused {
                    let logged = self.log.documents.get(document).map(|logged| &logged.changes);
                    let fate = |hash| logged.and_then(|changes| changes.get(hash)).map(|change| change.fate);
                    let more: Vec<_> = view.heads.difference(&heads).map(|hash| (hash, fate(hash))).collect();
                    let less: Vec<_> = heads.difference(&view.heads).collect();
                    let story = format!("tablet {index} shows {document} with {more:?} and without {less:?}");
                    return Err(broken(Promise::Converged, story));
                }
                if view.heads == heads {
                    let (visit, episode) = match truth.note.kind() {
                        Kind::Visit => (Some(truth.note.read_visit().value), None),
                        Kind::Episode => (None, Some(truth.note.read_episode().value)),
                    };
                    if view.visit != visit || view.episode != episode || !view.drafts.is_empty() {
                        let (shown, wanted) = (parts(&view.visit), parts(&visit));
                        let differ: Vec<String> = shown
                            .iter()
                            .filter(|(name, value)| wanted.get(*name) != Some(value))
                            .map(|(name, value)| format!("{name}: {value} instead of {:?}", wanted.get(name)))
                            .collect();
                        let drafts = &view.drafts;
                        let story = format!(
                            "tablet {index} shows {document} otherwise: {differ:?}, drafts {drafts:?}"
                        );
                        return Err(broken(Promise::Converged, story));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Truth {
    /// Whether a person's tablets should hold it.
    pub(crate) fn is_followed_by(&self, person: PersonId) -> bool {
        person == CORA || self.treating.contains(&person)
    }
}

/// The parts of a note by name.
fn parts(visit: &Option<chart::visit::Visit>) -> BTreeMap<String, serde_json::Value> {
    let value = serde_json::to_value(visit).unwrap_or_default();
    value.as_object().map(|parts| parts.clone().into_iter().collect()).unwrap_or_default()
}

/// A version is open exactly if no other version of its fact was written by somebody who had seen it.
fn check_disputes(
    document: DocumentId,
    truth: &Truth,
    logged: Option<&LoggedDocument>,
    tally: &mut u64,
) -> Result<(), Violation> {
    if truth.note.kind() != Kind::Visit {
        return Ok(());
    }
    let ancestry = ancestry(logged);
    let visit = truth.note.read_visit().value;
    check_register(document, "provider", &visit.provider, &ancestry, tally)?;
    check_register(document, "date", &visit.date, &ancestry, tally)?;
    check_register(document, "place", &visit.place, &ancestry, tally)?;
    check_register(document, "payer", &visit.payer, &ancestry, tally)?;
    check_register(document, "diagnoses", &visit.diagnoses, &ancestry, tally)?;
    for activity in visit.activities.values() {
        for register in activity.segments.values() {
            check_register(document, "a segment", register, &ancestry, tally)?;
        }
    }
    Ok(())
}

fn ancestry(logged: Option<&LoggedDocument>) -> BTreeMap<ChangeHash, BTreeSet<ChangeHash>> {
    let mut all: BTreeMap<ChangeHash, BTreeSet<ChangeHash>> = BTreeMap::new();
    let Some(logged) = logged else { return all };
    let mut waiting: Vec<ChangeHash> = logged.order.clone();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|hash| {
            let Some(change) = logged.changes.get(hash) else { return false };
            let deps = &change.submitted.candidate.sketch().deps;
            let known = |dep: &ChangeHash| all.contains_key(dep) || !logged.changes.contains_key(dep);
            if !deps.iter().all(known) {
                return true;
            }
            let mut above: BTreeSet<ChangeHash> = deps.iter().copied().collect();
            above.extend(deps.iter().filter_map(|dep| all.get(dep)).flatten().copied());
            all.insert(*hash, above);
            false
        });
        if waiting.len() == before {
            break;
        }
    }
    all
}

fn check_register<T: Clone + Ord + std::fmt::Debug>(
    document: DocumentId,
    name: &str,
    register: &Register<T>,
    ancestry: &BTreeMap<ChangeHash, BTreeSet<ChangeHash>>,
    tally: &mut u64,
) -> Result<(), Violation> {
    let of = |version: &chart::register::Version<T>| version.by.change;
    let seen = |version: &chart::register::Version<T>| {
        register.versions().iter().any(|other| {
            let above = of(other).and_then(|change| ancestry.get(&change));
            above.zip(of(version)).is_some_and(|(above, change)| above.contains(&change))
        })
    };
    let open: Vec<_> = register.versions().iter().filter(|version| !seen(version)).collect();
    let sides: BTreeSet<&T> = open.iter().map(|version| &version.value).collect();
    let fits = match register.fact() {
        Fact::Missing => sides.is_empty(),
        Fact::Agreed(value) => sides.len() == 1 && sides.contains(&value),
        Fact::Disputed(shown) => {
            *tally += 1;
            shown.iter().map(|side| &side.value).collect::<BTreeSet<_>>() == sides
        }
    };
    if fits {
        Ok(())
    } else {
        let story =
            format!("{name} of {document}: {sides:?} are open, and the note says {:?}", register.fact());
        Err(broken(Promise::Disputes, story))
    }
}
