//! A clinic of real machines in one thread: the hub and tablets, each over a store in memory, joined by frames.
//! The server's gate is the test's choice; nothing else stands in for anything.

use std::collections::BTreeMap;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, EpochId, PatientId, PersonId};
use chart::reference::{ClinicSettings, Patient, Person, Reference, Role};
use chart::time::Timestamp;
use ed25519_dalek::SigningKey;
use hub::{ConnectionId, Hub, HubConfig};
use session_note::admission::{Admission, Submitted};
use session_note::admit::{IndexError, Outcome};
use session_note::schema::Kind;
use session_note::{Command, NoteDocument};
use store::{Batch, MemoryStore, Store};
use tablet::{Edit, Event, NoteView, Tablet, TabletConfig};

pub(crate) const CLINIC: ClinicId = ClinicId::from_bytes([0xc1; 16]);
pub(crate) const VISIT: DocumentId = DocumentId::from_bytes([0x11; 16]);
pub(crate) const ANNA: PersonId = PersonId::from_bytes([0xa1; 16]);
pub(crate) const BEN: PersonId = PersonId::from_bytes([0xb1; 16]);
pub(crate) const CLEO: PersonId = PersonId::from_bytes([0xc2; 16]);
pub(crate) const OSWIN: PersonId = PersonId::from_bytes([0x05; 16]);
const PATIENT: PatientId = PatientId::from_bytes([0x91; 16]);

/// Bytes that look random and are the same on every run.
pub(crate) struct Chance(u64);

impl Entropy for Chance {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        blake3::Hasher::new().update(&self.0.to_le_bytes()).finalize_xof().fill(bytes);
    }
}

/// What the server judges by.
pub(crate) type Gate = Box<dyn Fn(&NoteDocument, &[Submitted]) -> Result<Admission, IndexError>>;

/// A gate that also rejects what a test names.
pub(crate) fn stricter(rejects: impl Fn(&Submitted) -> bool + 'static) -> Gate {
    Box::new(move |note, submitted| {
        let (bad, rest): (Vec<_>, Vec<_>) = submitted.iter().cloned().partition(|one| rejects(one));
        let mut admission = note.admit(&rest)?;
        admission.outcomes.extend(bad.iter().map(|one| {
            let sentence = "a stricter gate does not take it".to_owned();
            (one.candidate.sketch().hash, Outcome::Rejected { code: 399, sentence })
        }));
        Ok(admission)
    })
}

/// A tablet at its place.
pub(crate) struct Seat {
    pub(crate) tablet: Tablet,
    pub(crate) store: MemoryStore,
    config: TabletConfig,
    line: Option<ConnectionId>,
    in_reach: bool,
}

/// The clinic.
pub(crate) struct House {
    pub(crate) hub: Hub,
    pub(crate) store: MemoryStore,
    pub(crate) gate: Gate,
    /// Whether cases are taken up.
    pub(crate) judging: bool,
    pub(crate) seats: Vec<Seat>,
    /// The server's disk when nothing but the visit's beginning was there.
    pub(crate) beginning: MemoryStore,
    chance: Chance,
    pub(crate) now: Timestamp,
}

fn hub_config() -> HubConfig {
    HubConfig {
        clinic: CLINIC,
        clinic_key: [7; 32],
        site_key: [8; 32],
        rulebook: compliance::Rulebook::builtin().unwrap(),
        documents_resident_max: 2,
    }
}

impl House {
    /// A clinic with three therapists, a supervisor, a patient, and two tablets; the first is shared.
    pub(crate) fn open() -> Self {
        let store = MemoryStore::new(EpochId::from_bytes([6; 16]));
        let hub = Hub::open(hub_config(), &store).unwrap();
        let now = Timestamp::from_unix_ms(1_773_756_000_000);
        let gate: Gate = Box::new(NoteDocument::admit);
        let beginning = store.clone();
        let mut house =
            Self { hub, store, gate, judging: true, seats: Vec::new(), beginning, chance: Chance(0), now };
        house.put(Reference::Settings(ClinicSettings {
            clinic: CLINIC,
            name: "Riverbend".into(),
            utc_offset_minutes: -300,
            rules: [].into(),
        }));
        for person in [ANNA, BEN, CLEO] {
            house.role(person, Role::Therapist);
        }
        house.role(OSWIN, Role::Supervisor);
        house.put(Reference::Patient(Patient {
            id: PATIENT,
            name: "Fictional Patient".into(),
            born_on: None,
            payer: None,
            care_team: [ANNA, BEN, CLEO].into(),
            file: chart::patient_file::PatientFile::default(),
        }));
        house.seat(1, &[ANNA, BEN]);
        house.seat(2, &[CLEO]);
        house.connect(0);
        house.connect(1);
        let open = serde_json::json!({
            "command": "open_visit", "patient": PATIENT, "discipline": "pt",
            "facts": { "provider": ANNA, "date": "2026-03-17", "payer": "medicare_ffs" },
        });
        house.edit(0, ANNA, serde_json::from_value(open).unwrap());
        house.settle();
        assert_eq!(house.history(0).len(), 1);
        house.pass(10_000);
        house.beginning = house.store.clone();
        house
    }

    fn put(&mut self, reference: Reference) {
        self.hub.put_reference(&mut self.chance, &self.store, reference).unwrap();
        self.settle();
    }

    /// Gives a person a role and takes every other.
    pub(crate) fn role(&mut self, id: PersonId, role: Role) {
        self.put(Reference::Person(Person {
            id,
            name: "Example".into(),
            credentials: "PT".into(),
            roles: [role].into(),
            profession: None,
            npi: None,
            license_valid_to: None,
            excluded_from: None,
            inactive: false,
        }));
    }

    fn seat(&mut self, number: u8, people: &[PersonId]) {
        let signing_key = [number; 32];
        let key = SigningKey::from_bytes(&signing_key).verifying_key().to_bytes();
        let people_set = people.iter().copied().collect();
        let (_, code) = self.hub.issue_code(self.now, &mut self.chance, "tablet", people_set).unwrap();
        let (_, enrolment) = self.hub.enrol(self.now, &mut self.chance, &self.store, &code, key).unwrap();
        let device: DeviceId = enrolment.device;
        self.settle();
        let config = TabletConfig {
            clinic: CLINIC,
            device,
            signing_key,
            disk_key: [0x40 + number; 32],
            person: people.first().copied(),
            scopes: Vec::new(),
            app: "test 1".into(),
            rulebook: None,
        };
        let store = MemoryStore::new(EpochId::from_bytes([number; 16]));
        let tablet = Tablet::open(config.clone(), &store).unwrap();
        self.seats.push(Seat { tablet, store, config, line: None, in_reach: true });
    }

    pub(crate) fn connect(&mut self, seat: usize) {
        let seat = &mut self.seats[seat];
        seat.in_reach = true;
        if seat.line.is_none() {
            seat.line = Some(self.hub.connect(self.now, &mut self.chance));
            seat.tablet.connected(self.now, &seat.store);
        }
        self.settle();
    }

    pub(crate) fn disconnect(&mut self, seat: usize) {
        let seat = &mut self.seats[seat];
        seat.in_reach = false;
        if let Some(line) = seat.line.take() {
            self.hub.disconnect(line);
            seat.tablet.disconnected(self.now, &mut self.chance);
        }
        self.settle();
    }

    /// Starts a tablet again from its disk, as it is or as it was.
    pub(crate) fn restart(&mut self, seat: usize, disk: Option<MemoryStore>) {
        self.disconnect(seat);
        let place = &mut self.seats[seat];
        place.store = disk.unwrap_or_else(|| place.store.clone());
        place.store.reopen();
        place.tablet = Tablet::open(place.config.clone(), &place.store).unwrap();
        self.connect(seat);
        self.pass(1_000);
    }

    /// Starts the server from a backup, in a new epoch.
    pub(crate) fn restore(&mut self, backup: MemoryStore) {
        for seat in 0..self.seats.len() {
            self.disconnect(seat);
        }
        self.store = backup;
        self.store.reopen();
        let new_epoch = Some(EpochId::random(&mut self.chance));
        self.store.commit(&Batch { entries: Vec::new(), new_epoch }).unwrap();
        self.hub = Hub::open(hub_config(), &self.store).unwrap();
        self.settle();
    }

    pub(crate) fn edit(&mut self, seat: usize, person: PersonId, command: Command) {
        let seat = &mut self.seats[seat];
        let edit = Edit { person, document: VISIT, kind: Kind::Visit, seen: None, commands: vec![command] };
        seat.tablet.apply(self.now, &mut self.chance, &seat.store, &edit).unwrap();
        self.pass(1_000);
    }

    /// Writes a word at the start of the note.
    pub(crate) fn write(&mut self, seat: usize, person: PersonId, word: &str) {
        let insert = word.to_owned();
        self.edit(
            seat,
            person,
            Command::SpliceText { field: "subjective".into(), position: 0, delete: 0, insert },
        );
    }

    /// Lets time pass, a second at a time, so that both ends of a connection hear of each other.
    pub(crate) fn pass(&mut self, ms: i64) {
        for _ in 0..ms / 1_000 {
            self.now = self.now.plus_ms(1_000);
            self.settle();
        }
    }

    /// Lets everybody do what is due until nobody has anything to do.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        for _ in 0..20_000 {
            if !self.server_turn() & !self.tablets_turn() {
                return;
            }
        }
        panic!("the house does not come to rest");
    }

    fn server_turn(&mut self) -> bool {
        let Self { hub, store, chance, gate, now, .. } = self;
        let mut moved = false;
        if let Some(case) = self.judging.then(|| hub.next_case(store, &|_| false)).flatten() {
            let judgement = case.judge_by(gate);
            hub.take_judgement(chance, store, judgement);
            moved = true;
        }
        // Cases that are not taken up wait for ever, which is no movement.
        moved |= hub.derive(chance, store, 8) && self.judging;
        if let Some(batch) = hub.poll_commit() {
            let first = store.commit(&batch).unwrap();
            hub.committed(store, first);
            moved = true;
        }
        store.keep(&hub.poll_keep()).unwrap();
        if hub.poll_timeout().is_some_and(|(due, _)| due <= *now) {
            hub.handle_timeout(*now, chance, store);
        }
        let mut frames: BTreeMap<ConnectionId, Vec<Vec<u8>>> = BTreeMap::new();
        while let Some((line, frame)) = hub.poll_transmit() {
            frames.entry(line).or_default().push(frame);
        }
        for (line, frames) in frames {
            let Some(seat) = self.seats.iter_mut().find(|seat| seat.line == Some(line)) else { continue };
            for frame in frames {
                seat.tablet.handle_frame(*now, chance, &seat.store, &frame).unwrap();
                moved = true;
            }
        }
        moved
    }

    fn tablets_turn(&mut self) -> bool {
        let Self { hub, store, chance, seats, now, .. } = self;
        let mut moved = false;
        for seat in seats {
            while let Some(batch) = seat.tablet.poll_commit(chance) {
                let first = seat.store.commit(&batch).unwrap();
                seat.tablet.committed(*now, first, &seat.store);
                moved = true;
            }
            seat.store.keep(&seat.tablet.poll_keep(chance)).unwrap();
            if seat.tablet.poll_timeout().is_some_and(|(due, _)| due <= *now) {
                seat.tablet.handle_timeout(*now, chance, &seat.store).unwrap();
            }
            while let (Some(line), Some(frame)) = (seat.line, seat.tablet.poll_transmit()) {
                hub.handle_frame(*now, chance, store, line, &frame);
                moved = true;
            }
            while let Some(event) = seat.tablet.poll_event() {
                match event {
                    // Nobody has said anything for long.
                    Event::Close => {
                        seat.line.take().into_iter().for_each(|line| hub.disconnect(line));
                        seat.tablet.disconnected(*now, chance);
                    }
                    Event::Connect if seat.in_reach && seat.line.is_none() => {
                        seat.line = Some(hub.connect(*now, chance));
                        seat.tablet.connected(*now, &seat.store);
                    }
                    _ => {}
                }
            }
        }
        moved
    }

    pub(crate) fn release(&mut self, hashes: &[ChangeHash]) -> Result<(), String> {
        let Self { hub, store, chance, now, .. } = self;
        let asked = hub.release(*now, chance, store, VISIT, hashes, OSWIN, "talked it over");
        let ticket = asked.map_err(|error| error.to_string())?;
        self.settle();
        let mut told = Ok(());
        while let Some((done, result)) = self.hub.poll_done() {
            if done == ticket {
                told = result;
            }
        }
        told
    }

    pub(crate) fn reject(&mut self, hashes: &[ChangeHash]) -> Result<(), String> {
        let Self { hub, store, chance, now, .. } = self;
        let asked = hub.reject(*now, chance, store, VISIT, hashes, OSWIN, "talked it over");
        asked.map_err(|error| error.to_string())?;
        self.settle();
        Ok(())
    }

    /// The held changes of the visit.
    pub(crate) fn held(&mut self) -> Vec<ChangeHash> {
        let rows = self.hub.quarantine(&self.store, 500).unwrap();
        let open = rows.into_iter().filter(|row| row.open && row.outcome == "held");
        open.flat_map(|row| row.hashes).collect()
    }

    pub(crate) fn shown(&mut self, seat: usize) -> NoteView {
        let seat = &mut self.seats[seat];
        seat.tablet.note(&seat.store, VISIT).unwrap()
    }

    /// Who did what when, as a tablet shows it.
    pub(crate) fn history(&mut self, seat: usize) -> Vec<(PersonId, Timestamp, ChangeHash)> {
        let told = self.shown(seat).history;
        told.iter().map(|entry| (entry.by.person, entry.by.at, entry.by.change.unwrap())).collect()
    }

    /// What a tablet has to say of its own work.
    pub(crate) fn told(&self, seat: usize) -> Vec<&'static str> {
        let status = self.seats[seat].tablet.status(VISIT).unwrap();
        status.notes.iter().map(|note| note.state).collect()
    }

    /// The words on every replica, equal everywhere; the server's copy is read from the log anew.
    #[track_caller]
    pub(crate) fn words(&mut self) -> String {
        let mut log = self.store.clone();
        log.reopen();
        let served = Hub::open(hub_config(), &log).unwrap().note(&log, VISIT).unwrap().unwrap();
        for seat in 0..self.seats.len() {
            let shown = self.shown(seat);
            assert_eq!(shown.heads, served.heads, "tablet {seat} and the server");
            let (config, mut disk) = (self.seats[seat].config.clone(), self.seats[seat].store.clone());
            disk.reopen();
            let again = Tablet::open(config, &disk).unwrap().note(&disk, VISIT).unwrap();
            assert_eq!(again.heads, shown.heads, "tablet {seat} after a start");
        }
        served.content["text"]["subjective"].as_str().unwrap_or_default().to_owned()
    }
}
