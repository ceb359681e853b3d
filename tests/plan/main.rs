//! Plans over checkpoints and architectures made in memory.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adapters;
mod classes;
mod computed;
mod custom;
mod diagnostics;
mod einsum;
mod features;
mod groups;
mod inside;
mod language;
mod made;
mod nested;
mod notes;
mod order;
mod rules;
mod scale;
mod sizes;
mod traps;
mod unmatched;
