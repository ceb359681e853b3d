//! A call of one of torch's rebuild functions, and its arguments.

use std::ops::RangeInclusive;

use crate::checkpoint::pickle::tensor_error::{TensorError, UnsupportedTensor};
use crate::checkpoint::pickle::value::{Object, Pickle, Value, ValueId, shown_global};
use crate::tensor::{Dtype, MAX_RANK, Shape, ShapeError, Sizes};

/// A call of a rebuild function.
#[derive(Clone, Copy)]
pub(super) struct Call<'p, 'a> {
    pub(super) pickle: &'p Pickle<'a>,
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) args: &'p [ValueId],
    /// The class and the state that `_rebuild_from_type_v2` gives the tensor, for classes that keep their
    /// values in the state.
    pub(super) subclass: Option<(ValueId, ValueId)>,
}

impl<'p, 'a> Call<'p, 'a> {
    pub(super) fn of(pickle: &'p Pickle<'a>, object: &'p Object) -> Result<Self, TensorError> {
        if object.state.is_some() || object.items().len() > 0 || !object.appended().is_empty() {
            return Err(TensorError::Changed);
        }
        let (Some((module, name)), Value::Tuple(args), true) = (
            pickle.global(object.callable),
            pickle.get(object.args),
            object.is_call && object.kwargs.is_none(),
        ) else {
            let function = pickle.global_name(object.callable);
            return Err(TensorError::Unsupported(UnsupportedTensor::Function { function }));
        };
        Ok(Self { pickle, module, name, args, subclass: None })
    }

    /// The function's name, for a message.
    pub(super) fn function(&self) -> String {
        shown_global(self.module, self.name)
    }

    pub(super) fn wrong(&self, what: &'static str) -> TensorError {
        TensorError::Arguments { function: self.function(), what }
    }

    pub(super) fn arg(
        &self,
        index: usize,
        count: RangeInclusive<usize>,
        expected: &'static str,
    ) -> Result<ValueId, TensorError> {
        match self.args.get(index) {
            Some(&arg) if count.contains(&self.args.len()) => Ok(arg),
            _ => Err(self.wrong(expected)),
        }
    }

    pub(super) fn dtype(&self, id: ValueId) -> Result<Dtype, TensorError> {
        match self.pickle.global(id) {
            Some(("torch", name)) => Dtype::from_name(name)
                .ok_or_else(|| TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: name.to_owned() })),
            _ => Err(self.wrong("the dtype is none")),
        }
    }

    pub(super) fn size(&self, id: ValueId) -> Option<usize> {
        match self.pickle.get(id) {
            &Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        }
    }

    /// One count for every axis. A list that is too long is not walked: every tensor may name the same one.
    pub(super) fn sizes(&self, id: ValueId, wrong: &'static str) -> Result<Sizes, TensorError> {
        let sizes = self.pickle.sequence(id).ok_or_else(|| self.wrong(wrong))?;
        if sizes.len() > MAX_RANK {
            return Err(ShapeError::Rank { rank: sizes.len() }.into());
        }
        let mut counts = Sizes::with_capacity(sizes.len());
        for &size in sizes {
            counts.push(self.size(size).ok_or_else(|| self.wrong(wrong))?);
        }
        Ok(counts)
    }

    pub(super) fn shape(&self, id: ValueId) -> Result<Shape, TensorError> {
        Ok(Shape::new(self.sizes(id, "the sizes are no counts")?)?)
    }
}
