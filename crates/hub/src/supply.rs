//! Frames in, events out: what a tablet's messages make the hub do. The proof of the greeting is judged
//! here; nothing behind it is read before.

use std::collections::BTreeSet;

use chart::entropy::{Entropy, draw};
use chart::ids::{ChangeHash, Digest, DocumentId, EpochId, PushId};
use chart::reference::Scope;
use chart::time::Timestamp;
use ed25519_dalek::{Signature, VerifyingKey};
use store::StoreReader;
use sync_protocol::message::{
    DocumentPush, FeedChanges, Hello, Need, ReportBody, Revoked, ScopeName, Supply, kind,
};
use sync_protocol::{Acceptance, ErrorCode, RevokeReason, ServerEvent, Standing};

use crate::connection::{Connection, one_too_many};
use crate::entry::{self, Head, Verdict};
use crate::feed::on_this_branch;
use crate::hub::{ConnectionId, Hub};
use crate::keys;
use crate::ledger::Fate;
use crate::limits::{CONNECTIONS_PER_DEVICE_MAX, PAGE_BYTES_MAX};
use crate::record::RecordError;
use crate::resident::fate_of;

impl Hub {
    /// Takes a frame from a tablet.
    pub fn handle_frame(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        frame: &[u8],
    ) {
        self.metrics.frames_in += 1;
        self.metrics.bytes_in += frame.len() as u64;
        let Some(state) = self.connections.get_mut(&connection) else { return };
        state.session.handle_message(now, frame);
        self.drain(now, entropy, reader, connection);
        self.note_heard(now, connection);
    }

    /// Is called when [`Hub::poll_timeout`]'s time has come.
    pub fn handle_timeout(&mut self, now: Timestamp, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            if let Some(state) = self.connections.get_mut(&id) {
                state.session.handle_timeout(now);
            }
            self.drain(now, entropy, reader, id);
        }
        self.links_timeout(now);
        self.transfers_timeout(now, entropy, reader);
        self.pump(reader);
    }

    fn drain(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
    ) {
        while let Some(event) =
            self.connections.get_mut(&connection).and_then(|state| state.session.poll_event())
        {
            match event {
                ServerEvent::Hello { hello, statement } => {
                    self.greet(now, entropy, reader, connection, &hello, &statement);
                }
                ServerEvent::Push(_) | ServerEvent::Supply(_) if self.is_site(connection) => {
                    let sentence = "another clinic's work is asked for, it is not pushed";
                    self.turn_away(connection, ErrorCode::OutOfTurn, sentence);
                }
                ServerEvent::Push(push) => self.take_push(now, entropy, reader, connection, *push),
                ServerEvent::Pull(pull) => self.take_pull(reader, connection, &pull),
                ServerEvent::Need(need) => {
                    if self.answer_need(reader, connection, &need).is_err() {
                        self.say(connection, ErrorCode::Internal, "the changes asked for could not be read");
                    }
                }
                ServerEvent::Supply(supply) => {
                    for push in supply.entries.into_iter().filter_map(carried) {
                        self.take_push(now, entropy, reader, connection, push);
                    }
                }
                ServerEvent::Digest(question) if self.is_site(connection) => {
                    self.note_digest_question(connection, question);
                }
                ServerEvent::DigestDiff(question) if self.is_site(connection) => {
                    self.note_difference_question(connection, question);
                }
                ServerEvent::Digest(_) => self.not_for_tablets(connection, kind::DIGEST),
                ServerEvent::DigestDiff(_) => self.not_for_tablets(connection, kind::DIGEST_DIFF),
                ServerEvent::FetchReport { document } => {
                    if self.answer_fetch(reader, connection, document).is_err() {
                        self.say(connection, ErrorCode::Internal, "the report could not be read");
                    }
                }
                ServerEvent::Failed(_) => {}
            }
        }
        self.pump(reader);
    }

    fn not_for_tablets(&mut self, connection: ConnectionId, number: u16) {
        if let Some(state) = self.connections.get_mut(&connection) {
            state.session.unsupported(number);
        }
    }

    fn is_site(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|state| state.site.is_some())
    }

    fn say(&mut self, connection: ConnectionId, code: ErrorCode, sentence: &str) {
        if let Some(state) = self.connections.get_mut(&connection) {
            let failure =
                sync_protocol::Failure { fatal: false, ..sync_protocol::Failure::fatal(code, sentence) };
            _ = state.session.error(failure);
        }
    }

    pub(crate) fn turn_away(&mut self, connection: ConnectionId, code: ErrorCode, sentence: &str) {
        if let Some(state) = self.connections.get_mut(&connection) {
            state.session.refuse(code, sentence, None);
        }
    }

    fn greet(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        hello: &Hello,
        statement: &[u8],
    ) {
        if let Some(sentence) = self.read_only.clone() {
            return self.turn_away(connection, ErrorCode::ReadOnly, &sentence);
        }
        if let Some(clinic) = self.greeting_site(hello) {
            return self.greet_site(now, entropy, reader, connection, (clinic, hello), statement);
        }
        let Some(device) = self.directory.devices.get(&hello.device).cloned() else {
            return self.turn_away(
                connection,
                ErrorCode::DeviceUnknown,
                "this tablet is not enrolled at this clinic",
            );
        };
        let proven = Digest::parse(&device.public_key)
            .ok()
            .and_then(|key| VerifyingKey::from_bytes(key.as_bytes()).ok())
            .is_some_and(|key| key.verify_strict(statement, &Signature::from_bytes(&hello.proof)).is_ok());
        if !proven {
            return self.turn_away(connection, ErrorCode::ProofRefused, "the tablet's proof does not hold");
        }
        let revoked = device.revoked_at.is_some();
        if !revoked && hello.person.is_some_and(|person| !self.directory.may_use(person, hello.device)) {
            let sentence = "this person may not work on this tablet";
            return self.turn_away(connection, ErrorCode::PersonRefused, sentence);
        }
        let granted = self.directory.granted(hello.device, hello.person);
        let scopes: BTreeSet<Scope> =
            hello.scopes.iter().filter_map(scope_of).filter(|scope| granted.contains(scope)).collect();
        let Ok(standing) = self.standing(entropy, reader, hello) else {
            let sentence = "the clinic's record could not be read; please try again";
            return self.turn_away(connection, ErrorCode::Internal, sentence);
        };
        let acceptance = Acceptance {
            tip: self.position(),
            standing,
            backup_covers_through: None,
            features: Vec::new(),
            scopes: scopes.iter().map(|scope| name_of(*scope)).collect(),
        };
        let same = |connection: &Connection| connection.device == Some(hello.device);
        if let Some(oldest) = one_too_many(&self.connections, CONNECTIONS_PER_DEVICE_MAX - 1, same) {
            self.turn_away(oldest, ErrorCode::Busy, "this tablet has opened newer connections");
        }
        let vault = &self.record.vault;
        let mut follows = vec![keys::device(vault, hello.device)];
        if !revoked {
            follows.push(keys::everyone(vault));
            follows.extend(scopes.iter().map(|scope| keys::scope(vault, *scope)));
        }
        if let Some(state) = self.connections.get_mut(&connection) {
            state.device = Some(hello.device);
            state.person = hello.person;
            state.clock_ahead_ms = hello.device_time.since_ms(now);
            state.scopes = scopes;
            state.follows = follows;
            state.session.accept(now, acceptance);
            if revoked {
                // What it still brings is kept for a supervisor; nothing but its own verdicts goes out.
                let sentence = "this tablet was revoked; its unsent work is kept for a supervisor".to_owned();
                _ = state.session.revoked(Revoked { reason: RevokeReason::Device, sentence });
            }
        }
    }

    /// Whether what the tablet was told is safe, and what it was sent, is here. If this very epoch should
    /// hold it and does not, the record was put back to an older state: a new epoch begins, so that no
    /// place is used twice. The cursor counts too: a tablet may know its work to be safe from the feed
    /// alone, without a receipt of its own.
    pub(crate) fn standing(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        hello: &Hello,
    ) -> Result<Standing, RecordError> {
        let mut lost = Vec::new();
        if let Some(receipted) = &hello.receipted
            && !self.holds(reader, receipted)?
        {
            lost.push(receipted.epoch_id);
        }
        if let Some(cursor) = &hello.cursor
            // What was just written can be read, and served, before the owner says that it was.
            && !on_this_branch(reader, cursor, self.tip.seq.max(reader.tip().seq))
        {
            lost.push(cursor.epoch_id);
        }
        if lost.contains(&self.tip.epoch_id) && self.new_epoch.is_none() {
            self.new_epoch = Some(EpochId::from_bytes(draw(entropy)));
        }
        Ok(if lost.is_empty() { Standing::Continues } else { Standing::Rewound })
    }

    fn may_see(
        &mut self,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        document: DocumentId,
    ) -> Result<bool, RecordError> {
        let Some(state) = self.connections.get(&connection) else { return Ok(false) };
        let (scopes, device, site) = (state.scopes.clone(), state.device, state.site);
        if let Some(site) = site {
            return self.is_told(reader, document, site);
        }
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(false);
        };
        let on_caseload =
            resident.ledger.caseloads.iter().any(|person| scopes.contains(&Scope::Caseload(*person)));
        let wrote = resident.ledger.works.values().any(|work| Some(work.device) == device);
        Ok(scopes.contains(&Scope::Clinic) || on_caseload || wrote)
    }

    /// Sends the admitted changes of a document that the tablet lacks, work by work.
    fn answer_need(
        &mut self,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        need: &Need,
    ) -> Result<(), RecordError> {
        if !self.may_see(reader, connection, need.document)? {
            self.say(connection, ErrorCode::DocumentUnknown, "there is no such document for this tablet");
            if self.is_site(connection) {
                // It waits for an answer before it takes anything else.
                self.supply(connection, need.document, Vec::new(), false);
            }
            return Ok(());
        }
        let have: BTreeSet<ChangeHash> = need.have.iter().copied().collect();
        let asked: BTreeSet<ChangeHash> = need.hashes.iter().copied().collect();
        let Some(resident) = self.residents.load(&mut self.record, reader, need.document, None)? else {
            return Ok(());
        };
        let missing: BTreeSet<ChangeHash> =
            resident.note.changes_since(&have).into_iter().map(|(hash, _)| hash).collect();
        let site = self.connections.get(&connection).is_some_and(|state| state.site.is_some());
        // Another clinic is to know all that was admitted, to draw the same conclusion from it.
        let torn = site && !resident.ledger.overruled.is_empty();
        let missing = if torn { resident.ledger.admitted_beyond(&have) } else { missing };
        let given = |hash: &&ChangeHash| match site {
            true => resident.ledger.was_admitted(hash),
            false => resident.ledger.fate(hash) == Some(Fate::Admitted),
        };
        let wanted: BTreeSet<ChangeHash> = missing.union(&asked).filter(given).copied().collect();
        let verdicts = self.verdicts_of(reader, need.document)?;
        let mut entries: Vec<FeedChanges> = Vec::new();
        let mut bytes = 0usize;
        for verdict in verdicts {
            let hashes: Vec<ChangeHash> = entry::change_hashes(&verdict.hashes)
                .into_iter()
                .filter(|hash| wanted.contains(hash))
                .collect();
            if hashes.is_empty() {
                continue;
            }
            let Some(opened) = self.record.open(reader, verdict.work)? else { continue };
            let Some(Head::Work(work)) = opened.head.clone() else { continue };
            let part = match site {
                true => Some(self.changes_body(reader, &opened, need.document, &work, &verdict)?),
                false => self.standing_body(reader, &opened, need.document, &work, &verdict)?,
            };
            let Some(mut part) = part else { continue };
            part.clock_ahead_ms = site.then_some(work.clock_ahead_ms);
            let size = part.changes.iter().map(Vec::len).sum::<usize>();
            if !entries.is_empty() && bytes.saturating_add(size) > PAGE_BYTES_MAX {
                self.supply(connection, need.document, std::mem::take(&mut entries), true);
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            entries.push(part);
        }
        self.supply(connection, need.document, entries, false);
        Ok(())
    }

    fn supply(
        &mut self,
        connection: ConnectionId,
        document: DocumentId,
        entries: Vec<FeedChanges>,
        more: bool,
    ) {
        if let Some(state) = self.connections.get_mut(&connection) {
            _ = state.session.supply(Supply { document, entries, more });
        }
    }

    fn verdicts_of(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Vec<Verdict>, RecordError> {
        let mut verdicts = Vec::new();
        self.record.each(reader, keys::document(&self.record.vault, document), 0, |opened| {
            if let Some(Head::Verdict(verdict)) = opened.head
                && fate_of(verdict.outcome, verdict.reason) == Fate::Admitted
            {
                verdicts.push(verdict);
            }
            Ok(())
        })?;
        Ok(verdicts)
    }

    fn answer_fetch(
        &mut self,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        document: DocumentId,
    ) -> Result<(), RecordError> {
        if !self.may_see(reader, connection, document)? {
            self.say(connection, ErrorCode::DocumentUnknown, "there is no such document for this tablet");
            return Ok(());
        }
        let marker = self.last_marker(reader, document)?;
        let (digest, body) = match &marker {
            Some(marker) => (entry::digest(marker.digest), self.published_body(reader, document, marker)?),
            None => (Digest::from_bytes([0; 32]), None),
        };
        if let Some(state) = self.connections.get_mut(&connection) {
            _ = state.session.report(ReportBody { document, digest, body });
        }
        Ok(())
    }
}

/// Work of others that a tablet still holds and this log has lost: it comes through the same door, under
/// its own author's envelope.
fn carried(changes: FeedChanges) -> Option<DocumentPush> {
    let envelope = changes.envelope?;
    let mut push_id = [0u8; 16];
    push_id.copy_from_slice(changes.heads.first()?.as_bytes().get(..16)?);
    Some(DocumentPush {
        push_id: PushId::from_bytes(push_id),
        document: changes.document,
        kind: changes.kind,
        base_heads: Vec::new(),
        heads: changes.heads,
        changes: changes.changes,
        envelope,
        replaces: Vec::new(),
        part: 0,
        more: false,
    })
}

fn scope_of(name: &ScopeName) -> Option<Scope> {
    match name {
        ScopeName::Clinic => Some(Scope::Clinic),
        ScopeName::Caseload(person) => Some(Scope::Caseload(*person)),
        ScopeName::Site(clinic) => Some(Scope::Site(*clinic)),
        ScopeName::Other(_) => None,
    }
}

fn name_of(scope: Scope) -> ScopeName {
    match scope {
        Scope::Clinic => ScopeName::Clinic,
        Scope::Caseload(person) => ScopeName::Caseload(person),
        Scope::Site(clinic) => ScopeName::Site(clinic),
    }
}
