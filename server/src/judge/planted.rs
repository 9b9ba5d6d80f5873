//! A change that brings down whoever judges it, planted for tests: never active unless the environment's
//! `GAITWAY_JUDGING_FAULT` names one; docs/operations.md lists them.

use chart::facts::Facts;
use hub::Case;

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
        ];
        let (name, bytes) = text.split_once(':').unwrap_or((text, ""));
        let kind = kinds.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        match kind.filter(|_| !bytes.is_empty()) {
            Some(kind) => Ok(Self(Some((kind, bytes.as_bytes().to_vec())))),
            None => Err("GAITWAY_JUDGING_FAULT must be abort, hang, eat or reckon-abort with `:` and a text"
                .to_owned()),
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
        let (kind, text) = self.0.as_ref().filter(|(kind, _)| *kind != Kind::ReckonAbort)?;
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_slice());
        case.changes().any(|(_, bytes)| holds(bytes)).then_some(*kind)
    }

    /// In the server.
    pub(super) fn strike(&self, case: &Case) {
        if self.hits(case).is_some() {
            std::process::abort();
        }
    }

    /// In whoever computes a report, the server or a child.
    pub(super) fn strike_reckoning(&self, facts: &Facts) {
        let Some((Kind::ReckonAbort, text)) = &self.0 else { return };
        let holds =
            |written: &String| written.as_bytes().windows(text.len()).any(|part| part == text.as_slice());
        if facts.note.text.values().any(holds) {
            std::process::abort();
        }
    }

    /// In a child.
    pub(super) fn strike_apart(&self, case: &Case) {
        match self.hits(case) {
            None | Some(Kind::ReckonAbort) => {}
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
