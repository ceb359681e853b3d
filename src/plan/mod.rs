//! Schema × checkpoint × architecture to bindings that leave nothing open, or the complete list of faults.

mod binding;

pub use binding::{Binding, Note, Part, Plan, Provenance, Term, Value};
