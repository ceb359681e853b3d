//! The copy of a tile by way of a buffer: into it, and from there to the target.

use crate::tensor::StridedCopy;
use crate::tensor::kernel::ALIAS;

use super::grid::LINE_BYTES;

/// The same copy into a buffer that holds its elements alone, in the order of the target.
pub(super) fn packed(copy: &StridedCopy) -> StridedCopy {
    let mut packed = StridedCopy { target_offset: 0, ..copy.clone() };
    let mut stride = 1;
    for axis in packed.axes.iter_mut().rev() {
        axis.target_stride = stride;
        stride *= axis.size;
    }
    packed
}

/// The copy from such a buffer to the target.
pub(super) fn unpacked(copy: &StridedCopy) -> StridedCopy {
    let mut unpacked = StridedCopy { source_offset: 0, ..copy.clone() };
    let mut stride = 1;
    for axis in unpacked.axes.iter_mut().rev() {
        axis.source_stride = stride;
        stride *= axis.size;
    }
    unpacked
}

/// The same copy into a buffer in which rows that are turned side by side do not lie a multiple of [`ALIAS`] apart:
/// there is a line between them where they would.
pub(super) fn spread(copy: &StridedCopy, size: usize) -> StridedCopy {
    let mut spread = StridedCopy { target_offset: 0, ..copy.clone() };
    let mut stride = 1;
    for axis in spread.axes.iter_mut().rev() {
        if axis.source_stride == 1 && axis.size > 1 && stride > 1 && (stride * size).is_multiple_of(ALIAS) {
            stride += LINE_BYTES / size;
        }
        axis.target_stride = stride;
        stride *= axis.size;
    }
    spread
}

/// How many elements a buffer has to hold for a copy into it.
pub(super) fn buffer_len(copy: &StridedCopy) -> usize {
    if copy.axes.iter().any(|axis| axis.size == 0) {
        return 0;
    }
    copy.axes.iter().map(|axis| (axis.size - 1) * axis.target_stride).sum::<usize>() + 1
}

/// The runs that are contiguous both in a collapsed copy's target and in the buffer that the same copy was made to:
/// elements of one, and where each starts in the buffer and in the target.
pub(super) fn runs(copy: &StridedCopy, buffer: &StridedCopy) -> (usize, Vec<(usize, usize)>) {
    let mut run = 1;
    let mut outer = copy.axes.len();
    while outer > 0
        && copy.axes[outer - 1].target_stride == run
        && buffer.axes[outer - 1].target_stride == run
    {
        run *= copy.axes[outer - 1].size;
        outer -= 1;
    }
    let mut starts = vec![(buffer.target_offset, copy.target_offset)];
    for (axis, in_buffer) in copy.axes[..outer].iter().zip(&buffer.axes) {
        let of = |&(from, to): &(usize, usize)| {
            (0..axis.size)
                .map(move |step| (from + step * in_buffer.target_stride, to + step * axis.target_stride))
        };
        starts = starts.iter().flat_map(of).collect();
    }
    (run, starts)
}
