//! `rules`: what the rulebook holds, whether it is whole, what it covers; and loading official quarters.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chart::code::ServiceCode;
use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use compliance::Rulebook;
use compliance::rulebook::Coverage;
use compliance::rulebook::catalogue::{Rule, catalogue, lint};
use compliance::rulebook::official::{Converted, File, Quarter, Table, convert};
use serde_json::json;

use super::outcome::{Failure, Outcome, failed, say, show};
use crate::datadir::DataDir;
use crate::nearest::did_you_mean;
use crate::opening::{rule_files, rulebook};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Lists every finding and every other row of the rules, with its first day and its source
    List(List),
    /// Shows one row whole
    Show(Show),
    /// Checks that every row has a start date and a citation; changes nothing
    Lint(Which),
    /// Says for each payer and code what the rules know and what they do not
    Coverage(Covered),
    /// Reads official quarterly files (pairs or daily limits) into a directory of rule files
    Load(Load),
}

/// Which rules are asked.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// A directory of rule files beside the built-in ones
    #[arg(long)]
    rules: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this table, such as finding, payer or code
    #[arg(long)]
    table: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The row's id, as `rules list` prints it
    id: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Covered {
    /// Only this payer
    #[arg(long)]
    payer: Option<String>,
    /// Only this code
    #[arg(long, value_parser = ServiceCode::parse)]
    code: Option<ServiceCode>,
    /// On this date of service; the first day of the built-in edition if not said
    #[arg(long)]
    date: Option<NaiveDate>,
    /// By the tables of this setting
    #[arg(long, value_enum, default_value_t = Setting::Practitioner)]
    setting: Setting,
    #[command(flatten)]
    which: Which,
}

/// Whose official tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Setting {
    /// Practitioners
    Practitioner,
    /// Outpatient hospitals
    Hospital,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Practitioner => "practitioner",
            Self::Hospital => "hospital",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Official files, as they are published: tab- or comma-separated text; all parts of a table at once
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The quarter the files are of, such as 2025q1
    #[arg(long)]
    quarter: String,
    /// Whose tables the files are
    #[arg(long, value_enum)]
    setting: Setting,
    /// The directory to write to; `rules` in the clinic's directory if not said
    #[arg(long)]
    to: Option<PathBuf>,
    /// The clinic's directory
    #[arg(long, env = "GAITWAY_DATA", default_value = ".")]
    data: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn rules(command: RulesCommand) -> Outcome {
    match command {
        RulesCommand::List(args) => list(&args),
        RulesCommand::Show(args) => shown(&args),
        RulesCommand::Lint(which) => linted(&which),
        RulesCommand::Coverage(args) => coverage(&args),
        RulesCommand::Load(args) => load(&args),
    }
}

/// The rows of a rulebook that loads.
fn rows(which: &Which) -> Result<Vec<Rule>, Failure> {
    rulebook(which.rules.as_deref()).map_err(failed)?;
    let files = rule_files(which.rules.as_deref()).map_err(failed)?;
    Ok(catalogue(&borrowed(&files)))
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn list(args: &List) -> Outcome {
    let mut rows = rows(&args.which)?;
    if let Some(table) = &args.table {
        let tables: Vec<String> = rows.iter().map(|row| row.table.clone()).collect();
        rows.retain(|row| row.table == *table);
        if rows.is_empty() {
            let hint = did_you_mean(table, tables.iter().map(String::as_str));
            return Err(failed(format!("there is no table `{table}`{hint}")));
        }
    }
    show(args.which.json, &rows, || {
        let line = |row: &Rule| {
            let weight = row.severity.as_ref().map_or(String::new(), |weight| format!("  {weight}"));
            let from = row.from.as_deref().unwrap_or("-");
            format!("{}{weight}  since {from}  {}\n", row.id, row.sources.join("; "))
        };
        rows.iter().map(line).collect()
    })
}

fn shown(args: &Show) -> Outcome {
    let rows = rows(&args.which)?;
    let Some(row) = rows.iter().find(|row| row.id == args.id) else {
        let hint = did_you_mean(&args.id, rows.iter().map(|row| row.id.as_str()));
        return Err(failed(format!("there is no rule `{}`{hint}; `gaitway rules list` names them", args.id)));
    };
    show(args.which.json, row, || {
        let mut text = format!("{} ({}, table {})\n", row.id, row.file, row.table);
        for (name, value) in &row.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!("  {name}: {value}\n"));
        }
        for source in &row.sources {
            text.push_str(&format!("  cites: {source}\n"));
        }
        text
    })
}

fn linted(which: &Which) -> Outcome {
    let files = rule_files(which.rules.as_deref()).map_err(failed)?;
    let complaints = lint(&borrowed(&files));
    let loads = rulebook(which.rules.as_deref()).map_err(|error| error.to_string());
    let rows = catalogue(&borrowed(&files)).len();
    let value = json!({
        "rows": rows, "complaints": complaints, "loads": loads.is_ok(), "error": loads.as_ref().err(),
    });
    show(which.json, &value, || {
        let mut text: String =
            complaints.iter().map(|one| format!("{}: {}: {}\n", one.file, one.row, one.sentence)).collect();
        if let Err(error) = &loads {
            text.push_str(&format!("{error}\n"));
        }
        text.push_str(&format!("{rows} rows, {} complaints\n", complaints.len()));
        text
    })?;
    Ok(if complaints.is_empty() && loads.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn coverage(args: &Covered) -> Outcome {
    let book = rulebook(args.which.rules.as_deref()).map_err(failed)?;
    if let Some(payer) = args.payer.as_deref().filter(|payer| book.payer(payer).is_none()) {
        let known: Vec<&str> = book.payers().map(|payer| payer.id.as_str()).collect();
        return Err(failed(format!(
            "there is no payer `{payer}`{}; known are {}",
            did_you_mean(payer, known.iter().copied()),
            known.join(", ")
        )));
    }
    let date = args.date.unwrap_or(book.edition_from());
    let rows = book.coverage(date, args.setting.name(), args.payer.as_deref(), args.code.as_ref());
    if rows.is_empty() {
        return Err(failed("that code is in no table of this rulebook"));
    }
    show(args.which.json, &rows, || rows.iter().map(|row| covered(&book, row)).collect())
}

fn covered(book: &Rulebook, row: &Coverage) -> String {
    let rule =
        row.unit_rule.and_then(|rule| book.unit_rule_words(rule)).map_or("no rule set", |words| words.0);
    let taken = match (&row.instead, row.payable) {
        (_, true) => "taken".to_owned(),
        (Some(code), false) => format!("not taken, {code} instead"),
        (None, false) => "not taken".to_owned(),
    };
    let limit = row.limit.map_or_else(|| "no limit".to_owned(), |units| format!("{units} a day"));
    let policies = if row.policies.is_empty() {
        String::new()
    } else {
        format!(", policies {}", row.policies.join(" "))
    };
    let gaps: String = row.gaps.iter().map(|gap| format!("    {gap}\n")).collect();
    format!("{} {}: {taken}, {rule}, {limit}, {} pairs{policies}\n{gaps}", row.payer, row.code, row.pairs)
}

fn load(args: &Load) -> Outcome {
    let Some(quarter) = Quarter::parse(&args.quarter) else {
        return Err(Failure::Usage(format!("`{}` is no quarter such as 2025q1", args.quarter)));
    };
    let to = match &args.to {
        Some(to) => to.clone(),
        None => {
            let data = DataDir::new(&args.data);
            data.must_exist().map_err(failed)?;
            data.rules()
        }
    };
    let book = Rulebook::builtin().map_err(failed)?;
    let mut read: Vec<(String, Vec<u8>)> = Vec::new();
    for file in &args.files {
        let name = file.display();
        let bytes = std::fs::read(file).map_err(|error| failed(format!("{name} cannot be read: {error}")))?;
        let name =
            file.file_name().map_or_else(|| name.to_string(), |name| name.to_string_lossy().into_owned());
        read.push((name, bytes));
    }
    let files: Vec<File<'_>> = read.iter().map(|(name, bytes)| File { name, bytes }).collect();
    let made = convert(&files, args.setting.name(), quarter, &book).map_err(failed)?;
    if let Some(none) = made.iter().find(|one| one.kept == 0) {
        return Err(failed(format!("{} would hold no row of a known code in {}", none.file, args.quarter)));
    }
    write(&to, &made)?;
    let value: Vec<_> = made
        .iter()
        .map(|one| {
            let table = if one.table == Table::Pairs { "pairs" } else { "limits" };
            json!({
                "file": to.join(&one.file), "table": table, "rows": one.rows, "kept": one.kept,
                "doubts": one.doubts,
            })
        })
        .collect();
    show(args.json, &value, || {
        let mut text: String = made
            .iter()
            .map(|one| format!("{}: {} of {} rows\n", to.join(&one.file).display(), one.kept, one.rows))
            .collect();
        for doubt in made.iter().flat_map(|one| &one.doubts) {
            text.push_str(&format!("Look again: {doubt}\n"));
        }
        text.push_str("A server or tablet reads them when it is started again.\n");
        text
    })
}

/// Writes the files only if the rulebook is whole with them beside what the directory holds already.
fn write(to: &Path, made: &[Converted]) -> Result<(), Failure> {
    let held = if to.is_dir() && has_rules(to) { rule_files(Some(to)).map_err(failed)? } else { Vec::new() };
    let mut all: Vec<(&str, &str)> = borrowed(&held);
    all.retain(|(name, _)| made.iter().all(|one| one.file != *name));
    all.extend(made.iter().map(|one| (one.file.as_str(), one.text.as_str())));
    Rulebook::builtin_with(&all).map_err(failed)?;
    let io = |error: std::io::Error| failed(format!("{} cannot be written: {error}", to.display()));
    std::fs::create_dir_all(to).map_err(io)?;
    for one in made {
        // A server that starts meanwhile reads the old file or the new one, never half of one.
        let beside = to.join(format!("{}.new", one.file));
        std::fs::write(&beside, &one.text).map_err(io)?;
        std::fs::rename(&beside, to.join(&one.file)).map_err(io)?;
    }
    Ok(())
}

fn has_rules(dir: &Path) -> bool {
    let files = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    files.into_iter().any(|entry| entry.path().extension().is_some_and(|end| end == "toml"))
}

/// Prints a page.
pub(super) fn page(text: &str) -> Result<(), Failure> {
    say(text.trim_end())
}
