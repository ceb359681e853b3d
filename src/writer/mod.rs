//! Plans to files: lay out, then fill.

mod ahead;
mod archive;
mod atomic;
mod begun;
mod checksum;
mod debris;
mod error;
mod fill;
mod grid;
#[doc(hidden)]
pub mod hdf5;
mod jobs;
mod outbox;
mod outlet;
mod outline;
mod prepare;
mod set;
mod sum;
mod tile;
mod tile_writer;
mod values;
mod write;

pub use atomic::{check_not_input, check_place, replace};
pub use begun::{Begun, begin};
pub(crate) use checksum::read_at;
pub use debris::{sweep, sweep_old};
pub use error::Error;
pub(crate) use grid::{HELD_TILES, LARGEST_TILE_BYTES};
pub use hdf5::EncodeError;
pub use outline::Outline;
#[doc(hidden)]
pub use write::write_tree;
pub use write::{Progress, WriteOptions, Written, write, write_outline};
