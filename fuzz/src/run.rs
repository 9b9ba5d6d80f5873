//! A run on a stable compiler: inputs of the corpus, then as many mutants of them as are asked for,
//! from one seed. An input that ends in a new word joins the pool. Reads the clock only to say how long
//! it took.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::mutate::mutate;
use crate::ward::Chance;
use crate::{Target, corpus};

/// The most inputs kept beside the corpus.
const POOL: usize = 2_000;

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Inputs tried.
    pub executions: u64,
    /// How long it took.
    pub took: Duration,
    /// What became of the inputs, by word.
    pub words: BTreeMap<String, u64>,
    /// Inputs that broke a promise.
    pub broken: Vec<Vec<u8>>,
}

impl Done {
    /// One line for people.
    pub fn line(&self, target: Target) -> String {
        let seconds = self.took.as_secs_f64();
        let rate = self.executions as f64 / seconds.max(1e-9);
        let words: Vec<String> = self.words.iter().map(|(word, count)| format!("{word} {count}")).collect();
        format!(
            "{}: {} executions in {seconds:.1} s ({rate:.0}/s), {} broken; {}",
            target.name(),
            self.executions,
            self.broken.len(),
            words.join(", ")
        )
    }
}

/// Runs the corpus, then mutants of it up to `executions` in all.
///
/// # Errors
/// If the corpus cannot be read.
pub fn run(target: Target, executions: u64, seed: u64) -> Result<Done, String> {
    let inputs: Vec<Vec<u8>> = corpus::read(target)?.into_iter().map(|(_, input)| input).collect();
    let start = Instant::now();
    let mut done = Done::default();
    let mut pool = inputs.clone();
    let mut chance = Chance::new(seed);
    inputs.iter().for_each(|input| _ = attempt(target, input, &mut done));
    while done.executions < executions && done.broken.len() < 10 {
        let mut input = chance.pick(&pool).cloned().unwrap_or_default();
        let other = chance.pick(&pool).cloned().unwrap_or_default();
        mutate(&mut input, &other, &mut chance);
        let new = attempt(target, &input, &mut done);
        if new && pool.len() < POOL {
            pool.push(input);
        }
    }
    done.took = start.elapsed();
    Ok(done)
}

/// Whether the input ended in a word not seen before.
fn attempt(target: Target, input: &[u8], done: &mut Done) -> bool {
    done.executions += 1;
    match catch_unwind(AssertUnwindSafe(|| target.run(input))) {
        Ok(word) => {
            let count = done.words.entry(word).or_default();
            *count += 1;
            *count == 1
        }
        Err(_) => {
            done.broken.push(input.to_vec());
            false
        }
    }
}
