//! Schema × checkpoint × architecture to bindings that leave nothing open, or the complete list of faults.
//!
//! ```text
//! schema ─┐            source_names.rs         what the names on both sides lead to (keys.rs, modules.rs:
//!         │            target_names.rs         in order)
//!         ├→ claims    layer.rs sequence.rs    which tensors a rule gives to which variables
//! names  ─┘   │        tensor.rs
//!             ▼
//!             │        derive.rs styles.rs     tensors that are computed from others (adapter.rs: LoRA's scale)
//!          bindings    bind.rs order.rs        layouts solved, each once (solved.rs), element types decided, many
//!             │        together.rs             at a time; misfit.rs where not
//!             │
//!             ▼
//!           plan       ledger.rs notes.rs      every variable once, every tensor accounted for
//! ```

mod adapter;
mod attempt;
mod axes;
mod bind;
mod binding;
mod class;
mod container;
mod dense;
mod derive;
mod equation;
mod expansion;
mod explain;
mod faults;
mod hints;
mod keys;
mod layer;
mod ledger;
mod misfit;
mod module;
mod modules;
mod notes;
mod numerics;
mod options;
mod order;
mod planner;
mod prefix;
mod quant_state;
mod refusals;
mod sequence;
mod solved;
mod source_names;
mod styles;
mod target_names;
mod tensor;
mod together;
mod unpermuted;
mod untold;
mod wording;

pub use adapter::AdapterError;
pub use attempt::Attempt;
pub use binding::{
    Binding, Dense, Derivation, Detail, LoadedStorages, Note, Part, Plan, Provenance, Term, Unreadable, Value,
};
pub use faults::{Fault, FaultDetail, FaultKind, Faults};
pub use options::PlanOptions;
pub use planner::plan;
pub use quant_state::QuantStateError;
