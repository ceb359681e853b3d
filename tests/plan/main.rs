//! Plans over checkpoints and architectures made in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

mod classes;
mod computed;
mod custom;
mod einsum;
mod inside;
mod language;
mod made;
mod order;
mod rules;
mod traps;
