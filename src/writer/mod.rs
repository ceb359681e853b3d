//! Plans to files: lay out, then fill.

mod error;
pub mod hdf5;

pub use error::Error;

use std::path::Path;

use crate::keras::file_layout::Format;
use crate::plan::Plan;

/// How to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The format.
    pub format: Format,
    /// Worker threads; `None` for as many as there are cores.
    pub threads: Option<usize>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the file.
    pub bytes: u64,
    /// Variables in it.
    pub variables: usize,
}

/// What a caller hears while a file is written, and how it stops the writing. Called from many threads.
pub trait Progress: Sync {
    /// So many more bytes were written.
    fn advance(&self, bytes: u64);
    /// Whether to stop; the output is then abandoned.
    fn is_cancelled(&self) -> bool;
}

/// Writes the file, whole or not at all: a temporary sibling, then rename.
///
/// # Errors
/// When the output cannot be written, a value does not fit its type, or the caller cancelled. What stood at
/// `path` is then untouched.
pub fn write(
    _plan: &Plan,
    _path: &Path,
    _options: &WriteOptions,
    _progress: &dyn Progress,
) -> Result<Written, Error> {
    unimplemented!()
}
