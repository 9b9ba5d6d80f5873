//! The corpora: one text file for each target, one input a line, `name hex`. Text, so that a review
//! sees what changed. What a run finds is added by hand.

use std::path::PathBuf;

use crate::Target;

/// Where the corpus of a target is.
pub fn file(target: Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{}.txt", target.name()))
}

/// The inputs of a target, by name.
pub fn read(target: Target) -> Result<Vec<(String, Vec<u8>)>, String> {
    let path = file(target);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let line = |line: &str| {
        let (name, hex) = line.split_once(' ').ok_or_else(|| format!("no name: {line}"))?;
        Ok((name.to_owned(), from_hex(hex).ok_or_else(|| format!("no hexadecimal: {name}"))?))
    };
    text.lines().map(line).collect()
}

/// Writes the inputs of a target.
pub fn write(target: Target, inputs: &[(String, Vec<u8>)]) -> Result<(), String> {
    let lines: String = inputs.iter().map(|(name, input)| format!("{name} {}\n", to_hex(input))).collect();
    std::fs::write(file(target), lines).map_err(|error| error.to_string())
}

/// Bytes as a corpus writes them.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pair = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(pair).collect()
}
