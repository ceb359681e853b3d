//! The command.

use std::path::Path;

use super::compare::compare;
use super::matching::pair;
use super::report;
use super::side::Side;
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::listener::Listener;
use crate::cli::sniff::{Kind, sniff};
use crate::cli::terminal::Terminal;
use crate::convert::{Source, check_records};
use crate::keras::WeightsFile;
use crate::keras::file_layout::Form;
use crate::plan::PlanOptions;
use crate::schema::Schema;

/// Compares two files, variable by variable.
///
/// # Errors
/// When a file cannot be read, a checkpoint has no schema, or the variables of the two cannot be matched.
pub fn diff(args: &args::Diff, terminal: Terminal) -> Result<Exit, Failure> {
    let one = Side::open(args, &args.one, kind(&args.one)?, &args.other, terminal)?;
    let other = Side::open(args, &args.other, kind(&args.other)?, &args.one, terminal)?;
    let pairs = pair(&one, &other)
        .ok_or_else(|| Failure::DifferentForms { one: args.one.clone(), other: args.other.clone() })?;
    let differences = compare(&one, &other, &pairs)?;
    report::print(args, pairs.len(), &differences, terminal)?;
    if differences.is_empty() {
        return Ok(Exit::Done);
    }
    let (one, other) = (args.one.display(), args.other.display());
    terminal.differs(&format!("{one} and {other}: {}", report::summary(&differences)));
    Ok(Exit::Difference)
}

fn kind(path: &Path) -> Result<Kind, Failure> {
    sniff(path).map_err(|source| Failure::Sniff { path: path.to_owned(), source })
}

impl Side {
    fn open(
        args: &args::Diff,
        path: &Path,
        kind: Kind,
        other: &Path,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        if kind == Kind::Keras {
            return Self::of_keras(path);
        }
        let Some(schema) = &args.schema else {
            return Err(Failure::NoSchema { path: path.to_owned() });
        };
        let mut source = Source::new(path, schema);
        source.reading = args.open_options();
        // The file that it is compared with is a model that the schema can be for.
        let other_is_keras = self::kind(other)? == Kind::Keras;
        let named = || Schema::load(schema).map(|schema| schema.architecture);
        source.architecture = match &args.arch {
            Some(architecture) => Some(architecture.clone()),
            None => named()?.or_else(|| other_is_keras.then(|| other.to_owned())),
        };
        // What the other file's format does not hold, the plan for it does not either.
        let form =
            if other_is_keras { Form::new(WeightsFile::open(other)?.form.format()) } else { Form::default() };
        let options = PlanOptions {
            dtype: args.dtype,
            form,
            allow_missing: inputs::allow_missing(&args.allow_missing)?,
            allow_unexpected: inputs::allow_unexpected(&args.allow_unexpected)?,
            explain: false,
            threads: None,
        };
        let plan = inputs::plan(&source, &options, terminal)?;
        check_records(&plan, None, &Listener::new(terminal, &source.reading));
        Ok(Self::of_plan(path, plan))
    }
}
