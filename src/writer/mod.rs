//! Plans to files: lay out, then fill.

mod archive;
mod atomic;
mod checksum;
mod error;
mod fill;
pub mod hdf5;
mod jobs;
mod prepare;
mod set;
mod sum;
mod tile;
mod values;
mod write;

pub use atomic::check_not_input;
pub use error::Error;
pub use fill::Target;
pub use write::{check, Progress, WriteOptions, Written, write, write_tree};
