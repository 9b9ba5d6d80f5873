//! Prints the table of statements as docs/statements.md holds it.

fn main() {
    match compliance::statements::read(include_str!("../../../rules/statements.toml")) {
        Ok(statements) => print!("{}", compliance::statements::document(&statements)),
        Err(error) => eprintln!("{error}"),
    }
}
