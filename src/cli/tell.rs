//! How a failure is told.

use std::error::Error as _;
use std::io::ErrorKind;

use miette::{Diagnostic as _, GraphicalReportHandler, GraphicalTheme};

use super::asked::Asked;
use super::escape::escape;
use super::failure::Failure;
use super::github::{Annotation, Level};
use super::terminal::{ERROR, HINT, Terminal, columns};
use super::{candidates, faults, github};
use crate::convert::{ConvertError, Saved};
use crate::schema::Position;
use crate::tensor::kernel;
use crate::{schema, writer, zoo};

impl Failure {
    /// Tells it on stderr.
    pub fn report(&self, terminal: Terminal) {
        if let Self::Convert(ConvertError::Faults { faults: found, .. }) = self
            && terminal.json
            // stderr says the rest when stdout cannot.
            && let Err(failure) = terminal.json_result(&faults::to_json(found))
        {
            terminal.label(ERROR, "error", failure);
        }
        match self {
            Self::Stdout(source) if source.kind() == ErrorKind::BrokenPipe => {}
            failure if terminal.github => failure.annotate(terminal),
            failure => failure.tell(terminal),
        }
    }

    /// Tells it in full, for people and for the log of a runner.
    pub(super) fn tell(&self, terminal: Terminal) {
        self.say(terminal);
        if let Some(hint) = self.hint(terminal.asked) {
            terminal.label(HINT, "hint", hint);
        }
    }

    /// For people.
    fn say(&self, terminal: Terminal) {
        match self {
            Self::Convert(ConvertError::Faults { faults: found, .. }) if terminal.json => {
                terminal.label(ERROR, "error", found);
            }
            Self::Convert(ConvertError::Faults { faults: found, .. }) => faults::report(found, terminal),
            Self::Convert(ConvertError::Schema(schema::Error::Invalid { faults, .. })) => {
                terminal.label(ERROR, "error", self.summary());
                faults.iter().for_each(|fault| Place::of_schema(fault).diagnose(terminal));
            }
            Self::Zoo(zoo::Error::Invalid { faults, .. }) => {
                terminal.label(ERROR, "error", self.summary());
                for fault in faults.iter().take(SHOWN) {
                    Place::of_manifest(fault).diagnose(terminal);
                }
                if let Some(more) = faults.len().checked_sub(SHOWN).filter(|&more| more > 0) {
                    terminal.label(ERROR, "error", format_args!("… and {more} more of them"));
                }
            }
            Self::Convert(ConvertError::Checkpoint(error)) if !error.kind.candidates().is_empty() => {
                terminal.label(ERROR, "error", error);
                candidates::report(&error.kind, terminal);
            }
            error => {
                terminal.label(ERROR, "error", error);
                for cause in causes(error) {
                    terminal.label(ERROR, "  caused by", cause);
                }
            }
        }
    }

    /// For GitHub.
    fn annotate(&self, terminal: Terminal) {
        let annotations = self.annotations(terminal.asked);
        if annotations.iter().any(|annotation| annotation.place.is_some() || !annotation.title.is_empty()) {
            // In the log, not among the annotations: of these, few are shown.
            let hint = self.hint(terminal.asked).map(|hint| format!("hint: {hint}"));
            for line in std::iter::once(self.summary()).chain(hint) {
                // The runner takes commands from indented lines too.
                terminal.error_text(&format!("{}\n", escape(&line)));
            }
        }
        annotations.iter().for_each(|annotation| terminal.annotate(annotation));
    }

    /// What is wrong in a line.
    fn summary(&self) -> String {
        match self {
            Self::Convert(ConvertError::Faults { faults, .. }) => format!("{faults}; nothing was written"),
            Self::Convert(ConvertError::Schema(schema::Error::Invalid { file, .. })) => {
                format!("the schema {}{} is not valid", escape(&file.name), escape(&file.user()))
            }
            Self::Zoo(zoo::Error::Invalid { file, .. }) => {
                format!("the manifest {} cannot run", escape(&file.name))
            }
            error => error.to_string(),
        }
    }

    /// As annotations of GitHub: each rule of a schema that is to blame has one, anything else is one.
    pub(super) fn annotations(&self, asked: Asked) -> Vec<Annotation> {
        let mut lines = vec![self.summary()];
        match self {
            Self::Convert(ConvertError::Faults { faults, .. }) => return github::faults(faults, asked),
            Self::Convert(ConvertError::Schema(schema::Error::Invalid { faults, .. })) => {
                return github::schema(faults);
            }
            Self::Zoo(zoo::Error::Invalid { faults, .. }) => return github::manifest(faults),
            Self::Convert(ConvertError::Checkpoint(error)) if !error.kind.candidates().is_empty() => {
                lines.push(candidates::why(&error.kind));
                lines.extend(candidates::lines(error.kind.candidates(), None, asked));
            }
            error => lines.extend(causes(error).into_iter().map(|cause| format!("caused by: {cause}"))),
        }
        lines.extend(self.hint(asked).map(|hint| format!("hint: {hint}")));
        vec![Annotation::new(Level::Error, "", asked.says(&lines.join("\n")))]
    }

    /// What to do, where the message alone does not say.
    pub(super) fn hint(&self, asked: Asked) -> Option<String> {
        Some(match self {
            Self::Convert(error) => return hint(error).map(|hint| asked.says(&hint)),
            Self::DifferentForms { .. } => "`ptw2k inspect` lists the variables of each".to_owned(),
            Self::NoSchema { .. } => {
                "name one with --schema; `ptw2k schemas` lists the bundled ones".to_owned()
            }
            Self::NoValues { .. } => {
                "--stats and --hash read checkpoints and weight files; leave them out".to_owned()
            }
            Self::NoStem { .. } => "name the output with -o".to_owned(),
            Self::BesideIsOutput { .. } => "give each a name of its own".to_owned(),
            Self::BesideIsForeign { .. } => "remove it, or give another name".to_owned(),
            Self::BesideInInput { .. } => "write it to another folder".to_owned(),
            Self::Depfile(_) => "give the file another name, or leave --depfile out".to_owned(),
            Self::NoVariable { hint: Some(hint), .. } => escape(hint),
            Self::Mistaken { .. } if asked == Asked::Keys => return None,
            Self::Mistaken { .. } => {
                "the checkpoint comes first: `ptw2k CHECKPOINT --schema SCHEMA --arch KERAS_FILE`".to_owned()
            }
            Self::NothingToDo => "`ptw2k --help` shows examples".to_owned(),
            _ => return None,
        })
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
        ConvertError::Changed { .. } => {
            "convert it again when nobody writes to it; a trainer should save under another name, and rename"
                .to_owned()
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
pub(super) fn causes(error: &Failure) -> Vec<String> {
    let mut causes = Vec::new();
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            causes.push(text.clone());
            said = text;
        }
        next = cause.source();
    }
    causes
}

/// Faults of a manifest that are shown: one mistake in the defaults is one in every job.
const SHOWN: usize = 10;

/// What is wrong at a place of a file.
struct Place<'a> {
    fault: &'a dyn miette::Diagnostic,
    position: &'a Position,
    help: Option<&'a String>,
    other: Option<&'a (Position, &'static str)>,
}

impl<'a> Place<'a> {
    fn of_schema(fault: &'a schema::Fault) -> Self {
        let schema::Fault { position, help, other, .. } = fault;
        Self { fault, position, help: help.as_ref(), other: other.as_ref() }
    }

    fn of_manifest(fault: &'a zoo::Fault) -> Self {
        let zoo::Fault { position, help, other, .. } = fault;
        Self { fault, position, help: help.as_ref(), other: other.as_ref() }
    }

    /// Shows the lines that are wrong.
    fn diagnose(&self, terminal: Terminal) {
        /// The longest line that is shown with what surrounds it: no terminal is wider, and the renderer counts columns
        /// in 16 bits.
        const MAX_LINE: usize = 4000;
        if self.position.file.text.lines().any(|line| line.len() > MAX_LINE) {
            return self.name(terminal);
        }
        let is_colored =
            !matches!(anstream::AutoStream::choice(&std::io::stderr()), anstream::ColorChoice::Never);
        let theme = if is_colored { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        /// Columns when stderr is no terminal: wide enough for most messages on one line.
        const PLAIN_COLUMNS: u16 = 100;
        let width = columns(std::io::stderr()).unwrap_or(PLAIN_COLUMNS);
        let handler = GraphicalReportHandler::new_themed(theme).with_width(usize::from(width));
        let mut text = String::new();
        match handler.render_report(&mut text, self.fault) {
            Ok(()) => terminal.error_text(&text),
            Err(std::fmt::Error) => self.name(terminal),
        }
    }

    /// Says what is wrong, and the place, without its lines.
    fn name(&self, terminal: Terminal) {
        terminal.label(ERROR, "error", format_args!("{}: {}", self.position, self.fault));
        if let Some((position, label)) = self.other {
            terminal.label(ERROR, "  beside", format_args!("{position}: {label}"));
        }
        if let Some(help) = self.help {
            terminal.label(HINT, "  help", help);
        }
    }
}
