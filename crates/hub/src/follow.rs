//! Following another clinic: the reader's end of a line between two servers.
//!
//! The machine is the one a tablet uses, with the site's key instead of a device's. What comes is taken in
//! the order of the other's feed; how far it was taken moves only when everything before is durable here.
//! Nothing here judges: what the origin admitted is admitted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DocumentId};
use chart::time::Timestamp;
use ed25519_dalek::Signer;
use store::StoreReader;
use sync_protocol::message::{Cursor, FeedBody, Page, ScopeName, Supply};
use sync_protocol::{Priority, Standing, TabletConfig, TabletEvent, TabletSession, VERSIONS};

use crate::digests;
use crate::hub::{After, ConnectionId, Hub, HubError};
use crate::import::{Taken, Trouble};
use crate::limits::{ASKED_AGAIN_MAX, FOLLOWED_PAGE_BYTES, LINK_INBOX_MAX};
use crate::links::{Asked, Item, Link, Place, Reached, SiteStatus};
use crate::sites::{device_of, verdict_of};

impl Hub {
    /// A transport to a paired clinic was opened: begins to follow it. Takes the place of an older line.
    /// Nothing that comes is taken before the other side has proved itself on the connection `beside`.
    ///
    /// # Errors
    /// When the clinic is not paired with this one.
    pub fn follow(
        &mut self,
        now: Timestamp,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        beside: ConnectionId,
    ) -> Result<(), HubError> {
        if self.directory.peer(clinic).is_none() {
            return Err(HubError::Refused(format!("{clinic} is not paired with this clinic")));
        }
        let place = self.place_of(reader, clinic);
        let cursor = place.map(|place| place.cursor);
        let config = TabletConfig {
            versions: VERSIONS.to_vec(),
            site: clinic,
            device: device_of(self.config.clinic),
            person: None,
            receipted: place.and_then(|place| place.proven()),
            cursor,
            scopes: vec![ScopeName::Site(self.config.clinic)],
            features: digests::features(),
            app: "gaitway".to_owned(),
            ask_verdicts: false,
        };
        let session = TabletSession::new(config, now);
        self.lines.links.insert(
            clinic,
            Link {
                session,
                beside,
                answers_digests: false,
                inbox: VecDeque::new(),
                came: None,
                asked: BTreeMap::new(),
            },
        );
        self.lines.followed.entry(clinic).or_default().welcomed = false;
        self.lines.converging.entry(clinic).or_default().line_lost();
        Ok(())
    }

    /// Takes a frame from a clinic that is followed.
    pub fn handle_followed(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        frame: &[u8],
    ) {
        self.metrics.bytes_in += frame.len() as u64;
        let Some(link) = self.lines.links.get_mut(&clinic) else { return };
        link.session.handle_message(now, frame);
        self.drain_link(now, clinic);
        self.take_inboxes(entropy, reader);
    }

    /// The next frame for a clinic that is followed.
    pub fn poll_follow(&mut self) -> Option<(ClinicId, Vec<u8>)> {
        let next = |(clinic, link): (&ClinicId, &mut Link)| Some((*clinic, link.session.poll_transmit()?));
        let (clinic, frame) = self.lines.links.iter_mut().find_map(next)?;
        self.metrics.bytes_out += frame.len() as u64;
        Some((clinic, frame))
    }

    /// Whether a line to a clinic is open; one that is not should be closed and opened again later.
    pub fn is_following(&self, clinic: ClinicId) -> bool {
        self.lines.links.get(&clinic).is_some_and(|link| !link.session.is_closed())
    }

    /// Whether the line beside a connection is the one over which a clinic is followed, and is open.
    pub fn is_following_beside(&self, clinic: ClinicId, beside: ConnectionId) -> bool {
        self.is_following(clinic) && self.lines.links.get(&clinic).is_some_and(|link| link.beside == beside)
    }

    /// The transport to a clinic is gone, with the connection `beside` it. What was not taken comes again.
    pub fn follow_lost(&mut self, clinic: ClinicId, beside: ConnectionId) {
        // A newer line may have taken its place.
        if self.lines.links.get(&clinic).is_some_and(|link| link.beside == beside) {
            self.unfollow(clinic);
        }
    }

    /// No line to a clinic is opened for a while; one sentence says why.
    pub fn line_rests(&mut self, clinic: ClinicId, sentence: String) {
        self.lines.followed.entry(clinic).or_default().trouble = Some(sentence);
    }

    pub(crate) fn unfollow(&mut self, clinic: ClinicId) {
        self.lines.links.remove(&clinic);
        self.lines.converging.entry(clinic).or_default().line_lost();
        self.lines.followed.entry(clinic).or_default().welcomed = false;
    }

    /// Whether whoever is at the other end of a line has proved to be that clinic.
    fn is_proven(&self, clinic: ClinicId) -> bool {
        let beside = self.lines.links.get(&clinic).and_then(|link| self.connections.get(&link.beside));
        beside.is_some_and(|connection| connection.site == Some(clinic))
    }

    /// How this clinic stands with every clinic it is paired with.
    pub fn sites(&mut self, reader: &dyn StoreReader) -> Vec<SiteStatus> {
        let paired = self.directory.peers.values().filter(|peer| peer.ended_at.is_none());
        let paired: Vec<chart::reference::Peer> = paired.cloned().collect();
        let row = |peer: chart::reference::Peer| {
            _ = self.place_of(reader, peer.clinic);
            let behind = self.notes_behind(reader, peer.clinic);
            let followed = self.lines.followed.get(&peer.clinic).cloned().unwrap_or_default();
            let converging = self.lines.converging.get(&peer.clinic);
            SiteStatus {
                clinic: peer.clinic,
                name: peer.name,
                connected: followed.welcomed && self.is_following(peer.clinic),
                heard_at: followed.heard_at,
                caught_up_at: followed.caught_up_at,
                behind,
                coming: converging.and_then(|of| of.coming),
                same_at: converging.and_then(|of| of.same_at),
                differing: converging.map_or(0, |of| of.differing),
                trouble: followed.trouble,
            }
        };
        paired.into_iter().map(row).collect()
    }

    /// The transport of a connection lives: so does the line over it on which that clinic is followed.
    pub(crate) fn link_heard(&mut self, now: Timestamp, connection: ConnectionId) {
        let mut heard = Vec::new();
        for (clinic, link) in self.lines.links.iter_mut().filter(|(_, link)| link.beside == connection) {
            link.session.heard(now);
            heard.push(*clinic);
        }
        heard.into_iter().for_each(|clinic| self.note_site_heard(now, clinic));
    }

    pub(crate) fn links_timeout(&mut self, now: Timestamp) {
        let clinics: Vec<ClinicId> = self.lines.links.keys().copied().collect();
        for clinic in clinics {
            if let Some(link) = self.lines.links.get_mut(&clinic) {
                link.session.handle_timeout(now);
            }
            self.drain_link(now, clinic);
        }
        self.digests_timeout(now);
    }

    pub(crate) fn links_poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let lines = self.lines.links.values().filter_map(|link| link.session.poll_timeout());
        lines.chain(self.digests_poll_timeout()).min()
    }

    fn drain_link(&mut self, now: Timestamp, clinic: ClinicId) {
        while let Some(event) = self.lines.links.get_mut(&clinic).and_then(|link| link.session.poll_event()) {
            self.note_site_heard(now, clinic);
            let followed = self.lines.followed.entry(clinic).or_default();
            match event {
                TabletEvent::Sign { statement } => {
                    let signature = self.signer.sign(&statement).to_bytes();
                    if let Some(link) = self.lines.links.get_mut(&clinic) {
                        link.session.prove(now, signature);
                    }
                }
                TabletEvent::Welcomed(welcome) => {
                    followed.welcomed = true;
                    followed.trouble = None;
                    if welcome.standing == Standing::Rewound {
                        // The other's record was put back: its places mean something else from here on.
                        followed.place = None;
                        followed.doubt += 1;
                    }
                    let cursor = followed.place.map(|place| place.cursor);
                    if let Some(link) = self.lines.links.get_mut(&clinic) {
                        link.answers_digests = welcome.features.iter().any(|name| name == digests::FEATURE);
                    }
                    self.pull_from(clinic, cursor);
                }
                TabletEvent::Page(page) => self.queue_page(now, clinic, page),
                TabletEvent::Digest(answer) => self.note_digest_answer(clinic, answer),
                TabletEvent::DigestDiff(answer) => self.note_difference_answer(clinic, answer),
                TabletEvent::Supply(supply) => self.note_supply(clinic, supply),
                TabletEvent::Failed(failure) => {
                    if failure.fatal {
                        followed.welcomed = false;
                    }
                    followed.trouble = Some(failure.sentence);
                }
                TabletEvent::Revoked(revoked) => followed.trouble = Some(revoked.sentence),
                TabletEvent::Receipted { .. }
                | TabletEvent::Refused(_)
                | TabletEvent::Verdict(_)
                | TabletEvent::Report(_)
                | TabletEvent::ServerNeeds(_) => {}
            }
        }
    }

    fn pull_from(&mut self, clinic: ClinicId, cursor: Option<Cursor>) {
        let scopes = vec![ScopeName::Site(self.config.clinic)];
        if let Some(link) = self.lines.links.get_mut(&clinic) {
            let page = u32::try_from(FOLLOWED_PAGE_BYTES).unwrap_or(u32::MAX);
            _ = link.session.pull(cursor, scopes, Priority::Today, page, true);
        }
    }

    fn queue_page(&mut self, now: Timestamp, clinic: ClinicId, page: Page) {
        let whole_at = (!page.more).then_some(now);
        let Some(link) = self.lines.links.get_mut(&clinic) else { return };
        for entry in page.entries {
            match entry.body {
                FeedBody::Changes(changes) => link.inbox.push_back(Item::Changes(Box::new(changes))),
                FeedBody::Reference(reference) => link.inbox.push_back(Item::Reference(reference)),
                FeedBody::Entered(change) => {
                    for document in change.documents {
                        let heads = document.heads.into_iter().collect();
                        link.inbox.push_back(Item::Wait(document.document, heads));
                    }
                }
                FeedBody::Report(_) | FeedBody::Verdict(_) | FeedBody::Left(_) | FeedBody::Other(_) => {}
            }
        }
        link.came = Some(page.next);
        link.inbox.push_back(Item::Through(Place { cursor: page.next, chain: page.chain }, whole_at));
        if link.inbox.len() > LINK_INBOX_MAX {
            self.end_link(clinic, "more came than can be taken in; it is asked for again");
        }
    }

    fn note_supply(&mut self, clinic: ClinicId, supply: Supply) {
        let Some(link) = self.lines.links.get_mut(&clinic) else { return };
        let Some(asked) = link.asked.get_mut(&supply.document) else { return };
        asked.supplied.extend(supply.entries);
        asked.answered |= !supply.more;
    }

    pub(crate) fn end_link(&mut self, clinic: ClinicId, sentence: &str) {
        self.unfollow(clinic);
        self.lines.followed.entry(clinic).or_default().trouble = Some(sentence.to_owned());
    }

    /// Takes what the inboxes hold, each in its order, as far as it can be taken.
    pub(crate) fn take_inboxes(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        if self.read_only.is_some() {
            return;
        }
        let clinics: Vec<ClinicId> =
            self.lines.links.keys().copied().filter(|clinic| self.is_proven(*clinic)).collect();
        for clinic in clinics {
            while let Some(item) = self.next_item(clinic) {
                match self.take_item(entropy, reader, clinic, &item) {
                    Ok(true) => {}
                    Ok(false) => {
                        if let Some(link) = self.lines.links.get_mut(&clinic) {
                            link.inbox.push_front(item);
                        }
                        break;
                    }
                    Err(trouble) => {
                        self.metrics.links_failed += 1;
                        self.end_link(clinic, &trouble.to_string());
                        break;
                    }
                }
            }
        }
    }

    fn next_item(&mut self, clinic: ClinicId) -> Option<Item> {
        self.lines.links.get_mut(&clinic)?.inbox.pop_front()
    }

    /// Takes one thing; `false` while it has to wait.
    fn take_item(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        item: &Item,
    ) -> Result<bool, Trouble> {
        match item {
            Item::Changes(changes) if changes.changes.is_empty() => {
                let (_, hashes) = verdict_of(changes).ok_or(Trouble::Unreadable)?;
                if !self.is_admission(changes)? {
                    return self.take_note_of(entropy, reader, clinic, changes).map(|()| true);
                }
                if self.all_known(reader, changes.document, &hashes)? {
                    return Ok(matches!(self.honour(reader, clinic, changes)?, Taken::Done));
                }
                self.wait_for(entropy, reader, clinic, changes.document, &hashes)
            }
            Item::Changes(changes) => match self.take_changes(entropy, reader, clinic, changes)? {
                Taken::Done => Ok(true),
                Taken::Later => Ok(false),
                Taken::Lacks(missing) => {
                    self.wait_for(entropy, reader, clinic, changes.document, &missing)?;
                    Ok(false)
                }
            },
            Item::Wait(document, hashes) => self.wait_for(entropy, reader, clinic, *document, hashes),
            Item::Fetch(document) => self.fetch(entropy, reader, clinic, *document),
            Item::Reference(reference) => {
                self.take_reference(entropy, reader, clinic, reference).map(|()| true)
            }
            Item::Through(place, whole_at) => {
                let doubt = self.lines.followed.entry(clinic).or_default().doubt;
                let reached = Reached { clinic, place: *place, whole_at: *whole_at, doubt };
                self.push_after(After::Taken(reached));
                Ok(true)
            }
        }
    }

    /// Whether these changes of a document are here or on their way into the log; asks for those that are
    /// not, and takes what was supplied.
    fn wait_for(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        document: DocumentId,
        hashes: &BTreeSet<ChangeHash>,
    ) -> Result<bool, Trouble> {
        // Parts may come before what they build on: each goes behind the others once.
        let mut put_off = 0;
        while let Some(part) = self
            .lines
            .links
            .get_mut(&clinic)
            .and_then(|link| link.asked.get_mut(&document)?.supplied.pop_front())
        {
            match self.take_changes(entropy, reader, clinic, &part)? {
                Taken::Done => put_off = 0,
                Taken::Lacks(_) => {
                    put_off += 1;
                    let asked =
                        self.lines.links.get_mut(&clinic).and_then(|link| link.asked.get_mut(&document));
                    let Some(asked) = asked else { return Ok(false) };
                    asked.supplied.push_back(part);
                    if put_off >= asked.supplied.len() {
                        if asked.answered {
                            return Err(Trouble::Incomplete);
                        }
                        // The rest of the answer is still to come.
                        return Ok(false);
                    }
                }
                Taken::Later => {
                    let link = self.lines.links.get_mut(&clinic);
                    if let Some(asked) = link.and_then(|link| link.asked.get_mut(&document)) {
                        asked.supplied.push_front(part);
                    }
                    return Ok(false);
                }
            }
        }
        let (missing, have) = self.lacking(reader, document, hashes)?;
        let Some(link) = self.lines.links.get_mut(&clinic) else { return Ok(false) };
        let asked = link.asked.entry(document).or_default();
        if missing.is_empty() {
            if asked.answered || asked.times == 0 {
                link.asked.remove(&document);
            }
            return Ok(true);
        }
        if asked.times > 0 && !asked.answered {
            return Ok(false);
        }
        asked.times += 1;
        asked.answered = false;
        if asked.times > ASKED_AGAIN_MAX {
            return Err(Trouble::Withheld);
        }
        link.session.need(document, have, missing).map_err(|_| Trouble::Closed)?;
        Ok(false)
    }

    /// Whether everything a clinic has of a document is here or on its way; asks for it once.
    fn fetch(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        document: DocumentId,
    ) -> Result<bool, Trouble> {
        let asked =
            |hub: &Self| hub.lines.links.get(&clinic).is_some_and(|link| link.asked.contains_key(&document));
        if asked(self) {
            return Ok(self.wait_for(entropy, reader, clinic, document, &BTreeSet::new())? && !asked(self));
        }
        let (_, have) = self.lacking(reader, document, &BTreeSet::new())?;
        let Some(link) = self.lines.links.get_mut(&clinic) else { return Ok(false) };
        link.asked.insert(document, Asked { times: 1, ..Asked::default() });
        link.session.need(document, have, Vec::new()).map_err(|_| Trouble::Closed)?;
        Ok(false)
    }
}
