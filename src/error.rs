//! One error for the whole library: a variant per boundary.

/// Why a conversion failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::Error),
    /// The architecture, or another Keras file, cannot be read.
    #[error(transparent)]
    Keras(#[from] crate::keras::Error),
    /// The schema is not valid.
    #[error(transparent)]
    Schema(#[from] crate::schema::Error),
    /// The plan has faults.
    #[error(transparent)]
    Plan(#[from] crate::plan::Faults),
    /// The output cannot be written.
    #[error(transparent)]
    Write(#[from] crate::writer::Error),
}
