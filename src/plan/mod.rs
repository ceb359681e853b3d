//! Schema × checkpoint × architecture to bindings that leave nothing open, or the complete list of faults.
//!
//! ```text
//! schema ─┐            names.rs    what the names on both sides lead to
//!         ├→ expand → claims      expand.rs   which tensors a rule gives to which variables
//! names  ─┘              │
//!                        ▼
//!                      bind       bind.rs     layouts solved, element types decided
//!                        │
//!                        ▼
//!                   reconcile     ledger.rs   every variable once, every tensor accounted for
//! ```

mod axes;
mod bind;
mod binding;
mod expand;
mod faults;
mod hints;
mod ledger;
mod names;
mod notes;
mod planner;
mod sequence;

pub use binding::{Binding, Note, Part, Plan, Provenance, Term, Value};
pub use faults::{Fault, FaultDetail, FaultKind, Faults};
pub use planner::{PlanOptions, plan};
