//! How a strided copy is cut into tiles that a worker does at a time.
//!
//! A tile is a box of the copy's loops: wide enough along the source that whole cache lines of it are used,
//! and along the target that it is written in long runs. For the kernel of a convolution, `o i hw -> hw i o`,
//! it is a range of `i` with all of `o` and `hw`: every source line is read once, and each of the `hw` runs
//! is written with one call.

use smallvec::smallvec;

use crate::tensor::{Sizes, StridedCopy};

/// Bytes of a tile: its source lines, itself and the pages it is written to stay in the second-level cache.
pub(super) const TILE_BYTES: usize = 1 << 19;
/// Bytes of a tile that consists of whole rows of its target, which are then written with one call: writing
/// pages in parts costs more than the cache does.
const WHOLE_ROWS_BYTES: usize = 3 << 19;
/// Bytes of a tile that is written in several runs, if they would be shorter than [`LONG_RUN_BYTES`] otherwise: many
/// short writes cost more than the cache does, too. In writes of 56 KiB a file system takes twice as long as in those of
/// 512 KiB, in such of 256 KiB a quarter longer.
const SHORT_RUNS_BYTES: usize = 5 << 19;
/// Bytes of a run that is long enough.
const LONG_RUN_BYTES: usize = 256 * 1024;

/// Bytes of the largest tile there is.
pub(crate) const LARGEST_TILE_BYTES: usize = SHORT_RUNS_BYTES;
/// Tiles that a worker holds at most: one as it is read, one as it is converted, what waits to be written, and what is
/// spared to be filled again.
pub(crate) const HELD_TILES: usize = 4;
/// Memory of all tiles that are held, so that a conversion takes less than 32 MiB and 2 MiB for each thread, whatever the
/// model's size: it takes 8 MiB besides.
const ALL_TILES_BYTES: usize = 24 << 20;
const ALL_TILES_BYTES_OF_A_THREAD: usize = 2 << 20;

/// Bytes of the largest tile where so many workers hold some. There is always room for one of [`TILE_BYTES`].
pub(super) fn largest_tile(workers: usize) -> usize {
    let all = workers.saturating_mul(ALL_TILES_BYTES_OF_A_THREAD).saturating_add(ALL_TILES_BYTES);
    (all / HELD_TILES / workers.max(1)).clamp(TILE_BYTES, LARGEST_TILE_BYTES)
}

/// Bytes of source that a tile uses in a row, where there are so many: two cache lines, which are fetched in
/// pairs.
const SOURCE_RUN_BYTES: usize = 128;
/// Bytes of target that have to lie in a row for a part to be written on its own.
const TARGET_RUN_BYTES: usize = 32 * 1024;

/// Bytes of a cache line.
pub(super) const LINE_BYTES: usize = 64;

/// Bytes of an element of a copy's source, and of what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ElementSizes {
    pub(super) source: usize,
    pub(super) target: usize,
}

impl ElementSizes {
    const fn largest(self) -> usize {
        if self.source > self.target { self.source } else { self.target }
    }
}

/// The tiles of a copy.
#[derive(Debug)]
pub(super) struct Grid {
    copy: StridedCopy,
    /// Steps of a tile along each loop.
    steps: Sizes,
}

impl Grid {
    /// Cuts a collapsed copy of at least one element, between elements of so many bytes, into tiles of no more than
    /// [`largest_tile`] bytes.
    pub(super) fn new(copy: StridedCopy, sizes: ElementSizes, largest: usize) -> Self {
        let grid = Self::within(copy, sizes, TILE_BYTES.min(largest), largest);
        let (run, are_several) = grid.run();
        if grid.len() > 1 && are_several && run * sizes.target < LONG_RUN_BYTES {
            let larger = Self::within(grid.copy.clone(), sizes, SHORT_RUNS_BYTES.min(largest), largest);
            if larger.run().0 > run {
                return larger;
            }
        }
        grid
    }

    /// Cuts a copy into tiles of about so many bytes.
    fn within(copy: StridedCopy, sizes: ElementSizes, bytes: usize, largest: usize) -> Self {
        let size = sizes.largest();
        let budget = (bytes / size).max(1);
        let mut steps: Sizes = smallvec![1; copy.axes.len()];
        let volume = |steps: &[usize]| steps.iter().product::<usize>();
        let grow = |steps: &mut [usize], axis: usize, most: usize| {
            let others = volume(steps) / steps[axis];
            steps[axis] = copy.axes[axis].size.min(most).min(budget / others).max(steps[axis]);
        };
        let mut run = 1;
        while run < SOURCE_RUN_BYTES / size {
            let Some(axis) = (0..steps.len()).find(|&axis| goes_on(&copy, axis, run) && steps[axis] == 1)
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
            if volume(&steps) / steps[last] * row.size <= WHOLE_ROWS_BYTES.min(largest) / size {
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
        let mut grid = Self { copy, steps };
        grid.end_with_lines(sizes, bytes.max(WHOLE_ROWS_BYTES).min(largest));
        grid
    }

    /// Has tiles end where lines of the source do, as far as it begins with one, as all records of an archive do: a line
    /// that two tiles share is fetched twice. Where some of the source's runs begin elsewhere in a line than others, all
    /// tiles share lines, and are left alike.
    fn end_with_lines(&mut self, sizes: ElementSizes, most_bytes: usize) {
        let mut run = 1;
        let mut within = Sizes::new();
        let cut = loop {
            let Some(axis) = (0..self.steps.len()).find(|&axis| goes_on(&self.copy, axis, run)) else {
                return;
            };
            within.push(axis);
            if self.steps[axis] < self.copy.axes[axis].size {
                break axis;
            }
            run *= self.steps[axis];
        };
        let is_in_step = self.copy.axes.iter().enumerate().all(|(axis, others)| {
            within.contains(&axis) || (others.source_stride * sizes.source).is_multiple_of(LINE_BYTES)
        });
        // Steps whose elements are whole lines.
        let lines = (1..=LINE_BYTES).find(|steps| (steps * run * sizes.source).is_multiple_of(LINE_BYTES));
        let Some(lines) = lines.filter(|lines| is_in_step && *lines <= self.steps[cut]) else { return };
        let others = self.steps.iter().product::<usize>() / self.steps[cut];
        let up = self.steps[cut].next_multiple_of(lines).min(self.copy.axes[cut].size);
        let down = self.steps[cut] / lines * lines;
        self.steps[cut] = if up * others * sizes.largest() <= most_bytes { up } else { down };
    }

    /// Elements that the first tile's target has in a row, and whether it consists of several such runs.
    fn run(&self) -> (usize, bool) {
        target_run(&self.copy, &self.steps)
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

/// Whether steps along an axis of a copy go on where a run of so many elements of the source ends.
fn goes_on(copy: &StridedCopy, axis: usize, run: usize) -> bool {
    copy.axes[axis].source_stride == run && copy.axes[axis].size > 1
}

/// Whether a collapsed copy can be written on its own: its target is one run, or made of long ones.
pub(super) fn has_long_runs(copy: &StridedCopy, size: usize) -> bool {
    let sizes: Sizes = copy.axes.iter().map(|axis| axis.size).collect();
    let (run, are_several) = target_run(copy, &sizes);
    !are_several || run * size >= TARGET_RUN_BYTES
}

/// Elements that so many steps of a copy's loops write in a row, and whether they write several such runs.
fn target_run(copy: &StridedCopy, steps: &[usize]) -> (usize, bool) {
    let mut run = 1;
    for (axis, &step) in copy.axes.iter().zip(steps).rev() {
        if step > 1 && axis.target_stride != run {
            return (run, true);
        }
        run *= step;
    }
    (run, false)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tensor::CopyAxis;

    fn axis(size: usize, source_stride: usize, target_stride: usize) -> CopyAxis {
        CopyAxis { size, source_stride, target_stride }
    }

    /// A copy and the bytes of its elements, and the steps of its tiles.
    fn check(axes: &[CopyAxis], size: usize, expected: &[usize]) {
        check_of(axes, ElementSizes { source: size, target: size }, LARGEST_TILE_BYTES, expected);
    }

    fn check_of(axes: &[CopyAxis], sizes: ElementSizes, largest: usize, expected: &[usize]) {
        let copy = StridedCopy { axes: axes.into(), source_offset: 3, target_offset: 5 };
        let grid = Grid::new(copy.clone(), sizes, largest);
        assert_eq!(grid.steps.as_slice(), expected, "{axes:?} of {sizes:?} bytes");
        let mut seen = HashSet::new();
        for index in 0..grid.len() {
            let tile = grid.tile(index);
            assert!(tile.numel() * sizes.largest() <= largest, "{tile:?}");
            let start = (tile.source_offset, tile.target_offset);
            assert!(seen.insert(start), "{start:?} is the beginning of one tile");
        }
        assert_eq!((0..grid.len()).map(|index| grid.tile(index).numel()).sum::<usize>(), copy.numel());
    }

    /// `o i -> i o`
    fn linear(outputs: usize, inputs: usize) -> [CopyAxis; 2] {
        [axis(inputs, 1, outputs), axis(outputs, inputs, 1)]
    }

    /// `o i hw -> hw i o`
    fn convolution(outputs: usize, inputs: usize, window: usize) -> [CopyAxis; 3] {
        let source = inputs * window;
        [axis(window, 1, inputs * outputs), axis(inputs, window, outputs), axis(outputs, source, 1)]
    }

    #[test]
    fn whole_lines_of_the_source() {
        check(&linear(4096, 4096), 4, &[32, 4096]);
        check(&linear(4096, 4096), 2, &[64, 4096]);
        // 42 are half a megabyte, 41 are cut into even parts, and 48 are three lines.
        check(&linear(3072, 768), 4, &[48, 3072]);
        check(&linear(768, 3072), 4, &[176, 768]);
        // A line of the source is two of the target.
        let widened = ElementSizes { source: 2, target: 4 };
        check_of(&linear(3072, 768), widened, LARGEST_TILE_BYTES, &[64, 3072]);
    }

    /// No tile could end where lines do.
    #[test]
    fn out_of_step() {
        check(&linear(4096, 257), 4, &[29, 4096]);
        check(&linear(3072, 770), 4, &[41, 3072]);
    }

    #[test]
    fn runs_that_are_short() {
        check(&convolution(512, 512, 9), 4, &[9, 128, 512]);
        check(&convolution(512, 512, 9), 2, &[9, 256, 512]);
        check_of(
            &convolution(512, 512, 9),
            ElementSizes { source: 4, target: 4 },
            largest_tile(64),
            &[9, 32, 512],
        );
        // Half of the columns of a matrix: no run is longer than that.
        let half = [axis(4096, 1, 22016), axis(11008, 4096, 1)];
        check(&half, 4, &[32, 11008]);
    }

    #[test]
    fn rows_that_are_long() {
        check(&linear(11008, 4096), 4, &[32, 11008]);
        // Rows of which 32 are more than a megabyte and a half are cut.
        check(&linear(50257, 768), 4, &[32, 16753]);
    }

    #[test]
    fn too_little_for_a_line() {
        check(&linear(3, 5), 4, &[5, 3]);
        check(&convolution(64, 3, 49), 4, &[49, 3, 64]);
        check(&convolution(20000, 7, 9), 4, &[9, 4, 10000]);
        check(&[axis(1, 1, 1)], 4, &[1]);
        check(&[], 4, &[]);
    }

    #[test]
    fn memory_of_many_workers() {
        assert_eq!([1, 2, 3].map(largest_tile), [LARGEST_TILE_BYTES; 3]);
        for workers in [1, 2, 3, 8, 17, 64, 500] {
            let held = workers * HELD_TILES * largest_tile(workers);
            assert!(held <= (24 << 20) + workers * (2 << 20), "{workers}: {held}");
        }
    }
}
