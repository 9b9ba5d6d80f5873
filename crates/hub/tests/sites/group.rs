//! Clinics, the lines between them and how frames move over them.

use store::{EpochStart, Key, StoreError, StoreReader, StoredEntry, Tip};
use sync_protocol::codec;
use sync_protocol::message::Message;

use crate::*;

pub(crate) const PATIENT: PatientId = PatientId::from_bytes([2; 16]);
pub(crate) const VISIT: DocumentId = DocumentId::from_bytes([3; 16]);
pub(crate) const START: i64 = 1_773_756_000_000;

pub(crate) struct Dice(pub(crate) u64);
impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

pub(crate) fn clinic_id(site: usize) -> ClinicId {
    ClinicId::from_bytes([0xc0 + site as u8; 16])
}
pub(crate) fn therapist(site: usize) -> PersonId {
    PersonId::from_bytes([0x10 + site as u8; 16])
}

/// One clinic.
pub(crate) struct Site {
    pub(crate) hub: Hub,
    pub(crate) store: MemoryStore,
    pub(crate) entropy: Dice,
    /// Whether the store cannot be read at the moment, where work is done that follows a commit.
    pub(crate) unreadable: bool,
    /// Whether what is derived is not kept any more.
    pub(crate) forgets: bool,
}

/// A store that cannot be read for a while.
struct Unreadable<'a>(&'a MemoryStore);

fn unreadable() -> StoreError {
    StoreError::Disk { doing: "read", reason: "it does not answer".to_owned() }
}

impl StoreReader for Unreadable<'_> {
    fn tip(&self) -> Tip {
        self.0.tip()
    }
    fn epochs(&self) -> Vec<EpochStart> {
        self.0.epochs()
    }
    fn entry(&self, _: u64) -> Result<Option<StoredEntry>, StoreError> {
        Err(unreadable())
    }
    fn scan(&self, _: u64, _: usize) -> Result<Vec<StoredEntry>, StoreError> {
        Err(unreadable())
    }
    fn find(&self, _: Key, _: u64, _: usize) -> Result<Vec<u64>, StoreError> {
        Err(unreadable())
    }
    fn find_last(&self, _: Key, _: u64) -> Result<Option<u64>, StoreError> {
        Err(unreadable())
    }
    fn kept(&self, _: Key) -> Result<Option<Vec<u8>>, StoreError> {
        Err(unreadable())
    }
}

/// One direction of one line: who reads, and the connection that serves it.
#[derive(Clone, Copy)]
pub(crate) struct Wire {
    pub(crate) reader: usize,
    pub(crate) server: usize,
    /// The reader's own connection over the same line.
    pub(crate) beside: ConnectionId,
    pub(crate) connection: ConnectionId,
}

/// Clinics and the lines between them.
pub(crate) struct Group {
    pub(crate) sites: Vec<Site>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) now: Timestamp,
    /// Bytes over all lines.
    pub(crate) bytes: usize,
    /// Through whose hands what servers say passes.
    pub(crate) hands: Option<fn(Message) -> Message>,
    /// The clinic to which nothing is handed over for a while, and what waits for it.
    pub(crate) waits: Option<usize>,
    pub(crate) waiting: Vec<Frame>,
}

/// A frame on its way: to whoever serves on a line, or to whoever reads.
pub(crate) enum Frame {
    Asked(Wire, Vec<u8>),
    Answered(Wire, Vec<u8>),
}

pub(crate) fn config(site: usize) -> HubConfig {
    HubConfig {
        clinic: clinic_id(site),
        clinic_key: [site as u8 + 1; 32],
        site_key: [site as u8 + 101; 32],
        rulebook: compliance::Rulebook::builtin().unwrap(),
        // So little that keys and documents are read again and again.
        documents_resident_max: 0,
    }
}

pub(crate) fn person(site: usize) -> Person {
    Person {
        id: therapist(site),
        name: format!("Person {site}"),
        credentials: "PT".into(),
        roles: [Role::Therapist].into(),
        profession: Some("physical_therapist".into()),
        npi: None,
        license_valid_to: None,
        excluded_from: None,
        inactive: false,
    }
}

pub(crate) fn patient(team: &[PersonId]) -> Patient {
    Patient {
        id: PATIENT,
        name: "Fictional Patient".into(),
        born_on: None,
        payer: None,
        care_team: team.iter().copied().collect(),
        file: PatientFile::default(),
    }
}

impl Site {
    pub(crate) fn new(site: usize) -> Self {
        let store = MemoryStore::new(EpochId::from_bytes([site as u8 + 50; 16]));
        let hub = Hub::open(config(site), &store).unwrap();
        Self { hub, store, entropy: Dice(site as u64 + 1), unreadable: false, forgets: false }
    }

    pub(crate) fn put(&mut self, reference: Reference) {
        self.hub.put_reference(&mut self.entropy, &self.store, reference).unwrap();
        self.settle();
    }

    /// Makes durable what is to be written, before anything else is done.
    pub(crate) fn write(&mut self) {
        let Some(batch) = self.hub.poll_commit() else { return };
        let first = self.store.commit(&batch).unwrap();
        self.hub.committed(&self.store, first);
    }

    pub(crate) fn settle(&mut self) {
        for round in 0.. {
            // Somebody who cannot read tries for ever.
            if self.unreadable && round == 30 {
                return;
            }
            let worked = match self.unreadable {
                true => self.hub.work(&mut self.entropy, &Unreadable(&self.store), 1),
                false => self.hub.work(&mut self.entropy, &self.store, 1),
            };
            let Some(batch) = self.hub.poll_commit() else {
                if worked {
                    continue;
                }
                let kept = self.hub.poll_keep();
                if !self.forgets {
                    self.store.keep(&kept).unwrap();
                }
                return;
            };
            let first = self.store.commit(&batch).unwrap();
            self.hub.committed(&self.store, first);
        }
    }

    /// How it stands with the first clinic it is paired with.
    pub(crate) fn status(&mut self) -> SiteStatus {
        self.hub.sites(&self.store).remove(0)
    }

    pub(crate) fn heads(&mut self, document: DocumentId) -> Option<BTreeSet<ChangeHash>> {
        self.hub.note(&self.store, document).unwrap().map(|note| note.heads.into_iter().collect())
    }
}

impl Group {
    /// Clinics that know of each other over these pairs. The first keeps the patient's file.
    pub(crate) fn new(sites: usize, pairs: &[(usize, usize)]) -> Self {
        let now = Timestamp::from_unix_ms(START);
        let mut group = Self {
            sites: (0..sites).map(Site::new).collect(),
            wires: Vec::new(),
            now,
            bytes: 0,
            hands: None,
            waits: None,
            waiting: Vec::new(),
        };
        for (n, site) in group.sites.iter_mut().enumerate() {
            site.put(Reference::Settings(ClinicSettings {
                clinic: clinic_id(n),
                name: format!("Clinic {n}"),
                utc_offset_minutes: -300 - 60 * n as i16,
                rules: [].into(),
            }));
            site.put(Reference::Person(person(n)));
        }
        group.sites[0].put(Reference::Patient(patient(&[therapist(0)])));
        for (one, other) in pairs {
            group.pair(*one, *other);
        }
        for (one, other) in pairs {
            group.connect(*one, *other);
        }
        group
    }

    pub(crate) fn pair(&mut self, one: usize, other: usize) {
        let (now, introduced) = (self.now, self.sites[other].hub.introduction(None));
        let Site { hub, store, entropy, .. } = &mut self.sites[one];
        let (_, code) = hub.invite_clinic(now, entropy).unwrap();
        hub.pair_by_code(now, entropy, store, &code, introduced.clone()).unwrap();
        assert!(hub.pair_by_code(now, entropy, store, &code, introduced).is_err(), "a code works once");
        let answer = hub.introduction(None);
        self.sites[one].settle();
        let Site { hub, store, entropy, .. } = &mut self.sites[other];
        hub.pair(now, entropy, store, answer).unwrap();
        self.sites[other].settle();
    }

    /// Opens both directions between two clinics and lets everything come to rest.
    pub(crate) fn connect(&mut self, one: usize, other: usize) {
        self.wire(one, other);
        self.run();
    }

    /// Opens both directions between two clinics.
    pub(crate) fn wire(&mut self, one: usize, other: usize) {
        let now = self.now;
        let served = [one, other].map(|server| {
            let Site { hub, entropy, .. } = &mut self.sites[server];
            hub.connect(now, entropy)
        });
        for (reader, server, beside, connection) in
            [(one, other, served[0], served[1]), (other, one, served[1], served[0])]
        {
            let Site { hub, store, .. } = &mut self.sites[reader];
            hub.follow(now, store, clinic_id(server), beside).unwrap();
            self.wires.push(Wire { reader, server, beside, connection });
        }
    }

    pub(crate) fn cut(&mut self, one: usize, other: usize) {
        for wire in std::mem::take(&mut self.wires) {
            if BTreeSet::from([wire.reader, wire.server]) == BTreeSet::from([one, other]) {
                self.sites[wire.reader].hub.follow_lost(clinic_id(wire.server), wire.beside);
                self.sites[wire.server].hub.disconnect(wire.connection);
            } else {
                self.wires.push(wire);
            }
        }
    }

    pub(crate) fn share(&mut self, with: &[usize]) {
        let clinics = with.iter().map(|site| clinic_id(*site)).collect();
        self.sites[0].put(Reference::Sharing(Sharing::new(PATIENT, clinic_id(0), clinics)));
        self.run();
    }

    /// Moves frames until nothing moves.
    pub(crate) fn run(&mut self) {
        for _ in 0..2_000 {
            self.sites.iter_mut().for_each(Site::settle);
            if !self.step_without_commits() {
                return;
            }
        }
        panic!("the clinics do not come to rest");
    }

    /// Moves the frames that wait; whether there were any. Nothing becomes durable.
    pub(crate) fn step_without_commits(&mut self) -> bool {
        let asked = self.asked();
        let answered = self.answered();
        let moved = !asked.is_empty() || !answered.is_empty();
        for (wire, frame) in asked {
            self.bring(Frame::Asked(wire, frame));
        }
        for (wire, frame) in answered {
            self.bring(Frame::Answered(wire, frame));
        }
        moved
    }

    /// Brings a frame to where it goes, or lays it by.
    fn bring(&mut self, frame: Frame) {
        let to = match &frame {
            Frame::Asked(wire, _) => wire.server,
            Frame::Answered(wire, _) => wire.reader,
        };
        if self.waits == Some(to) {
            return self.waiting.push(frame);
        }
        match frame {
            Frame::Answered(wire, frame) => self.hand_over(wire, &frame),
            Frame::Asked(wire, frame) => {
                let Site { hub, store, entropy, .. } = &mut self.sites[wire.server];
                hub.handle_frame(self.now, entropy, store, wire.connection, &frame);
            }
        }
    }

    /// Hands over at once what was laid by, in the order in which it came.
    pub(crate) fn hand_over_what_waits(&mut self) {
        self.waits = None;
        for frame in std::mem::take(&mut self.waiting) {
            self.bring(frame);
        }
    }

    /// Hands a server's frame to whoever reads on that connection.
    pub(crate) fn deliver(&mut self, server: usize, connection: ConnectionId, frame: &[u8]) {
        let on = |wire: &&Wire| wire.server == server && wire.connection == connection;
        let Some(wire) = self.wires.iter().find(on).copied() else { return };
        self.bytes += frame.len();
        self.bring(Frame::Answered(wire, frame.to_vec()));
    }

    fn hand_over(&mut self, wire: Wire, frame: &[u8]) {
        let passed = self.hands.map(|hands| {
            let message = codec::decode(&codec::unpack(frame).unwrap()).unwrap();
            codec::encode(&hands(message)).unwrap()
        });
        let frame = passed.as_deref().unwrap_or(frame);
        let Site { hub, store, entropy, .. } = &mut self.sites[wire.reader];
        hub.handle_followed(self.now, entropy, store, clinic_id(wire.server), frame);
    }

    /// What readers send, by line; what was sent into a cut line is lost.
    pub(crate) fn asked(&mut self) -> Vec<(Wire, Vec<u8>)> {
        let mut sent = Vec::new();
        for (reader, site) in self.sites.iter_mut().enumerate() {
            while let Some((clinic, frame)) = site.hub.poll_follow() {
                let on = |wire: &&Wire| wire.reader == reader && clinic_id(wire.server) == clinic;
                sent.extend(self.wires.iter().find(on).map(|wire| (*wire, frame)));
            }
        }
        self.bytes += sent.iter().map(|(_, frame)| frame.len()).sum::<usize>();
        sent
    }

    /// What servers send, by line.
    pub(crate) fn answered(&mut self) -> Vec<(Wire, Vec<u8>)> {
        let mut sent = Vec::new();
        for (server, site) in self.sites.iter_mut().enumerate() {
            while let Some((connection, frame)) = site.hub.poll_transmit() {
                let on = |wire: &&Wire| wire.server == server && wire.connection == connection;
                sent.extend(self.wires.iter().find(on).map(|wire| (*wire, frame)));
            }
        }
        self.bytes += sent.iter().map(|(_, frame)| frame.len()).sum::<usize>();
        sent
    }

    pub(crate) fn heads(&mut self, document: DocumentId) -> Vec<Option<BTreeSet<ChangeHash>>> {
        self.sites.iter_mut().map(|site| site.heads(document)).collect()
    }

    /// The bytes of a note's report at each clinic.
    pub(crate) fn reports(&mut self, document: DocumentId) -> Vec<Option<String>> {
        let report = |site: &mut Site| {
            let report = site.hub.report(&site.store, document).unwrap();
            report.map(|report| serde_json::to_string(&report).unwrap())
        };
        self.sites.iter_mut().map(report).collect()
    }

    /// How often each change of a document lies in a clinic's log.
    pub(crate) fn copies(&mut self, site: usize, document: DocumentId) -> BTreeMap<ChangeHash, usize> {
        let Site { hub, store, .. } = &mut self.sites[site];
        let mut copies = BTreeMap::new();
        for hash in hub.logged_changes(store, document).unwrap() {
            *copies.entry(hash).or_insert(0) += 1;
        }
        copies
    }
}

impl Group {
    /// Stops a clinic's server and opens it again, over an older copy of its record if one is given.
    pub(crate) fn restart(
        &mut self,
        site: usize,
        up: &mut BTreeSet<(usize, usize)>,
        copy: Option<MemoryStore>,
    ) {
        for other in 0..self.sites.len() {
            self.cut(site, other);
        }
        up.retain(|(one, other)| *one != site && *other != site);
        if let Some(copy) = copy {
            self.sites[site].store = copy;
        }
        self.sites[site].hub = Hub::open(config(site), &self.sites[site].store).unwrap();
        self.sites[site].settle();
    }
}

/// Every clinic has the same note and the same report, each change once.
pub(crate) fn check_equal(group: &mut Group) {
    let heads = group.heads(VISIT);
    assert!(heads[0].is_some());
    assert!(heads.iter().all(|other| *other == heads[0]), "{heads:#?}");
    let reports = group.reports(VISIT);
    assert!(reports[0].is_some());
    for (site, other) in reports.iter().enumerate() {
        if let (Some(one), Some(other)) = (&reports[0], other)
            && let Some(at) = one.bytes().zip(other.bytes()).position(|(one, other)| one != other)
        {
            let part = |text: &str| text[at.saturating_sub(80)..(at + 160).min(text.len())].to_owned();
            panic!("clinic {site} differs from clinic 0:\n{}\n{}", part(one), part(other));
        }
        assert!(*other == reports[0], "clinic {site} has another report");
    }
    for site in 0..group.sites.len() {
        let copies = group.copies(site, VISIT);
        assert!(copies.values().all(|copies| *copies == 1), "clinic {site}: {copies:?}");
    }
}
