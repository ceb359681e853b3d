//! What keeps a plan from being complete, and what is said about it.
//!
//! ```text
//! fault.rs     the faults      attempt.rs   layouts that were tried      hints.rs   what was nearly right
//! wording.rs   lists of names
//! ```

pub(in crate::plan) mod attempt;
pub(in crate::plan) mod fault;
pub(in crate::plan) mod hints;
mod wording;
