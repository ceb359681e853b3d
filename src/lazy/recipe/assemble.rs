//! Tensors that lie in several parts: the chunks of a distributed checkpoint (formats/pytorch.md section 7.4).

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::kernel::gather;
use crate::tensor::{ByteOrder, CopyAxis, Dtype, Shape, Strided, StridedCopy};

use super::tiling::{TilingError, check_tiling};

/// A tensor that is put together from parts, which cover it without gaps and without overlaps.
#[derive(Debug)]
pub struct Assemble {
    shape: Shape,
    dtype: Dtype,
    parts: Vec<Part>,
}

/// A part of a tensor.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where its first element lies in the whole, by axis.
    pub offsets: Vec<usize>,
    /// The part.
    pub tensor: LazyTensor,
}

/// Why parts are no whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// A part has another element type than the whole.
    #[error("the part at {offsets:?} is {found}, where the tensor is {expected}")]
    Dtype {
        /// Where the part lies.
        offsets: Vec<usize>,
        /// Its element type.
        found: Dtype,
        /// That of the whole.
        expected: Dtype,
    },
    /// The parts do not cover the tensor.
    #[error("{0}")]
    Tiling(#[from] TilingError),
}

impl Assemble {
    /// How many parts there are.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.parts.len()
    }

    /// A tensor of a shape, of these parts.
    ///
    /// # Errors
    /// When a part has another element type, reaches out of the whole, or overlaps another; when an element
    /// lies in no part.
    pub fn new(dtype: Dtype, shape: Shape, parts: Vec<Part>) -> Result<Self, AssembleError> {
        if let Some(part) = parts.iter().find(|part| part.tensor.dtype != dtype) {
            let offsets = part.offsets.clone();
            return Err(AssembleError::Dtype { offsets, found: part.tensor.dtype, expected: dtype });
        }
        let boxes = parts.iter().map(|part| (part.offsets.as_slice(), part.tensor.view.shape().sizes()));
        check_tiling(&shape, boxes)?;
        Ok(Self { shape, dtype, parts })
    }

    /// Bytes of the whole.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.shape.numel().saturating_mul(self.dtype.size())
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &LazyTensor> {
        self.parts.iter().map(|part| &part.tensor)
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let mut whole = vec![0; self.byte_len()];
        let strides = self.shape.contiguous_strides();
        for part in &self.parts {
            let start = part.offsets.iter().zip(&strides).map(|(offset, stride)| offset * stride).sum();
            if part.tensor.byte_order == ByteOrder::Little || self.dtype.size() == 1 {
                let source = part.tensor.storage.load()?;
                self.place(&part.tensor.view, &strides, start, source.as_slice(), &mut whole)?;
            } else {
                let source = part.tensor.contiguous()?;
                let view = Strided::contiguous(part.tensor.view.shape().clone());
                self.place(&view, &strides, start, &source, &mut whole)?;
            }
        }
        Ok(whole)
    }

    /// Copies one part to its place.
    fn place(
        &self,
        view: &Strided,
        strides: &[usize],
        start: usize,
        source: &[u8],
        whole: &mut [u8],
    ) -> Result<(), LoadError> {
        // The kernel moves words of up to 8 bytes; a complex128 is two of them.
        let size = self.dtype.size().min(WORD);
        let words = self.dtype.size() / size;
        let sizes = view.shape().sizes().iter().zip(view.strides()).zip(strides);
        let axes = sizes.map(|((&size, &source_stride), &target_stride)| CopyAxis {
            size,
            source_stride: source_stride.saturating_mul(words),
            target_stride: target_stride.saturating_mul(words),
        });
        let word = (words > 1).then_some(CopyAxis { size: words, source_stride: 1, target_stride: 1 });
        let copy = StridedCopy {
            axes: axes.chain(word).collect(),
            source_offset: view.offset().saturating_mul(words),
            target_offset: start * words,
        };
        Ok(gather(&copy, size, source, whole)?)
    }
}

/// The most bytes that the copying kernel moves at a time.
const WORD: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lazy::{Bytes, Recipe, Storage};

    /// A tensor that counts up from `first`, its bytes in either order, its axes in memory in reverse.
    fn counting(dtype: Dtype, sizes: &[usize], first: u8, byte_order: ByteOrder) -> LazyTensor {
        let shape = Shape::new(sizes).unwrap();
        let mut reversed = sizes.to_vec();
        reversed.reverse();
        let mut strides = Shape::new(reversed).unwrap().contiguous_strides();
        strides.reverse();
        let numel = shape.numel();
        let mut bytes = vec![0; numel * dtype.size()];
        for flat in 0..numel {
            let (mut rest, mut place) = (flat, 0);
            for (&size, &stride) in sizes.iter().zip(&strides).rev() {
                place += rest % size * stride;
                rest /= size;
            }
            let low = if byte_order == ByteOrder::Big { dtype.swapped_size() - 1 } else { 0 };
            bytes[place * dtype.size() + low] = first + flat as u8;
        }
        let view = Strided::new(shape, strides, 0, numel).unwrap();
        LazyTensor { dtype, view, byte_order, storage: Bytes::held(bytes).into() }
    }

    fn check(dtype: Dtype, byte_order: ByteOrder) {
        let part = |offsets: [usize; 2], sizes: [usize; 2], first| Part {
            offsets: offsets.to_vec(),
            tensor: counting(dtype, &sizes, first, byte_order),
        };
        let parts = vec![part([2, 0], [1, 5], 100), part([0, 0], [2, 3], 0), part([0, 3], [2, 2], 50)];
        let shape = Shape::new([3, 5]).unwrap();
        let whole = Assemble::new(dtype, shape.clone(), parts).unwrap();
        let storage = Storage::computed(Recipe::Assemble(whole));
        let tensor =
            LazyTensor { dtype, view: Strided::contiguous(shape), byte_order: ByteOrder::Little, storage };
        let first: Vec<u8> =
            tensor.storage.load().unwrap().as_slice().chunks(dtype.size()).map(|bytes| bytes[0]).collect();
        assert_eq!(first, [0, 1, 2, 50, 51, 3, 4, 5, 52, 53, 100, 101, 102, 103, 104], "{dtype}");
    }

    #[test]
    fn puts_parts_in_their_places() {
        for dtype in [Dtype::U8, Dtype::Bf16, Dtype::F32, Dtype::F64, Dtype::Complex64, Dtype::Complex128] {
            check(dtype, ByteOrder::Little);
        }
        check(Dtype::Bf16, ByteOrder::Big);
        check(Dtype::F32, ByteOrder::Big);
        check(Dtype::Complex64, ByteOrder::Big);
    }

    #[test]
    fn refuses_parts_of_another_type() {
        let part = Part { offsets: vec![0], tensor: counting(Dtype::F32, &[3], 0, ByteOrder::Little) };
        let error = Assemble::new(Dtype::F64, Shape::new([3]).unwrap(), vec![part]).unwrap_err();
        assert!(matches!(error, AssembleError::Dtype { found: Dtype::F32, .. }), "{error:?}");
    }
}
