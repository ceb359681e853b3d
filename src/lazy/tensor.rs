//! Tensors that have not been read.

use crate::tensor::kernel::gather;
use crate::tensor::{ByteOrder, CopyAxis, Dtype, Strided, StridedCopy};

use super::{Bytes, LoadError, Recipe, Storage, Unpack};

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

    /// Calls `visit` with the ranges of files that the elements are made of, from the first byte that is read to the last,
    /// where that is not much more than what is read.
    pub(crate) fn each_range(&self, visit: &mut dyn FnMut(Bytes)) {
        match (self.storage.ready(), self.storage.recipe()) {
            (Some(bytes), _) => {
                let range = self.packing().dense_source_range();
                range.and_then(|range| bytes.elements(&range, self.dtype.size())).into_iter().for_each(visit);
            }
            (None, Some(Recipe::Inflate(inflate))) => visit(inflate.compressed.clone()),
            (None, Some(recipe)) => recipe.sources().into_iter().for_each(|source| source.each_range(visit)),
            (None, None) => {}
        }
    }

    /// The same tensor over bytes that are there: a mapped range, or what its recipe made.
    ///
    /// # Errors
    /// As [`Storage::load`].
    pub fn loaded(&self) -> Result<Self, LoadError> {
        Ok(Self { storage: Storage::Ready(self.storage.load()?), ..self.clone() })
    }

    /// The numbers of a `float4_e2m1fn_x2` tensor, two in each byte, as a `float32` tensor whose last axis is
    /// twice as long: see [`Unpack`]. `None` for a tensor of another type, or with more numbers than can be
    /// counted.
    #[must_use]
    pub fn unpacked(&self) -> Option<Self> {
        let (unpack, shape) = Unpack::new(self.clone())?;
        Some(Self {
            dtype: Dtype::F32,
            view: Strided::contiguous(shape),
            byte_order: ByteOrder::Little,
            storage: Storage::computed(Recipe::Unpack(unpack)),
        })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::Shape;

    /// Views of all kinds: axes of no and of one element, repeated and overlapping elements, any order of axes.
    fn tensors() -> impl Strategy<Value = LazyTensor> {
        let axis = (
            prop_oneof![1 => Just(0_usize), 2 => Just(1), 6 => 2..6_usize, 1 => 17..40_usize],
            prop_oneof![Just(0_usize), Just(1), 0..9_usize, 30..70_usize],
        );
        let axes = prop_oneof![
            // Any strides.
            prop::collection::vec(axis, 0..4),
            // Dense, the axes in any order.
            prop::collection::vec(1..9_usize, 0..5).prop_flat_map(|sizes| {
                let places: Vec<usize> = (0..sizes.len()).collect();
                (Just(sizes), Just(places).prop_shuffle()).prop_map(|(sizes, places)| {
                    let mut axes: Vec<(usize, usize)> = sizes.iter().map(|&size| (size, 0)).collect();
                    let mut stride = 1;
                    for place in places {
                        axes[place].1 = stride;
                        stride *= axes[place].0;
                    }
                    axes
                })
            }),
        ];
        let dtype = prop::sample::select(Dtype::ALL.to_vec());
        (axes, 0..5_usize, 0..3_usize, dtype, any::<bool>()).prop_map(|(axes, offset, spare, dtype, big)| {
            let sizes: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let strides: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let last: usize = axes.iter().map(|(size, stride)| size.saturating_sub(1) * stride).sum();
            let available = offset + last + 1 + spare;
            let bytes = (0..available * dtype.size()).map(|at| (at * 7 + at / 251) as u8).collect();
            LazyTensor {
                dtype,
                view: Strided::new(Shape::new(sizes).unwrap(), strides, offset, available).unwrap(),
                byte_order: if big { ByteOrder::Big } else { ByteOrder::Little },
                storage: Bytes::held(bytes).into(),
            }
        })
    }

    /// Element by element, byte by byte.
    fn naive(tensor: &LazyTensor) -> Vec<u8> {
        let storage = tensor.storage.load().unwrap();
        let (size, part) = (tensor.dtype.size(), tensor.dtype.swapped_size());
        let sizes = tensor.view.shape().sizes();
        let mut packed = Vec::new();
        let mut index = vec![0; sizes.len()];
        for _ in 0..sizes.iter().product() {
            let steps = index.iter().zip(tensor.view.strides()).map(|(at, stride)| at * stride);
            let start = (tensor.view.offset() + steps.sum::<usize>()) * size;
            for byte in 0..size {
                let place = match tensor.byte_order {
                    ByteOrder::Little => byte,
                    ByteOrder::Big => byte / part * part + (part - 1 - byte % part),
                };
                let byte = storage.as_slice()[start + place];
                packed.push(if tensor.dtype == Dtype::Bool { u8::from(byte != 0) } else { byte });
            }
            for (at, &size) in index.iter_mut().zip(sizes).rev() {
                *at += 1;
                if *at < size {
                    break;
                }
                *at = 0;
            }
        }
        packed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn contiguous_equals_the_naive_loop(tensor in tensors()) {
            let expected = naive(&tensor);
            prop_assert_eq!(tensor.byte_len(), expected.len());
            prop_assert!(tensor.contiguous().unwrap() == expected, "{:?}", tensor);
            if tensor.is_plain() && tensor.dtype != Dtype::Bool && !expected.is_empty() {
                let start = tensor.view.offset() * tensor.dtype.size();
                let storage = tensor.storage.load().unwrap();
                prop_assert_eq!(&storage.as_slice()[start..start + expected.len()], expected);
            }
        }
    }

    proptest! {
        /// Of what lies outside the ranges nothing is read.
        #[test]
        fn ranges_hold_all_that_is_read(tensor in tensors()) {
            let Storage::Ready(bytes) = &tensor.storage else { unreachable!() };
            let mut others: Vec<u8> = bytes.as_slice().iter().map(|byte| !byte).collect();
            let mut ranges = 0;
            let computed = tensor.unpacked().unwrap_or_else(|| tensor.clone());
            computed.each_range(&mut |range| {
                let start = range.as_slice().as_ptr().addr() - bytes.as_slice().as_ptr().addr();
                others[start..start + range.len()].copy_from_slice(range.as_slice());
                ranges += 1;
            });
            let is_dense = tensor.packing().dense_source_range().is_some();
            prop_assert_eq!(ranges, usize::from(is_dense));
            if !is_dense {
                return Ok(());
            }
            let other = LazyTensor { storage: Bytes::held(others).into(), ..tensor.clone() };
            prop_assert!(other.contiguous().unwrap() == tensor.contiguous().unwrap(), "{:?}", tensor);
        }
    }

    #[test]
    fn more_than_memory() {
        let shape = Shape::new([1 << 31, 1 << 30]).unwrap();
        let tensor = LazyTensor {
            dtype: Dtype::F32,
            view: Strided::new(shape, [0, 0], 0, 1).unwrap(),
            byte_order: ByteOrder::Little,
            storage: Bytes::held(vec![0; 4]).into(),
        };
        assert_eq!(tensor.contiguous(), Err(LoadError::Memory { bytes: 1 << 63 }));
    }
}
