//! An output that is laid out down to its bytes, but for the elements of its datasets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::keras::Architecture;
use crate::keras::file_layout::{CarriedDataset, Content, Form, lay_out};
use crate::plan::Plan;
use crate::tensor::Dtype;

use super::Error;
use super::hdf5::Extent;
use super::prepare::Prepared;

/// An output that is laid out: its files down to their bytes, but for the elements of their datasets.
///
/// That takes an architecture and the element types, but no values, so it can be made beside the plan. It is written
/// by [`write_outline`](super::write_outline).
#[derive(Debug)]
pub struct Outline {
    architecture: Arc<Architecture>,
    /// For each variable the element type in the files, or `None` where it is left out.
    written: Vec<Option<Dtype>>,
    pub(super) form: Form,
    pub(super) path: PathBuf,
    pub(super) files: Vec<Prepared>,
    /// The datasets of the architecture's own file that go into the output.
    pub(super) carried: Vec<CarriedDataset>,
    /// The variables that the format stores as another's value.
    pub(super) shared: Vec<usize>,
}

impl Outline {
    /// Lays out the output of a plan.
    ///
    /// # Errors
    /// When the format cannot hold the architecture so that its Keras reads it.
    pub fn of(plan: &Plan, path: &Path, form: &Form) -> Result<Self, Error> {
        Self::new(Arc::clone(&plan.architecture), written(plan)?, path, form)
    }

    /// Lays out an output for an architecture. `written` has for each variable the element type that the files are
    /// to hold, or `None` where it is left out.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn new(
        architecture: Arc<Architecture>,
        written: Vec<Option<Dtype>>,
        path: &Path,
        form: &Form,
    ) -> Result<Self, Error> {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let dtype = |variable: usize| written.get(variable).copied().flatten();
        let layout = lay_out(&architecture, form, name, &dtype)?;
        let extent = |content| match content {
            Content::Variable(at) => {
                Some(Extent { dtype: dtype(at)?, shape: &architecture.variables.get(at)?.shape })
            }
            Content::Carried(at) => {
                let tensor = &layout.carried.get(at)?.tensor;
                Some(Extent { dtype: tensor.dtype, shape: tensor.view.shape() })
            }
        };
        let files = layout.files.into_iter().map(|file| Prepared::new(file, path, &extent));
        let files = files.collect::<Result<_, _>>()?;
        let (form, path) = (form.clone(), path.to_owned());
        let (carried, shared) = (layout.carried, layout.shared);
        Ok(Self { architecture, written, form, path, files, carried, shared })
    }

    /// Whether this is what [`Self::of`] would make of the same.
    #[must_use]
    pub fn is_of(&self, plan: &Plan, path: &Path, form: &Form) -> bool {
        self.path == path && self.form == *form && self.is_of_plan(plan)
    }

    /// Whether the plan has the same variables in the same element types.
    pub(super) fn is_of_plan(&self, plan: &Plan) -> bool {
        Arc::ptr_eq(&self.architecture, &plan.architecture)
            && written(plan).is_ok_and(|written| written == self.written)
    }
}

/// For each variable of a plan the element type in the files, or `None` where it is left out.
fn written(plan: &Plan) -> Result<Vec<Option<Dtype>>, Error> {
    let mut written = vec![None; plan.architecture.variables.len()];
    for binding in &plan.bindings {
        let variable = binding.variable;
        *written.get_mut(variable).ok_or(Error::Unplaced { variable })? = Some(binding.dtype);
    }
    Ok(written)
}
