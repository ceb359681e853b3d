//! What the commands read: checkpoint, schema and architecture, and the plan they make.

use std::num::NonZeroUsize;
use std::path::Path;

use super::args::Source;
use super::better::better;
use super::escape::escape;
use super::failure::Failure;
use super::interrupt;
use super::terminal::{Terminal, WARNING};
use super::{mistaken, warnings};
use crate::checkpoint::{self, Checkpoint, OpenOptions, as_key};
use crate::keras::Architecture;
use crate::keras::file_layout::Form;
use crate::plan::{self, Plan, PlanOptions, Value};
use crate::schema::{Glob, Schema};
use crate::tensor::Dtype;

/// A checkpoint, and what is decided of its plan.
pub(super) struct Inputs<'a> {
    pub(super) checkpoint: &'a Path,
    pub(super) open_options: OpenOptions,
    pub(super) dtype: Option<Dtype>,
    pub(super) allow_missing: &'a [String],
    pub(super) allow_unexpected: &'a [String],
    /// Whether the details of bindings are asked for.
    pub(super) explain: bool,
}

/// Reads everything and plans. Warnings of the checkpoint go to stderr.
///
/// `form` tells what the plan is for, once the architecture is known.
pub(super) fn plan(
    source: &Source,
    form: &dyn Fn(&Architecture) -> Form,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    plan_of(source, form, false, terminal)
}

/// The same with the details of the bindings.
pub(super) fn explained(
    source: &Source,
    form: &dyn Fn(&Architecture) -> Form,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    plan_of(source, form, true, terminal)
}

fn plan_of(
    source: &Source,
    form: &dyn Fn(&Architecture) -> Form,
    explain: bool,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    let inputs = Inputs {
        checkpoint: &source.checkpoint,
        open_options: source.open_options(),
        dtype: source.dtype,
        allow_missing: &source.allow_missing,
        allow_unexpected: &source.allow_unexpected,
        explain,
    };
    globs("--allow-missing", inputs.allow_missing)?;
    globs("--allow-unexpected", inputs.allow_unexpected)?;
    let schema = Schema::load(&source.schema)
        .map_err(|error| mistaken::schema(Path::new(&source.schema), error.into()))?;
    let architecture = source.arch.as_deref().or(schema.architecture.as_deref());
    plan_with(&inputs, &schema, architecture, form, terminal)
}

/// Reads the checkpoint and the architecture, and plans.
pub(super) fn plan_with(
    inputs: &Inputs<'_>,
    schema: &Schema,
    architecture: Option<&Path>,
    form: &dyn Fn(&Architecture) -> Form,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    let options = PlanOptions {
        dtype: inputs.dtype,
        explain: inputs.explain,
        allow_missing: globs("--allow-missing", inputs.allow_missing)?,
        allow_unexpected: globs("--allow-unexpected", inputs.allow_unexpected)?,
        ..PlanOptions::default()
    };
    let checkpoint = Checkpoint::open(inputs.checkpoint, &inputs.open_options)?;
    warnings::print(&checkpoint.warnings, terminal);
    if inputs.open_options.key.is_none() && !inputs.open_options.ema {
        name_the_others(&checkpoint, terminal);
    }
    let architecture =
        architecture.ok_or_else(|| Failure::NoArchitecture { schema: schema.file.name.clone() })?;
    let path = architecture;
    let architecture =
        Architecture::open(path).map_err(|error| mistaken::architecture(path, error.into()))?;
    let options = PlanOptions { form: form(&architecture), ..options };
    plan::plan(&checkpoint, schema, architecture, &options).map_err(|faults| {
        let better = better(&faults, schema, &checkpoint, path, &options);
        Failure::Faults { faults, better }
    })
}

/// Compares the checksums of all records that the plan reads, and warns of those that are wrong. A signal ends
/// it early.
pub(super) fn check_records(plan: &Plan, threads: Option<NonZeroUsize>, terminal: Terminal) {
    let terms = plan.bindings.iter().flat_map(|binding| match &binding.value {
        Value::Gather(terms) => terms.as_slice(),
        Value::Fill(_) => &[],
    });
    let parts = terms.flat_map(|term| &term.parts);
    let tensors: Vec<_> = parts.map(|part| (&part.key, &part.source)).collect();
    for warning in checkpoint::check_records(&tensors, threads, &interrupt::is_interrupted) {
        terminal.remark(WARNING, "warning", warning);
    }
}

/// Says which state_dict was chosen where the file holds more (averaged weights, a discriminator).
fn name_the_others(checkpoint: &Checkpoint, terminal: Terminal) {
    let joined = |path: &[String]| if path.is_empty() { "the root".to_owned() } else { as_key(path) };
    let others: Vec<String> = checkpoint
        .candidates
        .iter()
        .filter(|candidate| candidate.path != checkpoint.state_dict_path)
        .map(|candidate| format!("`{}`", escape(&joined(&candidate.path))))
        .collect();
    if !others.is_empty() {
        let chosen = joined(&checkpoint.state_dict_path);
        let text = format!("read `{}`; there is also {} (--key)", escape(&chosen), others.join(", "));
        terminal.remark(WARNING, "note", text);
    }
}

fn globs(option: &'static str, texts: &[String]) -> Result<Vec<Glob>, Failure> {
    let parse = |text: &String| {
        Glob::new(text).map_err(|source| Failure::Glob { option, text: text.clone(), source })
    };
    texts.iter().map(parse).collect()
}
