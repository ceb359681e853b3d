//! Sparse tensors of coordinates and values.

use super::densify::{DensifyError, adder, check_dtypes, dense_len, on_axis};
use super::indices::Indices;
use super::memory::zeros;
use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

/// A `torch.sparse_coo` tensor. Values of the same place add, in the order of the file.
///
/// torch adds in that order too, but where the values are not contiguous: then it sorts first, by an algorithm
/// that depends on the machine, and the last bits of its sums with it.
#[derive(Debug)]
pub struct DensifyCoo {
    indices: LazyTensor,
    values: LazyTensor,
    shape: Shape,
    is_coalesced: bool,
}

impl DensifyCoo {
    /// A recipe for `int64` indices of shape (sparse axes, elements) and values of shape (elements, dense axes
    /// …). The indices themselves are checked by [`Self::check`].
    ///
    /// # Errors
    /// When the parts do not go together, or torch could not make the tensor dense.
    pub fn new(
        indices: LazyTensor,
        values: LazyTensor,
        shape: Shape,
        is_coalesced: bool,
    ) -> Result<Self, DensifyError> {
        check_dtypes(&[indices.dtype], &[Dtype::I64], values.dtype)?;
        let wrong = |part, found: &LazyTensor| DensifyError::Part {
            part,
            found: Box::new(found.view.shape().clone()),
        };
        let &[sparse_rank, elements] = indices.view.shape().sizes() else {
            return Err(wrong("indices", &indices));
        };
        let dense = shape.sizes().get(sparse_rank..).ok_or_else(|| wrong("indices", &indices))?;
        match values.view.shape().sizes().split_first() {
            Some((&found, rest)) if found == elements && rest == dense => {}
            _ => return Err(wrong("values", &values)),
        }
        Ok(Self { indices, values, shape, is_coalesced })
    }

    /// Reads the indices and checks them.
    ///
    /// # Errors
    /// When one is outside of the tensor, or they are said to be coalesced and are not; when they cannot be
    /// loaded.
    pub fn check(&self) -> Result<(), LoadError> {
        self.each_place(|_, _| ())
    }

    /// Bytes of the dense tensor.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        dense_len(&self.shape, self.values.dtype)
    }

    /// The tensors that it is made of.
    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.indices, &self.values]
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let add = adder(self.values.dtype)?;
        let values = self.values.contiguous()?;
        let mut dense = zeros(self.byte_len())?;
        let block = self.dense_sizes().iter().product::<usize>().saturating_mul(self.values.dtype.size());
        if block == 0 {
            self.check()?;
            return Ok(dense);
        }
        self.each_place(|element, place| {
            let range = |index: usize| index.wrapping_mul(block)..index.wrapping_add(1).wrapping_mul(block);
            if let (Some(target), Some(value)) = (dense.get_mut(range(place)), values.get(range(element))) {
                add(target, value);
            }
        })?;
        Ok(dense)
    }

    fn dense_sizes(&self) -> &[usize] {
        let sparse_rank = self.indices.view.shape().sizes().first().copied().unwrap_or(0);
        self.shape.sizes().get(sparse_rank..).unwrap_or(&[])
    }

    /// Calls `visit` with every stored element and its place, in blocks of the dense axes.
    fn each_place(&self, mut visit: impl FnMut(usize, usize)) -> Result<(), LoadError> {
        let indices = Indices::load(&self.indices)?;
        let &[sparse_rank, elements] = self.indices.view.shape().sizes() else { return Ok(()) };
        let sizes = self.shape.sizes().get(..sparse_rank).unwrap_or(&[]);
        let by_axis = indices.stride(0);
        if sizes.is_empty() && self.values.view.shape().numel() == 0 {
            // No bytes of the file stand behind the number of elements.
            return Ok(());
        }
        let mut before = None;
        for element in 0..elements {
            let mut at = indices.place([0, element]);
            let mut place = 0_usize;
            for &size in sizes {
                // The product of the sizes fits, and so does every place.
                place = place * size + on_axis(element, indices.at(at), size)?;
                at = at.wrapping_add(by_axis);
            }
            if self.is_coalesced && before.is_some_and(|before| place <= before) {
                return Err(DensifyError::Unsorted { element }.into());
            }
            before = Some(place);
            visit(element, place);
        }
        Ok(())
    }
}
