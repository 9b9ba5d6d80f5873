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
    text: String,
    /// Where each word begins and ends in the text, in its order.
    words: Vec<(usize, usize)>,
    /// Their places, by the words' order: lists are long, and every activity is asked for all of them.
    sorted: Vec<usize>,
}

impl Words {
    /// Splits a text at everything that is neither letter nor digit.
    pub(crate) fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let words = places(&text);
        let mut sorted: Vec<usize> = (0..words.len()).collect();
        let word = |place: &usize| words.get(*place).and_then(|(from, to)| text.get(*from..*to));
        sorted.sort_unstable_by(|a, b| word(a).cmp(&word(b)).then(a.cmp(b)));
        Self { text, words, sorted }
    }
    /// A word by its place.
    fn word(&self, place: usize) -> &str {
        self.words.get(place).and_then(|(from, to)| self.text.get(*from..*to)).unwrap_or("")
    }
    fn all(&self) -> impl Iterator<Item = &str> + Clone {
        (0..self.words.len()).map(|place| self.word(place))
    }
    /// Whether there is no word at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
    /// The words with single spaces between them.
    pub(crate) fn joined(&self) -> String {
        self.all().collect::<Vec<_>>().join(" ")
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
        list.iter().any(|phrase| parts(&phrase.to_lowercase()).eq(self.all()))
    }
    /// Whether a phrase occurs; a word ending in `*` matches every word beginning so.
    pub(crate) fn has(&self, phrase: &str) -> bool {
        let lowered = phrase.chars().any(char::is_uppercase).then(|| phrase.to_lowercase());
        let mut parts = lowered.as_deref().unwrap_or(phrase).split_whitespace();
        let Some(first) = parts.next() else { return false };
        self.places(first).any(|place| {
            let mut following = place..self.words.len();
            following.next();
            parts.clone().all(|part| following.next().is_some_and(|next| matches(self.word(next), part)))
        })
    }

    /// Where a word stands in the text.
    fn places(&self, part: &str) -> impl Iterator<Item = usize> {
        let stem = part.strip_suffix('*').unwrap_or(part);
        let from = self.sorted.partition_point(|place| self.word(*place) < stem);
        let rest = self.sorted.get(from..).unwrap_or(&[]).iter();
        rest.take_while(move |place| matches(self.word(**place), part)).copied()
    }
}

/// Where each word of a text begins and ends.
fn places(text: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut begun = None;
    for (at, letter) in text.char_indices() {
        match (letter.is_alphanumeric(), begun) {
            (true, None) => begun = Some(at),
            (false, Some(from)) => {
                words.push((from, at));
                begun = None;
            }
            _ => {}
        }
    }
    words.extend(begun.map(|from| (from, text.len())));
    words
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
