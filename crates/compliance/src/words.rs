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
pub(crate) struct Words {
    /// In the order of the text.
    words: Vec<String>,
    /// Their places, by the words' order: lists are long, and every activity is asked for all of them.
    sorted: Vec<usize>,
}

impl Words {
    /// Splits a text at everything that is neither letter nor digit.
    pub(crate) fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words: Vec<String> = parts(&lower).map(str::to_owned).collect();
        let mut sorted: Vec<usize> = (0..words.len()).collect();
        sorted.sort_by_key(|place| words.get(*place));
        Self { words, sorted }
    }
    /// Whether there is no word at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
    /// The words with single spaces between them.
    pub(crate) fn joined(&self) -> String {
        self.words.join(" ")
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
        list.iter().any(|phrase| parts(&phrase.to_lowercase()).eq(self.words.iter().map(String::as_str)))
    }
    /// Whether a phrase occurs; a word ending in `*` matches every word beginning so.
    pub(crate) fn has(&self, phrase: &str) -> bool {
        let lowered = phrase.chars().any(char::is_uppercase).then(|| phrase.to_lowercase());
        let mut parts = lowered.as_deref().unwrap_or(phrase).split_whitespace();
        let Some(first) = parts.next() else { return false };
        self.places(first).any(|place| {
            let mut following = self.words.get(place + 1..).unwrap_or(&[]).iter();
            parts.clone().all(|part| following.next().is_some_and(|word| matches(word, part)))
        })
    }

    /// Where a word stands in the text.
    fn places(&self, part: &str) -> impl Iterator<Item = usize> {
        let stem = part.strip_suffix('*').unwrap_or(part);
        let word = |place: &usize| self.words.get(*place).map_or("", String::as_str);
        let from = self.sorted.partition_point(|place| word(place) < stem);
        let rest = self.sorted.get(from..).unwrap_or(&[]).iter();
        rest.take_while(move |place| matches(word(place), part)).copied()
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn matches(word: &str, part: &str) -> bool {
    match part.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == part,
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
