//! From a value of a pickle to the tensors that it is.

use crate::map::Map;

use super::budget::{Budget, check_expanded};
use crate::checkpoint::pickle::torch::{StridedSpec, TensorSpec, is_sharded, tensor};
use crate::checkpoint::pickle::{Pickle, TensorError, UnsupportedTensor, ValueId};
use crate::checkpoint::pickled::Storages;
use crate::checkpoint::read::RawTensor;
use crate::checkpoint::state_dict::{OpenOptions, Quantized, Role};
use crate::lazy::{Bytes, LazyTensor, Recipe, Resolve, Storage};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

/// Makes the tensors of one checkpoint.
pub(in crate::checkpoint) struct Rebuild<'s, 'a> {
    pub(super) pickle: &'s Pickle<'a>,
    storages: &'s mut dyn Storages,
    pub(super) quantized: Quantized,
    pub(super) budget: &'s mut Budget,
    /// Python lists of numbers that were read, by their place and type: many tensors may name one.
    pub(super) lists: Map<(ValueId, Dtype), LazyTensor>,
    /// Values of NumPy arrays that were read, by their place.
    pub(super) arrays: Map<ValueId, Bytes>,
}

impl<'s, 'a> Rebuild<'s, 'a> {
    pub(in crate::checkpoint) fn new(
        pickle: &'s Pickle<'a>,
        storages: &'s mut dyn Storages,
        options: &OpenOptions,
        budget: &'s mut Budget,
    ) -> Self {
        let quantized = options.quantized;
        Self { pickle, storages, quantized, budget, lists: Map::default(), arrays: Map::default() }
    }

    /// Adds the tensors that a value is: one, but for nested tensors and for quantized ones that are kept, which
    /// become several under names that begin with `key`.
    pub(in crate::checkpoint) fn add(
        &mut self,
        value: ValueId,
        key: &str,
        tensors: &mut Vec<RawTensor>,
    ) -> Result<(), TensorError> {
        if is_sharded(self.pickle, value) {
            return Err(TensorError::Unsupported(UnsupportedTensor::Sharded));
        }
        match tensor(self.pickle, value)? {
            TensorSpec::Strided(spec) => tensors.push(self.strided(spec, key)?),
            TensorSpec::Quantized(spec) => tensors.extend(self.quantized(*spec, key)?),
            TensorSpec::Coo(spec) => tensors.push(computed(key, self.coo(*spec)?)),
            TensorSpec::Compressed(spec) => tensors.push(computed(key, self.compressed(*spec)?)),
            TensorSpec::Nested(spec) => tensors.extend(self.nested(*spec, key)?),
            TensorSpec::Array(spec) => tensors.push(computed(key, self.array(*spec)?)),
        }
        Ok(())
    }

    /// The one tensor that a value is.
    pub(in crate::checkpoint) fn one(&mut self, value: ValueId, key: &str) -> Result<RawTensor, TensorError> {
        let mut tensors = Vec::new();
        self.add(value, key, &mut tensors)?;
        match tensors.pop() {
            Some(tensor) if tensors.is_empty() => Ok(tensor),
            _ => Err(TensorError::NotOne),
        }
    }

    fn strided(&mut self, spec: StridedSpec<'_>, key: &str) -> Result<RawTensor, TensorError> {
        let (is_conj, is_neg) = (spec.is_conj, spec.is_neg);
        let (storage, tensor) = self.view(spec)?;
        if !is_conj && !is_neg {
            let key = key.to_owned();
            return Ok(RawTensor { key, tensor, storage: Some(storage), role: Role::Unknown });
        }
        let (shape, dtype) = (tensor.view.shape().clone(), tensor.dtype);
        let recipe = Recipe::Resolve(Resolve::new(tensor, is_conj, is_neg)?);
        Ok(computed(key, made(recipe, shape, dtype)))
    }

    /// A strided view, and the number of its storage; the bits `conj` and `neg` are not carried out.
    pub(super) fn view(&mut self, spec: StridedSpec<'_>) -> Result<(usize, LazyTensor), TensorError> {
        let (number, storage) = self.storages.storage(&spec.storage)?;
        self.budget.storage(&storage);
        let size = spec.dtype.size();
        // torch swaps by the storage's class, and does not swap untyped storages.
        let byte_order = match (self.storages.byte_order(), spec.storage.swapped_size()) {
            (ByteOrder::Little, _) | (ByteOrder::Big, 1) => ByteOrder::Little,
            (ByteOrder::Big, swapped) if swapped == spec.dtype.swapped_size() => ByteOrder::Big,
            (ByteOrder::Big, _) => {
                let storage_width = spec.storage.width();
                return Err(TensorError::ByteOrder { storage_width, dtype: spec.dtype });
            }
        };
        let bytes = storage.byte_len();
        check_expanded(bytes, spec.shape.numel().saturating_mul(size))?;
        let view = Strided::new(spec.shape, spec.strides, spec.offset, bytes / size)?;
        Ok((number, LazyTensor { dtype: spec.dtype, view, byte_order, storage }))
    }

    /// A view that is a part of another tensor: it has no bits, and may not repeat its elements, since they
    /// are counted as paid for.
    pub(super) fn part(&mut self, spec: StridedSpec<'_>) -> Result<LazyTensor, TensorError> {
        if spec.is_conj || spec.is_neg {
            return Err(TensorError::PartBits);
        }
        let (_, tensor) = self.view(spec)?;
        let (storage, bytes) = (tensor.storage.byte_len(), tensor.byte_len());
        if bytes > storage {
            return Err(TensorError::Expanded { storage, bytes, limit: storage });
        }
        Ok(tensor)
    }
}

/// The whole of what a recipe makes.
pub(super) fn made(recipe: Recipe, shape: Shape, dtype: Dtype) -> LazyTensor {
    let (view, storage) = (Strided::contiguous(shape), Storage::computed(recipe));
    LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage }
}

/// A tensor that no other one shares its storage with.
pub(super) fn computed(key: impl Into<String>, tensor: LazyTensor) -> RawTensor {
    RawTensor { key: key.into(), tensor, storage: None, role: Role::Unknown }
}
