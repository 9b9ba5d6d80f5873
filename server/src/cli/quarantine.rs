//! Work that was not admitted: lists it, shows the evidence, releases it or has it made again.

use chart::ids::{ChangeHash, DocumentId, PersonId};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::outcome::{Outcome, failed, show};
use super::server::Server;
use crate::api::{Entered, ReleaseInput};

/// Rows looked at for one list.
const ROWS_MAX: usize = 10_000;

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// Lists work that was not admitted, newest first
    List {
        /// Lists what was settled since as well
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Shows one piece of it: whose it is, why it waits, what it builds on; with --json every byte of it
    Show {
        /// Its number in the list
        number: u64,
        #[command(flatten)]
        server: Server,
    },
    /// Releases held changes: they are judged and admitted under their original author
    Release(Decision),
    /// Rejects held changes for good: their tablet makes the work again, under its author and time
    Reject(Decision),
}

/// What a supervisor decides about which work.
#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// The note they belong to
    #[arg(long)]
    document: DocumentId,
    /// A held change; say it again for more. What follows it goes with it
    #[arg(long = "change", required = true, value_parser = ChangeHash::parse)]
    changes: Vec<ChangeHash>,
    /// The supervisor who decides
    #[arg(long)]
    by: PersonId,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Page {
    quarantine: Vec<Value>,
    next: Option<u64>,
}

pub(crate) fn quarantine(command: QuarantineCommand) -> Outcome {
    match command {
        QuarantineCommand::List { all, server } => list(all, &server),
        QuarantineCommand::Show { number, server } => {
            let path = format!("/v1/admin/quarantine/{number}");
            let found: Value = server.client()?.get(&path).map_err(failed)?;
            show(server.json, &found, || shown(&found))
        }
        QuarantineCommand::Release(decision) => decide(decision, "release", "Released."),
        QuarantineCommand::Reject(decision) => {
            decide(decision, "reject", "Rejected. The tablet that made the work makes it again.")
        }
    }
}

fn list(all: bool, server: &Server) -> Outcome {
    let client = server.client()?;
    let (mut rows, mut before, mut seen) = (Vec::new(), String::new(), 0usize);
    loop {
        let path = format!("/v1/admin/quarantine?limit=200{before}");
        let page: Page = client.get(&path).map_err(failed)?;
        seen = seen.saturating_add(page.quarantine.len());
        let open = |row: &Value| all || row.get("open") == Some(&Value::Bool(true));
        rows.extend(page.quarantine.into_iter().filter(open));
        match page.next.filter(|_| seen < ROWS_MAX) {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    show(server.json, &rows, || match rows.is_empty() {
        true => "Nothing is held.".to_owned(),
        false => rows.iter().map(line).collect(),
    })
}

fn decide(decision: Decision, act: &str, done: &str) -> Outcome {
    let Decision { document, changes, by, reason, server } = decision;
    let input = ReleaseInput { document, hashes: changes.into_iter().collect(), by, reason };
    let path = format!("/v1/admin/quarantine/{act}");
    let entered: Entered = server.client()?.post(&path, &input).map_err(failed)?;
    show(server.json, &entered, || done.to_owned())
}

fn text(row: &Value, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "?".to_owned(),
    }
}

fn texts<'v>(row: &'v Value, name: &str) -> impl Iterator<Item = &'v str> {
    row.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn line(row: &Value) -> String {
    let hashes: String = texts(row, "hashes").map(|hash| format!("  --change {hash}\n")).collect();
    format!(
        "{}: {} by {} on tablet {}, received {}: {}\n  --document {}\n{hashes}",
        text(row, "seq"),
        text(row, "outcome"),
        text(row, "person_name"),
        text(row, "device"),
        text(row, "received_at"),
        text(row, "sentence"),
        text(row, "document"),
    )
}

fn shown(row: &Value) -> String {
    let mut lines = line(row);
    let settled = if row.get("open") == Some(&Value::Bool(true)) { "still so" } else { "settled since" };
    lines.push_str(&format!("reason {} ({settled})\n", text(row, "reason")));
    for change in row.get("changes").and_then(Value::as_array).into_iter().flatten() {
        let bytes = text(change, "bytes").len() / 2;
        lines.push_str(&format!(
            "change {}\n  made {}, number {} of {}: {} operations in {bytes} bytes\n",
            text(change, "hash"),
            text(change, "made_at"),
            text(change, "number"),
            text(change, "actor"),
            text(change, "operations"),
        ));
        lines.extend(texts(change, "builds_on").map(|hash| format!("  builds on {hash}\n")));
    }
    lines
}
