//! `fuzz all|TARGET [EXECUTIONS] [SEED]` runs targets and prints executions and time; `fuzz seeds`
//! writes the corpora anew from real work; `fuzz expand DIR` writes them as files for libFuzzer. Ends
//! with 1 if a promise was broken, printing the inputs.

use std::path::Path;
use std::process::ExitCode;

use fuzz::{Target, corpus, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer =
        match words.as_slice() {
            ["seeds"] => seeds(),
            ["expand", directory] => expand(Path::new(directory)),
            ["all", rest @ ..] => {
                Target::ALL.into_iter().try_fold(true, |good, target| Ok(fuzz(target, rest)? && good))
            }
            [name, rest @ ..] => match Target::named(name) {
                Some(target) => fuzz(target, rest),
                None => Err(format!("`{name}` is no target")),
            },
            [] => Err("fuzz all|gate|prescan|frame|journal [EXECUTIONS] [SEED], fuzz seeds, fuzz expand DIR"
                .to_owned()),
        };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("fuzz: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(target: Target, numbers: &[&str]) -> Result<bool, String> {
    let number = |place: usize, otherwise: u64| match numbers.get(place) {
        None => Ok(otherwise),
        Some(text) => text.parse().map_err(|_| format!("`{text}` is not a number")),
    };
    let done = run::run(target, number(0, 20_000)?, number(1, 1)?)?;
    println!("{}", done.line(target));
    for input in &done.broken {
        println!("broken {}", corpus::to_hex(input));
    }
    Ok(done.broken.is_empty())
}

fn seeds() -> Result<bool, String> {
    for target in Target::ALL {
        let mut inputs = target.seeds();
        let found = corpus::read(target).unwrap_or_default();
        inputs.extend(found.into_iter().filter(|(name, _)| name.starts_with("found")));
        corpus::write(target, &inputs)?;
        println!("{}: {} inputs", target.name(), inputs.len());
    }
    Ok(true)
}

fn expand(directory: &Path) -> Result<bool, String> {
    for target in Target::ALL {
        let place = directory.join(target.name());
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        for (name, input) in corpus::read(target)? {
            std::fs::write(place.join(name), input).map_err(|error| error.to_string())?;
        }
    }
    Ok(true)
}
