//! Collecting findings: a check names its text and its values, the rulebook gives the words.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{DocumentId, SegmentId};
use chart::report::{Certainty, Finding, Severity};

use crate::rulebook::Rulebook;

/// A finding being written down.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    check: String,
    values: BTreeMap<String, String>,
    segments: BTreeSet<SegmentId>,
    documents: BTreeSet<DocumentId>,
    otherwise: bool,
}

/// Begins a finding of a check.
pub(crate) fn finding(check: &str) -> Draft {
    Draft {
        check: check.to_owned(),
        values: BTreeMap::new(),
        segments: BTreeSet::new(),
        documents: BTreeSet::new(),
        otherwise: false,
    }
}

impl Draft {
    /// Adds a value it used; `{name}` in the text stands for it.
    pub(crate) fn value(mut self, name: &str, value: impl ToString) -> Self {
        self.values.insert(name.to_owned(), value.to_string());
        self
    }
    /// Adds a segment it is about.
    pub(crate) fn segment(mut self, segment: SegmentId) -> Self {
        self.segments.insert(segment);
        self
    }
    /// Adds a note it is about.
    pub(crate) fn document(mut self, document: DocumentId) -> Self {
        self.documents.insert(document);
        self
    }
    /// Adds notes it is about.
    pub(crate) fn documents(mut self, documents: impl IntoIterator<Item = DocumentId>) -> Self {
        self.documents.extend(documents);
        self
    }
    /// Takes the text's other weight if the case its `when` tells is given.
    pub(crate) fn otherwise_if(mut self, case: bool) -> Self {
        self.otherwise = case;
        self
    }
}

/// The findings of one settled view.
#[derive(Debug)]
pub(crate) struct Findings<'b> {
    book: &'b Rulebook,
    /// What was found so far.
    pub(crate) list: Vec<Finding>,
}

impl<'b> Findings<'b> {
    pub(crate) fn new(book: &'b Rulebook) -> Self {
        Self { book, list: Vec::new() }
    }

    /// Writes a finding down with the words of the rulebook.
    pub(crate) fn push(&mut self, draft: Draft) {
        // Loading checks that every check has a text; the fallback keeps this total.
        let Some(text) = self.book.findings.get(&draft.check) else {
            self.list.push(Finding {
                id: draft.check,
                severity: Severity::Blocker,
                certainty: Certainty::InAll,
                message: "The rulebook has no text for this finding.".to_owned(),
                remedy: "Load a complete rulebook.".to_owned(),
                source: String::new(),
                values: draft.values,
                segments: draft.segments,
                documents: draft.documents,
            });
            return;
        };
        let severity = if draft.otherwise { text.otherwise.unwrap_or(text.severity) } else { text.severity };
        self.list.push(Finding {
            id: text.id.clone(),
            severity,
            certainty: Certainty::InAll,
            message: filled(&text.message, &draft.values),
            remedy: filled(&text.remedy, &draft.values),
            source: format!("{} (rule of {})", self.book.source(&text.source), text.from),
            values: draft.values,
            segments: draft.segments,
            documents: draft.documents,
        });
    }
}

/// The text with its placeholders filled; one without a value reads as "unknown".
fn filled(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(values.get(name).map_or("unknown", String::as_str));
        rest = tail;
    }
    out.push_str(rest);
    out
}
