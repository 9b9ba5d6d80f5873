//! A clinic in one process for the worked example: the real hub and the real tablet machines over the
//! reference store, with the wires in the test's hand, so that every order of arrival can be played.

use std::collections::VecDeque;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, EpochId, PatientId, PersonId};
use chart::reference::{ClinicSettings, Patient, Person, Reference, Role};
use chart::report::Report;
use chart::time::{Date, Timestamp};
use chart::visit::Visit;
use ed25519_dalek::SigningKey;
use hub::{ConnectionId, Hub, HubConfig};
use serde_json::Value;
use session_note::Command;
use session_note::schema::Kind;
use std::collections::BTreeSet;
use store::{MemoryStore, Store};
use sync_protocol::message::ScopeName;
use tablet::{Edit, SaveState, Tablet, TabletConfig};

pub(crate) const CLINIC: ClinicId = ClinicId::from_bytes([1; 16]);
pub(crate) const PATIENT: PatientId = PatientId::from_bytes([2; 16]);
pub(crate) const JOREN: PersonId = PersonId::from_bytes([0xa; 16]);
pub(crate) const ODALYS: PersonId = PersonId::from_bytes([0xb; 16]);
pub(crate) const ISMENE: PersonId = PersonId::from_bytes([0xc; 16]);

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

/// When the server judges what has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judging {
    /// After each piece.
    AtOnce,
    /// When everything is there.
    AtTheEnd,
    /// It stops before it has judged anything, and is started again.
    AfterARestart,
}

/// A tablet and its wire.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) person: PersonId,
    pub(crate) tablet: Tablet,
    store: MemoryStore,
    dice: Dice,
    connection: Option<ConnectionId>,
    pub(crate) up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
}

/// The server and its tablets.
pub(crate) struct Machines {
    hub: Hub,
    store: MemoryStore,
    dice: Dice,
    pub(crate) now: Timestamp,
    pub(crate) devices: Vec<Device>,
}

fn config() -> HubConfig {
    HubConfig {
        clinic: CLINIC,
        clinic_key: [7; 32],
        site_key: [8; 32],
        rulebook: compliance::Rulebook::builtin().unwrap(),
        documents_resident_max: 16,
    }
}

impl Machines {
    /// A clinic with one patient, two therapists and a supervisor, each with a tablet, all connected.
    pub(crate) fn new(now: Timestamp) -> Self {
        let store = MemoryStore::new(EpochId::from_bytes([6; 16]));
        let hub = Hub::open(config(), &store).unwrap();
        let mut machines = Self { hub, store, dice: Dice(42), now, devices: Vec::new() };
        machines.put(Reference::Settings(ClinicSettings {
            clinic: CLINIC,
            name: "Quillfeather Rehab".into(),
            utc_offset_minutes: -300,
            rules: [].into(),
        }));
        for (id, name, role) in [
            (JOREN, "Joren Tavish", Role::Therapist),
            (ODALYS, "Odalys Brenwick", Role::Therapist),
            (ISMENE, "Ismene Dunmore", Role::Supervisor),
        ] {
            machines.put(Reference::Person(Person {
                id,
                name: name.into(),
                credentials: "PT".into(),
                roles: [role].into(),
                profession: Some("physical_therapist".into()),
                npi: Some("2000000416".into()),
                license_valid_to: None,
                excluded_from: None,
                inactive: false,
            }));
        }
        machines.put(Reference::Patient(Patient {
            id: PATIENT,
            name: "Teodor Vance-Hollin".into(),
            born_on: None,
            payer: Some(chart::code::PayerId("medicare_ffs".into())),
            care_team: [JOREN, ODALYS].into(),
            file: chart::patient_file::PatientFile::default(),
        }));
        for (n, person) in [(1, JOREN), (2, ODALYS), (3, ISMENE)] {
            let device = machines.enrol(n, person);
            machines.devices.push(device);
        }
        (0..machines.devices.len()).for_each(|n| machines.connect(n));
        machines.settle();
        machines
    }

    fn put(&mut self, reference: Reference) {
        self.hub.put_reference(&mut self.dice, &self.store, reference).unwrap();
        self.run_hub(true);
    }

    fn enrol(&mut self, n: u8, person: PersonId) -> Device {
        let key = SigningKey::from_bytes(&[n; 32]);
        let (_, code) =
            self.hub.issue_code(self.now, &mut self.dice, &format!("tablet {n}"), BTreeSet::new()).unwrap();
        let public = key.verifying_key().to_bytes();
        let (_, enrolment) = self.hub.enrol(self.now, &mut self.dice, &self.store, &code, public).unwrap();
        self.run_hub(true);
        let store = MemoryStore::new(EpochId::from_bytes([n; 16]));
        let scope = if person == ISMENE { ScopeName::Clinic } else { ScopeName::Caseload(person) };
        let config = TabletConfig {
            clinic: CLINIC,
            device: enrolment.device,
            signing_key: key.to_bytes(),
            disk_key: [n; 32],
            person: Some(person),
            scopes: vec![scope],
            app: "test".into(),
            rulebook: None,
        };
        let tablet = Tablet::open(config, &store).unwrap();
        let mut device = Device {
            id: enrolment.device,
            person,
            tablet,
            store,
            dice: Dice(u64::from(n) << 32),
            connection: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
        };
        device.pump(self.now);
        device
    }

    fn connect(&mut self, n: usize) {
        let connection = self.hub.connect(self.now, &mut self.dice);
        let device = &mut self.devices[n];
        device.connection = Some(connection);
        device.up.clear();
        device.down.clear();
        device.tablet.connected(self.now, &device.store);
        device.pump(self.now);
    }

    /// The hub's disk, and with `judge` everything that follows from it.
    fn run_hub(&mut self, judge: bool) {
        loop {
            let mut worked = judge && self.hub.work(&mut self.dice, &self.store, 1);
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

    /// Lets everything run until nothing moves on any wire.
    pub(crate) fn settle(&mut self) {
        loop {
            self.run_hub(true);
            let mut moved = self.pick_up();
            for n in 0..self.devices.len() {
                while let Some(frame) = self.devices[n].down.pop_front() {
                    let now = self.now;
                    self.devices[n].takes(now, &frame);
                    moved = true;
                }
                while self.arrives(n, true) {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Takes the hub's frames to the tablets' ends of the wires, where they wait.
    fn pick_up(&mut self) -> bool {
        let mut moved = false;
        while let Some((connection, frame)) = self.hub.poll_transmit() {
            let device = self.devices.iter_mut().find(|device| device.connection == Some(connection));
            if let Some(device) = device {
                device.down.push_back(frame);
                moved = true;
            }
        }
        moved
    }

    /// The next frame of a tablet reaches the server, and with it the server's disk.
    pub(crate) fn arrives(&mut self, n: usize, judge: bool) -> bool {
        let device = &mut self.devices[n];
        let (Some(frame), Some(connection)) = (device.up.pop_front(), device.connection) else {
            return false;
        };
        self.hub.handle_frame(self.now, &mut self.dice, &self.store, connection, &frame);
        self.run_hub(judge);
        self.pick_up();
        true
    }

    /// The server stops and is started again; the tablets come back.
    pub(crate) fn restart(&mut self) {
        self.hub = Hub::open(config(), &self.store).unwrap();
        for n in 0..self.devices.len() {
            let now = self.now;
            let Device { tablet, dice, .. } = &mut self.devices[n];
            tablet.disconnected(now, dice);
            self.connect(n);
        }
    }

    /// A person does something on a tablet; nothing of it reaches the server yet.
    #[track_caller]
    pub(crate) fn does(&mut self, n: usize, document: DocumentId, commands: &[Value]) -> ChangeHash {
        let now = self.now;
        let Device { tablet, store, dice, person, .. } = &mut self.devices[n];
        let commands: Vec<Command> =
            commands.iter().map(|command| serde_json::from_value(command.clone()).unwrap()).collect();
        let before = tablet.note(store, document).map(|note| note.heads).unwrap_or_default();
        let edit = Edit { person: *person, document, kind: Kind::Visit, seen: None, commands };
        tablet.apply(now, dice, store, &edit).unwrap();
        self.devices[n].pump(now);
        let heads = self.devices[n].note(document).heads;
        *heads.difference(&before).next().expect("a new head")
    }

    /// The heads, the visit and the report as the server has them.
    pub(crate) fn at_the_server(&mut self, document: DocumentId) -> (BTreeSet<ChangeHash>, Visit, Report) {
        let note = self.hub.note(&self.store, document).unwrap().expect("the note");
        let report = self.hub.report(&self.store, document).unwrap().expect("its report").report;
        (note.heads, serde_json::from_value(note.content).unwrap(), report)
    }
}

impl Device {
    fn takes(&mut self, now: Timestamp, frame: &[u8]) {
        self.tablet.handle_frame(now, &mut self.dice, &self.store, frame).unwrap();
        self.pump(now);
    }

    /// Disk and wire, until nothing more comes of it.
    fn pump(&mut self, now: Timestamp) {
        while let Some(batch) = self.tablet.poll_commit(&mut self.dice) {
            let first = self.store.commit(&batch).unwrap();
            self.tablet.committed(now, first, &self.store);
        }
        while let Some(frame) = self.tablet.poll_transmit() {
            self.up.push_back(frame);
        }
        while self.tablet.poll_event().is_some() {}
        self.store.keep(&self.tablet.poll_keep(&mut self.dice)).unwrap();
    }

    pub(crate) fn note(&mut self, document: DocumentId) -> tablet::NoteView {
        self.tablet.note(&self.store, document).unwrap()
    }

    pub(crate) fn report(&mut self, document: DocumentId, today: Date) -> Report {
        self.tablet.report(&self.store, document, today).unwrap()
    }

    pub(crate) fn is_safe(&self, document: DocumentId) -> bool {
        self.tablet.status(document).is_some_and(|status| status.save == SaveState::SafeAtClinic)
    }
}
