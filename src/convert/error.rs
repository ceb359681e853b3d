//! Why a conversion failed: a variant for each boundary, and for what its parts do not say together.

use std::path::PathBuf;

use super::form::Saved;
use crate::tensor::Printable;
use crate::{checkpoint, keras, plan, schema, writer};

/// Why a conversion failed. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(Box<checkpoint::Error>),
    /// Values of the checkpoint cannot be read.
    #[error("{}: {}", path.display(), Printable(&source.to_string()))]
    Unreadable {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor, and the reason.
        source: plan::Unreadable,
    },
    /// The architecture, or another Keras file, cannot be read.
    #[error(transparent)]
    Keras(Box<keras::Error>),
    /// The schema is not valid.
    #[error(transparent)]
    Schema(#[from] schema::Error),
    /// Neither the caller nor the schema names an architecture.
    #[error("no architecture is given, and the [target] of {schema} names none")]
    NoArchitecture {
        /// The schema.
        schema: String,
    },
    /// The plan has faults.
    #[error("{faults}: {}", some(faults))]
    Faults {
        /// The faults.
        faults: plan::Faults,
        /// A bundled schema by which there are none.
        better: Option<&'static str>,
    },
    /// The output's name stands for no format.
    #[error("the name {} tells no format", path.display())]
    UnknownFormat {
        /// The output.
        path: PathBuf,
    },
    /// The output's name stands for another content than was asked for.
    #[error("the name {} stands for {}, not for {}", path.display(), held.name(), held.other().name())]
    SavedAs {
        /// The output.
        path: PathBuf,
        /// What a file of that name holds.
        held: Saved,
    },
    /// A size of shards for a single file.
    #[error("{} is one file, and the size of shards is for sharded weights", path.display())]
    NotSharded {
        /// The output.
        path: PathBuf,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Write(Box<writer::Error>),
    /// An input was written to, replaced or removed while it was read.
    #[error("{} changed while it was read; {} is as it was", path.display(), output.display())]
    Changed {
        /// The input.
        path: PathBuf,
        /// The output.
        output: PathBuf,
    },
    /// [`Progress`](super::Progress) stopped it.
    #[error("stopped; {} is as it was", path.display())]
    Cancelled {
        /// The output.
        path: PathBuf,
    },
}

/// Faults that a message names; all of them are in the error.
const NAMED: usize = 3;

fn some(faults: &plan::Faults) -> String {
    let mut named: Vec<String> = faults.faults.iter().take(NAMED).map(ToString::to_string).collect();
    if faults.faults.len() > NAMED {
        named.push(format!("and {} more", faults.faults.len() - NAMED));
    }
    named.join("; ")
}

impl From<checkpoint::Error> for ConvertError {
    fn from(error: checkpoint::Error) -> Self {
        Self::Checkpoint(Box::new(error))
    }
}

impl From<keras::Error> for ConvertError {
    fn from(error: keras::Error) -> Self {
        Self::Keras(Box::new(error))
    }
}

impl From<plan::Faults> for ConvertError {
    fn from(faults: plan::Faults) -> Self {
        Self::Faults { faults, better: None }
    }
}

impl From<writer::Error> for ConvertError {
    fn from(error: writer::Error) -> Self {
        Self::Write(Box::new(error))
    }
}
