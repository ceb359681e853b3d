//! Checkpoints in several files: those that real torch wrote, those that are damaged, those that attack.

mod damage;
mod hub;
mod made;
mod torch;
