//! A restricted pickle machine: it builds inert values and runs nothing.
//!
//! `serde-pickle` and its like have neither persistent ids nor shared references, so they cannot read the
//! `data.pkl` of a checkpoint; formats/pytorch.md section 2 lists what is read here.

mod elements;
mod error;
mod globals;
mod holders;
mod machine;
mod opcode;
mod persistent;
mod storage_class;
mod tensor_error;
#[cfg(test)]
mod tests;
pub(crate) mod torch;
mod tree;
mod value;

pub use error::{PickleError, PickleErrorKind};
pub(crate) use holders::Holders;
pub(crate) use machine::parse;
pub(crate) use storage_class::StorageClass;
pub use tensor_error::{TensorError, UnsupportedTensor};
pub(crate) use tree::Tree;
pub(crate) use value::{Dict, Object, Pickle, Value, ValueId};
