//! The columns of a change chunk, read with a budget of rows that is checked before a run is
//! expanded, and taken only in the one form the document engine itself writes.
//!
//! Why canonical: after saving, the engine rebuilds every change from its operations and compares
//! hashes. Two spellings of one column would make a document that saves and never loads again.

use super::cursor::Cursor;
use super::refusal::DoorRefusal;

/// The column data of one change, by column; an absent column is empty.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) object_actor: &'a [u8],
    pub(super) object_counter: &'a [u8],
    pub(super) key_actor: &'a [u8],
    pub(super) key_counter: &'a [u8],
    pub(super) key_text: &'a [u8],
    pub(super) insert: &'a [u8],
    pub(super) action: &'a [u8],
    pub(super) value_meta: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) pred_count: &'a [u8],
    pub(super) pred_actor: &'a [u8],
    pub(super) pred_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    /// Reads the column list and cuts the data by it; what follows the data stays in the cursor.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DoorRefusal> {
        let count = cursor.unsigned()?;
        if count > 12 {
            return Err(DoorRefusal::BadColumn);
        }
        let mut listed = Vec::new();
        let mut last = None;
        for _ in 0..count {
            let (spec, length) = (cursor.unsigned()?, cursor.unsigned()?);
            if length == 0 || last.is_some_and(|last| last >= spec) {
                return Err(DoorRefusal::BadColumn);
            }
            last = Some(spec);
            listed.push((spec, length));
        }
        let mut columns = Self::default();
        for (spec, length) in listed {
            let data = cursor.take(length)?;
            // A specification is id << 4 | deflated << 3 | type.
            *match spec {
                0x01 => &mut columns.object_actor,
                0x02 => &mut columns.object_counter,
                0x11 => &mut columns.key_actor,
                0x13 => &mut columns.key_counter,
                0x15 => &mut columns.key_text,
                0x34 => &mut columns.insert,
                0x42 => &mut columns.action,
                0x56 => &mut columns.value_meta,
                0x57 => &mut columns.value,
                0x70 => &mut columns.pred_count,
                0x71 => &mut columns.pred_actor,
                0x73 => &mut columns.pred_counter,
                _ => return Err(DoorRefusal::BadColumn),
            } = data;
        }
        Ok(columns)
    }
}

/// A value that a run-length column can hold.
pub(super) trait Cell<'a>: Copy + PartialEq {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DoorRefusal>;
}

impl Cell<'_> for u64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, DoorRefusal> {
        cursor.unsigned()
    }
}

impl Cell<'_> for i64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, DoorRefusal> {
        cursor.signed()
    }
}

impl<'a> Cell<'a> for &'a str {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DoorRefusal> {
        cursor.text()
    }
}

/// What the stretch before ended with, for the rule that no stretch could have been longer.
#[derive(PartialEq)]
enum Last<T> {
    Nothing,
    Nulls,
    Run(T),
    Literals(T),
}

/// A run-length column of at most `rows_max` rows.
pub(super) fn run_lengths<'a, T: Cell<'a>>(
    bytes: &'a [u8],
    rows_max: u64,
) -> Result<Vec<Option<T>>, DoorRefusal> {
    let mut cursor = Cursor::new(bytes);
    let mut rows = Vec::new();
    let mut last = Last::Nothing;
    while !cursor.is_empty() {
        let head = cursor.signed()?;
        let length = if head == 0 { cursor.unsigned()? } else { head.unsigned_abs() };
        let left = rows_max.saturating_sub(rows.len() as u64);
        if length > left {
            return Err(DoorRefusal::RowsDiffer);
        }
        last = match head {
            0 => {
                if length == 0 || last == Last::Nulls {
                    return Err(DoorRefusal::NotCanonical);
                }
                rows.extend((0..length).map(|_| None));
                Last::Nulls
            }
            1.. => {
                let value = T::read(&mut cursor)?;
                if length == 1 || last == Last::Run(value) || last == Last::Literals(value) {
                    return Err(DoorRefusal::NotCanonical);
                }
                rows.extend((0..length).map(|_| Some(value)));
                Last::Run(value)
            }
            _ => {
                if matches!(last, Last::Literals(_)) {
                    return Err(DoorRefusal::NotCanonical);
                }
                let mut before = if let Last::Run(value) = last { Some(value) } else { None };
                for _ in 0..length {
                    let value = T::read(&mut cursor)?;
                    if before == Some(value) {
                        return Err(DoorRefusal::NotCanonical);
                    }
                    before = Some(value);
                    rows.push(before);
                }
                before.map_or(Last::Nothing, Last::Literals)
            }
        };
    }
    Ok(rows)
}

/// A run-length column that is either absent, all nulls, or has exactly `rows` rows, not all null.
pub(super) fn optional<'a, T: Cell<'a>>(bytes: &'a [u8], rows: u64) -> Result<Vec<Option<T>>, DoorRefusal> {
    if bytes.is_empty() {
        return Ok((0..rows).map(|_| None).collect());
    }
    let cells = run_lengths(bytes, rows)?;
    if cells.len() as u64 != rows {
        return Err(DoorRefusal::RowsDiffer);
    }
    if cells.iter().all(Option::is_none) {
        return Err(DoorRefusal::NotCanonical);
    }
    Ok(cells)
}

/// A run-length column without nulls of exactly `rows` rows.
pub(super) fn required<'a, T: Cell<'a>>(bytes: &'a [u8], rows: u64) -> Result<Vec<T>, DoorRefusal> {
    let cells: Vec<Option<T>> = run_lengths(bytes, rows)?;
    if cells.len() as u64 != rows {
        return Err(DoorRefusal::RowsDiffer);
    }
    cells.into_iter().map(|cell| cell.ok_or(DoorRefusal::BadOperation)).collect()
}

/// Turns steps into the numbers they lead to; nulls take no step.
pub(super) fn sums(steps: Vec<Option<i64>>) -> Result<Vec<Option<u64>>, DoorRefusal> {
    let mut at = 0i64;
    let mut walk = |step: Option<i64>| {
        let Some(step) = step else { return Ok(None) };
        at = at.checked_add(step).ok_or(DoorRefusal::BadReference)?;
        u64::try_from(at).map(Some).map_err(|_| DoorRefusal::BadReference)
    };
    steps.into_iter().map(&mut walk).collect()
}

/// A column of booleans: lengths of stretches, false first, of exactly `rows` rows.
pub(super) fn booleans(bytes: &[u8], rows: u64) -> Result<Vec<bool>, DoorRefusal> {
    let mut cursor = Cursor::new(bytes);
    let mut cells = Vec::new();
    let mut value = false;
    let mut first = true;
    while !cursor.is_empty() {
        let length = cursor.unsigned()?;
        if length > rows.saturating_sub(cells.len() as u64) {
            return Err(DoorRefusal::RowsDiffer);
        }
        if length == 0 && !first {
            return Err(DoorRefusal::NotCanonical);
        }
        cells.extend((0..length).map(|_| value));
        value = !value;
        first = false;
    }
    if cells.len() as u64 == rows { Ok(cells) } else { Err(DoorRefusal::RowsDiffer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<Vec<Option<u64>>, DoorRefusal>) {
        assert_eq!(run_lengths::<u64>(bytes, 10), expected, "{bytes:?}");
    }

    #[test]
    fn a_column_has_one_spelling() {
        use DoorRefusal::{NotCanonical, RowsDiffer};
        check(&[3, 7], Ok(vec![Some(7); 3]));
        check(&[0x7e, 1, 2], Ok(vec![Some(1), Some(2)]));
        check(&[0, 2, 0x7f, 1], Ok(vec![None, None, Some(1)]));
        check(&[1, 7], Err(NotCanonical));
        check(&[2, 7, 2, 7], Err(NotCanonical));
        check(&[0x7f, 7, 0x7f, 8], Err(NotCanonical));
        check(&[0x7e, 7, 7], Err(NotCanonical));
        check(&[0x7e, 1, 7, 2, 7], Err(NotCanonical));
        check(&[2, 7, 0x7f, 7], Err(NotCanonical));
        check(&[0, 1, 0, 1], Err(NotCanonical));
        check(&[0, 0], Err(NotCanonical));
        check(&[11, 7], Err(RowsDiffer));
    }

    #[test]
    fn a_run_of_millions_is_refused_before_it_is_expanded() {
        let bomb = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x3f, 7];
        check(&bomb, Err(DoorRefusal::RowsDiffer));
    }

    #[test]
    fn booleans_have_one_spelling() {
        assert_eq!(booleans(&[0, 2, 1], 3), Ok(vec![true, true, false]));
        assert_eq!(booleans(&[1, 0, 2], 3), Err(DoorRefusal::NotCanonical));
        assert_eq!(booleans(&[2], 3), Err(DoorRefusal::RowsDiffer));
        assert_eq!(booleans(&[4], 3), Err(DoorRefusal::RowsDiffer));
    }
}
