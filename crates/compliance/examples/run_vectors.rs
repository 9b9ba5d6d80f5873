//! Runs a file of worked cases given on standard input and prints what became of it.
use std::io::Read;

fn main() {
    let mut text = String::new();
    if std::io::stdin().read_to_string(&mut text).is_err() {
        return;
    }
    match compliance::Rulebook::builtin() {
        Ok(book) => println!("{:#?}", compliance::run_vectors("stdin", &text, &book)),
        Err(error) => println!("{error}"),
    }
}
