//! The model: what people did, which of it was reported saved and safe, and what may be gone for a reason
//! that was injected. Knows nothing of changes, logs or frames but the names it was told.

use std::collections::BTreeSet;

use chart::episode::Episode;
use chart::ids::{ChangeHash, DocumentId};
use chart::visit::Visit;
use session_note::schema::Kind;
use tablet::{NoteView, Ticket};

/// What must be seen of a deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A comment with this text.
    Comment(String),
    /// An amendment with this text.
    Amendment(String),
    /// A measurement of this name.
    Measure(String),
    /// A version of a billing fact with this reason.
    Reason(String),
    /// A first version of a segment with this elapsed time.
    Recorded(u64),
    /// A signature over this view.
    Signature(String),
    /// A letter in a text.
    Letter {
        /// Which text.
        field: &'static str,
        /// The letter: no other keystroke of the world makes it.
        letter: char,
    },
    /// Nothing that can be told apart; only its change counts.
    Plain,
}

/// Whether a letter was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// No.
    No,
    /// Yes, not yet reported saved.
    Given,
    /// Yes, reported saved.
    Saved,
    /// Perhaps: the power went before it was reported saved.
    Unclear,
}

/// Something a person did.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// On which tablet.
    pub(crate) tablet: usize,
    /// In which run of it.
    pub(crate) run: u32,
    /// In which document.
    pub(crate) document: DocumentId,
    /// What must be seen of it.
    pub(crate) effect: Effect,
    /// The ticket it waits for.
    pub(crate) ticket: Option<Ticket>,
    /// The change it became, once told.
    pub(crate) change: Option<ChangeHash>,
    /// Reported saved.
    pub(crate) saved: bool,
    /// Reported safe at the clinic.
    pub(crate) safe: bool,
    /// Its tablet lost its own copy to an older one.
    pub(crate) set_back: bool,
    /// May be gone: not saved when the power went, or not safe when an older copy took over.
    pub(crate) may_be_gone: bool,
    /// How often it may be there again: older copies of the disk held it as a draft whose change was out
    /// already.
    pub(crate) may_repeat: u32,
    /// Whether it was taken back.
    pub(crate) gone: Gone,
}

/// Everything people did.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// In the order it was done.
    pub(crate) deeds: Vec<Deed>,
    letters: u32,
    marks: u64,
}

impl Model {
    /// A letter that was never used before.
    pub(crate) fn letter(&mut self) -> char {
        self.letters += 1;
        // The unified ideographs: twenty thousand letters without case or combination.
        char::from_u32(0x4e00 + self.letters).unwrap_or('x')
    }

    /// A word that was never used before.
    pub(crate) fn mark(&mut self) -> u64 {
        self.marks += 1;
        self.marks
    }

    /// Notes a deed.
    pub(crate) fn did(
        &mut self,
        tablet: usize,
        run: u32,
        document: DocumentId,
        effect: Effect,
        ticket: Option<Ticket>,
    ) {
        self.deeds.push(Deed {
            tablet,
            run,
            document,
            effect,
            ticket,
            change: None,
            saved: false,
            safe: false,
            set_back: false,
            may_be_gone: false,
            may_repeat: 0,
            gone: Gone::No,
        });
    }

    /// A tablet reported an edit saved.
    pub(crate) fn saved(&mut self, tablet: usize, run: u32, ticket: Ticket, change: ChangeHash) {
        for deed in &mut self.deeds {
            if deed.tablet == tablet && deed.run == run && deed.ticket == Some(ticket) {
                deed.saved = true;
                deed.change = Some(change);
            }
        }
    }

    /// Documents of a tablet with keystrokes that were not reported saved.
    pub(crate) fn unsaved_letters(&self, tablet: usize) -> BTreeSet<DocumentId> {
        let waits = |deed: &&Deed| {
            deed.tablet == tablet
                && deed.ticket.is_none()
                && !deed.may_be_gone
                && (!deed.saved || deed.gone == Gone::Given)
        };
        self.deeds.iter().filter(waits).map(|deed| deed.document).collect()
    }

    /// A tablet's screen says that everything typed into a document is saved.
    pub(crate) fn letters_saved(&mut self, tablet: usize, document: DocumentId) {
        for deed in &mut self.deeds {
            if deed.tablet == tablet
                && deed.document == document
                && deed.ticket.is_none()
                && !deed.may_be_gone
            {
                deed.saved = true;
                if deed.gone == Gone::Given {
                    deed.gone = Gone::Saved;
                }
            }
        }
    }

    /// Documents of a tablet with saved deeds that were not reported safe.
    pub(crate) fn unsafe_documents(&self, tablet: usize) -> BTreeSet<DocumentId> {
        let waits = |deed: &&Deed| deed.tablet == tablet && deed.saved && !deed.safe && !deed.set_back;
        self.deeds.iter().filter(waits).map(|deed| deed.document).collect()
    }

    /// A tablet's screen says that a document is safe at the clinic.
    pub(crate) fn safe(&mut self, tablet: usize, document: DocumentId) {
        for deed in &mut self.deeds {
            if deed.tablet == tablet && deed.document == document && deed.saved && !deed.set_back {
                deed.safe = true;
            }
        }
    }

    /// The power of a tablet went.
    pub(crate) fn tablet_crashed(&mut self, tablet: usize) {
        for deed in self.deeds.iter_mut().filter(|deed| deed.tablet == tablet) {
            deed.may_be_gone |= !deed.saved;
            if deed.gone == Gone::Given {
                deed.gone = Gone::Unclear;
            }
        }
    }

    /// The numbers of a tablet's deeds that are reported saved.
    pub(crate) fn saved_on(&self, tablet: usize) -> BTreeSet<usize> {
        let saved = |(_, deed): &(usize, &Deed)| deed.tablet == tablet && deed.saved;
        self.deeds.iter().enumerate().filter(saved).map(|(number, _)| number).collect()
    }

    /// A tablet starts from a copy made when these deeds were reported saved.
    pub(crate) fn tablet_restored(&mut self, tablet: usize, saved: &BTreeSet<usize>) {
        for (number, deed) in self.deeds.iter_mut().enumerate().filter(|(_, deed)| deed.tablet == tablet) {
            let letter = matches!(deed.effect, Effect::Letter { .. });
            if !saved.contains(&number) {
                deed.set_back = true;
                deed.may_be_gone |= !deed.safe;
            }
            if letter {
                // What the copy holds as a draft may have become a change before and becomes one again.
                deed.may_repeat += 1;
                if deed.gone != Gone::No {
                    deed.gone = Gone::Unclear;
                }
            }
        }
    }

    /// The server of these tablets starts from a backup: nothing is safe until it is said again.
    pub(crate) fn server_restored(&mut self, tablets: &BTreeSet<usize>) {
        for deed in self.deeds.iter_mut().filter(|deed| tablets.contains(&deed.tablet)) {
            deed.safe = false;
            deed.may_be_gone |= deed.set_back;
        }
    }
}

/// A note as far as effects go.
pub(crate) struct Seen<'a> {
    /// The visit, if it is one.
    pub(crate) visit: Option<&'a Visit>,
    /// The episode, if it is one.
    pub(crate) episode: Option<&'a Episode>,
    /// Texts that are drafts.
    pub(crate) drafts: Vec<(&'a str, &'a str)>,
}

impl<'a> Seen<'a> {
    /// What a tablet shows.
    pub(crate) fn of(view: &'a NoteView) -> Self {
        let drafts = view.drafts.iter().map(|draft| (draft.field.as_str(), draft.text.as_str()));
        Self { visit: view.visit.as_ref(), episode: view.episode.as_ref(), drafts: drafts.collect() }
    }

    /// How often an effect is there; `None` if it cannot be told.
    pub(crate) fn count(&self, effect: &Effect) -> Option<usize> {
        if let Effect::Letter { field, letter } = effect {
            return Some(self.count_letter(field, *letter));
        }
        let visit = self.visit?;
        match effect {
            Effect::Comment(text) => Some(visit.comments.values().filter(|one| one.text == *text).count()),
            Effect::Amendment(text) => {
                Some(visit.amendments.values().filter(|one| one.text == *text).count())
            }
            Effect::Measure(name) => Some(visit.measures.values().filter(|one| one.name == *name).count()),
            Effect::Signature(view) => {
                Some(visit.signatures.values().filter(|one| one.billing_view == *view).count())
            }
            Effect::Reason(reason) => Some(reasons(visit).filter(|one| one == reason).count()),
            Effect::Recorded(elapsed) => {
                let segments = visit.activities.values().flat_map(|activity| activity.segments.values());
                let versions = segments.flat_map(|register| register.versions());
                let first = |version: &&chart::register::Version<chart::visit::SegmentValue>| {
                    version.value.elapsed_ms == Some(*elapsed) && version.replaces.is_empty()
                };
                Some(versions.filter(first).count())
            }
            Effect::Letter { .. } | Effect::Plain => None,
        }
    }

    /// Whether what was typed into a field is still a draft.
    pub(crate) fn has_draft(&self, field: &str) -> bool {
        self.drafts.iter().any(|(name, _)| *name == field)
    }

    fn count_letter(&self, field: &str, letter: char) -> usize {
        let texts = self.visit.map(|visit| &visit.text).or(self.episode.map(|episode| &episode.text));
        let text = texts.and_then(|texts| texts.get(field));
        let written = text.map_or(0, |text| text.chars().filter(|one| *one == letter).count());
        let drafted =
            self.drafts.iter().filter(|(name, text)| *name == field && text.contains(letter)).count();
        written.max(drafted.min(1))
    }
}

fn reasons(visit: &Visit) -> impl Iterator<Item = String> {
    fn of<T>(register: &chart::register::Register<T>) -> Vec<String>
    where
        T: Clone + Ord,
    {
        register.versions().iter().filter_map(|version| version.reason.clone()).collect()
    }
    let mut all = of(&visit.provider);
    all.extend(of(&visit.date));
    all.extend(of(&visit.place));
    all.extend(of(&visit.payer));
    all.extend(of(&visit.diagnoses));
    let segments = visit.activities.values().flat_map(|activity| activity.segments.values());
    all.extend(segments.flat_map(of));
    all.into_iter()
}

/// The texts of a kind that people type into.
pub(crate) const fn fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Visit => &["subjective", "plan"],
        Kind::Episode => &["history"],
    }
}
