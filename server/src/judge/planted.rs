//! A change that brings down whoever judges it, planted for tests: never active unless the environment's
//! `GAITWAY_JUDGING_FAULT` names one; docs/operations.md lists them.

use chart::facts::Facts;
use chart::ids::ChangeHash;
use hub::{Case, Judgement};
use session_note::admission::Submitted;
use session_note::admit::Outcome;

/// What happens in a child process; the server itself always aborts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The process aborts.
    Abort,
    /// It never comes to an end.
    Hang,
    /// It takes all the memory it can get.
    Eat,
    /// The process aborts when it computes a report, and judges without harm.
    ReckonAbort,
    /// It never comes to an end when it computes a report, and judges without harm.
    ReckonHang,
    /// The gate rejects the first such change, and what says the same later passes.
    RejectOnce,
}

/// Changes that hold these bytes bring down the process that judges them.
#[derive(Clone, Debug, Default)]
pub struct Planted(Option<(Kind, Vec<u8>)>);

impl Planted {
    /// Reads `<kind>:<text>`; an empty text plants nothing.
    ///
    /// # Errors
    /// One sentence when it cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let kinds = [
            ("abort", Kind::Abort),
            ("hang", Kind::Hang),
            ("eat", Kind::Eat),
            ("reckon-abort", Kind::ReckonAbort),
            ("reckon-hang", Kind::ReckonHang),
            ("reject-once", Kind::RejectOnce),
        ];
        let (name, bytes) = text.split_once(':').unwrap_or((text, ""));
        let kind = kinds.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        match kind.filter(|_| !bytes.is_empty()) {
            Some(kind) => Ok(Self(Some((kind, bytes.as_bytes().to_vec())))),
            None => Err(
                "GAITWAY_JUDGING_FAULT must be abort, hang, eat, reckon-abort, reckon-hang or reject-once \
                         with `:` and a text"
                    .to_owned(),
            ),
        }
    }

    /// What the environment says.
    ///
    /// # Errors
    /// As [`Planted::parse`].
    pub fn from_environment() -> Result<Self, String> {
        Self::parse(&std::env::var("GAITWAY_JUDGING_FAULT").unwrap_or_default())
    }

    /// Whether something is planted at all.
    pub fn is_planted(&self) -> bool {
        self.0.is_some()
    }

    fn hits(&self, case: &Case) -> Option<Kind> {
        let deadly = |kind: &Kind| !matches!(kind, Kind::ReckonAbort | Kind::ReckonHang | Kind::RejectOnce);
        let (kind, text) = self.0.as_ref().filter(|(kind, _)| deadly(kind))?;
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_slice());
        case.changes().any(|(_, bytes)| holds(bytes)).then_some(*kind)
    }

    /// In the server.
    pub(super) fn strike(&self, case: &Case) {
        if self.hits(case).is_some() {
            std::process::abort();
        }
    }

    /// Judges a case, by a gate that rejects the one change that is to be rejected once. `rejected` remembers
    /// it.
    pub(super) fn judge(&self, case: Case, rejected: &mut Option<ChangeHash>) -> Judgement {
        let Some((Kind::RejectOnce, text)) = &self.0 else { return case.judge() };
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_slice());
        let first = case.changes().find(|(_, bytes)| holds(bytes)).map(|(hash, _)| hash);
        let Some(hash) = rejected.or(first) else { return case.judge() };
        *rejected = Some(hash);
        case.judge_by(&|note, submitted| {
            let is_it = |one: &Submitted| one.candidate.sketch().hash == hash;
            let (bad, rest): (Vec<_>, Vec<_>) = submitted.iter().cloned().partition(is_it);
            let mut admission = note.admit(&rest)?;
            let sentence = "a planted fault does not take it".to_owned();
            let outcome = Outcome::Rejected { code: 399, sentence };
            admission.outcomes.extend(bad.iter().map(|_| (hash, outcome.clone())));
            Ok(admission)
        })
    }

    /// In whoever computes a report, the server or a child.
    pub(super) fn strike_reckoning(&self, facts: &Facts) {
        let Some((kind @ (Kind::ReckonAbort | Kind::ReckonHang), text)) = &self.0 else { return };
        let holds =
            |written: &String| written.as_bytes().windows(text.len()).any(|part| part == text.as_slice());
        if facts.note.text.values().any(holds) {
            match kind {
                Kind::ReckonHang => loop {
                    std::hint::spin_loop();
                },
                _ => std::process::abort(),
            }
        }
    }

    /// In a child.
    pub(super) fn strike_apart(&self, case: &Case) {
        match self.hits(case) {
            None | Some(Kind::ReckonAbort | Kind::ReckonHang | Kind::RejectOnce) => {}
            Some(Kind::Abort) => std::process::abort(),
            Some(Kind::Hang) => loop {
                std::thread::sleep(std::time::Duration::from_secs(1));
            },
            Some(Kind::Eat) => {
                let mut taken: Vec<Vec<u8>> = Vec::new();
                loop {
                    taken.push(vec![1; 16 << 20]);
                    std::hint::black_box(&taken);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_what_happens_and_a_text() {
        assert!(Planted::parse("").unwrap().0.is_none());
        assert_eq!(Planted::parse("hang:a:b").unwrap().0, Some((Kind::Hang, b"a:b".to_vec())));
        for text in ["abort", "abort:", "burn:x", ":x"] {
            let sentence = Planted::parse(text).unwrap_err();
            assert!(sentence.contains("GAITWAY_JUDGING_FAULT"), "{sentence}");
        }
    }
}
