//! Zip archives, read with the checks that a checkpoint needs (formats/pytorch.md sections 1.2 to 1.5).
//!
//! Two readers of one file must see the same records, so names that come twice, local headers that differ
//! from the central directory, overlaps and misplaced end records are errors here. The `zip` crate (9.4) has
//! opt-in checks for the first three (`validate_header_consistency`); here every check is always made, its
//! error names the entry, and a record is a range of the mapping, not a reader.

mod directory;
mod error;
mod headers;
mod names;
mod record;

pub(crate) use directory::{Archive, is_zip};
pub use error::ZipError;
pub(crate) use record::{Checksum, Record};
