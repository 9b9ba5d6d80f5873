//! What one Rust file says of modules: which it declares, which names it imports, defines and mentions.
//!
//! Reads tokens, follows no file and resolves no name.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::{Placed, Token, tokens};

/// What one module says. The key it is found under is its place inside the file: empty for the file
/// itself, the names of inline modules otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Names it imports.
    pub uses: Vec<Use>,
    /// Paths in its code that are no imports.
    pub mentions: Vec<Mention>,
    /// Names it defines.
    pub defines: BTreeSet<String>,
    /// Modules it declares with a file of their own: `mod x;`.
    pub declares: BTreeSet<String>,
}

/// One name of a `use` declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The path as written.
    pub path: Vec<String>,
    /// The name it gets; `None` for `*`.
    pub name: Option<String>,
    /// `pub use`, of whatever reach.
    pub public: bool,
    /// Its line.
    pub line: usize,
}

/// A path in code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The path as written.
    pub path: Vec<String>,
    /// Its line.
    pub line: usize,
}

/// Reads a file whose comments and literals are blanked.
pub fn read(code: &str) -> BTreeMap<Vec<String>, Said> {
    let mut reading = Reading { said: BTreeMap::new(), at: Vec::new(), opened: Vec::new() };
    reading.here();
    reading.go(&tokens(code));
    reading.said
}

const DEFINING: [&str; 10] =
    ["fn", "struct", "enum", "trait", "type", "const", "static", "union", "macro_rules", "mod"];

/// One pass over the tokens of one file.
struct Reading {
    said: BTreeMap<Vec<String>, Said>,
    at: Vec<String>,
    /// For every open brace, whether an inline module began with it.
    opened: Vec<bool>,
}

impl Reading {
    fn here(&mut self) -> &mut Said {
        self.said.entry(self.at.clone()).or_default()
    }

    fn go(&mut self, all: &[Placed]) {
        let mut place = 0;
        while let Some(current) = all.get(place) {
            place = match &current.token {
                Token::Word(word) => self.word(all, place, word),
                Token::Mark('{') => {
                    self.opened.push(false);
                    place + 1
                }
                Token::Mark('}') => {
                    if self.opened.pop() == Some(true) {
                        self.at.pop();
                    }
                    place + 1
                }
                Token::Colons | Token::Mark(_) => place + 1,
            };
        }
    }

    /// Reads what begins with a word; answers the place after it.
    fn word(&mut self, all: &[Placed], place: usize, word: &str) -> usize {
        let token = |ahead: usize| all.get(place + ahead).map(|placed| &placed.token);
        if word == "use" {
            let public = is_public(all.get(..place).unwrap_or_default());
            return use_tree(all, place + 1, &[], public, &mut self.here().uses);
        }
        if DEFINING.contains(&word) {
            let ahead = if token(1) == Some(&Token::Mark('!')) { 2 } else { 1 };
            let name = token(ahead).and_then(Token::word).map(str::to_owned);
            self.here().defines.extend(name.clone());
            match (word, token(2), name) {
                ("mod", Some(Token::Mark('{')), Some(name)) => {
                    self.at.push(name);
                    self.here();
                    self.opened.push(true);
                    return place + 3;
                }
                ("mod", Some(Token::Mark(';')), Some(name)) => {
                    self.here().declares.insert(name);
                    return place + 3;
                }
                _ => {}
            }
        }
        let before = place.checked_sub(1).and_then(|before| all.get(before)).map(|placed| &placed.token);
        let begins = !before.is_some_and(|token| *token == Token::Colons || token.is("in"));
        let line = all.get(place).map_or(0, |placed| placed.line);
        let (path, after) = chain(all, place);
        if path.len() > 1 && begins {
            self.here().mentions.push(Mention { path, line });
        }
        after
    }
}

/// Whether what stands before a `use` makes it public: `pub` or `pub(...)`.
fn is_public(before: &[Placed]) -> bool {
    match before.last().map(|placed| &placed.token) {
        Some(Token::Mark(')')) => {
            let open = before.iter().rposition(|placed| placed.token.is_mark('('));
            let word = open.and_then(|open| open.checked_sub(1)).and_then(|place| before.get(place));
            word.is_some_and(|placed| placed.token.is("pub"))
        }
        Some(token) => token.is("pub"),
        None => false,
    }
}

/// `a::b::c` from `start`, and the place after it.
fn chain(all: &[Placed], start: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    let mut place = start;
    while let Some(word) = all.get(place).and_then(|placed| placed.token.word()) {
        path.push(word.to_owned());
        place += 1;
        let more = all.get(place).is_some_and(|placed| placed.token == Token::Colons)
            && all.get(place + 1).is_some_and(|placed| placed.token.word().is_some());
        if !more {
            break;
        }
        place += 1;
    }
    (path, place)
}

/// Reads a use tree at `place`; answers the place after it.
fn use_tree(all: &[Placed], start: usize, prefix: &[String], public: bool, found: &mut Vec<Use>) -> usize {
    let token = |place: usize| all.get(place).map(|placed| &placed.token);
    let line = all.get(start).map_or(0, |placed| placed.line);
    let mut path = prefix.to_vec();
    let mut place = start;
    loop {
        match token(place) {
            Some(Token::Colons) => place += 1,
            Some(Token::Word(word)) if word == "as" => {
                let name = token(place + 1).and_then(Token::word).map(str::to_owned);
                found.push(Use { path, name, public, line });
                return place + 2;
            }
            Some(Token::Word(word)) => {
                if word != "self" || path.is_empty() {
                    path.push(word.clone());
                }
                place += 1;
            }
            Some(Token::Mark('*')) => {
                found.push(Use { path, name: None, public, line });
                return place + 1;
            }
            Some(Token::Mark('{')) => {
                place += 1;
                while token(place).is_some_and(|token| !token.is_mark('}')) {
                    let after = use_tree(all, place, &path, public, found);
                    place = after.max(place + usize::from(after == place));
                    if token(place).is_some_and(|token| token.is_mark(',')) {
                        place += 1;
                    }
                }
                return place + 1;
            }
            _ => {
                if path.len() > prefix.len() || (!path.is_empty() && place > start) {
                    let name = path.last().cloned();
                    found.push(Use { path, name, public, line });
                }
                return place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_uses(code: &str, expected: &[&str]) {
        let shown: Vec<String> = read(code)
            .values()
            .flat_map(|said| &said.uses)
            .map(|import| format!("{}={}", import.name.as_deref().unwrap_or("*"), import.path.join("::")))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn use_trees_are_read_to_their_leaves() {
        check_uses("use a::b;", &["b=a::b"]);
        check_uses(
            "use a::{b, c::{d, e as f}, g::*, self};",
            &["b=a::b", "d=a::c::d", "f=a::c::e", "*=a::g", "a=a"],
        );
        check_uses("use self::a::B; use super::C;", &["B=self::a::B", "C=super::C"]);
        check_uses("use ::a::b; use a::{};", &["b=a::b"]);
        check_uses("use a::{b", &["b=a::b"]);
    }

    #[test]
    fn inline_modules_speak_for_themselves() {
        let said = read("mod a { use super::b; mod c; fn f() { x::y(); } } mod d; struct S;");
        let inline = said.get(&vec!["a".to_owned()]).unwrap();
        assert_eq!((inline.uses.len(), inline.mentions.len()), (1, 1));
        assert!(inline.declares.contains("c"));
        let file = said.get(&Vec::new()).unwrap();
        assert!(file.declares.contains("d") && file.defines.contains("S") && file.uses.is_empty());
    }

    #[test]
    fn only_whole_paths_are_mentions() {
        let said = read("fn f() { <T as A>::b::c(); crate::d::e(); pub(in crate::g) x; }");
        let paths: Vec<String> =
            said.values().flat_map(|said| &said.mentions).map(|m| m.path.join("::")).collect();
        assert_eq!(paths, ["crate::d::e"]);
    }
}
