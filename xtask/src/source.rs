//! A Rust file as text with its comments, its literals and its test parts told apart.
//!
//! Not a parser: it knows where comments, strings and `#[cfg(test)]` items begin and end, and blanks
//! them with spaces so that lines keep their numbers. It never fails; on text that is no Rust it
//! blanks too little.

use std::collections::BTreeMap;

/// One Rust file, seen three ways. The views have the same number of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Everything, with comments and literals blanked.
    pub code: String,
    /// The same without test parts.
    pub product_code: String,
    /// The text as written, comments and literals included, without test parts.
    pub product_text: String,
    /// The files that `#[path = "..."]` names, by the module it stands before.
    pub named_files: BTreeMap<String, String>,
}

impl Source {
    /// Reads a file.
    pub fn read(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut code = chars.clone();
        for (from, to) in comments_and_literals(&chars) {
            blank(&mut code, from, to);
        }
        let named_files = named_files(&chars, &code);
        let mut product_code = code.clone();
        let mut product_text = chars;
        for (from, to) in test_parts(&code) {
            blank(&mut product_code, from, to);
            blank(&mut product_text, from, to);
        }
        Self {
            code: code.into_iter().collect(),
            product_code: product_code.into_iter().collect(),
            product_text: product_text.into_iter().collect(),
            named_files,
        }
    }
}

/// What stands in the quotes of every `#[path = "..."]` before a `mod x;`, by `x`.
fn named_files(chars: &[char], code: &[char]) -> BTreeMap<String, String> {
    const ATTRIBUTE: [char; 6] = ['#', '[', 'p', 'a', 't', 'h'];
    let mut found = BTreeMap::new();
    for (start, _) in code.windows(ATTRIBUTE.len()).enumerate().filter(|(_, window)| *window == ATTRIBUTE) {
        let from = seek(code, start, |at| code.get(at) == Some(&'"')) + 1;
        let to = seek(code, from, |at| code.get(at) == Some(&'"'));
        let end = seek(code, to, |at| matches!(code.get(at), Some(';' | '{')));
        let declared: String = code.get(to..end).unwrap_or_default().iter().collect();
        let name = declared.rsplit_once("mod ").map(|(_, name)| name.trim().to_owned());
        if let (Some(name), Some(';')) = (name, code.get(end)) {
            found.insert(name, chars.get(from..to).unwrap_or_default().iter().collect());
        }
    }
    found
}

fn blank(chars: &mut [char], from: usize, to: usize) {
    for char in chars.iter_mut().take(to).skip(from) {
        if *char != '\n' {
            *char = ' ';
        }
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The first place at or after `from` where `stop` holds, or the end.
fn seek(chars: &[char], from: usize, stop: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|at| stop(*at)).unwrap_or(chars.len())
}

/// Stretches to blank: whole comments, and what is between the quotes of a literal.
fn comments_and_literals(chars: &[char]) -> Vec<(usize, usize)> {
    let at = |place: usize| chars.get(place).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let mut here = 0;
    while here < chars.len() {
        let starts_word = here == 0 || !is_word(at(here - 1));
        here = match (at(here), at(here + 1)) {
            ('/', '/') => {
                let end = seek(chars, here, |place| at(place) == '\n');
                found.push((here, end));
                end
            }
            ('/', '*') => {
                let end = block_comment_end(chars, here);
                found.push((here, end));
                end
            }
            ('r', '"' | '#') if starts_word => raw_string(chars, here, here + 1, &mut found),
            ('b' | 'c', 'r') if starts_word && matches!(at(here + 2), '"' | '#') => {
                raw_string(chars, here, here + 2, &mut found)
            }
            ('"', _) => {
                let mut end = here + 1;
                while end < chars.len() && at(end) != '"' {
                    end += if at(end) == '\\' { 2 } else { 1 };
                }
                found.push((here + 1, end));
                end + 1
            }
            ('\'', '\\') => {
                let end = seek(chars, here + 3, |place| at(place) == '\'');
                found.push((here + 1, end));
                end + 1
            }
            ('\'', _) if at(here + 2) == '\'' => {
                found.push((here + 1, here + 2));
                here + 3
            }
            _ => here + 1,
        };
    }
    found
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let pair = |place: usize| (chars.get(place).copied(), chars.get(place + 1).copied());
    let (mut here, mut depth) = (start + 2, 1_usize);
    while here < chars.len() && depth > 0 {
        match pair(here) {
            (Some('/'), Some('*')) => (here, depth) = (here + 2, depth + 1),
            (Some('*'), Some('/')) => (here, depth) = (here + 2, depth - 1),
            _ => here += 1,
        }
    }
    here
}

/// `hashes` is where the hashes or the quote begin. A raw identifier is stepped over.
fn raw_string(chars: &[char], start: usize, hashes: usize, found: &mut Vec<(usize, usize)>) -> usize {
    let at = |place: usize| chars.get(place).copied().unwrap_or('\0');
    let quote = seek(chars, hashes, |place| at(place) != '#');
    if at(quote) != '"' {
        return start + 1;
    }
    let count = quote - hashes;
    let end =
        seek(chars, quote + 1, |place| at(place) == '"' && (1..=count).all(|hash| at(place + hash) == '#'));
    found.push((quote + 1, end));
    end + 1 + count
}

/// Stretches of items that only tests see. `code` has its comments and literals blanked.
fn test_parts(code: &[char]) -> Vec<(usize, usize)> {
    let at = |place: usize| code.get(place).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let mut here = 0;
    while here < code.len() {
        let inner = at(here + 1) == '!';
        let bracket = here + 1 + usize::from(inner);
        if at(here) != '#' || at(bracket) != '[' {
            here += 1;
            continue;
        }
        let end = closing(code, bracket);
        let attribute: String =
            code.iter().take(end).skip(bracket + 1).filter(|char| !char.is_whitespace()).collect();
        if !means_test(&attribute) {
            here = end;
        } else if inner {
            return vec![(0, code.len())];
        } else {
            let item_end = item_end(code, end);
            found.push((here, item_end));
            here = item_end;
        }
    }
    found
}

fn means_test(attribute: &str) -> bool {
    let Some(condition) = attribute.strip_prefix("cfg(") else {
        return attribute == "test]";
    };
    let without_negation = condition.replace("not(test)", "");
    without_negation.split(|char: char| !is_word(char)).any(|word| word == "test")
}

/// The place after the bracket that closes the one at `open`.
fn closing(code: &[char], open: usize) -> usize {
    let mut depth = 0_usize;
    for (place, char) in code.iter().enumerate().skip(open) {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return place + 1;
        }
    }
    code.len()
}

/// The place after the item that begins after an attribute: its `;`, its `,` or its closing brace.
fn item_end(code: &[char], attribute_end: usize) -> usize {
    let at = |place: usize| code.get(place).copied().unwrap_or('\0');
    let mut here = seek(code, attribute_end, |place| !at(place).is_whitespace());
    while at(here) == '#' {
        here = closing(code, seek(code, here, |place| at(place) == '['));
        here = seek(code, here, |place| !at(place).is_whitespace());
    }
    let head: String = code.iter().skip(here).take_while(|char| **char != ';' && **char != '{').collect();
    let is_use = head.split_whitespace().any(|word| word == "use");
    while here < code.len() {
        match at(here) {
            ';' | ',' => return here + 1,
            '{' if !is_use => return closing(code, here),
            '(' | '[' | '{' => here = closing(code, here),
            ')' | ']' | '}' => return here,
            _ => here += 1,
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check_code(text: &str, expected: &str) {
        assert_eq!(squeezed(&Source::read(text).code), expected);
    }

    #[track_caller]
    fn check_product(text: &str, expected: &str) {
        assert_eq!(squeezed(&Source::read(text).product_code), expected);
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        check_code("a // b.unwrap()\nc", "a c");
        check_code("a /* b /* c */ d */ e", "a e");
        check_code(r#"f("x\"y", 'z', '\'', '"') g"#, r#"f(" ", ' ', ' ', ' ') g"#);
        check_code(r##"r#"quote " inside"# + br"x" + r#type"##, r##"r#" "# + br" " + r#type"##);
        check_code("fn f<'a>(x: &'a str) -> &'a str { x }", "fn f<'a>(x: &'a str) -> &'a str { x }");
    }

    #[test]
    fn test_parts_are_cut_and_nothing_else() {
        check_product("a; #[cfg(test)] mod tests { fn f() { x(); } } b;", "a; b;");
        check_product("#[cfg(test)] use a::{b, c}; d;", "d;");
        check_product("#[cfg(test)] #[allow(x)] fn f(a: [u8; 2]) { y } z", "z");
        check_product("#[test] fn f() { y } z", "z");
        check_product("#[cfg(any(test, feature = \"f\"))] pub mod suite; z", "z");
        check_product("struct A { #[cfg(test)] f: u8, g: u8 }", "struct A { g: u8 }");
        check_product("#![cfg(test)] fn f() {}", "");
        check_product("#[cfg(not(test))] fn f() {}", "#[cfg(not(test))] fn f() {}");
        check_product("#[cfg(feature = \"test\")] fn f() {}", "#[cfg(feature = \" \")] fn f() {}");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "//! x\n#[cfg(test)]\nmod t {\n}\nlet a = \"1\n2\";\n";
        let source = Source::read(text);
        for view in [&source.code, &source.product_code, &source.product_text] {
            assert_eq!(view.lines().count(), text.lines().count());
        }
    }

    #[test]
    fn broken_text_is_read_without_a_panic() {
        for text in ["\"", "'", "r#\"", "/*", "#[cfg(test)]", "#[cfg(test", "b'", "'\\", "#"] {
            let _ = Source::read(text);
        }
    }
}
