//! Checkpoints in several files: those that real torch wrote, those that are damaged, those that attack.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adapter;
mod damage;
mod header;
mod hub;
mod made;
mod torch;
