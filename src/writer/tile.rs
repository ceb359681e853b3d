//! How a strided copy is cut into tiles that a worker does at a time.
//!
//! A tile is a box of the copy's loops: wide enough along the source that whole cache lines of it are used,
//! and along the target that it is written in long runs. For the kernel of a convolution, `o i hw -> hw i o`,
//! it is a range of `i` with all of `o` and `hw`: every source line is read once, and each of the `hw` runs
//! is written with one call.

use smallvec::smallvec;

use crate::tensor::kernel::ALIAS;
use crate::tensor::{Sizes, StridedCopy};

/// Bytes of a tile: its source lines, itself and the pages it is written to stay in the second-level cache.
pub(super) const TILE_BYTES: usize = 1 << 19;
/// Bytes of a tile that consists of whole rows of its target, which are then written with one call: writing
/// pages in parts costs more than the cache does.
pub(super) const WHOLE_ROWS_BYTES: usize = 3 << 19;
/// Bytes of source that a tile uses in a row, where there are so many: two cache lines, which are fetched in
/// pairs.
const SOURCE_RUN_BYTES: usize = 128;
/// Bytes of target that have to lie in a row for a part to be written on its own.
const TARGET_RUN_BYTES: usize = 32 * 1024;

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// The tiles of a copy.
#[derive(Debug)]
pub(super) struct Grid {
    copy: StridedCopy,
    /// Steps of a tile along each loop.
    steps: Sizes,
}

impl Grid {
    /// Cuts a collapsed copy between elements of at most `size` bytes.
    pub(super) fn new(copy: StridedCopy, size: usize) -> Self {
        let budget = (TILE_BYTES / size).max(1);
        let mut steps: Sizes = smallvec![1; copy.axes.len()];
        let volume = |steps: &[usize]| steps.iter().product::<usize>();
        let grow = |steps: &mut [usize], axis: usize, most: usize| {
            let others = volume(steps) / steps[axis];
            steps[axis] = copy.axes[axis].size.min(most).min(budget / others).max(steps[axis]);
        };
        let mut run = 1;
        while run < SOURCE_RUN_BYTES / size {
            let Some(axis) =
                (0..steps.len()).find(|&axis| copy.axes[axis].source_stride == run && steps[axis] == 1)
            else {
                break;
            };
            grow(&mut steps, axis, (SOURCE_RUN_BYTES / size).div_ceil(run));
            if steps[axis] < copy.axes[axis].size {
                break;
            }
            run *= copy.axes[axis].size;
        }
        if let Some(row) = copy.axes.last().filter(|row| row.target_stride == 1) {
            let last = steps.len() - 1;
            if volume(&steps) / steps[last] * row.size <= WHOLE_ROWS_BYTES / size {
                steps[last] = row.size;
            }
        }
        for axis in (0..steps.len()).rev() {
            grow(&mut steps, axis, usize::MAX);
        }
        // Tiles of like size instead of a last sliver.
        for (step, axis) in steps.iter_mut().zip(&copy.axes) {
            *step = axis.size.div_ceil(axis.size.div_ceil(*step).max(1)).max(1);
        }
        Self { copy, steps }
    }

    /// How many tiles there are.
    pub(super) fn len(&self) -> usize {
        self.copy.axes.iter().zip(&self.steps).map(|(axis, step)| axis.size.div_ceil(*step)).product()
    }

    /// The copy of a tile, to and from the same places.
    pub(super) fn tile(&self, mut index: usize) -> StridedCopy {
        let mut tile = self.copy.clone();
        for (axis, &step) in tile.axes.iter_mut().zip(&self.steps).rev() {
            let count = axis.size.div_ceil(step);
            let start = index % count * step;
            index /= count;
            tile.source_offset += start * axis.source_stride;
            tile.target_offset += start * axis.target_stride;
            axis.size = step.min(axis.size - start);
        }
        tile
    }
}

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

/// Whether a collapsed copy can be written on its own: its target is one run, or made of long ones.
pub(super) fn has_long_runs(copy: &StridedCopy, size: usize) -> bool {
    let mut run = 1;
    for axis in copy.axes.iter().rev() {
        if axis.target_stride != run {
            return run * size >= TARGET_RUN_BYTES;
        }
        run *= axis.size;
    }
    true
}
