//! Schema × checkpoint × architecture to bindings that leave nothing open, or the complete list of faults.
//!
//! ```text
//! schema ─┐            names       what the names on both sides lead to
//!         ├→ claims    claims      which tensors a rule gives to which variables
//! names  ─┘   │        derived     tensors that are computed from others
//!             ▼
//!          bindings    bindings    layouts solved, element types decided
//!             │
//!             ▼
//!           plan       account     every variable once, every tensor accounted for
//!                      faults      or what keeps it from that
//! ```
//!
//! `planner.rs` tells the story, `options.rs` what its caller decides, `outcome.rs` what comes of it.

mod account;
mod bindings;
mod claims;
mod derived;
mod faults;
mod names;
mod options;
mod outcome;
mod planner;

pub use derived::adapter::AdapterError;
pub use derived::quant_state::QuantStateError;
pub use faults::attempt::Attempt;
pub use faults::fault::{Fault, FaultDetail, FaultKind, Faults};
pub use options::PlanOptions;
pub use outcome::{
    Binding, Dense, Derivation, Detail, LoadedStorages, Note, Part, Plan, Provenance, Term, Unreadable, Value,
};
pub use planner::plan;
