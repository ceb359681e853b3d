//! Plans over checkpoints and architectures made in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

mod classes;
mod custom;
mod language;
mod made;
mod order;
mod rules;
mod traps;
