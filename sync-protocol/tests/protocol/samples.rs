//! Fixed values of every message, and builders for pushes. Fictional throughout.

use chart::ids::{ChangeHash, ClinicId, DeviceId, Digest, DocumentId, EpochId, PersonId, PushId};
use chart::time::Timestamp;
use sync_protocol::message::*;
use sync_protocol::*;

pub(crate) const SITE: ClinicId = ClinicId::from_bytes([0xc1; 16]);
pub(crate) const DEVICE: DeviceId = DeviceId::from_bytes([0xd1; 16]);
pub(crate) const PERSON: PersonId = PersonId::from_bytes([0xe1; 16]);
pub(crate) const EPOCH: EpochId = EpochId::from_bytes([0xf1; 16]);

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_773_738_000_000 + ms)
}
pub(crate) fn hash(byte: u8) -> ChangeHash {
    ChangeHash::from_bytes([byte; 32])
}
pub(crate) fn document(byte: u8) -> DocumentId {
    DocumentId::from_bytes([byte; 16])
}
pub(crate) fn position(seq: u64) -> LogPosition {
    LogPosition { epoch: 1, epoch_id: EPOCH, seq, chain: Digest::from_bytes([0xaa; 32]) }
}
pub(crate) fn cursor(seq: u64) -> Cursor {
    Cursor { epoch: 1, epoch_id: EPOCH, seq }
}
/// What one clinic asks another: whether both hold the same, and in what they differ.
pub(crate) fn digests() -> (DigestOffer, DigestDiff) {
    let scope = ScopeName::Site(SITE);
    let fingerprint = Digest::from_bytes([4; 32]);
    let offer = DigestOffer { scope, count: 3, fingerprint, taken: Some(cursor(40)), waiting: Some(2) };
    let diff = DigestDiff { scope, sums: Some(vec![7; 16]), range: None, documents: Vec::new(), more: false };
    (offer, diff)
}
pub(crate) fn envelope() -> Envelope {
    Envelope { device: DEVICE, person: PERSON, counter: 7, signature: [0x51; 64] }
}

/// A push of changes of the given sizes, numbered so that their order shows.
pub(crate) fn push(id: u8, sizes: &[usize]) -> DocumentPush {
    let change = |(number, size): (usize, &usize)| vec![(number % 251) as u8; *size];
    DocumentPush {
        push_id: PushId::from_bytes([id; 16]),
        document: document(id),
        kind: DocumentKind::Visit,
        base_heads: vec![hash(1)],
        heads: vec![hash(2), hash(3)],
        changes: sizes.iter().enumerate().map(change).collect(),
        envelope: envelope(),
        replaces: Vec::new(),
        part: 0,
        more: false,
    }
}

pub(crate) fn changes() -> FeedChanges {
    FeedChanges {
        document: document(9),
        kind: DocumentKind::Visit,
        person: PERSON,
        device: DEVICE,
        received_at: at(5),
        changes: vec![vec![1, 2, 3], vec![4]],
        envelope: Some(envelope()),
        heads: vec![hash(2)],
        verdict: vec![0x77; 8],
        origin: None,
        clock_ahead_ms: None,
    }
}

fn verdict() -> Verdict {
    let items = vec![
        VerdictItem {
            hashes: vec![hash(2)],
            outcome: Outcome::Admitted,
            reason: ReasonCode::None,
            sentence: String::new(),
        },
        VerdictItem {
            hashes: vec![hash(3)],
            outcome: Outcome::Held,
            reason: ReasonCode::CaseloadMoved,
            sentence: "The patient has moved to another caseload; a supervisor will decide.".to_owned(),
        },
    ];
    Verdict { document: document(9), items, seq: 44 }
}

fn page() -> Page {
    let scope = ScopeName::Caseload(PERSON);
    let documents = vec![ScopeDocument { document: document(9), heads: vec![hash(2)] }];
    let report = FeedReport { document: document(9), digest: Digest::from_bytes([6; 32]), body: None };
    let reference = FeedReference {
        kind: ReferenceKind::Payer,
        id: b"medicare".to_vec(),
        body: Some(vec![1, 2]),
        origin: None,
        word: None,
    };
    let elsewhere = FeedChanges { origin: Some(ClinicId::from_bytes([0xc2; 16])), ..changes() };
    let constant = FeedChanges { envelope: None, heads: Vec::new(), ..changes() };
    let bodies = [
        FeedBody::Changes(changes()),
        FeedBody::Changes(elsewhere),
        FeedBody::Changes(constant),
        FeedBody::Reference(reference),
        FeedBody::Report(report),
        FeedBody::Verdict(verdict()),
        FeedBody::Entered(ScopeChange { scope, documents: documents.clone() }),
        FeedBody::Left(ScopeChange { scope: ScopeName::Clinic, documents }),
        FeedBody::Other(900),
    ];
    let entries = (40..).zip(bodies).map(|(seq, body)| FeedEntry { seq, body }).collect();
    Page { entries, next: cursor(48), more: true, pull: 3, chain: None }
}

fn hello() -> Hello {
    Hello {
        version: 1,
        device: DEVICE,
        person: Some(PERSON),
        proof: [0x50; 64],
        receipted: Some(position(41)),
        cursor: Some(cursor(40)),
        scopes: vec![ScopeName::Clinic, ScopeName::Caseload(PERSON)],
        features: vec!["digest".to_owned()],
        app: "gaitway 0.0.0".to_owned(),
        device_time: at(2),
        ask_verdicts: true,
    }
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        server_time: at(3),
        tip: position(44),
        standing: Standing::Continues,
        limits: Limits::default(),
        backup_covers_through: Some(position(30)),
        features: Vec::new(),
        scopes: vec![ScopeName::Caseload(PERSON)],
    }
}

/// Every message once, under the name the contract file uses.
/// What only another clinic is told: the origin, the clock's lead, what came to be shared.
fn page_between_clinics() -> Page {
    let origin = Some(ClinicId::from_bytes([0xc2; 16]));
    let whole = FeedChanges { clock_ahead_ms: Some(-12), ..changes() };
    let announced = FeedChanges { changes: Vec::new(), origin, ..changes() };
    let (kind, id, body) = (ReferenceKind::Person, vec![0xe1; 16], Some(vec![1, 2]));
    let person = FeedReference { kind, id, body, origin, word: None };
    let documents = vec![ScopeDocument { document: document(9), heads: vec![hash(2)] }];
    let shared = ScopeChange { scope: ScopeName::Site(SITE), documents };
    let bodies = [
        FeedBody::Changes(whole),
        FeedBody::Changes(announced),
        FeedBody::Reference(person),
        FeedBody::Entered(shared),
    ];
    let entries = bodies.into_iter().zip(50..).map(|(body, seq)| FeedEntry { seq, body }).collect();
    Page { entries, next: cursor(60), more: false, pull: 1, chain: Some(Digest::from_bytes([6; 32])) }
}

/// What a clinic wrote itself, under its word.
fn page_of_a_clinics_word() -> Page {
    let word = Some(Word { epoch: 2, seq: 31, signature: [8; 64] });
    let (kind, id, body) = (ReferenceKind::Person, vec![0xe1; 16], Some(vec![1, 2]));
    let body = FeedBody::Reference(FeedReference { kind, id, body, origin: None, word });
    let entries = vec![FeedEntry { seq: 31, body }];
    Page { entries, next: cursor(31), more: false, pull: 1, chain: Some(Digest::from_bytes([6; 32])) }
}

pub(crate) fn every_message() -> Vec<(&'static str, Message)> {
    let challenge = Challenge { nonce: [0x11; 32], versions: vec![1, 2], site: SITE, server_time: at(0) };
    let locked = Hello { person: None, receipted: None, cursor: None, ask_verdicts: false, ..hello() };
    let rewound = Welcome { standing: Standing::Rewound, backup_covers_through: None, ..welcome() };
    let covers = vec![hash(2), hash(3)];
    let item = ReceiptItem { push_id: PushId::from_bytes([5; 16]), document: document(5), covers };
    let refuse = Refuse {
        push_id: PushId::from_bytes([5; 16]),
        document: document(5),
        code: RefuseCode::Later,
        sentence: "Too much work waits to be judged; it will be sent again.".to_owned(),
        per_change: vec![RefusedChange { hash: hash(2), code: RefuseCode::Later }],
        retry_after_ms: Some(5_000),
    };
    let error = ErrorMessage {
        code: ErrorCode::UnknownVersion,
        sentence: "version 9 of the protocol is not spoken here".to_owned(),
        fatal: true,
        retry_after_ms: None,
        versions: vec![1],
        document: None,
    };
    let revoked = Revoked {
        reason: RevokeReason::Device,
        sentence: "This tablet was revoked; what it holds waits for a supervisor.".to_owned(),
    };
    let pull = Pull {
        cursor: Some(cursor(40)),
        scopes: vec![ScopeName::Caseload(PERSON)],
        priority: Priority::Today,
        page_bytes: 65_536,
        live: true,
        pull: 1,
    };
    let part = DocumentPush { part: 1, more: true, ..push(6, &[2]) };
    let replay = DocumentPush { replaces: vec![hash(8)], kind: DocumentKind::Episode, ..push(5, &[3, 1]) };
    let report =
        ReportBody { document: document(9), digest: Digest::from_bytes([6; 32]), body: Some(b"{}".to_vec()) };
    let (answer, asks) = digests();
    let digest = DigestOffer { scope: ScopeName::Clinic, taken: None, waiting: None, ..answer.clone() };
    let row = DigestRow { document: document(9), sum: [8; 16] };
    let differs = DigestDiff { sums: None, range: Some(5), documents: vec![row], more: true, ..asks.clone() };
    vec![
        ("challenge", Message::Challenge(challenge)),
        ("hello", Message::Hello(Box::new(hello()))),
        ("hello-of-a-locked-tablet", Message::Hello(Box::new(locked))),
        ("welcome", Message::Welcome(Box::new(welcome()))),
        ("welcome-rewound", Message::Welcome(Box::new(rewound))),
        ("push", Message::Push(Push { documents: vec![push(5, &[4]), replay] })),
        ("push-part", Message::Push(Push { documents: vec![part] })),
        ("receipt", Message::Receipt(Receipt { items: vec![item], position: position(43) })),
        ("page-between-clinics", Message::Page(page_between_clinics())),
        ("page-of-a-clinics-word", Message::Page(page_of_a_clinics_word())),
        ("refuse", Message::Refuse(refuse)),
        ("verdict", Message::Verdict(verdict())),
        ("pull", Message::Pull(pull)),
        ("page", Message::Page(page())),
        (
            "page-empty",
            Message::Page(Page { entries: Vec::new(), next: cursor(46), more: false, pull: 3, chain: None }),
        ),
        ("need", Message::Need(Need { document: document(9), have: vec![hash(2)], hashes: vec![hash(3)] })),
        ("supply", Message::Supply(Supply { document: document(9), entries: vec![changes()], more: false })),
        ("fetch-report", Message::FetchReport(FetchReport { document: document(9) })),
        ("report-body", Message::ReportBody(report)),
        ("error", Message::Error(error)),
        ("revoked", Message::Revoked(revoked)),
        ("digest", Message::Digest(digest)),
        ("digest-between-clinics", Message::Digest(answer)),
        ("digest-asks", Message::DigestDiff(asks)),
        ("digest-differs", Message::DigestDiff(differs)),
        ("presence-reserved", Message::Unread { kind: kind::PRESENCE }),
    ]
}
