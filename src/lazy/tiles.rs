//! Tensors as a stream: all elements in row-major order, a tile at a time.

use super::{LazyTensor, LoadError};
use crate::tensor::kernel::{BLOCK, GatherError, gather};
use crate::tensor::{Dtype, clip};

/// Elements of a tile: many blocks of the statistics, and of the largest elements no more bytes than the
/// second-level cache has.
const TILE: usize = 32 * BLOCK;

/// Calls for all elements of a tensor whose storage has these bytes, as [`LazyTensor::contiguous`] makes them:
/// tiles of [`TILE`] elements and a shorter one at the end. Memory for one tile is all that it takes.
pub(super) fn for_each_tile(
    tensor: &LazyTensor,
    bytes: &[u8],
    call: &mut dyn FnMut(&[u8]),
) -> Result<(), LoadError> {
    let size = tensor.dtype.size();
    let numel = tensor.view.shape().numel();
    if tensor.is_plain() && tensor.dtype != Dtype::Bool {
        let start = tensor.view.offset().checked_mul(size);
        let range = start.and_then(|start| Some(start..start.checked_add(tensor.byte_len())?));
        let elements = range
            .and_then(|range| bytes.get(range))
            .ok_or(GatherError::SourceTooShort { bytes: bytes.len() })?;
        elements.chunks(TILE * size).for_each(call);
        return Ok(());
    }
    if numel == 0 {
        return Ok(());
    }
    let packing = tensor.packing().collapse();
    let mut tile = vec![0; TILE.min(numel) * size];
    let mut start = 0;
    while start < numel {
        let end = numel.min(start.saturating_add(TILE));
        let elements = &mut tile[..(end - start) * size];
        clip(&packing, &(start..end), &mut |mut copy| {
            copy.target_offset -= start;
            gather(&copy, size, bytes, elements)
        })?;
        tensor.normalize(elements);
        call(elements);
        start = end;
    }
    Ok(())
}
