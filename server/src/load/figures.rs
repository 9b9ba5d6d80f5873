//! What was measured, as a table for people and as JSON for programs.

use std::io::Write;

use serde::Serialize;

use super::clinics::{CatchUp, Clinics, Proof};
use super::floor::Floor;
use super::heavy::Beside;
use super::held::Reconnect;
use super::storm::Storm;

/// Everything measured in one run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) floor: Option<Floor>,
    pub(super) storms: Vec<Storm>,
    pub(super) reconnects: Vec<Reconnect>,
    pub(super) beside: Vec<Beside>,
    pub(super) clinics: Clinics,
}

/// Says what is being done, to whoever waits.
pub(super) fn progress(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "gaitway load: {sentence} …");
}

/// Says why there are no figures.
pub(super) fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "gaitway: {sentence}");
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Figures {
    /// Whether every note was whole in every run, and nothing was held, rejected or refused.
    pub(super) fn is_whole(&self) -> bool {
        self.storms.iter().all(|storm| {
            storm.whole_notes == storm.notes
                && storm.changes_lost == 0
                && (storm.held, storm.rejected, storm.refused) == (0, 0, 0)
        })
    }

    pub(super) fn print(&self, json: bool) {
        let text = if json { serde_json::to_string_pretty(self).unwrap_or_default() } else { self.table() };
        let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    }

    fn table(&self) -> String {
        let mut lines = Vec::new();
        if let Some(floor) = &self.floor {
            lines.push(format!(
                "floor: {} changes of {} bytes; read and hashed {:.3} s; merged {:.3} s; written {:.1} ms; one sync {:.2} ms",
                floor.changes, floor.bytes, floor.hash_s, floor.merge_s, floor.write_ms, floor.sync_ms,
            ));
        }
        self.storm_lines(&mut lines);
        self.kill_lines(&mut lines);
        self.reconnect_lines(&mut lines);
        self.beside_lines(&mut lines);
        self.clinic_lines(&mut lines);
        lines.join("\n")
    }

    fn storm_lines(&self, lines: &mut Vec<String>) {
        let storms: Vec<&Storm> = self.storms.iter().filter(|storm| !storm.killed).collect();
        let Some(last) = storms.last() else { return };
        let middle = |value: fn(&Storm) -> f64| median(storms.iter().map(|storm| value(storm)).collect());
        let (receipts, reports) = (middle(|storm| storm.receipts_ms), middle(|storm| storm.reports_ms));
        let cpu_receipts = middle(|storm| storm.cpu_to_receipts_s);
        let cpu_reports = middle(|storm| storm.cpu_to_reports_s);
        lines.push(format!(
            "S1, median of {}: {} notes, {} changes made offline",
            storms.len(),
            last.notes,
            last.changes
        ));
        lines.push(format!(
            "  every receipt {receipts:.0} ms ({} commits, {cpu_receipts:.2} s CPU); judged and reported {reports:.0} ms ({} commits, {cpu_reports:.2} s CPU)",
            last.commits_to_receipts, last.commits,
        ));
        lines.push(format!(
            "  the supervisor holds everything {:.0} ms; reports after the last receipt {:.0} ms",
            middle(|storm| storm.watcher_ms),
            middle(|storm| storm.reports_ms - storm.receipts_ms),
        ));
        lines.push(format!(
            "  up {:.2} MB in {} frames, down {:.2} MB in {} frames; memory {:.0} MB, at most {:.0} MB",
            last.bytes_up as f64 / 1e6,
            last.frames_up,
            last.bytes_down as f64 / 1e6,
            last.frames_down,
            last.rss_mb,
            last.rss_max_mb,
        ));
        lines.push(format!(
            "  admitted {}, held {}, rejected {}, refused {}; {} reports published; {} of {} notes whole",
            last.admitted,
            last.held,
            last.rejected,
            last.refused,
            last.published,
            last.whole_notes,
            last.notes,
        ));
        if let Some(floor) = &self.floor {
            lines.push(format!(
                "  to the floor: CPU up to the receipts {:.1} × reading and hashing; CPU of the rest {:.1} × the merge",
                cpu_receipts / floor.hash_s,
                (cpu_reports - cpu_receipts) / floor.merge_s,
            ));
        }
    }

    fn kill_lines(&self, lines: &mut Vec<String>) {
        for storm in self.storms.iter().filter(|storm| storm.killed) {
            lines.push(format!(
                "S1k: killed at the last receipt ({:.0} ms), listening again after {:.0} ms: {} of {} notes whole, {} changes lost",
                storm.receipts_ms, storm.restart_ms, storm.whole_notes, storm.notes, storm.changes_lost,
            ));
        }
    }

    fn beside_lines(&self, lines: &mut Vec<String>) {
        if self.beside.is_empty() {
            return;
        }
        let of = |value: fn(&Beside) -> f64| median(self.beside.iter().map(value).collect());
        let moved = |one: &Beside| (one.p95_beside_ms / one.p95_alone_ms - 1.0) * 100.0;
        lines.push(format!(
            "Heavy, median of {}: twelve tablets' edits were safe after {:.1} ms (p50 {:.1}) at p95 alone, {:.1} ms (p50 {:.1}) beside {:.0} changes of heavy notes: p95 moved by {:+.0} %",
            self.beside.len(),
            of(|one| one.p95_alone_ms),
            of(|one| one.p50_alone_ms),
            of(|one| one.p95_beside_ms),
            of(|one| one.p50_beside_ms),
            of(|one| one.heavy_changes as f64),
            of(moved),
        ));
    }

    fn clinic_lines(&self, lines: &mut Vec<String>) {
        lines.extend(self.clinics.proofs.iter().map(Proof::line));
        lines.extend(self.clinics.catching_up.iter().map(CatchUp::line));
    }

    fn reconnect_lines(&self, lines: &mut Vec<String>) {
        let kinds: std::collections::BTreeSet<(usize, bool)> =
            self.reconnects.iter().map(|reconnect| (reconnect.notes, reconnect.cold)).collect();
        for (notes, cold) in kinds {
            let of = |value: fn(&Reconnect) -> f64| {
                let all = self.reconnects.iter().filter(|one| (one.notes, one.cold) == (notes, cold));
                median(all.map(value).collect())
            };
            lines.push(format!(
                "S3, one of {notes} notes changed, {}: {:.1} ms, {:.0} bytes in {:.0} frames, {:.0} ms server CPU",
                if cold { "after a restart" } else { "warm" },
                of(|one| one.ms),
                of(|one| one.bytes as f64),
                of(|one| one.frames as f64),
                of(|one| one.server_cpu_ms),
            ));
        }
    }
}
