//! Commands that need no server: `assess`, `vectors`, `verify`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use compliance::{VectorOutcome, assess_line, run_vectors};
use journal::RealFiles;
use serde_json::json;

use super::outcome::{Failure, Outcome, failed, say, show};
use crate::datadir::DataDir;
use crate::opening::rulebook;

/// Answers JSON lines with units and findings.
#[derive(Debug, Args)]
pub(crate) struct Assess {
    /// A directory of rule files that take the place of built-in ones
    #[arg(long)]
    rules: Option<PathBuf>,
    /// Accepted for uniformity: the output is JSON in any case
    #[arg(long)]
    json: bool,
}

/// Reads every line of the standard input and answers it; a bad line is answered by an error and the next
/// one is read.
pub(crate) fn assess(args: &Assess) -> Outcome {
    let book = rulebook(args.rules.as_deref()).map_err(failed)?;
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let answer = match next_line(&mut input).map_err(failed)? {
            Line::End => break,
            Line::Text(line) if line.trim().is_empty() => continue,
            Line::Text(line) => assess_line(&line, &book),
            Line::TooLong => {
                let sentence = format!("A line may have {} bytes.", compliance::limits::ASSESS_BYTES);
                json!({"error": {"code": "too_large", "sentence": sentence}}).to_string()
            }
            Line::NotText => {
                json!({"error": {"code": "not_utf8", "sentence": "A line must be UTF-8 text."}}).to_string()
            }
        };
        let written = writeln!(output, "{answer}");
        // Whoever asks line by line waits for the answer.
        let flushed = if input.buffer().is_empty() { output.flush() } else { Ok(()) };
        written.and(flushed).map_err(|_| Failure::NobodyListens)?;
    }
    output.flush().map_err(|_| Failure::NobodyListens)?;
    Ok(ExitCode::SUCCESS)
}

enum Line {
    Text(String),
    TooLong,
    NotText,
    End,
}

/// One line, never more than a bounded part of it in memory.
fn next_line(input: &mut impl BufRead) -> std::io::Result<Line> {
    let limit = compliance::limits::ASSESS_BYTES;
    let mut bytes = Vec::new();
    let read = input.by_ref().take(limit as u64 + 2).read_until(b'\n', &mut bytes)?;
    if read == 0 {
        return Ok(Line::End);
    }
    let ended = bytes.last() == Some(&b'\n');
    if ended {
        bytes.pop();
    } else if read > limit {
        input.skip_until(b'\n')?;
    }
    if bytes.len() > limit {
        return Ok(Line::TooLong);
    }
    Ok(String::from_utf8(bytes).map_or(Line::NotText, Line::Text))
}

/// Runs files of worked cases.
#[derive(Debug, Args)]
pub(crate) struct Vectors {
    /// Files of cases, as JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A directory of rule files that take the place of built-in ones
    #[arg(long)]
    rules: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Prints every case that comes out otherwise; fails if there is one, or a file that holds none the engine
/// understands.
pub(crate) fn vectors(args: &Vectors) -> Outcome {
    let book = rulebook(args.rules.as_deref()).map_err(failed)?;
    let mut outcomes = Vec::new();
    for file in &args.files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| failed(format!("{name} cannot be read: {error}")))?;
        outcomes.push(run_vectors(&name, &text, &book));
    }
    let passed: usize = outcomes.iter().map(|outcome| outcome.passed).sum();
    let wrong: usize = outcomes.iter().map(|outcome| outcome.failed.len()).sum();
    if args.json {
        let files: Vec<_> = outcomes.iter().map(as_json).collect();
        say(json!({"files": files, "passed": passed, "failed": wrong}))?;
    } else {
        for outcome in &outcomes {
            print_outcome(outcome)?;
        }
        say(format!("{passed} passed, {wrong} failed"))?;
    }
    let strange =
        outcomes.iter().any(|outcome| !outcome.understood || outcome.passed + outcome.failed.len() == 0);
    Ok(if wrong > 0 || strange { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print_outcome(outcome: &VectorOutcome) -> Result<(), Failure> {
    if !outcome.understood {
        let why = outcome.complaint.as_deref().unwrap_or("nothing was run");
        return say(format!("{}: this file holds no cases that the engine understands: {why}", outcome.name));
    }
    for failure in &outcome.failed {
        say(format!("{}: {}", outcome.name, failure.case))?;
        say(format!("  expected {}", failure.expected))?;
        say(format!("  actual   {}", failure.actual))?;
    }
    Ok(())
}

fn as_json(outcome: &VectorOutcome) -> serde_json::Value {
    let failed: Vec<_> = outcome
        .failed
        .iter()
        .map(|failure| json!({"case": failure.case, "expected": failure.expected, "actual": failure.actual}))
        .collect();
    json!({
        "file": outcome.name, "kind": outcome.kind, "understood": outcome.understood,
        "complaint": outcome.complaint,
        "passed": outcome.passed, "failed": failed,
    })
}

/// Checks a record's chain.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The clinic's directory, or a copy of one
    dir: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Walks the journal from its first entry to its last without any key.
pub(crate) fn verify(args: &Verify) -> Outcome {
    let journal = DataDir::new(&args.dir).record().join("journal");
    let files = RealFiles::existing(&journal)
        .map_err(|error| failed(format!("{} cannot be read: {error}", journal.display())))?;
    let found = journal::verify(&files).map_err(failed)?;
    let (epoch, seq) = found.tip.map_or((0, 0), |tip| (tip.epoch, tip.seq));
    let chain = found.tip.map(|tip| crate::edge::hex(&tip.chain.0)).unwrap_or_default();
    if found.tip.is_none() && found.first_bad.is_none() {
        return Err(failed(format!("{} holds no journal", journal.display())));
    }
    let bad = found
        .first_bad
        .as_ref()
        .map(|bad| json!({"seq": bad.seq, "segment": bad.segment, "offset": bad.offset, "what": bad.what}));
    let sound = bad.is_none();
    let value = json!({"sound": sound, "epoch": epoch, "seq": seq, "chain": chain, "first_bad": bad});
    show(args.json, &value, || match &found.first_bad {
        None => format!("The journal is sound: {seq} entries, epoch {epoch}, chain {chain}."),
        Some(bad) => format!(
            "The journal is sound up to entry {seq}. Entry {} is bad: {} (segment {}, byte {}).",
            bad.seq, bad.what, bad.segment, bad.offset
        ),
    })?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<String> {
        let mut input = BufReader::with_capacity(16, input);
        let mut found = Vec::new();
        loop {
            found.push(match next_line(&mut input).unwrap() {
                Line::End => return found,
                Line::Text(text) => format!("{} bytes", text.len()),
                Line::TooLong => "too long".to_owned(),
                Line::NotText => "not text".to_owned(),
            });
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_whole() {
        let limit = compliance::limits::ASSESS_BYTES;
        let mut input = vec![b'x'; limit];
        input.extend_from_slice(b"\nab\n");
        input.extend(vec![b'y'; limit + 1]);
        input.extend_from_slice(b"\n\xff\n");
        input.extend(vec![b'z'; 3 * limit]);
        input.extend_from_slice(b"\nend");
        let expected = [&format!("{limit} bytes"), "2 bytes", "too long", "not text", "too long", "3 bytes"];
        assert_eq!(lines(&input), expected);
    }
}
