//! Tensors of a pickle, made of its specifications and the storages: one value may be several tensors, and
//! one that is no plain view of the file becomes a recipe.

mod array;
mod budget;
mod nested;
mod quantized;
mod sparse;
mod tensors;

pub(super) use budget::{Budget, MAX_EXPANDED_BYTES, check_expanded};
pub(super) use tensors::Rebuild;
