//! What people did, held against what came of it: everything saved is there once, in the note or in what is
//! kept back.

use std::collections::BTreeSet;

use chart::ids::DocumentId;
use session_note::schema::Kind;

use crate::log::{Fate, Log};
use crate::machine::Machine;
use crate::reference::{Deed, Effect, Gone, Seen};
use crate::server::Server;
use crate::truth::Truths;
use crate::violation::{Promise, Violation, broken};
use crate::world::World;

impl World {
    /// Notes in which rejected work could not be made again: a tablet says so, is none of the clinic's any more,
    /// or does not know of it.
    fn given_up(&self, log: &Log) -> BTreeSet<DocumentId> {
        let mut documents = BTreeSet::new();
        for (document, logged) in &log.documents {
            let of = |machine: &Machine| {
                let device = crate::clinic::device(machine.index);
                let mut rejected = logged.changes.values().filter(|change| change.fate == Fate::Rejected);
                let rewound = self.servers.get(machine.site).is_some_and(|server| server.rewound);
                // A tablet that was put back to a copy may have lost what it would make it again from.
                let lost = self.is_revoked(machine.index) || rewound || machine.put_back;
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

    /// Every saved deed is there once, in the note or in what is kept back. What was done at other clinics
    /// is there once at most.
    pub(crate) fn check_effects(&self, site: usize, truths: &Truths) -> Result<u64, Violation> {
        let Some(Server { log, .. }) = self.servers.get(site) else { return Ok(0) };
        let given_up = self.given_up(log);
        let mut made_again = 0;
        for (document, truth) in truths {
            let stranded = self.stranded.contains(&(site, *document));
            let pending = truth.pending || stranded || given_up.contains(document);
            let logged = log.documents.get(document);
            let rejected = logged
                .is_some_and(|logged| logged.changes.values().any(|change| change.fate == Fate::Rejected));
            made_again += u64::from(rejected && !pending);
            let (visit, episode) = match truth.note.kind() {
                Kind::Visit => (Some(truth.note.read_visit().value.clone()), None),
                Kind::Episode => (None, Some(truth.note.read_episode().value.clone())),
            };
            let seen = Seen { visit: visit.as_ref(), episode: episode.as_ref(), drafts: Vec::new() };
            for deed in self.model.deeds.iter().filter(|deed| deed.document == *document) {
                let pending = pending || !self.is_at(deed.tablet, site);
                check_deed(deed, pending, &seen)?;
            }
        }
        let here =
            |deed: &&Deed| self.is_at(deed.tablet, site) && !self.stranded.contains(&(site, deed.document));
        let mut own = self.model.deeds.iter().filter(here);
        own.try_for_each(|deed| check_logged(deed, log))?;
        Ok(made_again)
    }

    fn is_at(&self, tablet: usize, site: usize) -> bool {
        self.tablets.get(tablet).is_some_and(|machine| machine.site == site)
    }
}

fn check_deed(deed: &Deed, pending: bool, seen: &Seen<'_>) -> Result<(), Violation> {
    let Some(count) = seen.count(&deed.effect) else { return Ok(()) };
    let (least, most) = match deed.gone {
        Gone::No => (usize::from(deed.saved && !deed.may_be_gone && !pending), 1),
        Gone::Saved if deed.may_be_gone || pending => (0, 1),
        Gone::Saved => (0, 0),
        Gone::Given | Gone::Unclear => (0, 1),
    };
    let most = most + usize::try_from(deed.may_repeat).unwrap_or(0);
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let (effect, tablet, document) = (&deed.effect, deed.tablet, deed.document);
    let story = format!("{effect:?} of tablet {tablet} is there {count} times in {document}");
    Err(broken(Promise::Converged, story))
}

fn check_logged(deed: &Deed, log: &Log) -> Result<(), Violation> {
    if !deed.saved || deed.may_be_gone {
        return Ok(());
    }
    let (effect, tablet, document) = (&deed.effect, deed.tablet, deed.document);
    if deed.gone == Gone::No && !log.documents.contains_key(&document) {
        let story = format!("{effect:?} of tablet {tablet}: its document is not in the log");
        return Err(broken(Promise::Converged, story));
    }
    let lost = deed.change.is_some_and(|change| !log.changes.contains_key(&change));
    if deed.effect == Effect::Plain && lost {
        let story = format!("a change of tablet {tablet} to {document} never came");
        return Err(broken(Promise::Converged, story));
    }
    Ok(())
}
