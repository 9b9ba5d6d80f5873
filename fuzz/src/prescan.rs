//! The door beside the document engine: whatever the door lets in, the engine reads as the same change.
//! The first byte says whether the rest is a change's content, to be wrapped rightly, or bytes as they
//! would come.

use automerge::Change;
use session_note::admit::{Limits, plain_bytes, prescan};

use crate::chunks::chunk;
use crate::gate;

pub(crate) fn run(input: &[u8]) -> String {
    let (bytes, wrapped) = match input.split_first() {
        Some((0, content)) => (chunk(1, content), true),
        Some((_, bytes)) => (bytes.to_vec(), false),
        None => (Vec::new(), false),
    };
    let sketch = match prescan(&bytes, &Limits::V1) {
        Ok(sketch) => sketch,
        Err(refusal) => return refusal.code().to_string(),
    };
    let change = Change::from_bytes(bytes.clone()).expect("the engine reads what the door let in");
    assert_eq!(plain_bytes(&change), bytes);
    assert_eq!(sketch.hash.as_bytes(), &change.hash().0);
    assert_eq!(sketch.actor.as_bytes().as_slice(), change.actor_id().to_bytes());
    assert_eq!((sketch.seq, sketch.start_op), (change.seq(), change.start_op().get()));
    assert_eq!((sketch.ops, sketch.time.unix_ms()), (change.len() as u64, change.timestamp()));
    assert_eq!(sketch.message.as_deref(), change.message());
    let deps: Vec<[u8; 32]> = sketch.deps.iter().map(|dep| *dep.as_bytes()).collect();
    assert_eq!(deps, change.deps().iter().map(|dep| dep.0).collect::<Vec<_>>());
    assert_eq!(change.decode().operations.len() as u64, sketch.ops);
    format!("read{}", if wrapped { "" } else { " as it came" })
}

pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, bytes) in gate::victims() {
        seeds.push((format!("{name}-content"), [&[0], gate::content(&bytes)].concat()));
        seeds.push((format!("{name}-bytes"), [&[1], bytes.as_slice()].concat()));
    }
    seeds
}
