//! Tensors of a layout, one behind the other in a source, cut into tiles as the writer cuts them (`src/writer/grid.rs`):
//! whole rows of the target, up to whole lines of the source, with a line between rows that would lie a multiple of
//! [`ALIAS`] apart.

use ptw2k::tensor::kernel::ALIAS;
use ptw2k::tensor::{CopyAxis, StridedCopy};

/// Bytes of a tile, unless a run of the source makes it larger.
pub(crate) const TILE_BYTES: usize = 1 << 19;

/// Bytes of a tile that is written in several runs which would be shorter than `LONG_RUN_BYTES` otherwise.
const SHORT_RUNS_BYTES: usize = 5 << 19;
const LONG_RUN_BYTES: usize = 1 << 18;

/// Bytes that a tile uses of the source in a row.
const RUN: usize = 128;

/// Bytes of a cache line.
const LINE: usize = 64;

/// A layer's kernel in PyTorch's layout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layer {
    /// `o i (h w) -> (h w) i o`
    Conv { outputs: usize, inputs: usize, window: usize },
    /// `o i -> i o`
    Linear { outputs: usize, inputs: usize },
}

impl Layer {
    /// Elements of its kernel.
    const fn numel(self) -> usize {
        match self {
            Self::Conv { outputs, inputs, window } => outputs * inputs * window,
            Self::Linear { outputs, inputs } => outputs * inputs,
        }
    }

    /// Output elements for each input.
    const fn per_input(self) -> usize {
        match self {
            Self::Conv { outputs, window, .. } => outputs * window,
            Self::Linear { outputs, .. } => outputs,
        }
    }

    const fn inputs(self) -> usize {
        match self {
            Self::Conv { inputs, .. } | Self::Linear { inputs, .. } => inputs,
        }
    }

    /// The tile of some inputs, in a buffer of its own.
    fn tile(self, size: usize, first: usize, count: usize) -> StridedCopy {
        let apart = |row: usize| if (row * size).is_multiple_of(ALIAS) { row + LINE / size } else { row };
        let axis = |size, source_stride, target_stride| CopyAxis { size, source_stride, target_stride };
        let (axes, step) = match self {
            Self::Conv { outputs, inputs, window } => (
                vec![
                    axis(window, 1, apart(count * outputs)),
                    axis(count, window, outputs),
                    axis(outputs, inputs * window, 1),
                ],
                window,
            ),
            Self::Linear { outputs, inputs } => {
                (vec![axis(count, 1, apart(outputs)), axis(outputs, inputs, 1)], 1)
            }
        };
        StridedCopy { axes: axes.into(), source_offset: first * step, target_offset: 0 }
    }

    /// The tiles of as many tensors of elements of `size` bytes as the source holds.
    pub(crate) fn tiles(self, size: usize, source_bytes: usize) -> Vec<StridedCopy> {
        let run = match self {
            Self::Conv { window, .. } => (RUN / size).div_ceil(window),
            Self::Linear { .. } => RUN / size,
        };
        let within = |bytes: usize| {
            let count = (bytes / size / self.per_input()).max(run).min(self.inputs());
            let count = self.inputs().div_ceil(self.inputs().div_ceil(count));
            count.next_multiple_of(LINE / size).min(self.inputs())
        };
        let count = match (within(TILE_BYTES), self) {
            (count, Self::Conv { outputs, .. }) if count * outputs * size < LONG_RUN_BYTES => {
                within(SHORT_RUNS_BYTES)
            }
            (count, _) => count,
        };
        let mut tiles = Vec::new();
        for tensor in 0..source_bytes / size / self.numel() {
            for first in (0..self.inputs()).step_by(count) {
                let mut tile = self.tile(size, first, count.min(self.inputs() - first));
                tile.source_offset += tensor * self.numel();
                tiles.push(tile);
            }
        }
        tiles
    }
}

/// Elements of a buffer that a tile is gathered into.
pub(crate) fn buffer_len(tile: &StridedCopy) -> usize {
    tile.axes.iter().map(|axis| (axis.size - 1) * axis.target_stride).sum::<usize>() + 1
}
