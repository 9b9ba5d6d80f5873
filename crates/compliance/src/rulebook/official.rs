//! The official quarterly files of pairs and daily limits, read into this rulebook's own form.
//!
//! Reads the plain text or comma-separated files as they are published, pairs in several parts; keeps the rows of
//! known codes that hold in the quarter; drops the published rationale. Downloads nothing.

mod naming;
mod quarter;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use chart::code::ServiceCode;
use chrono::NaiveDate;

use super::Rulebook;
use naming::Said;
pub use quarter::Quarter;
use reading::{Row, code, number, read};

/// Which of the two official tables a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Pairs of codes.
    Pairs,
    /// Daily limits.
    Limits,
}

/// One official file.
#[derive(Clone, Copy, Debug)]
pub struct File<'f> {
    /// Its name without directories: the publisher's names say whose table of which quarter it is.
    pub name: &'f str,
    /// Its bytes as they are published.
    pub bytes: &'f [u8],
}

/// A table in this rulebook's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The name it is to have among the rule files.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Which table it was.
    pub table: Table,
    /// Rows of the official files.
    pub rows: usize,
    /// Rows kept: of known codes, in force in the quarter.
    pub kept: usize,
    /// What somebody should look at, each in one sentence.
    pub doubts: Vec<String>,
}

/// Why an official file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct OfficialError {
    /// The file's name.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, in one sentence.
    pub sentence: String,
}

impl fmt::Display for OfficialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.sentence),
            line => write!(f, "{}, line {line}: {}", self.file, self.sentence),
        }
    }
}

/// A line at fault with its sentence, before the file's name is known.
type Fault = (usize, String);

fn wrong(line: usize, sentence: impl Into<String>) -> Fault {
    (line, sentence.into())
}

/// Reads official files of a quarter for a setting (`practitioner` or `hospital`): parts of one table
/// become one.
///
/// # Errors
/// The file and line at fault and what is wrong with it.
pub fn convert(
    files: &[File<'_>],
    setting: &str,
    quarter: Quarter,
    book: &Rulebook,
) -> Result<Vec<Converted>, OfficialError> {
    let mut pairs = Pairs::default();
    let mut limits = Limits::default();
    for file in files {
        let named = |(line, sentence)| OfficialError { file: file.name.to_owned(), line, sentence };
        let text = reading::decode(file.bytes).map_err(|sentence| named((0, sentence)))?;
        let (table, rows) = rows(file.name, &text, setting, quarter).map_err(named)?;
        match table {
            Table::Pairs => pairs.add(&rows, quarter, book).map_err(named)?,
            Table::Limits => limits.add(&rows, book).map_err(named)?,
        }
    }
    let file = |table| format!("{}_{setting}_{}.toml", prefix(table), quarter.name());
    let mut made = Vec::new();
    if pairs.rows > 0 {
        let text = pairs.text(setting, quarter);
        let doubts = pairs.doubts(setting, book);
        let Pairs { rows, kept, .. } = pairs;
        made.push(Converted { file: file(Table::Pairs), text, table: Table::Pairs, rows, kept, doubts });
    }
    if limits.rows > 0 {
        let text = limits.text(setting, quarter);
        let Limits { rows, found } = limits;
        let (file, kept) = (file(Table::Limits), found.len());
        made.push(Converted { file, text, table: Table::Limits, rows, kept, doubts: Vec::new() });
    }
    Ok(made)
}

/// The rows of a file and which table they are of, if name and heads say nothing else than was asked.
fn rows(name: &str, text: &str, setting: &str, quarter: Quarter) -> Result<(Table, Vec<Row>), Fault> {
    let read = read(text);
    let said = Said::of(name, &read.heads);
    if let Some(whose) = said.setting.filter(|whose| *whose != setting) {
        return Err(wrong(0, format!("this is the table for {whose}, not for {setting}")));
    }
    if let Some(other) = said.quarter.filter(|other| *other != quarter) {
        let (other, asked) = (other.name(), quarter.name());
        return Err(wrong(0, format!("by its name this is the table of {other}, not of {asked}")));
    }
    let Some((_, first)) = read.rows.first() else {
        return Err(wrong(0, "there is no row of two codes, nor of a code and a number"));
    };
    if let Some(line) = read.unclosed {
        return Err(wrong(line, "a quotation mark is never closed"));
    }
    if let Some(line) = read.stray {
        return Err(wrong(line, "this is no row of the table"));
    }
    let pairs = first.get(1).is_some_and(|field| code(field).is_some());
    Ok((if pairs { Table::Pairs } else { Table::Limits }, read.rows))
}

fn prefix(table: Table) -> &'static str {
    match table {
        Table::Pairs => "ncci",
        Table::Limits => "mue",
    }
}

fn day(line: usize, text: &str) -> Result<NaiveDate, Fault> {
    let read = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8);
    read.ok_or_else(|| wrong(line, format!("`{}` is no day such as 20250101", brief(text))))
}

fn brief(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Codes bundled by one code over one time: those a modifier may open, and those nothing opens.
type Bundled = (BTreeSet<ServiceCode>, BTreeSet<ServiceCode>);

/// The pairs of one table, from all its parts.
#[derive(Default)]
struct Pairs {
    groups: BTreeMap<(ServiceCode, NaiveDate, Option<NaiveDate>), Bundled>,
    rows: usize,
    kept: usize,
}

impl Pairs {
    fn add(&mut self, rows: &[Row], quarter: Quarter, book: &Rulebook) -> Result<(), Fault> {
        self.rows += rows.len();
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
            let opens = match of(5).chars().next() {
                Some('0') => Some(false),
                Some('1') => Some(true),
                // The indicator does not apply: the edit was taken back from its first day on.
                Some('9') => None,
                _ => return Err(wrong(*line, format!("`{}` is no modifier indicator", brief(of(5))))),
            };
            let known = book.code(&first).is_some() && book.code(&second).is_some();
            let holds =
                from <= quarter.until && until.is_none_or(|until| until >= quarter.from && until > from);
            if let (Some(opens), true, true) = (opens, known, holds) {
                let group = self.groups.entry((first, from, until)).or_default();
                let added = if opens { &mut group.0 } else { &mut group.1 }.insert(second);
                self.kept += usize::from(added);
            }
        }
        Ok(())
    }

    fn text(&self, setting: &str, quarter: Quarter) -> String {
        let key = format!("ncci-{setting}-{}", quarter.name());
        let mut text = head(Table::Pairs, setting, quarter, &key, "edition");
        for ((first, from, until), (modifier, never)) in &self.groups {
            let until = until.map_or(String::new(), |until| format!("until = \"{until}\"\n"));
            let _ = write!(
                text,
                "\n[[pair]]\nfirst = \"{first}\"\nfrom = \"{from}\"\n{until}modifier = {}\nnever = {}\nsource = \"{key}\"\n",
                list(modifier),
                list(never)
            );
        }
        text
    }

    /// Pairs are published in several parts: far fewer than the built-in quarter holds means that some
    /// were forgotten.
    fn doubts(&self, setting: &str, book: &Rulebook) -> Vec<String> {
        let built_in = book.pair_table(setting, Some(book.edition_from())).map_or(0, |table| {
            table.rows.values().flatten().map(|row| row.modifier.len() + row.never.len()).sum::<usize>()
        });
        let few = self.kept.saturating_mul(2) < built_in;
        let sentence = format!(
            "{} pairs of known codes, where the built-in quarter has {built_in}: are these all parts of the table?",
            self.kept
        );
        few.then_some(sentence).into_iter().collect()
    }
}

/// The daily limits of one table.
#[derive(Default)]
struct Limits {
    found: BTreeMap<ServiceCode, (u32, u8)>,
    rows: usize,
}

impl Limits {
    fn add(&mut self, rows: &[Row], book: &Rulebook) -> Result<(), Fault> {
        self.rows += rows.len();
        for (line, fields) in rows {
            let of = |index: usize| fields.get(index).map_or("", String::as_str);
            let (Some(code), Some(units)) = (code(of(0)), number(of(1))) else {
                return Err(wrong(*line, "a limit must begin with a code and a number of units"));
            };
            let indicator: u8 = match of(2).chars().next().and_then(|c| c.to_digit(10)) {
                Some(digit @ 1..=3) => u8::try_from(digit).unwrap_or(0),
                _ => return Err(wrong(*line, format!("`{}` is no adjudication indicator", brief(of(2))))),
            };
            if book.code(&code).is_some() && self.found.insert(code.clone(), (units, indicator)).is_some() {
                return Err(wrong(*line, format!("the limit of {code} stands twice")));
            }
        }
        Ok(())
    }

    fn text(&self, setting: &str, quarter: Quarter) -> String {
        let key = format!("mue-{setting}-{}", quarter.name());
        let mut text = head(Table::Limits, setting, quarter, &key, "limit_edition");
        for (code, (units, indicator)) in &self.found {
            let from = quarter.from;
            let _ = write!(
                text,
                "\n[[limit]]\ncode = \"{code}\"\nunits = {units}\nindicator = {indicator}\nfrom = \"{from}\"\nsource = \"{key}\"\n",
            );
        }
        text
    }
}

fn list(codes: &BTreeSet<ServiceCode>) -> String {
    let codes: Vec<String> = codes.iter().map(|code| format!("\"{code}\"")).collect();
    format!("[{}]", codes.join(", "))
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
