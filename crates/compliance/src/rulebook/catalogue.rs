//! Every row of the rule files by an id, as plain data: for listing, showing and checking them.
//!
//! Works on the files' text, not on the rows the engine reads, so that no table can be left out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Map, Value};

/// One row of the rule files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// The finding's id, or the table and what names the row in it, such as `setting/gap_minutes_max`.
    pub id: String,
    /// The table.
    pub table: String,
    /// The file.
    pub file: String,
    /// How much a finding weighs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The first day it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The sources it cites, in words.
    pub sources: Vec<String>,
    /// Everything the row says.
    pub fields: Map<String, Value>,
}

/// Something wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Complaint {
    /// The file.
    pub file: String,
    /// The row's id.
    pub row: String,
    /// What is wrong, in one sentence.
    pub sentence: String,
}

/// The table of sources: the only rows that hold without a day and cite nothing.
const SOURCES: &str = "source";
/// The fields that name a row, in the order they are put together.
const NAMING: &[&str] = &[
    "setting",
    "payer",
    "family",
    "kind",
    "id",
    "key",
    "number",
    "code",
    "name",
    "discipline",
    "first",
    "year",
];

/// Every row of the files, in order of id; where a row of the same id takes another's place, the last.
///
/// Files must be those of a rulebook that loads; what cannot be read as a table is passed over.
pub fn catalogue(files: &[(&str, &str)]) -> Vec<Rule> {
    let rows = rows(files);
    let texts: BTreeMap<String, String> = rows
        .iter()
        .filter(|row| row.table == SOURCES)
        .filter_map(|row| Some((text(&row.fields, "key")?, text(&row.fields, "text")?)))
        .collect();
    let mut found: BTreeMap<String, Rule> = BTreeMap::new();
    for mut row in rows {
        row.sources =
            text(&row.fields, "source").and_then(|key| texts.get(&key).cloned()).into_iter().collect();
        found.insert(row.id.clone(), row);
    }
    found.into_values().collect()
}

/// What is wrong with the rows: no start date, no citation, a citation of nothing, a source nobody cites.
pub fn lint(files: &[(&str, &str)]) -> Vec<Complaint> {
    let rows = rows(files);
    let keys: BTreeSet<String> =
        rows.iter().filter(|row| row.table == SOURCES).filter_map(|row| text(&row.fields, "key")).collect();
    let mut cited: BTreeSet<String> = rows.iter().filter_map(|row| text(&row.fields, "source")).collect();
    cited.extend(
        files
            .iter()
            .filter_map(|(_, text)| whole(text))
            .filter_map(|file| file.get(SOURCES).and_then(Value::as_str).map(str::to_owned)),
    );
    let mut complaints = BTreeSet::new();
    for row in &rows {
        let mut complain = |sentence: String| {
            complaints.insert(Complaint { file: row.file.clone(), row: row.id.clone(), sentence });
        };
        if row.table == SOURCES {
            let key = text(&row.fields, "key").unwrap_or_default();
            if !cited.contains(&key) {
                complain("nobody cites this source".to_owned());
            }
            if text(&row.fields, "read").is_none_or(|read| read.is_empty()) {
                complain("it does not say whether the passage was read".to_owned());
            }
            continue;
        }
        match &row.from {
            None => complain("it has no start date".to_owned()),
            Some(from) if from.parse::<NaiveDate>().is_err() => complain(format!("`{from}` is no date")),
            Some(_) => {}
        }
        match text(&row.fields, "source") {
            None => complain("it cites no source".to_owned()),
            Some(key) if !keys.contains(&key) => complain(format!("it cites `{key}`, which is no source")),
            Some(_) => {}
        }
    }
    complaints.into_iter().collect()
}

fn whole(text: &str) -> Option<Map<String, Value>> {
    let table: toml::Table = toml::from_str(text).ok()?;
    match serde_json::to_value(table).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// The rows of all files, those that override last.
fn rows(files: &[(&str, &str)]) -> Vec<Rule> {
    let mut parsed: Vec<(&str, Map<String, Value>)> =
        files.iter().filter_map(|(name, text)| Some((*name, whole(text)?))).collect();
    parsed
        .sort_by_key(|(name, file)| (file.get("overrides") == Some(&Value::Bool(true)), (*name).to_owned()));
    let mut found = Vec::new();
    for (file, content) in parsed {
        // Rows of a quarter's table are named by their quarter too.
        let quarter = ["edition", "limit_edition"].iter().find_map(|table| {
            let edition = content.get(*table)?.get(0)?.as_object()?;
            Some(format!("{}/{}", text(edition, "setting")?, text(edition, "name")?))
        });
        collect(file, "", &content, quarter.as_deref(), &mut found);
    }
    found
}

fn collect(
    file: &str,
    above: &str,
    content: &Map<String, Value>,
    quarter: Option<&str>,
    found: &mut Vec<Rule>,
) {
    for (table, value) in content {
        let table = if above.is_empty() { table.clone() } else { format!("{above}.{table}") };
        match value {
            Value::Array(rows) if rows.iter().all(Value::is_object) => {
                let rows = rows.iter().filter_map(Value::as_object);
                found.extend(rows.map(|fields| rule(file, &table, fields, quarter)));
            }
            Value::Object(inner) => collect(file, &table, inner, quarter, found),
            _ => {}
        }
    }
}

fn rule(file: &str, table: &str, fields: &Map<String, Value>, quarter: Option<&str>) -> Rule {
    let id = match (table, text(fields, "id")) {
        ("finding", Some(id)) => id,
        _ => {
            let mut parts = vec![table.to_owned()];
            if matches!(table, "pair" | "limit") {
                parts.extend(quarter.map(str::to_owned));
            }
            parts.extend(NAMING.iter().filter_map(|name| plain(fields.get(*name)?)));
            parts.extend(text(fields, "from").filter(|_| by_date(table, parts.len())));
            parts.join("/")
        }
    };
    Rule {
        id,
        table: table.to_owned(),
        file: file.to_owned(),
        severity: text(fields, "severity"),
        from: text(fields, "from"),
        sources: Vec::new(),
        fields: fields.clone(),
    }
}

/// Whether rows of a table come in versions that only their first day tells apart.
fn by_date(table: &str, named: usize) -> bool {
    named == 1 || matches!(table, "pair" | "assistant_split" | "conversion" | "deadline")
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}
