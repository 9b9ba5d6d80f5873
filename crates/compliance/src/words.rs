//! Finding words in a note: whole words, without regard to case or punctuation.
//!
//! Word lists are data; this module only matches. It never stores or logs what it reads.

/// Names of the word lists the checks read; loading a rulebook without one of them fails.
pub(crate) const LISTS_READ: &[&str] = &[
    "re-education-elements",
    "elements-beyond-stretching",
    "re-education-techniques",
    "named-activities",
    "stop-phrases",
    "massage-words",
    "strength-words",
    "stretch-words",
    "facilitation-words",
    "purpose-devices",
    "gait-words",
    "function-words",
    "daily-living-words",
    "manual-words",
    "dose-words",
    "cue-words",
    "skill-words",
    "stock-responses",
    "usual-populations",
    "usual-population-diagnoses",
    "deficit-words",
    "task-words",
    "modifier-order",
    "visit-codes",
    "separate-visit-modifiers",
    "telehealth-places",
    "video-modifiers",
    "audio-modifiers",
    "presentations",
    "decisions",
    "diagnoses-of-seven-characters",
    "kinds-of-amendments",
];

/// A text as its words in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// Splits a text at everything that is neither letter nor digit.
    pub(crate) fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        Self(
            lower
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }
    /// Whether there is no word at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The words with single spaces between them.
    pub(crate) fn joined(&self) -> String {
        self.0.join(" ")
    }
    /// How many phrases of the list occur.
    pub(crate) fn count(&self, list: &[String]) -> usize {
        list.iter().filter(|phrase| self.has(phrase)).count()
    }
    /// Whether any phrase of the list occurs.
    pub(crate) fn any(&self, list: &[String]) -> bool {
        list.iter().any(|phrase| self.has(phrase))
    }
    /// Whether the text is nothing but one of the phrases.
    pub(crate) fn is_one_of(&self, list: &[String]) -> bool {
        let whole = self.joined();
        list.iter().any(|phrase| Self::of(phrase).joined() == whole)
    }
    /// Whether a phrase occurs; a word ending in `*` matches every word beginning so.
    pub(crate) fn has(&self, phrase: &str) -> bool {
        let parts: Vec<String> = phrase.split_whitespace().map(str::to_lowercase).collect();
        if parts.is_empty() {
            return false;
        }
        self.0.windows(parts.len()).any(|window| {
            window.iter().zip(&parts).all(|(word, part)| match part.strip_suffix('*') {
                Some(stem) => word.starts_with(stem),
                None => word == part,
            })
        })
    }
}

/// Whether a diagnosis code begins with one of the prefixes, dots aside.
pub(crate) fn diagnosis_in(code: &str, prefixes: &[String]) -> bool {
    let plain = |text: &str| text.replace('.', "").trim().to_ascii_uppercase();
    let code = plain(code);
    prefixes.iter().any(|prefix| code.starts_with(&plain(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, phrase: &str) -> bool {
        Words::of(text).has(phrase)
    }

    #[test]
    fn words_match_whole_and_stems_match_beginnings() {
        assert!(has("Single-leg stance, eyes closed", "single leg"));
        assert!(has("balancing on foam", "balanc*"));
        assert!(!has("imbalanced", "balanc*"));
        assert!(!has("prompt", "rom"));
        assert!(!has("", "rom"));
    }

    #[test]
    fn diagnoses_match_by_prefix_without_the_dot() {
        assert!(diagnosis_in("I69.354", &["I69".to_owned()]));
        assert!(diagnosis_in("g563", &["G56.3".to_owned()]));
        assert!(!diagnosis_in("M54.5", &["I69".to_owned()]));
    }
}
