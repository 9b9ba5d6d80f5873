//! Recomputes the visit on standard input over and over and prints how long one takes.
use std::io::Read;

#[expect(clippy::disallowed_methods, reason = "measures time")]
fn main() {
    let mut text = String::new();
    if std::io::stdin().read_to_string(&mut text).is_err() {
        return;
    }
    let (Ok(book), Ok(facts)) = (compliance::Rulebook::builtin(), compliance::assess::read_visit(&text))
    else {
        println!("the visit or the rulebook cannot be read");
        return;
    };
    let start = std::time::Instant::now();
    let rounds = 1_000u32;
    for _ in 0..rounds {
        std::hint::black_box(compliance::recompute(&facts, &book));
    }
    println!("{:?} for one report", start.elapsed() / rounds);
}
