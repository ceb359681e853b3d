//! The values of a lazy tensor, read the plainest way.

use ptw2k::lazy::LazyTensor;
use ptw2k::tensor::{ByteOrder, Dtype};

/// The tensor as contiguous little-endian bytes, by a naive index loop.
pub(crate) fn contiguous(tensor: &LazyTensor) -> Vec<u8> {
    let (view, size) = (&tensor.view, tensor.dtype.size());
    let bytes_of_storage = tensor.storage.load().unwrap();
    let mut bytes = Vec::new();
    for flat in 0..view.shape().numel() {
        let mut rest = flat;
        let mut place = view.offset();
        for (&axis, &stride) in view.shape().sizes().iter().zip(view.strides()).rev() {
            place += rest % axis * stride;
            rest /= axis;
        }
        let mut element = bytes_of_storage.as_slice()[place * size..(place + 1) * size].to_vec();
        if tensor.byte_order == ByteOrder::Big {
            element.chunks_mut(tensor.dtype.swapped_size()).for_each(<[u8]>::reverse);
        }
        if tensor.dtype == Dtype::Bool {
            element[0] = u8::from(element[0] != 0);
        }
        bytes.extend(element);
    }
    bytes
}
