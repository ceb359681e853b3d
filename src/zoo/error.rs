//! Why a zoo cannot run, and why one of its jobs failed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, SourceCode};

use super::glob::GlobError;
use super::template::TemplateError;
use crate::convert::ConvertError;
use crate::schema::{self, Position, SourceFile};
use crate::writer;

/// A zoo that cannot run. Nothing was read but the manifest and the schemas, and nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read the manifest {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is longer than any manifest.
    #[error("the manifest {} has {length} bytes, more than the {limit} that are supported", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: u64,
        /// The longest one supported.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{} is no manifest: a manifest is a text, TOML in UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The manifest breaks the rules, or its jobs do not go together.
    #[error("the manifest {} cannot run{}", file.name, list(faults))]
    Invalid {
        /// The manifest.
        file: Arc<SourceFile>,
        /// Everything that is wrong with it, in the order of the text.
        faults: Vec<Fault>,
    },
}

/// Under a renderer of diagnostics the faults are shown on their own; the list is for all others.
fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {}: {fault}", fault.position)).collect()
}

/// One thing that is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// Where.
    pub position: Position,
    /// What.
    pub kind: FaultKind,
    /// What to do about it.
    pub help: Option<String>,
    /// Another place that has to do with it, and what it is.
    pub other: Option<(Position, &'static str)>,
}

impl Fault {
    pub(super) const fn new(position: Position, kind: FaultKind) -> Self {
        Self { position, kind, help: None, other: None }
    }

    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(super) fn with_other(self, position: Position, label: &'static str) -> Self {
        Self { other: Some((position, label)), ..self }
    }
}

impl From<schema::Fault> for Fault {
    fn from(fault: schema::Fault) -> Self {
        let schema::Fault { position, kind, help, other } = fault;
        Self { position, kind: FaultKind::Table(kind), help, other }
    }
}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.position.file)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_primary_with_span(
            Some(self.kind.label().to_owned()),
            self.position.span.clone(),
        );
        // Two jobs of one glob stand in one place.
        let other = self.other.as_ref().filter(|(position, _)| position.span != self.position.span);
        let other = other.map(|(position, label)| {
            LabeledSpan::new_with_span(Some((*label).to_owned()), position.span.clone())
        });
        Some(Box::new(std::iter::once(here).chain(other)))
    }
}

/// What can be wrong with a manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// The text: not TOML, unknown keys, values of another type.
    #[error(transparent)]
    Table(schema::FaultKind),
    /// An option's value has no meaning.
    #[error("`{key}`: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// Not a glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// Not a template, or one that does not fit the job.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A glob without a match.
    #[error("nothing matches `{glob}`")]
    NoMatch {
        /// The glob.
        glob: String,
    },
    /// A folder that a glob looks into.
    #[error("cannot read the folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The checkpoint is not there.
    #[error("there is no checkpoint {}", path.display())]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// The schema is neither a file nor bundled.
    #[error("there is no schema `{name}` for {}", checkpoint.display())]
    NoSchema {
        /// The name.
        name: String,
        /// The job's checkpoint.
        checkpoint: PathBuf,
    },
    /// The architecture is not there.
    #[error("there is no architecture {} for {}", path.display(), checkpoint.display())]
    NoArchitecture {
        /// The file.
        path: PathBuf,
        /// The job's checkpoint.
        checkpoint: PathBuf,
    },
    /// Nothing names an architecture.
    #[error("no architecture for {}: neither `arch` nor `architecture` in the [target] of {schema} names one", checkpoint.display())]
    ArchitectureUntold {
        /// The job's checkpoint.
        checkpoint: PathBuf,
        /// The schema.
        schema: String,
    },
    /// The output's name stands for no format, or it and the options do not go together.
    #[error(transparent)]
    Output(Box<ConvertError>),
    /// Two jobs write one file.
    #[error("{} is the output of two jobs: of {} and of {}", output.display(), first.display(), second.display())]
    SameOutput {
        /// The file.
        output: PathBuf,
        /// The checkpoint of a job.
        first: PathBuf,
        /// The checkpoint of the other.
        second: PathBuf,
    },
    /// A job writes what a job reads.
    #[error("{} is the output for {}, and {is} of the job for {}", output.display(), of.display(), reader.display())]
    OutputIsInput {
        /// The file.
        output: PathBuf,
        /// The checkpoint of the job that writes it.
        of: PathBuf,
        /// What the other job reads it as.
        is: &'static str,
        /// The checkpoint of the job that reads it.
        reader: PathBuf,
    },
    /// A job writes into a folder that a job reads as a whole.
    #[error("{} is the output for {}, and lies in {is} of the job for {}", output.display(), of.display(), reader.display())]
    OutputInInput {
        /// The file.
        output: PathBuf,
        /// The checkpoint of the job that writes it.
        of: PathBuf,
        /// What the other job reads the folder as.
        is: &'static str,
        /// The checkpoint of the job that reads it.
        reader: PathBuf,
    },
    /// A job writes over the manifest.
    #[error("{} is the output for {}, and the manifest", output.display(), of.display())]
    OutputIsManifest {
        /// The file.
        output: PathBuf,
        /// The checkpoint of the job.
        of: PathBuf,
    },
    /// More jobs than are supported.
    #[error("the manifest has more than {limit} jobs")]
    TooManyJobs {
        /// How many there may be.
        limit: usize,
    },
    /// Nothing to do.
    #[error("the manifest has no [[job]]")]
    NoJobs,
}

impl FaultKind {
    /// What is said at the place itself.
    const fn label(&self) -> &'static str {
        match self {
            Self::Table(kind) => kind.label(),
            Self::Value { .. } => "not valid",
            Self::Glob(_) => "in this glob",
            Self::Template(_) => "in this name",
            Self::NoMatch { .. } => "matches nothing",
            Self::Folder { .. } => "looks into it",
            Self::NoCheckpoint { .. } | Self::NoSchema { .. } | Self::NoArchitecture { .. } => "not there",
            Self::ArchitectureUntold { .. } => "needs an `arch`",
            Self::SameOutput { .. } => "written again here",
            Self::Output(_) => "this output",
            Self::OutputIsInput { .. } | Self::OutputInInput { .. } => "reads what a job writes",
            Self::OutputIsManifest { .. } => "would be overwritten",
            Self::TooManyJobs { .. } => "one too many",
            Self::NoJobs => "nothing to do",
        }
    }
}

/// Why a job failed. What stood in its output's place is untouched, unless the message says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The conversion.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// An input cannot be read to tell whether it has changed.
    #[error("cannot read {}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The folder for the output, or the one in it for the zoo's records, cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The output cannot be reserved for this process.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The output was written, and what was done cannot be noted down: the next run does it again.
    #[error("{} is written, but not its record; the next run converts it again", output.display())]
    Record {
        /// The output.
        output: PathBuf,
        /// The reason.
        source: writer::Error,
    },
}
