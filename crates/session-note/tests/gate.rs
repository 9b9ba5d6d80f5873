//! The gate against honest editors, known attacks and a mutator that repairs checksums.
//!
//! `GAITWAY_GATE_MUTANTS` sets the number of mutants (50,000 when unset).

#[cfg(test)]
#[path = "gate/attacks.rs"]
mod attacks;
#[cfg(test)]
#[path = "gate/broken.rs"]
mod broken;
#[cfg(test)]
#[path = "gate/bytes.rs"]
mod bytes;
#[cfg(test)]
#[path = "gate/chunks.rs"]
mod chunks;
#[cfg(test)]
#[path = "gate/commands.rs"]
mod commands;
#[cfg(test)]
#[path = "gate/honest.rs"]
mod honest;
#[cfg(test)]
#[path = "gate/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "gate/laws.rs"]
mod laws;
#[cfg(test)]
#[path = "gate/mutants.rs"]
mod mutants;
#[cfg(test)]
#[path = "gate/rows.rs"]
mod rows;
#[cfg(test)]
#[path = "gate/rules.rs"]
mod rules;
#[cfg(test)]
#[path = "gate/table.rs"]
mod table;
#[cfg(test)]
#[path = "gate/ward.rs"]
mod ward;
#[cfg(test)]
#[path = "gate/world.rs"]
mod world;
