//! Rules to claims: which tensors a rule gives to which variables.
//!
//! ```text
//! expansion.rs               both sides, and what was found so far
//! layer.rs sequence.rs       modules to layers; class.rs by the rules of the layer's class, container.rs where it holds
//!                            others
//! tensor.rs                  tensors to variables
//! order.rs untold.rs         which layouts of a class hold: by the flattened map before or behind the layer, by its
//! equation.rs                equation
//! refusals.rs                tensors that cannot be had     remarks.rs   what the notes are to say
//! ```

pub(in crate::plan) mod class;
mod container;
mod equation;
pub(in crate::plan) mod expansion;
mod layer;
pub(in crate::plan) mod order;
mod refusals;
pub(in crate::plan) mod remarks;
pub(in crate::plan) mod sequence;
mod tensor;
mod untold;
