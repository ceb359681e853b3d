//! Why an architecture or a Keras file cannot be read.

use std::path::PathBuf;

/// A Keras file that cannot be read: the file and the reason.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub kind: ErrorKind,
}

/// The reasons.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}
