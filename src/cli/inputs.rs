//! What the commands read: checkpoint, schema and architecture, and the plan they make.

use super::args;
use super::failure::Failure;
use super::listener::Listener;
use super::mistaken;
use super::terminal::Terminal;
use crate::convert::{ConvertError, Source};
use crate::keras::file_layout::Form;
use crate::plan::{Plan, PlanOptions};
use crate::schema::Glob;

/// What is decided of a plan.
pub(super) fn options(args: &args::Source, form: Form) -> Result<PlanOptions, Failure> {
    Ok(PlanOptions {
        dtype: args.dtype,
        form,
        allow_missing: allow_missing(&args.allow_missing)?,
        allow_unexpected: allow_unexpected(&args.allow_unexpected)?,
        explain: false,
        threads: None,
    })
}

/// What a plan is made of.
pub(super) fn source(args: &args::Source) -> Source {
    let mut source = Source::new(&args.checkpoint, &args.schema);
    source.architecture.clone_from(&args.arch);
    source.reading = args.open_options();
    source
}

/// Reads everything and plans. Warnings of the checkpoint go to stderr.
pub(super) fn plan(source: &Source, options: &PlanOptions, terminal: Terminal) -> Result<Plan, Failure> {
    let opened = source.open(&Listener::new(terminal, &source.reading));
    let opened = opened.map_err(|error| told(error, source))?;
    opened.plan(options).map_err(Failure::Convert)
}

/// The same failure, or what a file is that stands in the place of another.
pub(super) fn told(error: ConvertError, source: &Source) -> Failure {
    match error {
        ConvertError::Schema(_) => mistaken::schema(&source.schema, error.into()),
        ConvertError::Keras(error) => {
            let path = error.path.clone();
            mistaken::architecture(&path, ConvertError::Keras(error).into())
        }
        error => error.into(),
    }
}

/// `--allow-missing`.
pub(super) fn allow_missing(texts: &[String]) -> Result<Vec<Glob>, Failure> {
    globs("--allow-missing", texts)
}

/// `--allow-unexpected`.
pub(super) fn allow_unexpected(texts: &[String]) -> Result<Vec<Glob>, Failure> {
    globs("--allow-unexpected", texts)
}

fn globs(option: &'static str, texts: &[String]) -> Result<Vec<Glob>, Failure> {
    let parse = |text: &String| {
        Glob::new(text).map_err(|source| Failure::Glob { option, text: text.clone(), source })
    };
    texts.iter().map(parse).collect()
}
