//! What coming back costs when one note changed: one round trip counted from `Hello`, and under 1 kB both
//! ways beside the bodies of changes and reports, whatever the number of notes held.
//!
//! The real hub and the real tablet machines in one process, the tablets over the journal, so that every
//! frame can be counted. `GAITWAY_HELD` sets the larger number of notes (10000).

use std::collections::{BTreeSet, VecDeque};

use chart::entropy::Entropy;
use chart::ids::{ClinicId, DocumentId, EpochId, PatientId, PersonId};
use chart::reference::{ClinicSettings, Patient, Person, Reference, Role};
use chart::time::Timestamp;
use ed25519_dalek::SigningKey;
use hub::{ConnectionId, Hub, HubConfig};
use journal::{JournalStore, Options, RealFiles};
use session_note::Command;
use session_note::command::OpenVisit;
use session_note::schema::Kind;
use store::{MemoryStore, Store};
use sync_protocol::codec;
use sync_protocol::message::{FeedBody, Message, ScopeName};
use tablet::{Edit, SaveState, Tablet, TabletConfig};

const CLINIC: ClinicId = ClinicId::from_bytes([1; 16]);
const WRITER: PersonId = PersonId::from_bytes([2; 16]);
const READER: PersonId = PersonId::from_bytes([3; 16]);
const NOW: Timestamp = Timestamp::from_unix_ms(1_773_757_800_000);
/// Notes of one patient.
const NOTES_EACH: usize = 100;

/// Repeatable chance.
struct Dice(u64);

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

struct Server {
    hub: Hub,
    store: MemoryStore,
    dice: Dice,
}

struct Device {
    person: PersonId,
    tablet: Tablet,
    store: JournalStore<RealFiles>,
    dice: Dice,
    _dir: tempfile::TempDir,
}

/// What went over the wire from `Hello` on.
#[derive(Debug, Default)]
struct Cost {
    frames_up: usize,
    frames_down: usize,
    bytes: usize,
    /// Bytes of changes and reports in them.
    bodies: usize,
    /// How often the tablet spoke and then the server.
    round_trips: usize,
}

impl Server {
    fn open(notes: usize) -> Self {
        let store = MemoryStore::new(EpochId::from_bytes([6; 16]));
        let config = HubConfig {
            clinic: CLINIC,
            clinic_key: [7; 32],
            site_key: [8; 32],
            rulebook: compliance::Rulebook::builtin().unwrap(),
            documents_resident_max: 64,
        };
        let hub = Hub::open(config, &store).unwrap();
        let mut server = Self { hub, store, dice: Dice(42) };
        server.put(Reference::Settings(ClinicSettings {
            clinic: CLINIC,
            name: "Quillfeather Rehab".into(),
            utc_offset_minutes: 0,
            rules: [].into(),
        }));
        for (id, name) in [(WRITER, "Joren Tavish"), (READER, "Odalys Brenwick")] {
            server.put(Reference::Person(Person {
                id,
                name: name.into(),
                credentials: "PT".into(),
                roles: [Role::Therapist].into(),
                profession: Some("physical_therapist".into()),
                npi: None,
                license_valid_to: None,
                excluded_from: None,
                inactive: false,
            }));
        }
        for number in 0..notes.div_ceil(NOTES_EACH) {
            server.put(Reference::Patient(Patient {
                id: patient(number),
                name: format!("Patient {number}"),
                born_on: None,
                payer: None,
                care_team: [WRITER, READER].into(),
                file: chart::patient_file::PatientFile::default(),
            }));
        }
        server
    }

    fn put(&mut self, reference: Reference) {
        self.hub.put_reference(&mut self.dice, &self.store, reference).unwrap();
        self.run();
    }

    /// The disk, and everything that follows from it.
    fn run(&mut self) {
        loop {
            let mut worked = self.hub.work(&mut self.dice, &self.store, 64);
            if let Some(batch) = self.hub.poll_commit() {
                let first = self.store.commit(&batch).unwrap();
                self.hub.committed(&self.store, first);
                worked = true;
            }
            self.store.keep(&self.hub.poll_keep()).unwrap();
            if !worked {
                return;
            }
        }
    }

    fn enrol(&mut self, number: u8, person: PersonId) -> Device {
        let key = SigningKey::from_bytes(&[number; 32]);
        let (_, code) = self.hub.issue_code(NOW, &mut self.dice, "tablet", BTreeSet::new()).unwrap();
        let public = key.verifying_key().to_bytes();
        let (_, enrolment) = self.hub.enrol(NOW, &mut self.dice, &self.store, &code, public).unwrap();
        self.run();
        let mut dice = Dice(u64::from(number) << 32);
        let dir = tempfile::tempdir().unwrap();
        let files = RealFiles::new(dir.path()).unwrap();
        let (store, _) = JournalStore::open(files, Options::default(), &mut dice).unwrap();
        let config = TabletConfig {
            clinic: CLINIC,
            device: enrolment.device,
            signing_key: key.to_bytes(),
            disk_key: [number; 32],
            person: Some(person),
            scopes: vec![ScopeName::Caseload(person)],
            app: "test".into(),
            rulebook: None,
        };
        let tablet = Tablet::open(config, &store).unwrap();
        let mut device = Device { person, tablet, store, dice, _dir: dir };
        device.pump();
        device
    }

    /// Connects a tablet, lets both talk until neither has anything to say, and hangs up. The challenge
    /// comes with the connection; what is counted begins with `Hello`.
    fn visit(&mut self, device: &mut Device) -> Cost {
        let connection: ConnectionId = self.hub.connect(NOW, &mut self.dice);
        device.tablet.connected(NOW, &device.store);
        let mut cost = Cost::default();
        let mut challenge: VecDeque<Vec<u8>> = self.frames(connection).into();
        while let Some(frame) = challenge.pop_front() {
            device.takes(&frame);
        }
        loop {
            let up = device.frames();
            for frame in &up {
                cost.count(frame);
                self.hub.handle_frame(NOW, &mut self.dice, &self.store, connection, frame);
            }
            cost.frames_up += up.len();
            self.run();
            let down = self.frames(connection);
            for frame in &down {
                cost.count(frame);
                device.takes(frame);
            }
            cost.frames_down += down.len();
            if up.is_empty() && down.is_empty() {
                break;
            }
            cost.round_trips += usize::from(!up.is_empty());
        }
        self.hub.disconnect(connection);
        device.tablet.disconnected(NOW, &mut device.dice);
        device.pump();
        cost
    }

    fn frames(&mut self, of: ConnectionId) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some((connection, frame)) = self.hub.poll_transmit() {
            assert_eq!(connection, of);
            frames.push(frame);
            self.run();
        }
        frames
    }
}

impl Device {
    fn pump(&mut self) {
        while let Some(batch) = self.tablet.poll_commit(&mut self.dice) {
            let first = self.store.commit(&batch).unwrap();
            self.tablet.committed(NOW, first, &self.store);
        }
        while self.tablet.poll_event().is_some() {}
        self.store.keep(&self.tablet.poll_keep(&mut self.dice)).unwrap();
    }

    fn takes(&mut self, frame: &[u8]) {
        self.tablet.handle_frame(NOW, &mut self.dice, &self.store, frame).unwrap();
        self.pump();
    }

    fn frames(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some(frame) = self.tablet.poll_transmit() {
            frames.push(frame);
        }
        frames
    }

    fn does(&mut self, document: DocumentId, command: Command) {
        let edit =
            Edit { person: self.person, document, kind: Kind::Visit, seen: None, commands: vec![command] };
        self.tablet.apply(NOW, &mut self.dice, &self.store, &edit).unwrap();
    }

    fn response(&mut self, document: DocumentId) -> Option<String> {
        self.tablet.note(&self.store, document).unwrap().visit.unwrap().fields.remove("response")
    }
}

impl Cost {
    fn count(&mut self, frame: &[u8]) {
        self.bytes += frame.len();
        self.bodies += match codec::decode(frame).unwrap() {
            Message::Push(push) => {
                push.documents.iter().flat_map(|document| &document.changes).map(Vec::len).sum()
            }
            Message::Page(page) => page
                .entries
                .iter()
                .map(|entry| match &entry.body {
                    FeedBody::Changes(changes) => changes.changes.iter().map(Vec::len).sum(),
                    FeedBody::Report(report) => report.body.as_ref().map_or(0, Vec::len),
                    _ => 0,
                })
                .sum(),
            Message::ReportBody(report) => report.body.map_or(0, |body| body.len()),
            _ => 0,
        };
    }

    fn beside_bodies(&self) -> usize {
        self.bytes - self.bodies
    }
}

fn patient(number: usize) -> PatientId {
    PatientId::from_bytes((0x7000_0000_u128 + number as u128).to_be_bytes())
}

fn visit(number: usize) -> DocumentId {
    DocumentId::from_bytes((0x9000_0000_u128 + number as u128).to_be_bytes())
}

/// Begins a note: every patient has one note a day.
fn open(number: usize) -> Command {
    let day = chart::time::Date::from_num_days_from_ce_opt(739_000 + (number % NOTES_EACH) as i32).unwrap();
    Command::OpenVisit(OpenVisit {
        patient: Some(patient(number / NOTES_EACH)),
        facts: [("date".to_owned(), serde_json::json!(day))].into(),
        ..OpenVisit::default()
    })
}

fn says(text: &str) -> Command {
    Command::SetField { field: "response".to_owned(), value: text.to_owned() }
}

/// Coming back while somebody else changed one note, and coming back with a change of one's own.
fn costs(notes: usize) -> (Cost, Cost) {
    let mut server = Server::open(notes);
    let (mut writer, mut reader) = (server.enrol(1, WRITER), server.enrol(2, READER));
    for from in (0..notes).step_by(500) {
        for number in from..notes.min(from + 500) {
            writer.does(visit(number), open(number));
        }
        writer.pump();
        server.visit(&mut writer);
    }
    server.visit(&mut reader);
    assert_eq!(reader.tablet.documents().len(), notes, "the tablet holds every note");
    let quiet = server.visit(&mut reader);
    assert_eq!(quiet.round_trips, 1, "nothing changed: {quiet:?}");

    let changed = visit(notes / 2);
    writer.does(changed, says("steadier than last week"));
    writer.pump();
    server.visit(&mut writer);
    let others = server.visit(&mut reader);
    assert_eq!(reader.response(changed).as_deref(), Some("steadier than last week"));

    reader.does(changed, says("needs one cue"));
    reader.pump();
    let own = server.visit(&mut reader);
    assert_eq!(reader.tablet.status(changed).unwrap().save, SaveState::SafeAtClinic);
    server.visit(&mut writer);
    assert_eq!(writer.response(changed).as_deref(), Some("needs one cue"));
    (others, own)
}

#[track_caller]
fn check(notes: usize) {
    let (others, own) = costs(notes);
    for (what, cost) in [("somebody else's change", &others), ("a change of one's own", &own)] {
        println!("{notes} notes, {what}: {cost:?}, {} bytes beside the bodies", cost.beside_bodies());
        assert_eq!(cost.round_trips, 1, "{notes} notes, {what}: {cost:?}");
        assert!(cost.beside_bodies() < 1_024, "{notes} notes, {what}: {cost:?}");
        assert!(cost.bodies > 0, "{notes} notes, {what}: {cost:?}");
    }
}

#[test]
fn one_changed_note_costs_one_round_trip_with_thirty_notes_held() {
    check(30);
}

#[test]
fn one_changed_note_costs_one_round_trip_with_many_thousand_notes_held() {
    let notes = std::env::var("GAITWAY_HELD").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    check(notes);
}
