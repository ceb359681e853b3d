//! From a plan to files in their places.

use std::path::{Path, PathBuf};

use crate::crew::{Crew, Hands, beside};
use crate::keras::file_layout::{Body, Form, Group, OutputFile};
use crate::plan::{Binding, Plan};
use crate::tensor::Shape;

use super::atomic::Draft;
use super::fill::{Target, fill};
use super::grid::largest_tile;
use super::jobs::jobs;
use super::outlet::Outlet;
use super::outline::Outline;
use super::prepare::Prepared;
use super::values::Values;
use super::{Error, check_not_input, set};

/// Bytes of structure that are written while the values are cut into jobs: that of thousands of datasets, for which
/// either takes milliseconds.
const MUCH_STRUCTURE: usize = 1 << 20;

/// How to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The format, and for which Keras.
    pub form: Form,
    /// Worker threads; `None` for as many as there are cores. Each takes a few megabytes, and where sources are
    /// computed (inflated, dequantized) as much as those of one variable take.
    pub threads: Option<usize>,
    /// Whether a finite value that is beyond the target type's largest becomes an infinity. An error
    /// otherwise.
    pub allow_overflow: bool,
}

impl WriteOptions {
    /// How many threads there are at most.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The files; the one that the caller named is the last.
    pub files: Vec<PathBuf>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Variables in them.
    pub variables: usize,
}

/// What a caller hears while a file is written, and how it stops the writing. Called from many threads.
pub trait Progress: Sync {
    /// So many more bytes were written.
    fn advance(&self, bytes: u64);
    /// Whether to stop; the output is then abandoned.
    fn is_cancelled(&self) -> bool;
    /// Whether the output is still wanted: asked once, when it is complete and has no name yet.
    fn is_wanted(&self) -> bool {
        true
    }
    /// The crew in which the caller holds a place, where several are written at a time: who is free there helps,
    /// and [`WriteOptions::threads`] does not count.
    fn crew(&self) -> Option<&Crew> {
        None
    }
}

/// Whose threads do the writing.
pub(super) fn hands<'c>(options: &WriteOptions, progress: &'c dyn Progress) -> Hands<'c> {
    progress.crew().map_or_else(|| Hands::Own(options.threads()), Hands::Crew)
}

/// Nobody listens, and nobody stops it.
impl Progress for () {
    fn advance(&self, _bytes: u64) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Writes the output, whole or not at all: unnamed files or temporary siblings, then their names.
///
/// # Errors
/// When the output cannot be written or would replace an input, a value does not fit its type, or the caller
/// cancelled. What stood at `path` is then untouched.
pub fn write(
    plan: &Plan,
    path: &Path,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<Written, Error> {
    write_outline(&Outline::of(plan, path, &options.form)?, plan, options, progress)
}

/// Writes an output that was laid out before, whole or not at all, to the path and in the form that it was laid out
/// for.
///
/// # Errors
/// As [`write()`]; and when it was not laid out for this plan and the form that the options say.
pub fn write_outline(
    outline: &Outline,
    plan: &Plan,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<Written, Error> {
    if outline.form != options.form || !outline.is_of_plan(plan) {
        return Err(Error::OtherPlan { path: outline.path.clone() });
    }
    let variables = &plan.architecture.variables;
    // All of them: the outline is of this plan.
    let bound = plan.bindings.iter().filter_map(|binding| Some((binding, variables.get(binding.variable)?)));
    let bindings = bound.map(|(binding, variable)| (binding, &variable.shape, &variable.path as _));
    let inputs: Vec<&Path> = plan
        .sources
        .iter()
        .chain([&plan.architecture.path])
        .chain(&plan.architecture.carried.files)
        .map(PathBuf::as_path)
        .collect();
    let values = Values::new(bindings, &outline.carried);
    values.check_placed(outline.files.iter().flat_map(|file| &file.datasets), &outline.shared)?;
    write_files(&outline.files, &values, &inputs, &outline.path, options, progress)
}

/// Writes a tree whose datasets hold the values of these bindings, each with the shape and the name of its
/// variable, as one file. What [`write()`] does once a format has laid the variables out.
///
/// # Errors
/// As [`write()`].
pub fn write_tree(
    tree: Group,
    bindings: &[(&Binding, &Shape, String)],
    path: &Path,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<Written, Error> {
    let bindings = bindings.iter().map(|(binding, shape, name)| (*binding, *shape, name as _));
    let values = Values::new(bindings, &[]);
    let file = OutputFile { name: None, body: Body::Hdf5(tree) };
    let file = Prepared::new(file, path, &|content| values.extent(content))?;
    values.check_placed(file.datasets.iter(), &[])?;
    write_files(&[file], &values, &[], path, options, progress)
}

fn write_files(
    files: &[Prepared],
    values: &Values<'_>,
    inputs: &[&Path],
    path: &Path,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<Written, Error> {
    let stale = set::stale(path, files)?;
    for output in files.iter().map(|file| &file.path).chain(&stale) {
        inputs.iter().try_for_each(|input| check_not_input(output, input))?;
    }

    set::check_links(files)?;
    let drafts: Vec<Draft> =
        files.iter().map(|file| Draft::create(&file.path, file.len)).collect::<Result<_, _>>()?;
    set::check_distinct(&drafts)?;
    let outlets: Vec<Outlet<'_>> =
        files.iter().zip(&drafts).map(|(file, draft)| Outlet::new(draft.file(), &file.path)).collect();
    let mut targets = Vec::new();
    for (file, outlet) in files.iter().zip(&outlets) {
        for &(content, offset) in &file.datasets {
            let value = values.get(content).ok_or_else(|| values.unplaced(content))?;
            targets.push(Target {
                binding: &value.binding,
                numel: value.shape.numel(),
                outlet,
                offset,
                name: value.name,
            });
        }
    }
    let structure =
        || files.iter().zip(&drafts).try_for_each(|(file, draft)| file.put_structure(draft.file()));
    let bytes: usize = files.iter().flat_map(|file| &file.pieces).map(|(_, bytes)| bytes.len()).sum();
    let is_worth = bytes >= MUCH_STRUCTURE && hands(options, progress).are_several();
    let largest_tile = largest_tile(hands(options, progress).most());
    let (written, jobs) = beside(is_worth, structure, || jobs(&targets, largest_tile));
    written.unwrap_or_else(structure)?;
    fill(&jobs?, largest_tile, options, progress)?;
    for (file, draft) in files.iter().zip(&drafts) {
        file.finish(draft.file(), options, progress)?;
    }
    if !progress.is_wanted() {
        return Err(Error::Unwanted);
    }
    set::publish(drafts, &stale)?;
    Ok(Written {
        bytes: files.iter().map(|file| file.len).sum(),
        variables: values.variables(),
        files: files.iter().map(|file| file.path.clone()).collect(),
    })
}
