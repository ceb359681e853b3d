//! Tensors that torch saved as NumPy arrays, whose values stand in the pickle.

use super::tensors::Rebuild;
use crate::checkpoint::pickle::TensorError;
use crate::checkpoint::pickle::torch::{ArrayBytes, ArraySpec};
use crate::lazy::{Bytes, LazyTensor, Storage};
use crate::tensor::{ByteOrder, Strided};

/// Bytes of a `float32`, which `bfloat16` values are saved as, and of its half.
const WIDE: usize = 4;

impl Rebuild<'_, '_> {
    pub(super) fn array(&mut self, spec: ArraySpec<'_>) -> Result<LazyTensor, TensorError> {
        let wrong = |what| TensorError::Arguments { function: "a NumPy array".to_owned(), what };
        let bytes = self.array_bytes(spec.bytes).ok_or_else(|| wrong("its text is not latin1"))?;
        let size = if spec.is_widened { WIDE } else { spec.dtype.size() };
        if spec.shape.numel().checked_mul(size) != Some(bytes.len()) {
            return Err(wrong("it has not as many bytes as its shape needs"));
        }
        let mut strides = if spec.is_fortran {
            let mut next = 1_usize;
            let mut step = |&size: &usize| {
                let stride = next;
                next = next.saturating_mul(size.max(1));
                stride
            };
            spec.shape.sizes().iter().map(&mut step).collect()
        } else {
            spec.shape.contiguous_strides()
        };
        let mut offset = 0;
        if spec.is_widened {
            // A bfloat16 is the upper half of a float32, so the tensor is every other half.
            self.budget.check(bytes.len())?;
            let (upper, is_exact) = match spec.byte_order {
                ByteOrder::Little => (1, bytes.as_slice().chunks(WIDE).all(|f| f.starts_with(&[0, 0]))),
                ByteOrder::Big => (0, bytes.as_slice().chunks(WIDE).all(|f| f.ends_with(&[0, 0]))),
            };
            if !is_exact {
                return Err(wrong("its float32 values are no bfloat16 ones"));
            }
            strides.iter_mut().for_each(|stride| *stride = stride.saturating_mul(2));
            offset = if bytes.is_empty() { 0 } else { upper };
        }
        let available = bytes.len() / spec.dtype.size();
        let view = Strided::new(spec.shape, strides, offset, available)?;
        let storage = Storage::Ready(bytes);
        Ok(LazyTensor { dtype: spec.dtype, view, byte_order: spec.byte_order, storage })
    }

    /// The values, held once for all arrays over the same ones. They are no more than the pickle itself.
    fn array_bytes(&mut self, bytes: ArrayBytes<'_>) -> Option<Bytes> {
        let (ArrayBytes::Plain(id, _) | ArrayBytes::Latin1(id, _)) = bytes;
        if let Some(known) = self.arrays.get(&id) {
            return Some(known.clone());
        }
        let held = match bytes {
            ArrayBytes::Plain(_, bytes) => bytes.to_vec(),
            ArrayBytes::Latin1(_, text) => {
                text.chars().map(|char| u8::try_from(char).ok()).collect::<Option<_>>()?
            }
        };
        let held = Bytes::held(held);
        self.arrays.insert(id, held.clone());
        Some(held)
    }
}
