//! Tensors that have not been read.

use crate::tensor::kernel::gather;
use crate::tensor::{ByteOrder, CopyAxis, Dtype, Strided, StridedCopy};

use super::{LoadError, Storage};

/// A tensor that has not been read: its element type, its strided view, and the storage that the view counts
/// its elements in.
#[derive(Debug, Clone)]
pub struct LazyTensor {
    /// The element type.
    pub dtype: Dtype,
    /// Which elements of `storage`; checked against their number when it was made.
    pub view: Strided,
    /// The order of the bytes of one element.
    pub byte_order: ByteOrder,
    /// Where the elements lie.
    pub storage: Storage,
}

impl LazyTensor {
    /// Bytes that the tensor takes when contiguous. More than its storage has where elements repeat, without
    /// bound.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.view.shape().numel().saturating_mul(self.dtype.size())
    }

    /// Whether the tensor's elements lie in its storage just as a Keras file holds them: contiguous and
    /// little-endian.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.view.is_contiguous() && (self.byte_order == ByteOrder::Little || self.dtype.size() == 1)
    }

    /// The same tensor over bytes that are there: a mapped range, or what its recipe made.
    ///
    /// # Errors
    /// As [`Storage::load`].
    pub fn loaded(&self) -> Result<Self, LoadError> {
        Ok(Self { storage: Storage::Ready(self.storage.load()?), ..self.clone() })
    }

    /// All elements in row-major order, little-endian, each `bool` 0 or 1: what torch calls contiguous. Takes
    /// [`Self::byte_len`] bytes of memory, besides what computing the storage takes.
    ///
    /// # Errors
    /// As [`Storage::load`], and when there is not so much memory.
    pub fn contiguous(&self) -> Result<Vec<u8>, LoadError> {
        let bytes = self.storage.load()?;
        let len = self.byte_len();
        let mut packed = Vec::new();
        packed.try_reserve_exact(len).map_err(|_| LoadError::Memory { bytes: len })?;
        packed.resize(len, 0);
        gather(&self.packing(), self.dtype.size(), bytes.as_slice(), &mut packed)?;
        self.normalize(&mut packed);
        Ok(packed)
    }

    /// Turns elements of the tensor into those of a Keras file: little-endian, each `bool` 0 or 1.
    pub(super) fn normalize(&self, elements: &mut [u8]) {
        if self.byte_order == ByteOrder::Big {
            elements.chunks_exact_mut(self.dtype.swapped_size()).for_each(<[u8]>::reverse);
        }
        if self.dtype == Dtype::Bool {
            elements.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
    }

    /// The copy from the storage to a buffer that holds the tensor alone, in row-major order.
    pub(super) fn packing(&self) -> StridedCopy {
        let shape = self.view.shape();
        let strides = shape.contiguous_strides();
        let sizes = shape.sizes().iter().zip(self.view.strides().iter().zip(strides));
        let axes = sizes
            .map(|(&size, (&source_stride, target_stride))| CopyAxis { size, source_stride, target_stride })
            .collect();
        StridedCopy { axes, source_offset: self.view.offset(), target_offset: 0 }
    }
}
