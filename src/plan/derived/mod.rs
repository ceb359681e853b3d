//! Tensors that are computed from those of the checkpoint.
//!
//! ```text
//! derive.rs    by a rule's `compute`, or because the names tell so: the formulas
//! adapter.rs   how much of a low-rank adapter       dense.rs   weights of groups
//! quant_state.rs   what four-bit numbers stand for
//! ```

pub(in crate::plan) mod adapter;
mod dense;
pub(in crate::plan) mod derive;
pub(in crate::plan) mod quant_state;
