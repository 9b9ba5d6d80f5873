//! Words and marks of Rust code, each with its line. Comments and literals must be blanked before.

/// A word, the mark `::`, or any other single mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An identifier, a keyword or a number.
    Word(String),
    /// `::`.
    Colons,
    /// Any other mark.
    Mark(char),
}

impl Token {
    /// Whether it is this word.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }
    /// Whether it is this mark.
    pub fn is_mark(&self, mark: char) -> bool {
        *self == Self::Mark(mark)
    }
    /// The word, if it is one.
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Colons | Self::Mark(_) => None,
        }
    }
}

/// A token and the line it stands on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The token.
    pub token: Token,
    /// Its line.
    pub line: usize,
}

/// Splits code into tokens.
pub fn tokens(code: &str) -> Vec<Placed> {
    let mut found = Vec::new();
    let mut chars = code.chars().peekable();
    let mut line = 1;
    while let Some(char) = chars.next() {
        if char == '\n' {
            line += 1;
        }
        if char.is_whitespace() {
            continue;
        }
        let token = if char.is_alphanumeric() || char == '_' {
            let mut word = String::from(char);
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            Token::Word(word)
        } else if char == ':' && chars.next_if_eq(&':').is_some() {
            Token::Colons
        } else {
            Token::Mark(char)
        };
        found.push(Placed { token, line });
    }
    found
}

/// Lines on which these tokens stand in a row, written with spaces between them: `. unwrap ( )`.
pub fn lines_with(tokens: &[Placed], pattern: &str) -> Vec<usize> {
    let wanted: Vec<Token> = pattern.split(' ').flat_map(self::tokens).map(|placed| placed.token).collect();
    tokens
        .windows(wanted.len().max(1))
        .filter(|window| window.iter().map(|placed| &placed.token).eq(wanted.iter()))
        .filter_map(|window| window.first().map(|placed| placed.line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_over_line_ends() {
        let code = tokens("a\n    .b()\n    .unwrap\n(\n)");
        assert_eq!(lines_with(&code, ". unwrap ( )"), [3]);
        assert_eq!(lines_with(&code, ". unwrap_or ( )"), [0; 0]);
    }

    #[test]
    fn two_colons_are_one_token_and_one_colon_another() {
        let words: Vec<Token> = tokens("a::b:c").into_iter().map(|placed| placed.token).collect();
        assert_eq!(words.get(1), Some(&Token::Colons));
        assert_eq!(words.get(3), Some(&Token::Mark(':')));
    }
}
