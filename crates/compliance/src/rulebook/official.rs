//! The official quarterly files of pairs and daily limits, read into this rulebook's own form.
//!
//! Reads the plain text or comma-separated files as they are published; keeps the rows of known codes that
//! hold in the quarter; drops the published rationale. Downloads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use chart::code::ServiceCode;
use chrono::{Datelike, Days, NaiveDate};

use super::Rulebook;

/// A calendar quarter, such as `2025q1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarter {
    from: NaiveDate,
    until: NaiveDate,
}

impl Quarter {
    /// Reads `2025q1`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, quarter) = text.trim().split_once(['q', 'Q'])?;
        let (year, quarter): (i32, u32) = (year.parse().ok()?, quarter.parse().ok()?);
        if !(1..=4).contains(&quarter) || !(1996..=2200).contains(&year) {
            return None;
        }
        let from = NaiveDate::from_ymd_opt(year, quarter * 3 - 2, 1)?;
        let after = if quarter == 4 {
            NaiveDate::from_ymd_opt(year + 1, 1, 1)
        } else {
            from.with_month(quarter * 3 + 1)
        };
        Some(Self { from, until: after?.checked_sub_days(Days::new(1))? })
    }

    fn name(self) -> String {
        format!("{}q{}", self.from.year(), self.from.month().div_ceil(3))
    }
}

/// Which of the two official tables a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Pairs of codes.
    Pairs,
    /// Daily limits.
    Limits,
}

/// A file in this rulebook's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The name it is to have among the rule files.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Which table it was.
    pub table: Table,
    /// Rows of the official file.
    pub rows: usize,
    /// Rows kept: of known codes, in force in the quarter.
    pub kept: usize,
}

/// Why an official file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {sentence}")]
pub struct OfficialError {
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, in one sentence.
    pub sentence: String,
}

fn wrong(line: usize, sentence: impl Into<String>) -> OfficialError {
    OfficialError { line, sentence: sentence.into() }
}

/// Reads an official file of a quarter for a setting (`practitioner` or `hospital`).
///
/// # Errors
/// The line at fault and what is wrong with it.
pub fn convert(
    text: &str,
    setting: &str,
    quarter: Quarter,
    book: &Rulebook,
) -> Result<Converted, OfficialError> {
    let rows = rows(text)?;
    let table = match rows.first() {
        None => return Err(wrong(0, "there is no row of two codes, nor of a code and a number")),
        Some((_, fields)) if fields.get(1).is_some_and(|field| code(field).is_some()) => Table::Pairs,
        Some(_) => Table::Limits,
    };
    let (text, kept) = match table {
        Table::Pairs => pairs(&rows, setting, quarter, book)?,
        Table::Limits => limits(&rows, setting, quarter, book)?,
    };
    let file = format!("{}_{setting}_{}.toml", prefix(table), quarter.name());
    Ok(Converted { file, text, table, rows: rows.len(), kept })
}

fn prefix(table: Table) -> &'static str {
    match table {
        Table::Pairs => "ncci",
        Table::Limits => "mue",
    }
}

fn code(text: &str) -> Option<ServiceCode> {
    ServiceCode::parse(text.trim()).ok()
}

type Row = (usize, Vec<String>);

/// The rows of data: from the first that begins with a code and has something after it. What stands before
/// is the publisher's notice; after it every line that is not blank must be a row.
fn rows(text: &str) -> Result<Vec<Row>, OfficialError> {
    let mut found: Vec<Row> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let fields = fields(line);
        let filled = fields.iter().filter(|field| !field.is_empty()).count();
        let begins = fields.first().is_some_and(|field| code(field).is_some());
        let data = begins && fields.get(1).is_some_and(|f| code(f).is_some() || f.parse::<u32>().is_ok());
        match (data, filled, found.is_empty()) {
            (true, ..) => found.push((index + 1, fields)),
            (false, 0, _) | (false, _, true) => {}
            (false, _, false) => return Err(wrong(index + 1, "this is no row of the table")),
        }
    }
    Ok(found)
}

/// The fields of a line: parted by tabs, else by commas outside quotation marks.
fn fields(line: &str) -> Vec<String> {
    if line.contains('\t') {
        return line.split('\t').map(|field| field.trim().trim_matches('"').trim().to_owned()).collect();
    }
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(last) = fields.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

fn day(line: usize, text: &str) -> Result<NaiveDate, OfficialError> {
    let read = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8);
    read.ok_or_else(|| wrong(line, format!("`{}` is no day such as 20250101", brief(text))))
}

fn brief(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Codes bundled by one code over one time: those a modifier may open, and those nothing opens.
type Bundled = (BTreeSet<ServiceCode>, BTreeSet<ServiceCode>);

fn pairs(
    rows: &[Row],
    setting: &str,
    quarter: Quarter,
    book: &Rulebook,
) -> Result<(String, usize), OfficialError> {
    let mut groups: BTreeMap<(ServiceCode, NaiveDate, Option<NaiveDate>), Bundled> = BTreeMap::new();
    let mut kept = 0;
    for (line, fields) in rows {
        let of = |index: usize| fields.get(index).map_or("", String::as_str);
        let (Some(first), Some(second)) = (code(of(0)), code(of(1))) else {
            return Err(wrong(*line, "a pair must begin with two codes"));
        };
        let from = day(*line, of(3))?;
        let until = match of(4) {
            "*" | "" => None,
            text => Some(day(*line, text)?),
        };
        let opens = match of(5) {
            "0" => Some(false),
            "1" => Some(true),
            // The indicator does not apply: the edit was taken back from its first day on.
            "9" => None,
            other => return Err(wrong(*line, format!("`{}` is no modifier indicator", brief(other)))),
        };
        let known = book.code(&first).is_some() && book.code(&second).is_some();
        let holds = from <= quarter.until && until.is_none_or(|until| until >= quarter.from && until > from);
        if let (Some(opens), true, true) = (opens, known, holds) {
            let group = groups.entry((first, from, until)).or_default();
            if opens { &mut group.0 } else { &mut group.1 }.insert(second);
            kept += 1;
        }
    }
    let key = format!("ncci-{setting}-{}", quarter.name());
    let mut text = head(Table::Pairs, setting, quarter, &key, "edition");
    for ((first, from, until), (modifier, never)) in groups {
        let until = until.map_or(String::new(), |until| format!("until = \"{until}\"\n"));
        let _ = write!(
            text,
            "\n[[pair]]\nfirst = \"{first}\"\nfrom = \"{from}\"\n{until}modifier = {}\nnever = {}\nsource = \"{key}\"\n",
            list(&modifier),
            list(&never)
        );
    }
    Ok((text, kept))
}

fn list(codes: &BTreeSet<ServiceCode>) -> String {
    let codes: Vec<String> = codes.iter().map(|code| format!("\"{code}\"")).collect();
    format!("[{}]", codes.join(", "))
}

fn limits(
    rows: &[Row],
    setting: &str,
    quarter: Quarter,
    book: &Rulebook,
) -> Result<(String, usize), OfficialError> {
    let key = format!("mue-{setting}-{}", quarter.name());
    let mut text = head(Table::Limits, setting, quarter, &key, "limit_edition");
    let mut seen = BTreeSet::new();
    for (line, fields) in rows {
        let of = |index: usize| fields.get(index).map_or("", String::as_str);
        let (Some(number), Ok(units)) = (code(of(0)), of(1).parse::<u32>()) else {
            return Err(wrong(*line, "a limit must begin with a code and a number of units"));
        };
        let indicator: u8 = match of(2).chars().next().and_then(|c| c.to_digit(10)) {
            Some(digit @ 1..=3) => u8::try_from(digit).unwrap_or(0),
            _ => return Err(wrong(*line, format!("`{}` is no adjudication indicator", brief(of(2))))),
        };
        if book.code(&number).is_none() {
            continue;
        }
        if !seen.insert(number.clone()) {
            return Err(wrong(*line, format!("the limit of {number} stands twice")));
        }
        let _ = write!(
            text,
            "\n[[limit]]\ncode = \"{number}\"\nunits = {units}\nindicator = {indicator}\nfrom = \"{}\"\nsource = \"{key}\"\n",
            quarter.from
        );
    }
    Ok((text, seen.len()))
}

fn head(table: Table, setting: &str, quarter: Quarter, key: &str, edition: &str) -> String {
    let what = match table {
        Table::Pairs => "procedure-to-procedure edits",
        Table::Limits => "medically unlikely edits",
    };
    let (name, from, until) = (quarter.name(), quarter.from, quarter.until);
    format!(
        "# Made by `gaitway rules load` from the official file; rows of codes this rulebook knows.\n\
         overrides = true\n\n\
         [[source]]\nkey = \"{key}\"\ntext = \"CMS NCCI {what}, {setting} table of {name}\"\nread = \"read\"\n\n\
         [[{edition}]]\nsetting = \"{setting}\"\nname = \"{name}\"\nfrom = \"{from}\"\nuntil = \"{until}\"\n\
         source = \"{key}\"\n"
    )
}
