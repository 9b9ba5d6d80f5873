//! Prints the catalogue of findings as docs/findings.md holds it.

fn main() {
    match compliance::Rulebook::builtin() {
        Ok(book) => print!("{}", book.findings_document()),
        Err(error) => eprintln!("{error}"),
    }
}
