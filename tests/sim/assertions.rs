//! The promises, held against what the machines say and what the log holds.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::DocumentId;
use chart::reference::Reference;
use session_note::schema::Kind;
use sync_protocol::ReasonCode;
use tablet::SaveState;

use crate::clinic;
use crate::disputes::check_disputes;
use crate::log::{Fate, Log, Logged};
use crate::order;
use crate::server::Server;
use crate::truth::{Truths, truths};
use crate::violation::{Broken, Promise, Violation, broken};
use crate::world::{Tally, World};

impl World {
    /// Every change of a deed that was called safe at a clinic is in its log.
    pub(crate) fn check_safe_work(&mut self, site: usize, when: &str) -> Result<(), Violation> {
        let Some(server) = self.servers.get_mut(site).filter(|server| server.hub.is_some()) else {
            return Ok(());
        };
        server.follow_log()?;
        let here: BTreeSet<usize> =
            self.tablets.iter().filter(|machine| machine.site == site).map(|machine| machine.index).collect();
        for deed in self.model.deeds.iter().filter(|deed| deed.safe && here.contains(&deed.tablet)) {
            if let Some(change) = deed.change
                && !server.log.changes.contains_key(&change)
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
        let waits = |site: usize, document: &DocumentId| {
            let logged = self.servers.get(site).and_then(|server| server.log.documents.get(document));
            let held = |change: &Logged| change.fate == Fate::Held;
            self.stranded.contains(&(site, *document))
                || logged.is_some_and(|logged| logged.changes.values().any(held))
        };
        self.now - self.last_frame_at >= 12_000
            && self.servers.iter().all(Server::is_idle)
            && self.wires.values().all(|wire| wire.is_clear())
            && self.tablets.iter().all(|machine| {
                let Some(app) = &machine.tablet else { return false };
                let done = |save| save == SaveState::SafeAtClinic;
                machine.is_idle()
                    && machine.welcomed
                    && machine.wire.is_some()
                    && machine.burst.is_none()
                    && app
                        .documents()
                        .iter()
                        .all(|summary| done(summary.save) || waits(machine.site, &summary.document))
            })
    }

    /// Whether every line stands, and both its ends proved who they are.
    pub(crate) fn is_joined(&mut self) -> bool {
        let ends = self.cast.pairs.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
        let servers = &mut self.servers;
        ends.into_iter().all(|(from, to)| servers.get_mut(from).is_some_and(|server| server.is_connected(to)))
    }

    pub(crate) fn why_unsettled(&mut self) -> String {
        let mut why = vec![format!("quiet for {} ms", self.now - self.last_frame_at)];
        for server in &mut self.servers {
            let busy = !server.is_idle();
            let hub = server.hub.as_mut();
            if busy {
                why.push(format!(
                    "server {} is busy: {:?}",
                    server.site,
                    hub.as_ref().map(|hub| hub.metrics())
                ));
            }
            let apart = hub.map(|hub| hub.sites(&server.disk)).unwrap_or_default();
            for site in apart.into_iter().filter(|site| !site.connected) {
                why.push(format!("server {} has no line to {}: {:?}", server.site, site.name, site.trouble));
            }
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
        let mut all = Vec::new();
        for site in 0..self.servers.len() {
            let truths = self.check_clinic(site)?;
            all.push(truths);
        }
        self.check_between(&all)
    }

    /// Everything that must hold at one clinic.
    fn check_clinic(&mut self, site: usize) -> Result<Truths, Violation> {
        self.check_safe_work(site, "in the end")?;
        let Some(server) = self.servers.get_mut(site) else { return Ok(BTreeMap::new()) };
        server.follow_log()?;
        let truths = truths(site, &server.log)?;
        check_verdicts(&server.log, server.rewound, &mut self.tally)?;
        order::check_order(&server.log, &mut self.dice)?;
        check_server(server, &truths)?;
        self.tally.made_again += self.check_effects(site, &truths)?;
        for (document, truth) in &truths {
            let logged = self.servers.get(site).and_then(|server| server.log.documents.get(document));
            check_disputes(*document, truth, logged, &mut self.tally.disputes)?;
        }
        self.check_tablets(site, &truths)?;
        self.check_reports(site, &truths)?;
        self.check_scopes(site, &truths)?;
        Ok(truths)
    }

    /// Whether a tablet is revoked, as its clinic's log says.
    pub(crate) fn is_revoked(&self, tablet: usize) -> bool {
        let Some(machine) = self.tablets.get(tablet) else { return false };
        let Some(Server { log, .. }) = self.servers.get(machine.site) else { return false };
        let device = clinic::device(tablet);
        let last = log.references.iter().rev().find_map(|reference| match reference {
            Reference::Device(known) if known.id == device => Some(known.revoked_at.is_some()),
            _ => None,
        });
        last == Some(true)
    }
}

/// Nothing waits without a verdict, nothing honest is rejected, nothing is taken in from other clinics twice.
fn check_verdicts(log: &Log, rewound: bool, tally: &mut Tally) -> Result<(), Violation> {
    for (document, logged) in &log.documents {
        for (hash, change) in &logged.changes {
            if change.again {
                let story = format!("{hash} of {document} was taken in twice");
                return Err(broken(Promise::Once, story));
            }
            match change.fate {
                Fate::Admitted => {}
                Fate::Held => tally.kept_back += 1,
                // What it builds on went down with an older copy and never came.
                Fate::Unjudged if rewound => tally.kept_back += 1,
                // A person rejected it, or what it builds on, or it is in the note by another name.
                Fate::Rejected
                    if matches!(
                        change.reason,
                        ReasonCode::Declined | ReasonCode::DependsOn | ReasonCode::MadeTwice
                    ) =>
                {
                    tally.rejected += 1;
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
fn check_server(server: &mut Server, truths: &Truths) -> Result<(), Violation> {
    let Some(hub) = &mut server.hub else { return Ok(()) };
    for (document, truth) in truths {
        let shown = hub.note(&server.disk, *document).broken(Promise::Quiet)?;
        let shown = shown.ok_or_else(|| broken(Promise::Converged, format!("the hub lacks {document}")))?;
        if shown.cannot_be_shown {
            return Err(broken(Promise::Quiet, format!("the hub cannot show {document}")));
        }
        if shown.heads != truth.note.heads() {
            let (shown, true_heads) = (&shown.heads, truth.note.heads());
            let story = format!("the hub shows {document} at other heads: {shown:?}, not {true_heads:?}");
            return Err(broken(Promise::Converged, story));
        }
        let content = match truth.note.kind() {
            Kind::Visit => serde_json::to_value(&truth.note.read_visit().value),
            Kind::Episode => serde_json::to_value(&truth.note.read_episode().value),
        };
        if content.broken(Promise::Quiet)? != shown.content {
            return Err(broken(Promise::Converged, format!("the hub shows {document} otherwise")));
        }
    }
    Ok(())
}
