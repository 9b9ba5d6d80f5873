//! An official file as rows of fields: whatever its letters, line ends, quotes and separators are.
//!
//! Knows that a row begins with a code; knows nothing of what the rows mean.

use chart::code::ServiceCode;

/// The text of a file: UTF-8 or UTF-16 by its mark, else the publisher's single-byte letters.
///
/// # Errors
/// A sentence for what is no text, such as a workbook or an archive.
pub(super) fn decode(bytes: &[u8]) -> Result<String, String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| match pair {
            [one, two] => unit([*one, *two]),
            _ => u16::from(b'?'),
        });
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
    };
    match bytes {
        [b'P', b'K', 3 | 5, ..] => Err("this is an archive or a workbook: unpack it, or save its sheet \
                                        as tab- or comma-separated text"
            .to_owned()),
        [0xD0, 0xCF, 0x11, 0xE0, ..] => {
            Err("this is an old workbook: save its sheet as tab- or comma-separated text".to_owned())
        }
        [b'%', b'P', b'D', b'F', ..] => Err("this is a page to print, not a table".to_owned()),
        [0xFF, 0xFE, rest @ ..] => Ok(wide(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Ok(wide(rest, u16::from_be_bytes)),
        _ => Ok(std::str::from_utf8(bytes)
            .map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)),
    }
}

/// One row with the line it begins in, from 1.
pub(super) type Row = (usize, Vec<String>);

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The words before the first row: notice and column heads, in lower case.
    pub(super) heads: String,
    /// The rows of data.
    pub(super) rows: Vec<Row>,
    /// The first line after the rows began that is none, if there is one.
    pub(super) stray: Option<usize>,
    /// The line of a quotation mark that is never closed, if there is one.
    pub(super) unclosed: Option<usize>,
}

/// Reads a text by the separator that gives the most rows.
pub(super) fn read(text: &str) -> Read {
    let text = text.trim_start_matches('\u{feff}');
    let mut best = Read::default();
    for separator in ['\t', ',', ';'] {
        let (records, unclosed) = records(text, separator);
        let found = sorted_out(records, unclosed);
        if found.rows.len() > best.rows.len() || best.heads.is_empty() {
            best = found;
        }
    }
    best
}

/// The code a field is.
pub(super) fn code(text: &str) -> Option<ServiceCode> {
    ServiceCode::parse(text.trim()).ok()
}

/// A whole number, with or without a comma between thousands.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(|c| *c != ',').collect();
    digits.parse().ok()
}

/// The rows of data: from the first that begins with a code and has a code or a number after it. What
/// stands before is the publisher's; after it every line that is not blank must be a row.
fn sorted_out(records: Vec<Row>, unclosed: Option<usize>) -> Read {
    let mut read = Read { unclosed, ..Read::default() };
    for (line, fields) in records {
        let begins = fields.first().is_some_and(|field| code(field).is_some());
        let data = begins && fields.get(1).is_some_and(|f| code(f).is_some() || number(f).is_some());
        if data {
            read.rows.push((line, fields));
        } else if read.rows.is_empty() {
            read.heads.push_str(&fields.join(" ").to_lowercase());
            read.heads.push(' ');
        } else if fields.iter().any(|field| !field.is_empty()) {
            read.stray = read.stray.or(Some(line));
        }
    }
    read
}

/// The records of a text. Tabs part fields as they stand; other separators may be quoted, and a quoted
/// field may run over lines.
fn records(text: &str, separator: char) -> (Vec<Row>, Option<usize>) {
    let quotes = separator != '\t';
    let mut records: Vec<Row> = Vec::new();
    let (mut line, mut begun, mut opened) = (1usize, 1usize, None);
    let mut fields = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let ends_line = letter == '\n' || (letter == '\r' && letters.peek() != Some(&'\n'));
        if ends_line {
            line += 1;
        }
        if quotes && letter == '"' {
            opened = if opened.is_some() { None } else { Some(line) };
        } else if opened.is_none() && ends_line {
            records.push((begun, trimmed(&fields)));
            fields = vec![String::new()];
            begun = line;
        } else if opened.is_none() && letter == separator {
            fields.push(String::new());
        } else if let Some(last) = fields.last_mut() {
            last.push(if ends_line { ' ' } else { letter });
        }
    }
    records.push((begun, trimmed(&fields)));
    (records, opened)
}

fn trimmed(fields: &[String]) -> Vec<String> {
    let blank = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    fields.iter().map(|field| field.trim_matches(|c| blank(c) || c == '"').to_owned()).collect()
}
