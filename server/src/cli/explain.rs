//! `explain`: a note's units, bill and findings as sentences to be read aloud.

use std::path::PathBuf;
use std::process::ExitCode;

use chart::ids::DocumentId;
use chart::report::Published;
use clap::Args;
use compliance::assess::read_visit;
use compliance::{bills_by_choice, explain as told, recompute};
use serde_json::json;

use super::outcome::{Failure, Outcome, failed, say};
use super::rules::page;
use super::server::Server;
use crate::opening::rulebook;

/// Explains a note's report.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The note's id on a running server (with a supervisor's or auditor's token in --token), or a file that
    /// holds a visit as JSON
    note: String,
    /// A directory of rule files beside the built-in ones
    #[arg(long)]
    rules: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(crate) fn explain(args: &Explain) -> Outcome {
    let book = rulebook(args.rules.as_deref()).map_err(failed)?;
    let (report, choices) = match DocumentId::parse(&args.note) {
        Ok(id) => {
            let path = format!("/v1/review/notes/{id}/report");
            let published: Published = args.server.client()?.get(&path).map_err(failed)?;
            (published.report, Vec::new())
        }
        Err(_) => {
            let text = std::fs::read_to_string(&args.note).map_err(|error| {
                failed(format!("`{}` is neither a note's id nor a file that can be read: {error}", args.note))
            })?;
            // A file may be laid out over many lines.
            let facts = read_visit(&text)
                .map_err(|(_, sentence)| Failure::Failed(format!("{}: {sentence}", args.note)))?;
            (recompute(&facts, &book), bills_by_choice(&facts, &book))
        }
    };
    let text = told(&report, &book, &choices);
    if args.server.json {
        say(serde_json::to_string_pretty(&json!({"text": text, "report": report, "choices": choices}))
            .map_err(failed)?)?;
    } else {
        page(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}
