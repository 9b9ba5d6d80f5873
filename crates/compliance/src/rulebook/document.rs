//! The catalogue of findings as a page of documentation.

use std::collections::BTreeMap;
use std::fmt::Write;

use chart::report::Severity;

use super::{FindingText, Rulebook};

impl Rulebook {
    /// Every finding in groups, as Markdown.
    pub fn findings_document(&self) -> String {
        let mut groups: BTreeMap<&str, Vec<&FindingText>> = BTreeMap::new();
        for text in self.findings() {
            groups.entry(&text.group).or_default().push(text);
        }
        let mut page = format!(
            "# Findings\n\nWhat the compliance engine looks for: {} findings, rulebook {}. Made from `rules/findings.toml` \
             by\n`cargo run -p compliance --example findings_document`; a test fails when this page is out of date.\n\n\
             A blocker stops the bill, a warning is what an auditor would ask, advice is good to know. Where two \
             weights stand,\nthe second holds in the case the description names.\n",
            self.findings.len(),
            self.edition()
        );
        for (group, mut texts) in groups {
            texts.sort_by(|a, b| a.id.cmp(&b.id));
            let _ = write!(
                page,
                "\n## {group}\n\n| finding | weight | raised when | what to do | source |\n|---|---|---|---|---|\n"
            );
            for text in texts {
                let weight = match text.otherwise {
                    Some(other) => format!("{} or {}", word(text.severity), word(other)),
                    None => word(text.severity).to_owned(),
                };
                let _ = writeln!(
                    page,
                    "| `{}` | {weight} | {} | {} | {} |",
                    text.id,
                    text.when,
                    text.remedy,
                    self.source(&text.source)
                );
            }
        }
        page
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "blocker",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}
