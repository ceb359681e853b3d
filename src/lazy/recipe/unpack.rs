//! Numbers of four bits, two in a byte (formats/pytorch.md section 8).

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::kernel::small_float;
use crate::tensor::{Dtype, Shape};

/// The numbers of a `float4_e2m1fn_x2` tensor as `float32`. Those of a byte, the low half first, follow each
/// other along the last axis.
#[derive(Debug)]
pub struct Unpack {
    packed: LazyTensor,
    byte_len: usize,
}

impl Unpack {
    /// The recipe, and the shape of what it makes: the last axis is twice as long, that of a scalar has the
    /// size 2. `None` for a tensor of another type, and where there would be too many numbers to be counted.
    #[must_use]
    pub fn new(packed: LazyTensor) -> Option<(Self, Shape)> {
        if packed.dtype != Dtype::F4E2m1fnX2 {
            return None;
        }
        let mut sizes = packed.view.shape().sizes().to_vec();
        match sizes.last_mut() {
            Some(last) => *last = last.checked_mul(2)?,
            None => sizes.push(2),
        }
        let Ok(shape) = Shape::new(sizes) else { return None };
        let byte_len = shape.numel().checked_mul(Dtype::F32.size())?;
        Some((Self { packed, byte_len }, shape))
    }

    /// Bytes that it makes.
    pub(super) const fn byte_len(&self) -> usize {
        self.byte_len
    }

    pub(super) const fn source(&self) -> &LazyTensor {
        &self.packed
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        let packed = self.packed.contiguous()?;
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(self.byte_len).map_err(|_| LoadError::Memory { bytes: self.byte_len })?;
        numbers.extend(packed.into_iter().flat_map(small_float::pair).flat_map(f32::to_le_bytes));
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lazy::Bytes;
    use crate::tensor::{ByteOrder, Strided};

    fn check(view: Strided, bytes: &[u8], sizes: &[usize], expected: &[f32]) {
        let storage = Bytes::held(bytes.to_vec()).into();
        let packed = LazyTensor { dtype: Dtype::F4E2m1fnX2, view, byte_order: ByteOrder::Little, storage };
        let unpacked = packed.unpacked().unwrap();
        assert_eq!((unpacked.dtype, unpacked.view.shape().sizes()), (Dtype::F32, sizes));
        let expected: Vec<u8> = expected.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(unpacked.storage.byte_len(), expected.len());
        assert_eq!(unpacked.contiguous().unwrap(), expected);
    }

    #[test]
    fn every_code() {
        let bytes: Vec<u8> = (0..8).map(|low| low << 1 | ((low << 1 | 1) << 4)).collect();
        let positive = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let all: Vec<f32> = positive.into_iter().chain(positive.map(|number| -number)).collect();
        check(Strided::contiguous(Shape::new([4, 2]).unwrap()), &bytes, &[4, 4], &all);
    }

    #[test]
    fn views() {
        let turned = Strided::new(Shape::new([3, 2]).unwrap(), [1, 3], 0, 6).unwrap();
        let expected = [0.5, 0.0, 2.0, 0.0, 1.0, 0.0, 3.0, 0.0, 1.5, 0.0, 4.0, 0.0];
        check(turned, &[1, 2, 3, 4, 5, 6], &[3, 4], &expected);
        check(Strided::new(Shape::scalar(), [], 1, 2).unwrap(), &[0, 0xF1], &[2], &[0.5, -6.0]);
        check(Strided::contiguous(Shape::new([3, 0]).unwrap()), &[], &[3, 0], &[]);
    }

    #[test]
    fn not_packed_or_too_many() {
        let tensor = |dtype, sizes: &[usize]| {
            let shape = Shape::new(sizes).unwrap();
            let view = Strided::new(shape, vec![0; sizes.len()], 0, 1).unwrap();
            LazyTensor { dtype, view, byte_order: ByteOrder::Little, storage: Bytes::held(vec![0]).into() }
        };
        assert!(tensor(Dtype::U8, &[2]).unpacked().is_none());
        assert!(tensor(Dtype::F4E2m1fnX2, &[1 << 31, 1 << 31]).unpacked().is_none());
    }
}
