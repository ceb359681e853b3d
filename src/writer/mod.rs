//! Plans to files: lay out, then fill.

mod archive;
mod atomic;
mod checksum;
mod debris;
mod error;
mod fill;
#[doc(hidden)]
pub mod hdf5;
mod jobs;
mod prepare;
mod set;
mod sum;
mod tile;
mod values;
mod write;

pub use atomic::{check_not_input, replace};
pub use debris::sweep;
pub use error::Error;
#[doc(hidden)]
pub use fill::Target;
pub use hdf5::EncodeError;
#[doc(hidden)]
pub use write::write_tree;
pub use write::{Progress, WriteOptions, Written, check, write};
