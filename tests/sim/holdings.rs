//! What tablets hold in the end, held against what their clinic's log says they should.

use std::collections::{BTreeMap, BTreeSet};

use session_note::schema::Kind;

use crate::log::LoggedDocument;
use crate::server::Server;
use crate::truth::Truths;
use crate::violation::{Promise, Violation, broken};
use crate::world::World;

impl World {
    /// Every tablet holds what it should, as the log has it, and nothing else.
    pub(crate) fn check_tablets(&mut self, site: usize, truths: &Truths) -> Result<(), Violation> {
        let revoked: BTreeSet<usize> = self
            .tablets
            .iter()
            .map(|machine| machine.index)
            .filter(|index| self.is_revoked(*index))
            .collect();
        let Some(server) = self.servers.get(site) else { return Ok(()) };
        for machine in self.tablets.iter_mut().filter(|machine| machine.site == site) {
            let (index, person) = (machine.index, machine.person);
            let Some(app) = &mut machine.tablet else { continue };
            if revoked.contains(&index) {
                continue;
            }
            let stranded = &self.stranded;
            let followed = truths.iter().filter(|(_, truth)| truth.is_followed_by(person));
            for (document, truth) in followed.filter(|(one, _)| !stranded.contains(&(site, **one))) {
                let view = app.note(&machine.disk, *document);
                let view = view.map_err(|_| {
                    broken(Promise::Converged, format!("tablet {index} lacks {document}, which it follows"))
                })?;
                let heads = truth.note.heads();
                let logged = server.log.documents.get(document);
                let kept = |logged: &LoggedDocument| {
                    logged.is_shown_beside_what_is_held(&view.heads, |hash| truth.note.contains(hash))
                };
                let excused = server.rewound && logged.is_some_and(kept);
                if view.heads != heads && view.status.notes.is_empty() && !excused {
                    let changes = logged.map(|logged| &logged.changes);
                    let fate = |hash| changes.and_then(|changes| changes.get(hash)).map(|change| change.fate);
                    let more: Vec<_> = view.heads.difference(&heads).map(|hash| (hash, fate(hash))).collect();
                    let less: Vec<_> = heads.difference(&view.heads).collect();
                    let story = format!("tablet {index} shows {document} with {more:?} and without {less:?}");
                    return Err(broken(Promise::Converged, story));
                }
                if view.heads == heads {
                    let (visit, episode) = match truth.note.kind() {
                        Kind::Visit => (Some(truth.note.read_visit().value.clone()), None),
                        Kind::Episode => (None, Some(truth.note.read_episode().value.clone())),
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

    /// No tablet holds what it does not follow, unless something of its own is kept back.
    pub(crate) fn check_scopes(&self, site: usize, truths: &Truths) -> Result<(), Violation> {
        let Some(Server { log, .. }) = self.servers.get(site) else { return Ok(()) };
        for machine in self.tablets.iter().filter(|machine| machine.site == site) {
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
                    !truths.contains_key(&document) && log.documents.contains_key(&document);
                let kept_back = nothing_admitted
                    || status.is_some_and(|status| !status.notes.is_empty() || status.waiting > 0);
                if !wanted && !kept_back && !self.stranded.contains(&(site, document)) {
                    let story =
                        format!("tablet {} holds {document}, which it does not follow", machine.index);
                    return Err(broken(Promise::Scopes, story));
                }
            }
        }
        Ok(())
    }
}

/// The parts of a note by name.
fn parts(visit: &Option<chart::visit::Visit>) -> BTreeMap<String, serde_json::Value> {
    let value = serde_json::to_value(visit).unwrap_or_default();
    value.as_object().map(|parts| parts.clone().into_iter().collect()).unwrap_or_default()
}
