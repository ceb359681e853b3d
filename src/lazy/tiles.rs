//! Tensors as a stream: all elements in row-major order, a tile at a time.

use std::ops::Range;

use super::{LazyTensor, LoadError};
use crate::tensor::kernel::{BLOCK, GatherError, gather};
use crate::tensor::{Dtype, clip};

/// Elements of a tile: many blocks of the statistics, and of the largest elements no more bytes than the
/// second-level cache has.
pub(super) const TILE: usize = 32 * BLOCK;

/// The same of a view whose elements are gathered: so many rows of a transposed matrix that whole cache lines
/// of its columns are used. At most 8 MiB.
const GATHERED_TILE: usize = 16 * TILE;

/// Calls for a range of the elements of a tensor whose storage has these bytes, as [`LazyTensor::contiguous`]
/// makes them: tiles of [`TILE`] or [`GATHERED_TILE`] elements and a shorter one at the end. Memory for one tile
/// is all that it takes, and only where elements are gathered.
pub(super) fn for_each_tile(
    tensor: &LazyTensor,
    bytes: &[u8],
    elements: Range<usize>,
    call: &mut dyn FnMut(&[u8]),
) -> Result<(), LoadError> {
    let size = tensor.dtype.size();
    if elements.is_empty() {
        return Ok(());
    }
    if tensor.is_plain() && tensor.dtype != Dtype::Bool {
        let place = |element| tensor.view.offset().checked_add(element)?.checked_mul(size);
        let range = place(elements.start).and_then(|start| Some(start..place(elements.end)?));
        let elements = range
            .and_then(|range| bytes.get(range))
            .ok_or(GatherError::SourceTooShort { bytes: bytes.len() })?;
        elements.chunks(TILE * size).for_each(call);
        return Ok(());
    }
    let packing = tensor.packing().collapse();
    let mut tile = vec![0; GATHERED_TILE.min(elements.len()) * size];
    let mut start = elements.start;
    while start < elements.end {
        let end = elements.end.min(start.saturating_add(GATHERED_TILE));
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
