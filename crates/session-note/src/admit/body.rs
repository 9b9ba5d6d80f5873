//! The operations of one change, as the note model uses them: put, make map, make text, delete,
//! insert into a text, remove from a text. Read from the columns by total code; whatever the note
//! model does not use cannot be expressed here and is refused on the way in.

use chart::ids::ActorId;

use super::columns::{self, Columns};
use super::cursor::Cursor;
use super::limits::Limits;
use super::refusal::DoorRefusal;

/// The name of one operation, and of the object or the text element it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// The operation's number: greater than all its author had seen.
    pub counter: u64,
    /// Its author.
    pub actor: ActorId,
}

/// A plain value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Nothing.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number from zero up.
    Uint(u64),
    /// A whole number.
    Int(i64),
    /// A finite floating-point number.
    F64(f64),
    /// A text that is replaced as a whole.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Milliseconds since 1970.
    Timestamp(i64),
}

/// What one operation does to the object it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit<'a> {
    /// Sets a field of a map to a value.
    Put {
        /// The field.
        key: &'a str,
        /// The value.
        value: Scalar<'a>,
    },
    /// Sets a field of a map to a new map.
    MakeMap {
        /// The field.
        key: &'a str,
    },
    /// Sets a field of a map to a new text.
    MakeText {
        /// The field.
        key: &'a str,
    },
    /// Removes what a field of a map holds.
    Delete {
        /// The field.
        key: &'a str,
    },
    /// Puts a piece of text after an element, or at the start.
    Insert {
        /// The element before it; `None` is the start.
        after: Option<OpId>,
        /// The piece, never empty.
        text: &'a str,
    },
    /// Removes an element of a text.
    Remove {
        /// The element.
        element: OpId,
    },
}

impl<'a> Edit<'a> {
    /// The field it sets or removes; `None` for edits of a text.
    pub fn key(&self) -> Option<&'a str> {
        match self {
            Self::Put { key, .. } | Self::MakeMap { key } | Self::MakeText { key } | Self::Delete { key } => {
                Some(key)
            }
            Self::Insert { .. } | Self::Remove { .. } => None,
        }
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Op<'a> {
    pub(super) id: OpId,
    /// The object it is about; `None` is the root map.
    pub(super) object: Option<OpId>,
    pub(super) edit: Edit<'a>,
    /// What it overwrites, sorted.
    pub(super) preds: Vec<OpId>,
}

const MAKE_MAP: u64 = 0;
const PUT: u64 = 1;
const DELETE: u64 = 3;
const MAKE_TEXT: u64 = 4;

/// Reads the operations numbered from `start_op`, by `actors[0]`.
pub(super) fn read<'a>(
    columns: &Columns<'a>,
    actors: &[ActorId],
    start_op: u64,
    limits: &Limits,
) -> Result<Vec<Op<'a>>, DoorRefusal> {
    let actions: Vec<Option<u64>> =
        columns::run_lengths(columns.action, limits.ops_max).map_err(|refusal| match refusal {
            DoorRefusal::RowsDiffer => DoorRefusal::TooManyOps(limits.ops_max),
            other => other,
        })?;
    let rows = actions.len() as u64;
    if rows == 0 {
        return Err(DoorRefusal::NoOps);
    }
    let inserts = columns::booleans(columns.insert, rows)?;
    let objects = references(columns.object_actor, Counters::Plain(columns.object_counter), rows)?;
    let key_texts = columns::optional::<&str>(columns.key_text, rows)?;
    let elements = references(columns.key_actor, Counters::Delta(columns.key_counter), rows)?;
    let metas = columns::required::<u64>(columns.value_meta, rows)?;
    let mut values = Cursor::new(columns.value);
    let counts = columns::required::<u64>(columns.pred_count, rows)?;
    let mut preds = Preds::read(columns, &counts, limits)?;
    let mut naming = Naming { actors, mentioned: vec![false; actors.len()] };

    let author = *actors.first().ok_or(DoorRefusal::BadActor)?;
    let mut ops = Vec::with_capacity(actions.len());
    let cells = actions.into_iter().zip(inserts).zip(objects).zip(key_texts).zip(elements);
    let cells = cells.zip(metas).zip(counts).zip(start_op..);
    for (((((((action, insert), object), key_text), element), meta), count), counter) in cells {
        let id = OpId { counter, actor: author };
        let value = scalar(meta, &mut values, limits)?;
        let object = match object {
            (None, None) => None,
            reference => Some(naming.resolve(reference, counter)?),
        };
        let key = match (key_text, element) {
            (Some(text), (None, None)) => Key::Field(field_name(text, limits)?),
            (None, (None, Some(0))) => Key::Start,
            (None, (None, None)) | (Some(_), _) => return Err(DoorRefusal::BadOperation),
            (None, reference) => Key::Element(naming.resolve(reference, counter)?),
        };
        let preds = preds.next(count, &mut naming, counter)?;
        let edit = edit(action.ok_or(DoorRefusal::BadOperation)?, insert, key, value, &preds)?;
        ops.push(Op { id, object, edit, preds });
    }
    if !values.is_empty() {
        return Err(DoorRefusal::BadValue);
    }
    if naming.mentioned.iter().skip(1).any(|mentioned| !mentioned) {
        return Err(DoorRefusal::BadOtherActors);
    }
    Ok(ops)
}

enum Key<'a> {
    Field(&'a str),
    Start,
    Element(OpId),
}

fn field_name<'a>(text: &'a str, limits: &Limits) -> Result<&'a str, DoorRefusal> {
    if text.is_empty() || text.len() > limits.key_max { Err(DoorRefusal::BadKey) } else { Ok(text) }
}

fn edit<'a>(
    action: u64,
    insert: bool,
    key: Key<'a>,
    value: Scalar<'a>,
    preds: &[OpId],
) -> Result<Edit<'a>, DoorRefusal> {
    if ![MAKE_MAP, PUT, DELETE, MAKE_TEXT].contains(&action) {
        return Err(DoorRefusal::ActionNotAllowed(action));
    }
    if action != PUT && value != Scalar::Null {
        return Err(DoorRefusal::BadOperation);
    }
    let edit = match (action, insert, key) {
        (PUT, false, Key::Field(key)) => Edit::Put { key, value },
        (MAKE_MAP, false, Key::Field(key)) => Edit::MakeMap { key },
        (MAKE_TEXT, false, Key::Field(key)) => Edit::MakeText { key },
        (DELETE, false, Key::Field(key)) if !preds.is_empty() => Edit::Delete { key },
        (DELETE, false, Key::Element(element)) if preds == [element] => Edit::Remove { element },
        (PUT, true, key @ (Key::Start | Key::Element(_))) if preds.is_empty() => {
            let after = if let Key::Element(element) = key { Some(element) } else { None };
            match value {
                Scalar::Str(text) if !text.is_empty() => Edit::Insert { after, text },
                _ => return Err(DoorRefusal::BadOperation),
            }
        }
        _ => return Err(DoorRefusal::BadOperation),
    };
    Ok(edit)
}

fn scalar<'a>(meta: u64, values: &mut Cursor<'a>, limits: &Limits) -> Result<Scalar<'a>, DoorRefusal> {
    let (kind, length) = (meta & 0x0f, meta >> 4);
    if length > limits.value_max as u64 {
        return Err(DoorRefusal::BadValue);
    }
    let bytes = values.take(length).map_err(|_| DoorRefusal::BadValue)?;
    let mut number = Cursor::new(bytes);
    let value = match kind {
        0 if bytes.is_empty() => Scalar::Null,
        1 if bytes.is_empty() => Scalar::Boolean(false),
        2 if bytes.is_empty() => Scalar::Boolean(true),
        3 => Scalar::Uint(number.unsigned()?),
        4 => Scalar::Int(number.signed()?),
        5 => Scalar::F64(f64::from_le_bytes(number.array()?)),
        6 => Scalar::Str(std::str::from_utf8(bytes).map_err(|_| DoorRefusal::BadText)?),
        7 => Scalar::Bytes(bytes),
        9 => Scalar::Timestamp(number.signed()?),
        _ => return Err(DoorRefusal::BadValue),
    };
    let whole = matches!(kind, 0..=2 | 6 | 7) || number.is_empty();
    let finite = !matches!(value, Scalar::F64(number) if !number.is_finite());
    if whole && finite { Ok(value) } else { Err(DoorRefusal::BadValue) }
}

/// An actor's place in the change's list, and an operation's number.
type Reference = (Option<u64>, Option<u64>);

enum Counters<'a> {
    Plain(&'a [u8]),
    Delta(&'a [u8]),
}

fn references(actors: &[u8], counters: Counters<'_>, rows: u64) -> Result<Vec<Reference>, DoorRefusal> {
    let actors = columns::optional::<u64>(actors, rows)?;
    let counters = match counters {
        Counters::Plain(bytes) => columns::optional::<u64>(bytes, rows)?,
        Counters::Delta(bytes) => columns::sums(columns::optional::<i64>(bytes, rows)?)?,
    };
    Ok(actors.into_iter().zip(counters).collect())
}

/// Turns references into names, and notes which actors were mentioned.
struct Naming<'a> {
    actors: &'a [ActorId],
    mentioned: Vec<bool>,
}

impl Naming<'_> {
    /// An operation can refer only to one with a smaller number than its own, `below`.
    fn resolve(&mut self, reference: Reference, below: u64) -> Result<OpId, DoorRefusal> {
        let (Some(actor), Some(counter)) = reference else { return Err(DoorRefusal::BadReference) };
        let place = usize::try_from(actor).map_err(|_| DoorRefusal::BadReference)?;
        let actor = *self.actors.get(place).ok_or(DoorRefusal::BadReference)?;
        if counter == 0 || counter >= below {
            return Err(DoorRefusal::BadReference);
        }
        if let Some(mentioned) = self.mentioned.get_mut(place) {
            *mentioned = true;
        }
        Ok(OpId { counter, actor })
    }
}

/// The predecessors of all operations, one after the other.
struct Preds {
    references: std::vec::IntoIter<(u64, u64)>,
}

impl Preds {
    fn read(columns: &Columns<'_>, counts: &[u64], limits: &Limits) -> Result<Self, DoorRefusal> {
        let total = counts.iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
        let total = total.filter(|total| *total <= limits.preds_max);
        let total = total.ok_or(DoorRefusal::TooManyPreds(limits.preds_max))?;
        let actors = columns::required::<u64>(columns.pred_actor, total)?;
        let steps = columns::required::<i64>(columns.pred_counter, total)?;
        let counters = columns::sums(steps.into_iter().map(Some).collect())?;
        let references: Vec<_> = actors.into_iter().zip(counters.into_iter().flatten()).collect();
        Ok(Self { references: references.into_iter() })
    }

    fn next(&mut self, count: u64, naming: &mut Naming<'_>, below: u64) -> Result<Vec<OpId>, DoorRefusal> {
        let mut preds: Vec<OpId> = Vec::new();
        for _ in 0..count {
            let (actor, counter) = self.references.next().ok_or(DoorRefusal::RowsDiffer)?;
            let pred = naming.resolve((Some(actor), Some(counter)), below)?;
            if preds.last().is_some_and(|last| *last >= pred) {
                return Err(DoorRefusal::PredsNotSorted);
            }
            preds.push(pred);
        }
        Ok(preds)
    }
}
