//! Why a command failed: its exit code, and how it is told.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::PathBuf;

use miette::{Diagnostic as _, GraphicalReportHandler, GraphicalTheme};

use super::depfile::DepfileError;
use super::escape::escape;
use super::exit::Exit;
use super::terminal::{ERROR, HINT, Terminal, columns};
use super::{candidates, faults};
use crate::convert::{ConvertError, Saved};
use crate::lazy::LoadError;
use crate::tensor::{Dtype, Printable, kernel};
use crate::{checkpoint, keras, schema, writer};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The library says why.
    #[error(transparent)]
    Convert(#[from] ConvertError),
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
    /// A name that a depfile cannot say.
    #[error(transparent)]
    Depfile(#[from] DepfileError),
    /// The report or the depfile cannot be written.
    #[error("cannot write {}", path.display())]
    Beside {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
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
            Self::Convert(error) => exit(error),
            Self::NoValue { .. } | Self::Sniff { .. } => Exit::Checkpoint,
            Self::Values { exit, .. } | Self::Mistaken { exit, .. } => *exit,
            Self::Beside { .. } => Exit::Output,
            // A reader that has seen enough (`| head`) is no failure.
            Self::Stdout(source) if source.kind() == ErrorKind::BrokenPipe => Exit::Done,
            Self::Stdout(_) => Exit::Output,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::NoVariable { .. }
            | Self::Glob { .. }
            | Self::NoStem { .. }
            | Self::BesideIsOutput { .. }
            | Self::Depfile(_)
            | Self::DifferentForms { .. }
            | Self::NoSchema { .. }
            | Self::NoValues { .. }
            | Self::ReadingOptions { .. }
            | Self::NothingToDo => Exit::Usage,
            Self::Signals(_) => Exit::Bug,
        }
    }

    /// Tells it on stderr.
    pub fn report(&self, terminal: Terminal) {
        match self {
            Self::Stdout(source) if source.kind() == ErrorKind::BrokenPipe => {}
            Self::Convert(ConvertError::Faults { faults: found, .. }) if terminal.json => {
                // stderr says the rest when stdout cannot.
                if let Err(failure) = terminal.json_result(&faults::to_json(found)) {
                    terminal.label(ERROR, "error", failure);
                }
                terminal.label(ERROR, "error", found);
            }
            Self::Convert(ConvertError::Faults { faults: found, .. }) => faults::report(found, terminal),
            Self::Convert(ConvertError::Schema(schema::Error::Invalid { file, faults })) => {
                let (file, user) = (escape(&file.name), file.user());
                let user = escape(&user);
                terminal.label(ERROR, "error", format_args!("the schema {file}{user} is not valid"));
                faults.iter().for_each(|fault| diagnose(fault, terminal));
            }
            Self::Convert(ConvertError::Checkpoint(error)) if !error.kind.candidates().is_empty() => {
                terminal.label(ERROR, "error", error);
                candidates::report(&error.kind, terminal);
            }
            error => {
                terminal.label(ERROR, "error", error);
                causes(error, terminal);
            }
        }
        if let Some(hint) = self.hint() {
            terminal.label(HINT, "hint", hint);
        }
    }

    /// What to do, where the message alone does not say.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Convert(error) => return hint(error),
            Self::DifferentForms { .. } => "`ptw2k inspect` lists the variables of each".to_owned(),
            Self::NoSchema { .. } => {
                "name one with --schema; `ptw2k schemas` lists the bundled ones".to_owned()
            }
            Self::NoValues { .. } => {
                "--stats and --hash read checkpoints and weight files; leave them out".to_owned()
            }
            Self::NoStem { .. } => "name the output with -o".to_owned(),
            Self::BesideIsOutput { .. } => "give each a name of its own".to_owned(),
            Self::Depfile(_) => "give the file another name, or leave --depfile out".to_owned(),
            Self::NoVariable { hint: Some(hint), .. } => escape(hint),
            Self::Mistaken { .. } => {
                "the checkpoint comes first: `ptw2k CHECKPOINT --schema SCHEMA --arch KERAS_FILE`".to_owned()
            }
            Self::NothingToDo => "`ptw2k --help` shows examples".to_owned(),
            _ => return None,
        })
    }
}

/// The exit code of what the library says.
const fn exit(error: &ConvertError) -> Exit {
    match error {
        ConvertError::Checkpoint(_) | ConvertError::Unreadable { .. } => Exit::Checkpoint,
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

/// What to do about what the library says.
fn hint(error: &ConvertError) -> Option<String> {
    Some(match error {
        ConvertError::NoArchitecture { .. } => {
            "save `model.to_json()` of the Keras model to a file and give it \
                                                with --arch; for a subclassed model, give the file that \
                                                `model.save_weights(\"template.weights.h5\")` writes"
                .to_owned()
        }
        ConvertError::UnknownFormat { .. } => {
            "name it `.weights.h5` (Keras 3), `.weights.json` (in shards), \
                                               `.keras` (the whole model) or `.h5` (every version)"
                .to_owned()
        }
        ConvertError::SavedAs { held: Saved::Model, .. } => {
            "name it `.weights.h5` or `.h5`, or leave --save out".to_owned()
        }
        ConvertError::SavedAs { held: Saved::Weights, .. } => {
            "name it `.keras` or `.h5`, or leave --save out".to_owned()
        }
        ConvertError::NotSharded { .. } => {
            "name the output `.weights.json`, or leave --max-shard-size out".to_owned()
        }
        ConvertError::Write(error) => match &**error {
            writer::Error::Convert { source: kernel::ConvertError::Overflow { target, .. }, .. }
                if target.is_float() =>
            {
                "write a larger type with --dtype, or let it become an infinity with --allow-overflow"
                    .to_owned()
            }
            writer::Error::Convert { source: kernel::ConvertError::SumOverflow { .. }, .. } => {
                "let it become an infinity with --allow-overflow".to_owned()
            }
            _ => return None,
        },
        ConvertError::Checkpoint(error) if !error.kind.candidates().is_empty() => {
            candidates::hint(&error.kind)
        }
        ConvertError::Schema(error) => error.help()?.to_string(),
        ConvertError::Faults { better: Some(better), .. } => {
            format!("by the bundled schema `{better}` all fits")
        }
        _ => return None,
    })
}

/// The chain below an error; a cause that was just said, alone or within a message, is left out.
fn causes(error: &Failure, terminal: Terminal) {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            terminal.label(ERROR, "  caused by", &text);
            said = text;
        }
        next = cause.source();
    }
}

/// Shows the lines of a schema that are wrong.
fn diagnose(fault: &schema::Fault, terminal: Terminal) {
    /// The longest line that is shown with what surrounds it: no terminal is wider, and the renderer counts columns in
    /// 16 bits.
    const MAX_LINE: usize = 4000;
    if fault.position.file.text.lines().any(|line| line.len() > MAX_LINE) {
        return name_place(fault, terminal);
    }
    let is_colored =
        !matches!(anstream::AutoStream::choice(&std::io::stderr()), anstream::ColorChoice::Never);
    let theme = if is_colored { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    /// Columns when stderr is no terminal: wide enough for most messages on one line.
    const PLAIN_COLUMNS: u16 = 100;
    let width = columns(std::io::stderr()).unwrap_or(PLAIN_COLUMNS);
    let handler = GraphicalReportHandler::new_themed(theme).with_width(usize::from(width));
    let mut text = String::new();
    match handler.render_report(&mut text, fault) {
        Ok(()) => terminal.error_text(&text),
        Err(std::fmt::Error) => name_place(fault, terminal),
    }
}

/// Says what is wrong with a schema, and the place, without its lines.
fn name_place(fault: &schema::Fault, terminal: Terminal) {
    terminal.label(ERROR, "error", format_args!("{}: {fault}", fault.position));
    if let Some((position, label)) = &fault.other {
        terminal.label(ERROR, "  beside", format_args!("{position}: {label}"));
    }
    if let Some(help) = &fault.help {
        terminal.label(HINT, "  help", help);
    }
}
