//! What the commands read: checkpoint, schema and architecture, and the plan they make.

use std::path::Path;

use super::args::Source;
use super::failure::Failure;
use super::terminal::{Terminal, WARNING};
use crate::checkpoint::{Checkpoint, OpenOptions};
use crate::keras::Architecture;
use crate::plan::{self, Plan, PlanOptions};
use crate::schema::{Bundled, Glob, Schema, bundled};

/// How alike a name must be to be worth a hint; 1 is equal, 0 nothing in common.
const ALIKE: f64 = 0.7;

/// Reads everything and plans. Warnings of the checkpoint go to stderr.
pub(super) fn plan(source: &Source, terminal: Terminal) -> Result<Plan, Failure> {
    let options = PlanOptions {
        dtype: source.dtype,
        allow_missing: globs("--allow-missing", &source.allow_missing)?,
        allow_unexpected: globs("--allow-unexpected", &source.allow_unexpected)?,
    };
    let schema = schema(&source.schema)?;
    let checkpoint = checkpoint(&source.checkpoint, source.key.as_deref())?;
    for warning in &checkpoint.warnings {
        terminal.remark(WARNING, "warning", warning);
    }
    let path = match (&source.arch, &schema.architecture) {
        (Some(path), _) | (None, Some(path)) => path,
        (None, None) => return Err(Failure::NoArchitecture { schema: schema.file.name.clone() }),
    };
    let architecture = Architecture::open(path)?;
    Ok(plan::plan(&checkpoint, &schema, architecture, &options)?)
}

/// Opens a checkpoint.
pub(super) fn checkpoint(path: &Path, key: Option<&str>) -> Result<Checkpoint, Failure> {
    Ok(Checkpoint::open(path, &OpenOptions { key: key.map(str::to_owned) })?)
}

/// Opens a bundled schema by its name, or else a file. `./name` is always a file.
fn schema(argument: &Path) -> Result<Schema, Failure> {
    let name = argument.to_string_lossy();
    if let Some(found) = bundled().iter().find(|entry| entry.name == name) {
        return Ok(Schema::open_bundled(found)?);
    }
    let is_name = argument.extension().is_none() && !name.starts_with('.') && !argument.is_absolute();
    if is_name && !argument.exists() {
        return Err(unknown_schema(&name));
    }
    Ok(Schema::open(argument)?)
}

/// The bundled schema of that name.
pub(super) fn find_bundled(name: &str) -> Result<&'static Bundled, Failure> {
    bundled().iter().find(|entry| entry.name == name).ok_or_else(|| unknown_schema(name))
}

fn unknown_schema(name: &str) -> Failure {
    // Whole names are compared, and last parts: "resnet" means "torchvision/resnet".
    let likeness = |entry: &Bundled| {
        let last = entry.name.rsplit('/').next().unwrap_or(entry.name);
        strsim::jaro_winkler(entry.name, name).max(strsim::jaro_winkler(last, name))
    };
    let nearest = bundled().iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let nearest = nearest.filter(|entry| likeness(entry) > ALIKE).map(|entry| entry.name);
    Failure::UnknownSchema { name: name.to_owned(), nearest }
}

fn globs(option: &'static str, texts: &[String]) -> Result<Vec<Glob>, Failure> {
    let parse = |text: &String| {
        Glob::parse(text).map_err(|source| Failure::Glob { option, text: text.clone(), source })
    };
    texts.iter().map(parse).collect()
}
