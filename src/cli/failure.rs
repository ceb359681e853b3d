//! Why a command failed, and its exit code.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::depfile::DepfileError;
use super::exit::Exit;
use crate::convert::ConvertError;
use crate::lazy::LoadError;
use crate::tensor::{Dtype, Printable};
use crate::zoo::JobError;
use crate::{checkpoint, keras, schema, writer, zoo};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The library says why.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A zoo cannot run.
    #[error(transparent)]
    Zoo(#[from] zoo::Error),
    /// A job of a zoo failed, and not by its conversion.
    #[error(transparent)]
    Job(JobError),
    /// A file stands in the place of another.
    #[error("{} is {is}, not a {wanted}", path.display())]
    Mistaken {
        /// The file.
        path: PathBuf,
        /// What it is.
        is: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// As for a file that cannot be read.
        exit: Exit,
    },
    /// A signal came while writing.
    #[error("interrupted; {} is as it was", path.display())]
    Interrupted {
        /// The output.
        path: PathBuf,
    },
    /// A variable to be explained that the plan does not bind.
    #[error("the plan binds no variable `{path}`")]
    NoVariable {
        /// As it was given.
        path: String,
        /// What may be meant.
        hint: Option<String>,
    },
    /// An argument is not a glob.
    #[error("`{text}` of {option} is not a glob")]
    Glob {
        /// The option.
        option: &'static str,
        /// Its value.
        text: String,
        /// The reason.
        source: schema::GlobError,
    },
    /// The checkpoint has no name to derive the output's from.
    #[error("{} has no file name to call the output after", path.display())]
    NoStem {
        /// The checkpoint.
        path: PathBuf,
    },
    /// The report or the depfile would take the place of the output, or of the other.
    #[error("{} is to be two of the files that are written: the output, --report, --depfile", path.display())]
    BesideIsOutput {
        /// Both.
        path: PathBuf,
    },
    /// What stands at the place of a zoo's report or depfile is neither.
    #[error("{} is there, and is {what} of no earlier run; it is left alone", path.display())]
    BesideIsForeign {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
    },
    /// A zoo's report or depfile would lie in a folder that is read as a whole.
    #[error("{} lies in {}, which a job reads", path.display(), folder.display())]
    BesideInInput {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// A name that a depfile cannot say.
    #[error(transparent)]
    Depfile(#[from] DepfileError),
    /// A checkpoint that is to be compared, without a schema.
    #[error("{} is no Keras file, so it takes a schema to compare it", path.display())]
    NoSchema {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint's values do not fit the variable.
    #[error("{} has no {dtype} values for `{}`", path.display(), Printable(variable))]
    NoValue {
        /// The checkpoint.
        path: PathBuf,
        /// The variable.
        variable: String,
        /// Its type.
        dtype: Dtype,
    },
    /// Neither names nor places bring the variables of two files together.
    #[error(
        "the variables of {} and {} cannot be matched: fewer than half have the same path in the model, or the same \
         place in the file",
        one.display(),
        other.display()
    )]
    DifferentForms {
        /// A file.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A file cannot be read to tell what it is.
    #[error("cannot read {}", path.display())]
    Sniff {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Values of a tensor or a variable cannot be read.
    #[error("cannot read the values of `{}` in {}{}", Printable(name), path.display(), also(others))]
    Values {
        /// The file.
        path: PathBuf,
        /// The first that cannot be read.
        name: String,
        /// The others, for people.
        others: String,
        /// Why the first cannot be read.
        source: LoadError,
        /// As for the file as a whole.
        exit: Exit,
    },
    /// Statistics or checksums of a file without values.
    #[error("{} is a model's configuration, which holds no values", path.display())]
    NoValues {
        /// The file.
        path: PathBuf,
    },
    /// Options for checkpoints, and a file that is none.
    #[error("{} is a Keras file; --key, --ema and --quantized choose what is read of a checkpoint", path.display())]
    ReadingOptions {
        /// The file.
        path: PathBuf,
    },
    /// Neither a command nor a checkpoint.
    #[error("neither a command nor a checkpoint is given")]
    NothingToDo,
    /// stdout cannot be written to.
    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),
    /// Signals cannot be watched.
    #[error("cannot watch for signals")]
    Signals(#[source] ctrlc::Error),
}

fn also(others: &str) -> String {
    if others.is_empty() { String::new() } else { format!(", nor those of {others}") }
}

impl From<checkpoint::Error> for Failure {
    fn from(error: checkpoint::Error) -> Self {
        Self::Convert(error.into())
    }
}

impl From<keras::Error> for Failure {
    fn from(error: keras::Error) -> Self {
        Self::Convert(error.into())
    }
}

impl From<schema::Error> for Failure {
    fn from(error: schema::Error) -> Self {
        Self::Convert(error.into())
    }
}

impl From<writer::Error> for Failure {
    fn from(error: writer::Error) -> Self {
        Self::Convert(error.into())
    }
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Convert(error) | Self::Job(JobError::Convert(error)) => exit(error),
            Self::Zoo(_) => Exit::Manifest,
            Self::Job(JobError::Input { .. }) => Exit::Checkpoint,
            Self::Job(_) => Exit::Output,
            Self::NoValue { .. } | Self::Sniff { .. } => Exit::Checkpoint,
            Self::Values { exit, .. } | Self::Mistaken { exit, .. } => *exit,
            // A reader that has seen enough (`| head`) is no failure.
            Self::Stdout(source) if source.kind() == ErrorKind::BrokenPipe => Exit::Done,
            Self::Stdout(_) => Exit::Output,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::NoVariable { .. }
            | Self::Glob { .. }
            | Self::NoStem { .. }
            | Self::BesideIsOutput { .. }
            | Self::BesideIsForeign { .. }
            | Self::BesideInInput { .. }
            | Self::Depfile(_)
            | Self::DifferentForms { .. }
            | Self::NoSchema { .. }
            | Self::NoValues { .. }
            | Self::ReadingOptions { .. }
            | Self::NothingToDo => Exit::Usage,
            Self::Signals(_) => Exit::Bug,
        }
    }
}

/// The exit code of what the library says.
const fn exit(error: &ConvertError) -> Exit {
    match error {
        ConvertError::Checkpoint(_) | ConvertError::Unreadable { .. } | ConvertError::Changed { .. } => {
            Exit::Checkpoint
        }
        ConvertError::Keras(_) => Exit::Architecture,
        ConvertError::Schema(_) => Exit::Schema,
        ConvertError::Faults { .. } => Exit::Faults,
        ConvertError::Write(_) => Exit::Output,
        ConvertError::Cancelled { .. } => Exit::Interrupted,
        ConvertError::NoArchitecture { .. }
        | ConvertError::UnknownFormat { .. }
        | ConvertError::SavedAs { .. }
        | ConvertError::NotSharded { .. } => Exit::Usage,
    }
}
