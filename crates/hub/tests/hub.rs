//! The hub told as sentences: a scripted tablet on the protocol's own machine, the reference store, a
//! clock that is pushed. Nothing here opens a socket or a file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "hub/caseload.rs"]
mod caseload;
#[path = "hub/order.rs"]
mod order;

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::facts::Input;
use chart::ids::{
    ActivityId, ActorId, ChangeHash, ClinicId, CommandId, DeviceId, Digest, DocumentId, EpochId, PatientId,
    PersonId, PushId, SegmentId,
};
use chart::reference::{ClinicSettings, Patient, Person, Reference, Role};
use chart::report::{PoolOutcome, RulebookName};
use chart::time::Timestamp;
use ed25519_dalek::{Signer, SigningKey};
use hub::{ConnectionId, Hub, HubConfig};
use session_note::schema::Kind;
use session_note::{Author, Issued, NoteDocument};
use store::MemoryStore;
use store::{Store, StoreReader};
use sync_protocol::message::{Cursor, DocumentPush, Envelope, FeedBody, LogPosition, ScopeName, Supply};
use sync_protocol::{DocumentKind, Outcome, Priority, Standing, TabletConfig, TabletEvent, TabletSession};

const CLINIC: ClinicId = ClinicId::from_bytes([1; 16]);
const PATIENT: PatientId = PatientId::from_bytes([2; 16]);
const VISIT: DocumentId = DocumentId::from_bytes([3; 16]);
const ACTIVITY: ActivityId = ActivityId::from_bytes([4; 16]);
const SEGMENT: SegmentId = SegmentId::from_bytes([5; 16]);

struct Counter(u64);
impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

struct Clinic {
    hub: Hub,
    store: MemoryStore,
    entropy: Counter,
    now: Timestamp,
    /// Commits are only finished when the test says so.
    hold_commits: bool,
}

fn config() -> HubConfig {
    HubConfig {
        clinic: CLINIC,
        clinic_key: [7; 32],
        site_key: [8; 32],
        rulebook: compliance::Rulebook::builtin().unwrap(),
        documents_resident_max: 2,
    }
}

impl Clinic {
    fn new() -> Self {
        let store = MemoryStore::new(EpochId::from_bytes([6; 16]));
        let hub = Hub::open(config(), &store).unwrap();
        let now = Timestamp::from_unix_ms(1_773_756_000_000);
        let mut clinic = Self { hub, store, entropy: Counter(42), now, hold_commits: false };
        let settings = ClinicSettings {
            clinic: CLINIC,
            name: "Riverbend".into(),
            utc_offset_minutes: -300,
            rules: [].into(),
        };
        clinic.put(Reference::Settings(settings));
        clinic
    }
    fn put(&mut self, reference: Reference) {
        self.hub.put_reference(&mut self.entropy, &self.store, reference).unwrap();
        self.settle();
    }
    fn person(&mut self, n: u8, role: Role) -> PersonId {
        let id = PersonId::from_bytes([n; 16]);
        self.put(Reference::Person(Person {
            id,
            name: format!("Person {n}"),
            credentials: "PT".into(),
            roles: [role].into(),
            profession: Some("physical_therapist".into()),
            npi: None,
            license_valid_to: None,
            excluded_from: None,
            inactive: false,
        }));
        id
    }
    fn patient(&mut self, team: &[PersonId]) {
        self.put(Reference::Patient(Patient {
            id: PATIENT,
            name: "Fictional Patient".into(),
            born_on: None,
            payer: None,
            care_team: team.iter().copied().collect(),
            file: chart::patient_file::PatientFile::default(),
        }));
    }
    fn enrol(&mut self, n: u8, person: PersonId) -> Tablet {
        let key = SigningKey::from_bytes(&[n; 32]);
        let (_, code) = self.hub.issue_code(self.now, &mut self.entropy, "tablet", [person].into()).unwrap();
        let (_, enrolment) = self
            .hub
            .enrol(self.now, &mut self.entropy, &self.store, &code, key.verifying_key().to_bytes())
            .unwrap();
        self.settle();
        assert!(
            self.hub.enrol(self.now, &mut self.entropy, &self.store, &code, [9; 32]).is_err(),
            "a code works once"
        );
        let author = Author { person, device: enrolment.device, actor: ActorId::from_bytes([n; 16]) };
        Tablet {
            key,
            author,
            note: NoteDocument::new(VISIT, Kind::Visit),
            counter: u64::from(n) << 40,
            receipted: None,
            cursor: None,
        }
    }
    fn commit(&mut self) -> bool {
        let Some(batch) = self.hub.poll_commit() else { return false };
        let first = self.store.commit(&batch).unwrap();
        self.hub.committed(&self.store, first);
        let kept = self.hub.poll_keep();
        self.store.keep(&kept).unwrap();
        true
    }
    fn settle(&mut self) {
        while !self.hold_commits {
            let worked = self.hub.work(&mut self.entropy, &self.store, 1);
            if !self.commit() && !worked {
                return;
            }
        }
    }
    fn restart(&mut self) {
        self.hub = Hub::open(config(), &self.store).unwrap();
        self.settle();
    }
    fn pools(&mut self) -> Vec<PoolOutcome> {
        let published = self.hub.report(&self.store, VISIT).unwrap().expect("a report");
        published.report.pools.into_iter().map(|pool| pool.outcome).collect()
    }
}

struct Tablet {
    key: SigningKey,
    author: Author,
    note: NoteDocument,
    counter: u64,
    receipted: Option<LogPosition>,
    cursor: Option<Cursor>,
}

/// One connection of one tablet, joined to the hub in memory.
struct Line {
    session: TabletSession,
    connection: ConnectionId,
    events: Vec<TabletEvent>,
    frames: usize,
    bytes: usize,
}

impl Tablet {
    fn does(&mut self, json: &str) -> DocumentPush {
        self.counter += 1;
        let mut entropy = Counter(self.counter);
        let issued =
            Issued { id: CommandId::random(&mut entropy), command: serde_json::from_str(json).unwrap() };
        let fresh = ActorId::random(&mut entropy);
        let at = Timestamp::from_unix_ms(1_773_756_000_000);
        let seen = self.note.heads();
        let done = self.note.commit(&self.author, fresh, at, &seen, &[issued]).expect(json);
        self.push_of(vec![(done.hash, done.bytes)])
    }
    fn push_of(&mut self, changes: Vec<(ChangeHash, Vec<u8>)>) -> DocumentPush {
        self.counter += 1;
        let heads = vec![changes.last().unwrap().0];
        let (device, person) = (self.author.device, self.author.person);
        let signed =
            sync_protocol::statement::push(CLINIC, self.note.id(), &heads, device, person, self.counter);
        let signature = self.key.sign(&signed).to_bytes();
        DocumentPush {
            push_id: PushId::random(&mut Counter(self.counter)),
            document: self.note.id(),
            kind: DocumentKind::Visit,
            base_heads: Vec::new(),
            heads,
            changes: changes.into_iter().map(|(_, bytes)| bytes).collect(),
            envelope: Envelope { device, person, counter: self.counter, signature },
            replaces: Vec::new(),
            part: 0,
            more: false,
        }
    }
    /// The same tablet with another visit in hand.
    fn with_visit(&self, n: u8) -> Self {
        let author = Author { actor: ActorId::from_bytes([n; 16]), ..self.author };
        let note = NoteDocument::new(DocumentId::from_bytes([n; 16]), Kind::Visit);
        let counter = self.counter + (u64::from(n) << 20);
        Self { key: self.key.clone(), author, note, counter, receipted: None, cursor: None }
    }
    fn connect(&self, clinic: &mut Clinic, scope: ScopeName) -> Line {
        let config = TabletConfig {
            versions: sync_protocol::VERSIONS.to_vec(),
            site: CLINIC,
            device: self.author.device,
            person: Some(self.author.person),
            receipted: self.receipted,
            cursor: self.cursor,
            scopes: vec![scope],
            features: Vec::new(),
            app: "test".into(),
            ask_verdicts: true,
        };
        let connection = clinic.hub.connect(clinic.now, &mut clinic.entropy);
        let session = TabletSession::new(config, clinic.now);
        let mut line = Line { session, connection, events: Vec::new(), frames: 0, bytes: 0 };
        line.session.pull(self.cursor, vec![scope], Priority::All, 400_000, true).unwrap();
        line.run(clinic, self);
        line
    }
    fn caseload(&self) -> ScopeName {
        ScopeName::Caseload(self.author.person)
    }
    fn hears(&mut self, line: &mut Line) {
        for event in line.events.drain(..) {
            match event {
                TabletEvent::Receipted { position, .. } => self.receipted = Some(position),
                TabletEvent::Page(page) => {
                    self.cursor = Some(page.next);
                    for entry in page.entries {
                        if let FeedBody::Changes(changes) = entry.body {
                            self.take(changes);
                        }
                    }
                }
                TabletEvent::Supply(supply) => {
                    supply.entries.into_iter().for_each(|changes| self.take(changes));
                }
                _ => {}
            }
        }
    }
    fn take(&mut self, changes: sync_protocol::message::FeedChanges) {
        use session_note::admission::Submitted;
        use session_note::admit::{Candidate, Limits};
        let (person, device) = (changes.person, changes.device);
        let scan = |bytes| Candidate::scan(bytes, &Limits::V1).unwrap();
        let submitted: Vec<Submitted> = changes
            .changes
            .into_iter()
            .map(|bytes| Submitted { candidate: scan(bytes), person, device })
            .collect();
        self.note = self.note.admit(&submitted).unwrap().note;
    }
}

impl Line {
    fn run(&mut self, clinic: &mut Clinic, tablet: &Tablet) {
        for _ in 0..200 {
            let mut moved = false;
            while let Some((to, frame)) = clinic.hub.poll_transmit() {
                if to == self.connection {
                    self.frames += 1;
                    self.bytes += frame.len();
                    self.session.handle_message(clinic.now, &frame);
                }
                moved = true;
            }
            while let Some(event) = self.session.poll_event() {
                moved = true;
                if let TabletEvent::Sign { statement } = &event {
                    self.session.prove(clinic.now, tablet.key.sign(statement).to_bytes());
                } else {
                    self.events.push(event);
                }
            }
            while let Some(frame) = self.session.poll_transmit() {
                self.frames += 1;
                self.bytes += frame.len();
                let Clinic { hub, store, entropy, now, .. } = clinic;
                hub.handle_frame(*now, entropy, store, self.connection, &frame);
                moved = true;
            }
            let before = clinic.store.tip().seq;
            clinic.settle();
            if !moved && clinic.store.tip().seq == before {
                return;
            }
        }
        panic!("the connection does not come to rest");
    }
    fn push(&mut self, clinic: &mut Clinic, tablet: &Tablet, push: DocumentPush) {
        self.session.queue_push(clinic.now, push).unwrap();
        self.run(clinic, tablet);
    }
    fn receipts(&self) -> usize {
        let covers = |event: &TabletEvent| match event {
            TabletEvent::Receipted { items, .. } => {
                items.iter().filter(|item| !item.covers.is_empty()).count()
            }
            _ => 0,
        };
        self.events.iter().map(covers).sum()
    }
    fn verdicts(&self) -> Vec<(Outcome, String)> {
        let mut found = Vec::new();
        for event in &self.events {
            let entries = match event {
                TabletEvent::Verdict(verdict) => vec![verdict.clone()],
                TabletEvent::Page(page) => page
                    .entries
                    .iter()
                    .filter_map(|entry| match &entry.body {
                        FeedBody::Verdict(verdict) => Some(verdict.clone()),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            };
            found.extend(
                entries
                    .into_iter()
                    .flat_map(|verdict| verdict.items)
                    .map(|item| (item.outcome, item.sentence)),
            );
        }
        found
    }
}

fn open_visit(provider: PersonId) -> String {
    format!(
        r#"{{"command":"open_visit","patient":"{PATIENT}","discipline":"pt","clinic":"{CLINIC}",
            "facts":{{"provider":"{provider}","date":"2026-03-17","payer":"medicare_ffs","place":"11"}}}}"#
    )
}
fn start() -> String {
    format!(
        r#"{{"command":"start_segment","activity":"{ACTIVITY}","segment":"{SEGMENT}","code":"97112",
            "start":"2026-03-17T09:00-05:00","mode":"one_on_one"}}"#
    )
}
fn stop(end: &str) -> String {
    format!(
        r#"{{"command":"stop_segment","activity":"{ACTIVITY}","segment":"{SEGMENT}","end":"2026-03-17T{end}-05:00"}}"#
    )
}

/// A clinic with two therapists who share a patient, each with a tablet.
fn two_therapists() -> (Clinic, Tablet, Tablet) {
    let mut clinic = Clinic::new();
    let a = clinic.person(11, Role::Therapist);
    let b = clinic.person(12, Role::Therapist);
    clinic.patient(&[a, b]);
    let (a, b) = (clinic.enrol(21, a), clinic.enrol(22, b));
    (clinic, a, b)
}

#[test]
fn no_receipt_leaves_before_the_batch_is_durable() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    clinic.hold_commits = true;
    line.push(&mut clinic, &a, push);
    assert_eq!(line.receipts(), 0);
    clinic.hold_commits = false;
    line.run(&mut clinic, &a);
    assert_eq!(line.receipts(), 1);
    assert_eq!(line.verdicts(), [(Outcome::Admitted, String::new())]);
}

#[test]
fn one_edit_goes_all_the_way_to_the_other_tablet_and_the_supervisor() {
    let (mut clinic, mut a, mut b) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    for json in [open_visit(a.author.person), start(), stop("09:23")] {
        let push = a.does(&json);
        line.push(&mut clinic, &a, push);
    }
    let mut other = b.connect(&mut clinic, b.caseload());
    b.hears(&mut other);
    assert_eq!(b.note.heads(), a.note.heads());
    let PoolOutcome::Counted(counted) = clinic.pools().remove(0) else { panic!("not counted") };
    assert_eq!(counted.total_units, 2, "{:?}", counted.trace);
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!(note.history.len(), 3);
    assert!(note.history.iter().all(|line| line.received_at.is_some()));
    assert_eq!(note.people[&a.author.person], "Person 11");
    let queue = clinic.hub.queue(&clinic.store, None, 10).unwrap();
    assert_eq!(queue.len(), 1);
    assert_eq!(queue[0].patient.as_deref(), Some("Fictional Patient"));
}

#[test]
fn two_offline_ends_are_disputed_until_a_choice_settles_them() {
    let (mut clinic, mut a, mut b) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    for json in [open_visit(a.author.person), start()] {
        let push = a.does(&json);
        line.push(&mut clinic, &a, push);
    }
    b.note = a.note.clone();
    let from_a = a.does(&stop("09:17"));
    let from_b = b.does(&stop("09:23"));
    line.push(&mut clinic, &a, from_a);
    let mut other = b.connect(&mut clinic, b.caseload());
    other.push(&mut clinic, &b, from_b);
    b.hears(&mut other);
    assert!(matches!(clinic.pools()[0], PoolOutcome::Disputed { .. }));
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    let dispute = note.disputes[0].clone();
    let chosen = dispute.sides[1].versions.first().unwrap();
    let push = b.does(&format!(
        r#"{{"command":"resolve","fact":"{}","choose":"{chosen}","reason":"asked both"}}"#,
        dispute.fact
    ));
    other.push(&mut clinic, &b, push);
    assert!(matches!(clinic.pools()[0], PoolOutcome::Counted(_)));
}

#[test]
fn a_repeated_push_is_receipted_again_and_stored_once() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push.clone());
    let seq = clinic.store.tip().seq;
    line.push(&mut clinic, &a, DocumentPush { push_id: PushId::from_bytes([99; 16]), ..push });
    assert_eq!(line.receipts(), 2);
    assert_eq!(clinic.store.tip().seq, seq, "nothing new in the log");
}

#[test]
fn a_restart_between_receipt_and_verdict_reaches_the_same_verdict() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.session.queue_push(clinic.now, push).unwrap();
    while let Some(frame) = line.session.poll_transmit() {
        clinic.hub.handle_frame(clinic.now, &mut clinic.entropy, &clinic.store, line.connection, &frame);
    }
    assert!(clinic.commit(), "the work is durable");
    assert_eq!(clinic.hub.metrics().admitted, 0);
    clinic.restart();
    assert_eq!(clinic.hub.metrics().admitted, 1);
    assert!(clinic.hub.report(&clinic.store, VISIT).unwrap().is_some());
    clinic.restart();
    assert_eq!(clinic.hub.metrics().admitted, 0, "and not a second time");
}

#[test]
fn documents_that_were_let_go_are_built_again_from_the_log_alone() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    for json in [open_visit(a.author.person), start(), stop("09:23")] {
        let push = a.does(&json);
        line.push(&mut clinic, &a, push);
    }
    let before = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    clinic.store.reopen();
    clinic.restart();
    let after = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!((before.heads, before.content), (after.heads, after.content));
    assert_eq!(clinic.hub.metrics().published, 0, "an equal report is not published again");
}

#[test]
fn forged_borrowed_and_foreign_work_is_refused_at_the_door() {
    let (mut clinic, mut a, b) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    let mut forged = push.clone();
    forged.envelope.signature[0] ^= 1;
    let mut foreign = push.clone();
    foreign.envelope.device = b.author.device;
    let mut unknown = push.clone();
    unknown.envelope.person = PersonId::from_bytes([77; 16]);
    let mut other_heads = push.clone();
    other_heads.heads = vec![ChangeHash::from_bytes([1; 32])];
    for (n, bad) in (0u8..).zip([forged, foreign, unknown, other_heads]) {
        line.push(&mut clinic, &a, DocumentPush { push_id: PushId::from_bytes([50 + n; 16]), ..bad });
    }
    let refused = line.events.iter().filter(|event| matches!(event, TabletEvent::Refused(_))).count();
    assert_eq!(refused, 4);
    assert_eq!(clinic.hub.metrics().changes, 0);
    line.push(&mut clinic, &a, push);
    assert_eq!(line.receipts(), 1, "the honest work passes");
}

#[test]
fn an_actor_belongs_to_the_first_who_used_it() {
    let (mut clinic, mut a, mut b) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    b.author.actor = a.author.actor;
    let borrowed = b.does(&open_visit(b.author.person));
    let mut other = b.connect(&mut clinic, b.caseload());
    other.push(&mut clinic, &b, borrowed);
    let told = other.events.iter().find_map(|event| match event {
        TabletEvent::Refused(refuse) => Some(refuse.code),
        _ => None,
    });
    assert_eq!(told, Some(sync_protocol::RefuseCode::NewActor));
}

#[test]
fn what_builds_on_work_that_has_not_come_is_asked_for_and_not_called_safe() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let first = a.does(&open_visit(a.author.person));
    let second = a.does(&start());
    line.push(&mut clinic, &a, second);
    assert_eq!(line.receipts(), 0, "stored, but not covered");
    assert!(line.events.iter().any(|event| matches!(event, TabletEvent::ServerNeeds(_))));
    assert_eq!(clinic.hub.metrics().admitted, 0);
    line.push(&mut clinic, &a, first);
    assert_eq!(clinic.hub.metrics().admitted, 2);
}

#[test]
fn work_of_a_revoked_tablet_is_held_and_a_supervisor_can_release_it() {
    let (mut clinic, mut a, _) = two_therapists();
    let boss = clinic.person(31, Role::Supervisor);
    let first = a.does(&open_visit(a.author.person));
    let second = a.does(&start());
    clinic.hub.revoke_device(clinic.now, &mut clinic.entropy, &clinic.store, a.author.device).unwrap();
    clinic.settle();
    clinic.now = clinic.now.plus_ms(1000);
    let mut line = a.connect(&mut clinic, a.caseload());
    for push in [first, second] {
        line.push(&mut clinic, &a, push);
    }
    assert_eq!(line.receipts(), 2, "the bytes are safe");
    assert!(line.verdicts().iter().all(|(outcome, _)| *outcome == Outcome::Held));
    let rows = clinic.hub.quarantine(&clinic.store, 10).unwrap();
    assert_eq!(rows.iter().filter(|row| row.open).count(), 2);
    let hashes: Vec<ChangeHash> = rows.iter().flat_map(|row| row.hashes.clone()).collect();
    let Clinic { hub, store, entropy, now, .. } = &mut clinic;
    assert!(hub.release(*now, entropy, store, VISIT, &hashes, a.author.person, "mine").is_err());
    hub.release(*now, entropy, store, VISIT, &hashes, boss, "sent before it was lost").unwrap();
    clinic.settle();
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!(note.heads, a.note.heads().into_iter().collect::<BTreeSet<_>>());
    assert!(clinic.hub.quarantine(&clinic.store, 10).unwrap().iter().all(|row| !row.open));
}

#[test]
fn rejected_holds_take_what_follows_with_them_and_are_never_released() {
    let (mut clinic, mut a, _) = two_therapists();
    let boss = clinic.person(31, Role::Supervisor);
    let pushes = [a.does(&open_visit(a.author.person)), a.does(&start())];
    clinic.hub.revoke_device(clinic.now, &mut clinic.entropy, &clinic.store, a.author.device).unwrap();
    clinic.settle();
    clinic.now = clinic.now.plus_ms(1000);
    let mut line = a.connect(&mut clinic, a.caseload());
    let first = pushes[0].heads.clone();
    pushes.into_iter().for_each(|push| line.push(&mut clinic, &a, push));
    let Clinic { hub, store, entropy, now, .. } = &mut clinic;
    assert!(hub.reject(*now, entropy, store, VISIT, &first, a.author.person, "mine").is_err());
    assert!(hub.reject(*now, entropy, store, VISIT, &first, boss, " ").is_err());
    hub.reject(*now, entropy, store, VISIT, &first, boss, "it was made on a stolen tablet").unwrap();
    clinic.settle();
    let Clinic { hub, store, entropy, now, .. } = &mut clinic;
    let refused = hub.release(*now, entropy, store, VISIT, &first, boss, "after all").unwrap_err();
    assert_eq!(refused.to_string(), "nothing of this is held");
    let rows = hub.quarantine(store, 10).unwrap();
    let open: Vec<(&str, &str)> =
        rows.iter().filter(|row| row.open).map(|row| (row.outcome, row.reason.as_str())).collect();
    assert_eq!(open, [("rejected", "DependsOn"), ("rejected", "Declined")]);
    clinic.restart();
    clinic.settle();
    let rows = clinic.hub.quarantine(&clinic.store, 10).unwrap();
    assert_eq!(rows.iter().filter(|row| row.open).count(), 2, "the log says the same");
}

/// Makes what the tablet has to say durable, and has nothing of it judged.
fn bring(clinic: &mut Clinic, line: &mut Line) {
    while let Some(frame) = line.session.poll_transmit() {
        let Clinic { hub, store, entropy, now, .. } = clinic;
        hub.handle_frame(*now, entropy, store, line.connection, &frame);
    }
    while clinic.commit() {}
}

/// The next case, once these pushes are durable and nothing of them is judged.
fn case_of(clinic: &mut Clinic, line: &mut Line, pushes: Vec<DocumentPush>) -> hub::Case {
    for push in pushes {
        line.session.queue_push(clinic.now, push).unwrap();
    }
    bring(clinic, line);
    clinic.hub.next_case(&clinic.store, &|_| false).expect("work waits for its verdict")
}

#[test]
fn what_its_judge_does_not_survive_is_held_alone_with_what_builds_upon_it() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let field = |value: &str| format!(r#"{{"command":"set_field","field":"response","value":"{value}"}}"#);
    let mut pushes = vec![a.does(&open_visit(a.author.person))];
    pushes.extend(["one", "two", "deadly", "four", "five"].map(|value| a.does(&field(value))));
    let deadly = pushes[3].heads[0];
    let mut case = case_of(&mut clinic, &mut line, pushes);
    assert_eq!((case.len(), case.document()), (6, VISIT));
    let mut tries = 0;
    case.sift(&mut |part| {
        tries += 1;
        // What another process reads is what this one wrote.
        let part = hub::Case::from_bytes(&part.to_bytes()).unwrap();
        let dies = part.changes().any(|(hash, _)| hash == deadly);
        if dies { Err("ended another".to_owned()) } else { Ok(()) }
    });
    assert_eq!((case.len(), tries <= 5), (3, true), "{tries} tries");
    assert!(clinic.hub.next_case(&clinic.store, &|_| false).is_none(), "one case at a time");
    let judgement = case.judge();
    clinic.hub.take_judgement(&mut clinic.entropy, &clinic.store, judgement);
    clinic.settle();
    line.run(&mut clinic, &a);
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!(note.content["fields"]["response"], "two");
    let mut held: Vec<String> = note.quarantine.iter().map(|row| row.reason.clone()).collect();
    held.sort();
    assert_eq!(held, ["DependsOn", "DependsOn", "NeedsAttention"]);
    clinic.restart();
    assert!(clinic.hub.next_case(&clinic.store, &|_| false).is_none(), "the verdict stands in the log");
}

#[test]
fn a_note_that_rests_is_not_judged_yet_and_loses_nothing_by_it() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    let case = case_of(&mut clinic, &mut line, vec![push]);
    clinic.hub.take_judgement(&mut clinic.entropy, &clinic.store, case.judge());
    clinic.settle();
    let push = a.does(r#"{"command":"set_field","field":"response","value":"steadier"}"#);
    line.session.queue_push(clinic.now, push).unwrap();
    bring(&mut clinic, &mut line);
    assert!(clinic.hub.next_case(&clinic.store, &|document| document == VISIT).is_none());
    assert!(clinic.hub.cases_wait(), "it waits for the end of its rest");
    let case = clinic.hub.next_case(&clinic.store, &|_| false).expect("it has rested");
    assert!(!clinic.hub.cases_wait(), "one case at a time");
    clinic.hub.take_judgement(&mut clinic.entropy, &clinic.store, case.judge());
    clinic.settle();
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!(note.content["fields"]["response"], "steadier");
}

#[test]
fn a_long_queue_is_judged_in_pieces_and_nothing_of_it_is_left_out() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let mut pushes = vec![a.does(&open_visit(a.author.person))];
    for number in 0..600 {
        pushes.push(a.does(&format!(r#"{{"command":"set_field","field":"response","value":"{number}"}}"#)));
    }
    // What builds on it comes first, so that every piece waits for an earlier one.
    pushes.reverse();
    let case = case_of(&mut clinic, &mut line, pushes);
    assert_eq!(case.len(), hub::limits::CASE_CHANGES_MAX);
    let judgement = case.judge();
    clinic.hub.take_judgement(&mut clinic.entropy, &clinic.store, judgement);
    clinic.settle();
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!((note.history.len(), note.content["fields"]["response"].clone()), (601, "599".into()));
    assert_eq!(clinic.hub.metrics().admitted, 601);
}

#[test]
fn a_patient_who_comes_onto_a_caseload_brings_the_notes_along() {
    let (mut clinic, mut a, mut b) = two_therapists();
    clinic.patient(&[a.author.person]);
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    let mut other = b.connect(&mut clinic, b.caseload());
    b.hears(&mut other);
    assert!(b.note.heads() != a.note.heads(), "not on this caseload");
    clinic.patient(&[a.author.person, b.author.person]);
    other.run(&mut clinic, &b);
    let entered = other.events.iter().any(|event| match event {
        TabletEvent::Page(page) => {
            page.entries.iter().any(|entry| matches!(entry.body, FeedBody::Entered(_)))
        }
        _ => false,
    });
    assert!(entered);
    other.session.need(VISIT, Vec::new(), Vec::new()).unwrap();
    other.run(&mut clinic, &b);
    b.hears(&mut other);
    assert_eq!(b.note.heads(), a.note.heads());
}

#[test]
fn a_record_put_back_to_yesterday_is_noticed_and_begins_a_new_epoch() {
    let (mut clinic, mut a, _) = two_therapists();
    let yesterday = clinic.store.clone();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push.clone());
    a.hears(&mut line);
    clinic.store = yesterday;
    clinic.restart();
    let mut again = a.connect(&mut clinic, a.caseload());
    let standing = again.events.iter().find_map(|event| match event {
        TabletEvent::Welcomed(welcome) => Some(welcome.standing),
        _ => None,
    });
    assert_eq!(standing, Some(Standing::Rewound));
    assert_eq!(clinic.store.tip().epoch, 2);
    again.push(&mut clinic, &a, push);
    assert_eq!(again.receipts(), 1, "offered again and safe again");
}

#[test]
fn a_tablet_that_only_read_what_was_lost_is_told_so_too() {
    let (mut clinic, mut a, mut b) = two_therapists();
    let yesterday = clinic.store.clone();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    let mut reader = b.connect(&mut clinic, b.caseload());
    b.hears(&mut reader);
    assert_eq!(b.receipted, None);
    clinic.store = yesterday;
    clinic.restart();
    let again = b.connect(&mut clinic, b.caseload());
    let told = |event: &TabletEvent| matches!(event, TabletEvent::Welcomed(welcome) if welcome.standing == Standing::Rewound);
    assert!(again.events.iter().any(told));
    assert_eq!(clinic.store.tip().epoch, 2);
}

#[test]
fn a_stranger_and_another_clinics_tablet_get_nothing() {
    let (mut clinic, mut a, _) = two_therapists();
    a.key = SigningKey::from_bytes(&[200; 32]);
    let line = a.connect(&mut clinic, a.caseload());
    assert!(line.events.iter().any(|event| matches!(event, TabletEvent::Failed(failure) if failure.fatal)));
    a.author.device = DeviceId::from_bytes([201; 16]);
    let line = a.connect(&mut clinic, a.caseload());
    assert!(!line.events.iter().any(|event| matches!(event, TabletEvent::Page(_))));
    assert_ne!(Digest::from_bytes([0; 32]).to_string(), String::new());
}

#[test]
fn a_reconnect_with_nothing_new_is_one_small_round_trip() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    a.hears(&mut line);
    clinic.hub.disconnect(line.connection);
    let again = a.connect(&mut clinic, a.caseload());
    assert!(again.frames <= 5, "{} frames", again.frames);
    assert!(again.bytes < 1_024, "{} bytes", again.bytes);
}

#[test]
fn whoever_writes_in_a_note_they_do_not_follow_is_told_that_it_is_not_theirs_to_keep() {
    let (mut clinic, a, _) = two_therapists();
    let stranger = clinic.person(13, Role::Therapist);
    let mut stranger = clinic.enrol(23, stranger);
    let mut line = stranger.connect(&mut clinic, stranger.caseload());
    for json in
        [open_visit(a.author.person), r#"{"command":"comment","anchor":"plan","text":"saw them"}"#.into()]
    {
        let push = stranger.does(&json);
        line.push(&mut clinic, &stranger, push);
    }
    let left = |line: &Line| {
        let pages = line.events.iter().filter_map(|event| match event {
            TabletEvent::Page(page) => Some(&page.entries),
            _ => None,
        });
        pages.flatten().filter(|entry| matches!(entry.body, FeedBody::Left(_))).count()
    };
    assert_eq!(left(&line), 1, "once, however often they write");
    clinic.restart();
    let mut line = stranger.connect(&mut clinic, stranger.caseload());
    let push = stranger.does(r#"{"command":"comment","anchor":"plan","text":"and again"}"#);
    line.push(&mut clinic, &stranger, push);
    assert_eq!(left(&line), 1, "the one of before, read again from the start");
    let other = a.connect(&mut clinic, a.caseload());
    assert_eq!(left(&other), 0);
}

#[test]
fn a_claim_and_a_patients_file_reach_the_report_and_survive_a_restart() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    for json in [open_visit(a.author.person), start(), stop("09:23")] {
        let push = a.does(&json);
        line.push(&mut clinic, &a, push);
    }
    let ids = |clinic: &mut Clinic| -> BTreeSet<String> {
        let published = clinic.hub.report(&clinic.store, VISIT).unwrap().unwrap();
        published.report.findings.into_iter().map(|finding| finding.id).collect()
    };
    let before = ids(&mut clinic);
    assert!(!before.contains("claim-before-signature") && !before.contains("retention-hold"), "{before:?}");
    let claim = |frequency: u8| {
        let json = serde_json::json!({
            "kind": "claim", "visit": VISIT,
            "claim": { "sent_on": "2026-03-18", "units": { "97112": 2 }, "frequency": frequency },
        });
        serde_json::from_value::<Reference>(json).unwrap()
    };
    clinic.put(claim(7));
    let found = ids(&mut clinic);
    assert!(found.contains("claim-before-signature") && found.contains("claim-original-reference-missing"));
    // The last claim counts.
    clinic.put(claim(1));
    assert!(!ids(&mut clinic).contains("claim-original-reference-missing"));
    let mut patient = clinic.hub.directory().patients[&PATIENT].clone();
    patient.file.legal_hold = true;
    patient.file.deletion_asked_on = Some("2026-04-01".parse().unwrap());
    clinic.put(Reference::Patient(patient));
    let found = ids(&mut clinic);
    assert!(found.contains("retention-hold"), "{found:?}");
    clinic.restart();
    assert_eq!(ids(&mut clinic), found);
    clinic.settle();
    assert_eq!(ids(&mut clinic), found);
}

/// A payer of the clinic's own.
const NEW_PAYER: &str = r#"
[[payer]]
id = "riverbend-staff"
aliases = []
label = "The clinic's own staff"
unit_rule = "cms_8_minute"
flags = ["ncci"]
reviewed = "2026-01-01"
from = "2026-01-01"
source = "commercial-practice"
"#;

/// What every visit's published report was made from: the rules, and what was read.
fn made_from(clinic: &mut Clinic, visits: &[DocumentId]) -> Vec<(RulebookName, Vec<Input>)> {
    let mut of = |visit: &DocumentId| clinic.hub.report(&clinic.store, *visit).unwrap().unwrap().report;
    visits.iter().map(&mut of).map(|report| (report.rulebook, report.inputs)).collect()
}

#[test]
fn exactly_the_reports_that_read_what_changed_are_published_again() {
    let (mut clinic, mut own, b) = two_therapists();
    let mut line = own.connect(&mut clinic, own.caseload());
    let mut line_b = b.connect(&mut clinic, b.caseload());
    let (mut patient_day, mut provider_day, mut far) =
        (b.with_visit(31), own.with_visit(32), b.with_visit(33));
    let another =
        |json: String| json.replace(&PATIENT.to_string(), &PatientId::from_bytes([91; 16]).to_string());
    let (a_opens, b_opens) = (open_visit(own.author.person), open_visit(b.author.person));
    let push = own.does(&a_opens);
    line.push(&mut clinic, &own, push);
    let push = provider_day.does(&another(a_opens));
    line.push(&mut clinic, &provider_day, push);
    let push = patient_day.does(&b_opens);
    line_b.push(&mut clinic, &patient_day, push);
    let push = far.does(&another(b_opens).replace("2026-03-17", "2026-03-24"));
    line_b.push(&mut clinic, &far, push);
    let visits = [own.note.id(), patient_day.note.id(), provider_day.note.id(), far.note.id()];
    let mut before = made_from(&mut clinic, &visits);
    let mut check = |clinic: &mut Clinic, what: &str, expected: [bool; 4]| {
        let after = made_from(clinic, &visits);
        let changed: Vec<bool> = before.iter().zip(&after).map(|(old, new)| old != new).collect();
        assert_eq!(changed, expected, "{what}: own, patient's day, provider's day, neither");
        before = after;
    };
    let published = |clinic: &Clinic| clinic.hub.metrics().published;
    for json in [start(), stop("09:23")] {
        let at = published(&clinic);
        let push = own.does(&json);
        line.push(&mut clinic, &own, push);
        check(&mut clinic, &json, [true, true, true, false]);
        assert_eq!(published(&clinic) - at, 3);
    }
    let typed = r#"{"command":"splice_text","field":"subjective","position":0,"insert":"steadier"}"#;
    let at = published(&clinic);
    let push = own.does(typed);
    line.push(&mut clinic, &own, push);
    check(&mut clinic, "a word", [true, false, false, false]);
    assert_eq!(published(&clinic) - at, 1);
    clinic.restart();
    check(&mut clinic, "a restart", [false; 4]);
    assert_eq!(published(&clinic), 0, "nothing is published again under the same rules");
    let own_rules = [("riverbend.toml", NEW_PAYER)];
    let rulebook = compliance::Rulebook::builtin_with(&own_rules).unwrap();
    clinic.hub = Hub::open(HubConfig { rulebook, ..config() }, &clinic.store).unwrap();
    clinic.settle();
    check(&mut clinic, "other rules", [true; 4]);
    assert_eq!(published(&clinic), 4);
}

#[test]
fn a_snapshot_vouches_for_nothing_that_a_record_put_back_has_not_decided() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    clinic.hold_commits = true;
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    // The work is durable and its verdict is not: this far goes the copy.
    assert!(clinic.commit());
    let mut copy = clinic.store.clone();
    let mut kept = Vec::new();
    loop {
        let worked = clinic.hub.work(&mut clinic.entropy, &clinic.store, 1);
        kept.extend(clinic.hub.poll_keep());
        if !clinic.commit() && !worked {
            break;
        }
    }
    kept.extend(clinic.hub.poll_keep());
    assert!(!kept.is_empty(), "a snapshot was kept");
    copy.keep(&kept).unwrap();
    // Put back to the copy, the clinic decides otherwise: the author may no longer write.
    clinic.store = copy;
    clinic.hub = Hub::open(config(), &clinic.store).unwrap();
    clinic.hold_commits = false;
    let mut person = clinic.hub.directory().people[&a.author.person].clone();
    person.roles = [Role::FrontDesk].into();
    clinic.put(Reference::Person(person));
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert!(note.history.is_empty(), "what is held is not shown");
    clinic.restart();
    let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
    assert!(note.history.is_empty(), "nor after a restart");
}

#[test]
fn a_reader_who_is_ahead_of_a_commit_in_flight_is_not_told_that_the_record_was_put_back() {
    let (mut clinic, mut a, mut b) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    clinic.hold_commits = true;
    let push = a.does(&start());
    line.push(&mut clinic, &a, push);
    // Written, readable, and the hub has not been told.
    let batch = clinic.hub.poll_commit().unwrap();
    let first = clinic.store.commit(&batch).unwrap();
    let tip = clinic.store.tip();
    b.cursor = Some(Cursor { epoch: tip.epoch, epoch_id: tip.epoch_id, seq: tip.seq });
    let line = b.connect(&mut clinic, b.caseload());
    let standing = line.events.iter().find_map(|event| match event {
        TabletEvent::Welcomed(welcome) => Some(welcome.standing),
        _ => None,
    });
    assert_eq!(standing, Some(Standing::Continues));
    clinic.hub.committed(&clinic.store, first);
}

/// What a line's pages brought of others' work.
fn brought(line: &Line) -> Vec<sync_protocol::message::FeedChanges> {
    let pages = line.events.iter().filter_map(|event| match event {
        TabletEvent::Page(page) => Some(&page.entries),
        _ => None,
    });
    let changes = pages.flatten().filter_map(|entry| match &entry.body {
        FeedBody::Changes(changes) => Some(changes.clone()),
        _ => None,
    });
    changes.collect()
}

fn lefts(line: &Line) -> usize {
    let pages = line.events.iter().filter_map(|event| match event {
        TabletEvent::Page(page) => Some(&page.entries),
        _ => None,
    });
    pages.flatten().filter(|entry| matches!(entry.body, FeedBody::Left(_))).count()
}

#[test]
fn whoever_carries_back_a_note_that_they_no_longer_follow_is_told_that_it_is_not_theirs_to_keep() {
    for again_by_its_author in [false, true] {
        let (mut clinic, mut a, b) = two_therapists();
        clinic.patient(&[a.author.person]);
        let yesterday = clinic.store.clone();
        clinic.patient(&[a.author.person, b.author.person]);
        let mut line = a.connect(&mut clinic, a.caseload());
        let push = a.does(&open_visit(a.author.person));
        line.push(&mut clinic, &a, push.clone());
        let entries = brought(&b.connect(&mut clinic, b.caseload()));
        assert_eq!(entries.len(), 1);
        clinic.store = yesterday;
        clinic.restart();
        if again_by_its_author {
            let mut line = a.connect(&mut clinic, a.caseload());
            line.push(&mut clinic, &a, push);
        }
        let mut line = b.connect(&mut clinic, b.caseload());
        for _ in 0..2 {
            let supply = Supply { document: VISIT, entries: entries.clone(), more: false };
            line.session.supply(supply).unwrap();
            line.run(&mut clinic, &b);
        }
        let note = clinic.hub.note(&clinic.store, VISIT).unwrap().unwrap();
        assert_eq!(note.heads, a.note.heads(), "the record has it again");
        assert_eq!(lefts(&line), 1, "told once, however often they bring it: {again_by_its_author}");
        clinic.restart();
        assert_eq!(lefts(&b.connect(&mut clinic, b.caseload())), 1, "and it stands in the log");
        let others = a.connect(&mut clinic, a.caseload());
        assert_eq!(lefts(&others), 0, "its author keeps it");
    }
}

#[test]
fn a_rejection_in_a_record_put_back_reaches_whoever_carries_the_work() {
    let (mut clinic, mut a, b) = two_therapists();
    let boss = clinic.person(31, Role::Supervisor);
    let yesterday = clinic.store.clone();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    let hash = push.heads[0];
    line.push(&mut clinic, &a, push);
    let entries = brought(&b.connect(&mut clinic, b.caseload()));
    clinic.store = yesterday;
    clinic.restart();
    clinic.person(11, Role::FrontDesk);
    let mut line = b.connect(&mut clinic, b.caseload());
    line.session.supply(Supply { document: VISIT, entries, more: false }).unwrap();
    line.run(&mut clinic, &b);
    assert_eq!(line.verdicts(), [], "held: nothing is decided");
    let Clinic { hub, store, entropy, now, .. } = &mut clinic;
    hub.reject(*now, entropy, store, VISIT, &[hash], boss, "to be written again").unwrap();
    line.run(&mut clinic, &b);
    let outcomes: Vec<Outcome> = line.verdicts().into_iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Rejected], "its author's tablet is not here: who carried it hears");
}

#[test]
fn a_report_that_changes_back_while_the_last_one_is_on_its_way_into_the_log_is_published_again() {
    let (mut clinic, mut a, _) = two_therapists();
    let mut line = a.connect(&mut clinic, a.caseload());
    let push = a.does(&open_visit(a.author.person));
    line.push(&mut clinic, &a, push);
    let before = clinic.hub.report(&clinic.store, VISIT).unwrap().unwrap();
    clinic.hold_commits = true;
    for role in [Role::FrontDesk, Role::Therapist] {
        clinic.person(11, role);
        // The batch with what came before is written while this is worked on.
        let batch = clinic.hub.poll_commit().unwrap();
        while clinic.hub.work(&mut clinic.entropy, &clinic.store, 1) {}
        let first = clinic.store.commit(&batch).unwrap();
        clinic.hub.committed(&clinic.store, first);
    }
    clinic.hold_commits = false;
    clinic.settle();
    let after = clinic.hub.report(&clinic.store, VISIT).unwrap().unwrap();
    assert_eq!(after.report, before.report);
    let others = clinic.hub.metrics().published;
    assert_eq!(others, 3, "one, another while the role was another, and the first again");
}
