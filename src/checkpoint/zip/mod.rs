//! Zip archives, read with the checks that a checkpoint needs (formats/pytorch.md sections 1.2 to 1.5).
//!
//! The `zip` crate keeps one of two entries with the same name and tells nobody, does not compare local
//! headers with the central directory, and searches for an end record anywhere: all of which let a scanner
//! and a loader see two different files. So the directory is read here.

mod directory;
mod error;
mod record;

pub(crate) use directory::{Archive, is_zip};
pub use error::ZipError;
pub(crate) use record::{Checksum, Record};
