//! The fence around the document engine: the worker is told when it begins and when it is done, so that
//! it knows what it caught. Keeps nothing itself: memory is gone with a trap.

use chart::ids::DocumentId;
use tablet::Fence;

#[cfg(target_family = "wasm")]
#[wasm_bindgen::prelude::wasm_bindgen]
extern "C" {
    /// A function of the worker's.
    #[wasm_bindgen(js_name = gaitwayEngine)]
    fn engine(at_work: bool);
}

/// Elsewhere nobody listens.
#[cfg(not(target_family = "wasm"))]
fn engine(_: bool) {}

/// Tells the worker.
pub(crate) struct Told;

impl Fence for Told {
    fn enter(&mut self, _: DocumentId, changes: &[&[u8]]) {
        engine(true);
        strike(changes);
    }

    fn leave(&mut self) {
        engine(false);
    }
}

#[cfg(not(all(feature = "planted", target_family = "wasm")))]
fn strike(_: &[&[u8]]) {}

/// Ends the module as a broken engine would, in each way one can.
#[cfg(all(feature = "planted", target_family = "wasm"))]
fn strike(changes: &[&[u8]]) {
    let holds = |text: &[u8]| changes.iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text));
    if holds(b"xyzzy-trap") {
        std::process::abort();
    }
    if holds(b"xyzzy-stack") {
        deeper(&[0; 512]);
    }
    if holds(b"xyzzy-memory") {
        let mut taken: Vec<Vec<u8>> = Vec::new();
        loop {
            taken.push(vec![1; 64 << 20]);
            std::hint::black_box(&taken);
        }
    }
}

/// Calls itself until the stack is gone.
#[cfg(all(feature = "planted", target_family = "wasm"))]
#[allow(unconditional_recursion, reason = "that is what it is for")]
fn deeper(above: &[u8; 512]) -> u8 {
    let mut mine = *above;
    mine.reverse();
    let below = deeper(std::hint::black_box(&mine));
    below.wrapping_add(std::hint::black_box(mine)[0])
}
