//! The door: is this one plain, bounded, canonical change of a note? Decided from the bytes alone,
//! by total code of our own, in microseconds. Never asks a document and never calls the document
//! engine.
//!
//! A chunk is `85 6f 4a 83 | checksum 4 | kind 1 | length | data`; its hash is SHA-256 over kind,
//! length and data, and the checksum is the hash's first four bytes. The data of a plain change:
//! dependencies, actor, sequence number, first operation number, time, message, other actors,
//! column list, columns, footer.

use chart::ids::{ActorId, ChangeHash};
use chart::time::Timestamp;
use sha2::{Digest, Sha256};

use super::body::{self, Op};
use super::columns::Columns;
use super::cursor::Cursor;
use super::limits::Limits;
use super::refusal::DoorRefusal;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const PLAIN_CHANGE: u8 = 1;
const FOOTER_AUTHOR: u64 = 1;

/// What the door learned about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSketch {
    /// Computed from the bytes, never taken from the sender.
    pub hash: ChangeHash,
    /// Who made it, as the change says; binding it to a device and a person is the caller's.
    pub actor: ActorId,
    /// Which of the actor's changes it is, from one up.
    pub seq: u64,
    /// The number of its first operation.
    pub start_op: u64,
    /// How many operations it has, at least one.
    pub ops: u64,
    /// When it was committed by the tablet's clock; zero when the tablet did not say.
    pub time: Timestamp,
    /// The changes it directly builds on, sorted.
    pub deps: Vec<ChangeHash>,
    /// The commit message.
    pub message: Option<String>,
    /// The author's name, which only an actor's first change may carry.
    pub author: Option<Vec<u8>>,
    /// Bytes of the chunk.
    pub bytes_len: usize,
}

/// Checks everything that the bytes alone can show.
pub fn prescan(bytes: &[u8], limits: &Limits) -> Result<ChangeSketch, DoorRefusal> {
    read(bytes, limits).map(|body| body.sketch)
}

/// A change with its operations.
pub(super) struct Body<'a> {
    pub(super) sketch: ChangeSketch,
    pub(super) ops: Vec<Op<'a>>,
}

/// [`prescan`], keeping the operations.
pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Body<'a>, DoorRefusal> {
    if bytes.len() > limits.bytes_max {
        return Err(DoorRefusal::TooLarge { bytes: bytes.len(), limit: limits.bytes_max });
    }
    let (data, hash) = unwrap_chunk(bytes)?;
    let mut cursor = Cursor::new(data);
    let deps = dependencies(&mut cursor, limits)?;
    let author_actor = actor(&mut cursor)?;
    let seq = in_range(cursor.unsigned()?, 1, u64::from(u32::MAX), DoorRefusal::BadSeq)?;
    let start_op = in_range(cursor.unsigned()?, 1, limits.start_op_max, DoorRefusal::BadStartOp)?;
    let time = cursor.signed()?;
    if time != 0 && !(limits.time_min_ms..=limits.time_max_ms).contains(&time) {
        return Err(DoorRefusal::BadTime);
    }
    let message = cursor.text()?;
    if message.len() > limits.message_max {
        return Err(DoorRefusal::MessageTooLong);
    }
    let mut actors = vec![author_actor];
    other_actors(&mut cursor, &mut actors, limits)?;
    let columns = Columns::read(&mut cursor)?;
    let author = footer(cursor, seq, limits)?;
    let ops = body::read(&columns, &actors, start_op, limits)?;
    let sketch = ChangeSketch {
        hash,
        actor: author_actor,
        seq,
        start_op,
        ops: ops.len() as u64,
        time: Timestamp::from_unix_ms(time),
        deps,
        message: (!message.is_empty()).then(|| message.to_owned()),
        author,
        bytes_len: bytes.len(),
    };
    Ok(Body { sketch, ops })
}

fn unwrap_chunk(bytes: &[u8]) -> Result<(&[u8], ChangeHash), DoorRefusal> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array().map_err(|_| DoorRefusal::NotAChunk)? != MAGIC {
        return Err(DoorRefusal::NotAChunk);
    }
    let checksum: [u8; 4] = cursor.array()?;
    let kind = cursor.byte()?;
    if kind != PLAIN_CHANGE {
        return Err(DoorRefusal::WrongKind(kind));
    }
    // The length is hashed as it stands: being in its shortest form, it has one spelling.
    let hashed_length = cursor.rest();
    let length = cursor.unsigned()?;
    let data = cursor.rest();
    if data.len() as u64 != length {
        return Err(DoorRefusal::WrongLength);
    }
    let mut hasher = Sha256::new();
    hasher.update([kind]);
    hasher.update(hashed_length);
    let hash: [u8; 32] = hasher.finalize().into();
    if !hash.starts_with(&checksum) {
        return Err(DoorRefusal::WrongChecksum);
    }
    Ok((data, ChangeHash::from_bytes(hash)))
}

fn dependencies(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<Vec<ChangeHash>, DoorRefusal> {
    let count = in_range(cursor.unsigned()?, 0, limits.deps_max, DoorRefusal::BadDependencies)?;
    let mut deps: Vec<ChangeHash> = Vec::new();
    for _ in 0..count {
        let dep = ChangeHash::from_bytes(cursor.array()?);
        if deps.last().is_some_and(|last| *last >= dep) {
            return Err(DoorRefusal::BadDependencies);
        }
        deps.push(dep);
    }
    Ok(deps)
}

fn actor(cursor: &mut Cursor<'_>) -> Result<ActorId, DoorRefusal> {
    if cursor.unsigned()? != 16 {
        return Err(DoorRefusal::BadActor);
    }
    cursor.array().map(ActorId::from_bytes)
}

fn other_actors(
    cursor: &mut Cursor<'_>,
    actors: &mut Vec<ActorId>,
    limits: &Limits,
) -> Result<(), DoorRefusal> {
    let author = actors.first().copied();
    let count = in_range(cursor.unsigned()?, 0, limits.other_actors_max, DoorRefusal::BadOtherActors)?;
    let mut last = None;
    for _ in 0..count {
        let other = actor(cursor)?;
        if Some(other) == author || last.is_some_and(|last| last >= other) {
            return Err(DoorRefusal::BadOtherActors);
        }
        last = Some(other);
        actors.push(other);
    }
    Ok(())
}

/// The rest of the data: nothing, or on an actor's first change the author's name.
fn footer(mut cursor: Cursor<'_>, seq: u64, limits: &Limits) -> Result<Option<Vec<u8>>, DoorRefusal> {
    if cursor.is_empty() {
        return Ok(None);
    }
    if seq != 1 || cursor.unsigned()? != FOOTER_AUTHOR {
        return Err(DoorRefusal::BadFooter);
    }
    let length = cursor.unsigned()?;
    let author = cursor.rest();
    if author.len() as u64 != length || author.len() > limits.author_max {
        return Err(DoorRefusal::BadFooter);
    }
    Ok(Some(author.to_vec()))
}

fn in_range(number: u64, min: u64, max: u64, refusal: DoorRefusal) -> Result<u64, DoorRefusal> {
    if (min..=max).contains(&number) { Ok(number) } else { Err(refusal) }
}
