//! The indices of sparse tensors: integers that are read one by one from where they lie.

use crate::lazy::{Bytes, LazyTensor, LoadError};
use crate::tensor::{ByteOrder, Dtype};

/// A tensor of `int32` or `int64`, with its bytes.
pub(super) struct Indices<'t> {
    tensor: &'t LazyTensor,
    bytes: Bytes,
}

impl<'t> Indices<'t> {
    pub(super) fn load(tensor: &'t LazyTensor) -> Result<Self, LoadError> {
        Ok(Self { tensor, bytes: tensor.storage.load()? })
    }

    /// The element's place in the storage for an index of the first axes, the rest being 0.
    pub(super) fn place(&self, index: impl IntoIterator<Item = usize>) -> usize {
        let strides = self.tensor.view.strides();
        // The view was checked against its storage, so its places do not overflow.
        index.into_iter().zip(strides).fold(self.tensor.view.offset(), |place, (index, stride)| {
            place.wrapping_add(index.wrapping_mul(*stride))
        })
    }

    /// The stride of an axis.
    pub(super) fn stride(&self, axis: usize) -> usize {
        self.tensor.view.strides().get(axis).copied().unwrap_or(0)
    }

    /// The element at a place of the storage; −1, which is no index, outside of it.
    pub(super) fn at(&self, place: usize) -> i64 {
        match self.tensor.dtype {
            Dtype::I32 => self.read::<4>(place).map_or(-1, |bytes| i32::from_le_bytes(bytes).into()),
            _ => self.read::<8>(place).map_or(-1, i64::from_le_bytes),
        }
    }

    fn read<const N: usize>(&self, place: usize) -> Option<[u8; N]> {
        let start = place.checked_mul(N)?;
        let mut bytes: [u8; N] = self.bytes.as_slice().get(start..start.checked_add(N)?)?.try_into().ok()?;
        if self.tensor.byte_order == ByteOrder::Big {
            bytes.reverse();
        }
        Some(bytes)
    }
}
