//! Tensors of a layout, one behind the other in a source, cut into tiles as the writer cuts them: about 1 MiB of
//! whole rows of the target.

use ptw2k::tensor::{CopyAxis, StridedCopy};

/// Bytes of a tile.
pub(crate) const TILE_BYTES: usize = 1 << 20;

/// Bytes of a cache line: what a tile uses of the source in a row is a multiple of it.
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
    fn tile(self, first: usize, count: usize) -> StridedCopy {
        let axis = |size, source_stride, target_stride| CopyAxis { size, source_stride, target_stride };
        let (axes, step) = match self {
            Self::Conv { outputs, inputs, window } => (
                vec![
                    axis(window, 1, count * outputs),
                    axis(count, window, outputs),
                    axis(outputs, inputs * window, 1),
                ],
                window,
            ),
            Self::Linear { outputs, inputs } => (vec![axis(count, 1, outputs), axis(outputs, inputs, 1)], 1),
        };
        StridedCopy { axes, source_offset: first * step, target_offset: 0 }
    }

    /// The tiles of as many tensors of elements of `size` bytes as the source holds.
    pub(crate) fn tiles(self, size: usize, source_bytes: usize) -> Vec<StridedCopy> {
        let wanted = TILE_BYTES / size / self.per_input();
        let line = (LINE / size).min(self.inputs());
        let count = (wanted / line * line).max(line);
        let mut tiles = Vec::new();
        for tensor in 0..source_bytes / size / self.numel() {
            for first in (0..self.inputs()).step_by(count) {
                let mut tile = self.tile(first, count.min(self.inputs() - first));
                tile.source_offset += tensor * self.numel();
                tiles.push(tile);
            }
        }
        tiles
    }
}
