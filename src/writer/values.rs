//! What the datasets of an output hold: the plan's values of variables, and datasets of the architecture's own
//! file as they are.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use crate::keras::file_layout::{CarriedDataset, Content};
use crate::plan::{Binding, Part, Provenance, Term, Value as Bound};
use crate::tensor::{Arithmetic, CopyAxis, Shape, StateDictKey, StridedCopy};

use super::Error;
use super::hdf5::Extent;

/// What a dataset holds.
pub(super) struct Value<'a> {
    pub(super) binding: Cow<'a, Binding>,
    pub(super) shape: &'a Shape,
    /// The variable's path or that of the carried dataset, for errors.
    pub(super) name: &'a (dyn Display + Sync),
}

/// What all datasets hold.
pub(super) struct Values<'a> {
    /// By the index of the variable.
    variables: Vec<Option<Value<'a>>>,
    carried: Vec<Value<'a>>,
}

impl<'a> Values<'a> {
    /// Those of bindings, each with the shape and the name of its variable, and of datasets that are carried over.
    pub(super) fn new(
        bindings: impl Iterator<Item = (&'a Binding, &'a Shape, &'a (dyn Display + Sync))>,
        carried: &'a [CarriedDataset],
    ) -> Self {
        let mut variables: Vec<Option<Value<'a>>> = Vec::with_capacity(bindings.size_hint().1.unwrap_or(0));
        for (binding, shape, name) in bindings {
            let count = variables.len().max(binding.variable + 1);
            variables.resize_with(count, || None);
            variables[binding.variable] = Some(Value { binding: Cow::Borrowed(binding), shape, name });
        }
        let count = variables.len();
        let as_they_are = |(at, dataset): (usize, &'a CarriedDataset)| Value {
            binding: Cow::Owned(copy(count + at, dataset)),
            shape: dataset.tensor.view.shape(),
            name: &dataset.path,
        };
        Self { variables, carried: carried.iter().enumerate().map(as_they_are).collect() }
    }

    pub(super) fn get(&self, content: Content) -> Option<&Value<'a>> {
        match content {
            Content::Variable(at) => self.variables.get(at)?.as_ref(),
            Content::Carried(at) => self.carried.get(at),
        }
    }

    /// The type and the shape of a dataset.
    pub(super) fn extent(&self, content: Content) -> Option<Extent<'a>> {
        let value = self.get(content)?;
        Some(Extent { dtype: value.binding.dtype, shape: value.shape })
    }

    /// How many variables there are.
    pub(super) fn variables(&self) -> usize {
        self.variables.iter().flatten().count()
    }

    /// Every variable has its dataset, or shares another's.
    pub(super) fn check_placed<'d>(
        &self,
        datasets: impl Iterator<Item = &'d (Content, u64)>,
        shared: &[usize],
    ) -> Result<(), Error> {
        let mut placed = vec![false; self.variables.len()];
        let of_datasets = datasets.filter_map(|(content, _)| match content {
            Content::Variable(variable) => Some(*variable),
            Content::Carried(_) => None,
        });
        for variable in of_datasets.chain(shared.iter().copied()) {
            if let Some(placed) = placed.get_mut(variable) {
                *placed = true;
            }
        }
        let lost = |&(variable, placed): &(usize, &bool)| !placed && self.variables[variable].is_some();
        match placed.iter().enumerate().find(lost) {
            Some((variable, _)) => Err(Error::Unplaced { variable }),
            None => Ok(()),
        }
    }

    /// The error of a dataset that there is no value for.
    pub(super) fn unplaced(&self, content: Content) -> Error {
        let (Content::Variable(variable) | Content::Carried(variable)) = content;
        Error::Unplaced { variable }
    }
}

/// The binding that copies a dataset. It counts as a variable after those of the model.
fn copy(variable: usize, dataset: &CarriedDataset) -> Binding {
    let view = &dataset.tensor.view;
    let sizes = view.shape().sizes().iter().zip(view.strides()).zip(view.shape().contiguous_strides());
    let axis = |((&size, &source_stride), target_stride)| CopyAxis { size, source_stride, target_stride };
    let copy =
        StridedCopy { axes: sizes.map(axis).collect(), source_offset: view.offset(), target_offset: 0 };
    let part = Part { key: StateDictKey::new(""), source: dataset.tensor.clone(), copy, derivation: None };
    Binding {
        variable,
        dtype: dataset.tensor.dtype,
        value: Bound::Gather(vec![Term { parts: vec![part] }]),
        arithmetic: Arithmetic::default(),
        provenance: Provenance::Waiver(String::new()),
        layout: Arc::default(),
    }
}
