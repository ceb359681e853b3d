//! From a plan to a file in its place.

use std::path::Path;

use crate::keras::file_layout::{Format, Group, lay_out};
use crate::plan::{Binding, Plan};
use crate::tensor::{Dtype, Shape};

use super::atomic::Draft;
use super::fill::{Target, fill, write_at};
use super::{Error, hdf5};

/// How to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The format.
    pub format: Format,
    /// Worker threads; `None` for as many as there are cores. Each takes a few megabytes, and where sources are
    /// computed (inflated, dequantized) as much as those of one variable take.
    pub threads: Option<usize>,
    /// Whether a finite value that is beyond the target type's largest becomes an infinity. An error
    /// otherwise.
    pub allow_overflow: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the file.
    pub bytes: u64,
    /// Variables in it.
    pub variables: usize,
}

/// What a caller hears while a file is written, and how it stops the writing. Called from many threads.
pub trait Progress: Sync {
    /// So many more bytes were written.
    fn advance(&self, bytes: u64);
    /// Whether to stop; the output is then abandoned.
    fn is_cancelled(&self) -> bool;
}

/// Nobody listens, and nobody stops it.
impl Progress for () {
    fn advance(&self, _bytes: u64) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Writes the file, whole or not at all: an unnamed file or temporary sibling, then rename.
///
/// # Errors
/// When the output cannot be written, a value does not fit its type, or the caller cancelled. What stood at
/// `path` is then untouched.
pub fn write(
    plan: &Plan,
    path: &Path,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<Written, Error> {
    let variables = &plan.architecture.variables;
    let mut dtypes: Vec<Option<Dtype>> = vec![None; variables.len()];
    let mut targets = Vec::with_capacity(plan.bindings.len());
    for binding in &plan.bindings {
        let unplaced = Error::Unplaced { variable: binding.variable };
        let (Some(slot), Some(variable)) =
            (dtypes.get_mut(binding.variable), variables.get(binding.variable))
        else {
            return Err(unplaced);
        };
        *slot = Some(binding.dtype);
        targets.push((binding, &variable.shape, variable.path.to_string()));
    }
    let tree =
        lay_out(&plan.architecture, options.format, &|variable| dtypes.get(variable).copied().flatten())?;
    write_tree(&tree, &targets, path, options, progress)
}

/// Writes a tree whose datasets hold the values of these bindings, each with the shape and the name of its
/// variable. What [`write()`] does once the format has laid the variables out.
///
/// # Errors
/// As [`write()`].
pub fn write_tree(
    tree: &Group,
    bindings: &[(&Binding, &Shape, String)],
    path: &Path,
    options: &WriteOptions,
    progress: &dyn Progress,
) -> Result<Written, Error> {
    let count = bindings.iter().map(|(binding, ..)| binding.variable + 1).max().unwrap_or(0);
    let mut by_variable = vec![None; count];
    for (place, (binding, ..)) in bindings.iter().enumerate() {
        by_variable[binding.variable] = Some(place);
    }
    let find = |variable: usize| bindings.get((*by_variable.get(variable)?)?);
    let encoded = hdf5::encode(tree, &|variable| {
        find(variable).map(|&(binding, shape, _)| hdf5::Extent { dtype: binding.dtype, shape })
    })?;

    let mut targets = Vec::with_capacity(encoded.datasets.len());
    let mut placed = vec![false; count];
    for &(variable, offset) in &encoded.datasets {
        let (binding, shape, name) = find(variable).ok_or(Error::Unplaced { variable })?;
        placed[variable] = true;
        targets.push(Target { binding, numel: shape.numel(), offset, name });
    }
    if let Some((binding, ..)) = bindings.iter().find(|(binding, ..)| !placed[binding.variable]) {
        return Err(Error::Unplaced { variable: binding.variable });
    }

    let draft = Draft::create(path, encoded.len)?;
    let io_error = |source| Error::Io { path: path.to_owned(), source };
    write_at(draft.file(), &encoded.structure, 0).map_err(io_error)?;
    fill(draft.file(), path, &targets, options, progress)?;
    draft.publish()?;
    Ok(Written { bytes: encoded.len, variables: targets.len() })
}
