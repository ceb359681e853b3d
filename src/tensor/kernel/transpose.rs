//! Transpositions: what lies in a row in the source lies far apart in the target, and the other way round.
//!
//! ```text
//! source, columns far apart          target, rows far apart
//! c0: r0 r1 r2 r3 …                  r0: c0 c1 c2 c3 …
//! c1: r0 r1 r2 r3 …         →        r1: c0 c1 c2 c3 …
//! ```
//!
//! They are done in blocks of eight rows, for a strip of columns that make up a cache line of the target, and down
//! the rows (`strips`), while the lines of the source that are needed soon are asked for: neighbouring columns
//! are pages apart, which no machine foresees.
//!
//! What an edge leaves over is not done element by element: the last block of rows or columns overlaps the one
//! before it, and writes the same once more.

use crate::tensor::CopyAxis;

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Level, portable};

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Rows and, at least, columns of a block.
pub(super) const BLOCK: usize = 8;

/// Rows of a target are better not a multiple of this apart, in bytes: they would fall on one or two places of a
/// first-level cache, whose 64 sets of lines, on most machines, take up 4096 bytes.
pub const ALIAS: usize = 2048;

/// Rows of a transposition whose places are worked out at a time: a line's worth of columns of them stays in the
/// second-level cache.
const ROW_BLOCK: usize = 256;

/// Transposes: `rows`, innermost first, are contiguous in the source, `columns` in the target.
pub(super) fn transpose<const SIZE: usize>(
    level: Level,
    rows: &[CopyAxis],
    columns: CopyAxis,
    source: &[u8],
    target: &mut [u8],
) {
    let count = rows.iter().map(|axis| axis.size).product::<usize>();
    let mut places = [0; ROW_BLOCK];
    let mut steps = vec![0; rows.len()];
    let mut place = 0;
    let mut first = 0;
    while first < count {
        let block = match count - first {
            // The next panel, the last, would have too few rows for a block.
            left if left > ROW_BLOCK && left < ROW_BLOCK + BLOCK => ROW_BLOCK - BLOCK,
            left => left.min(ROW_BLOCK),
        };
        for slot in &mut places[..block] {
            *slot = place * SIZE;
            for (step, axis) in steps.iter_mut().zip(rows) {
                *step += 1;
                place += axis.target_stride;
                if *step < axis.size {
                    break;
                }
                place -= axis.size * axis.target_stride;
                *step = 0;
            }
        }
        let panel = Panel {
            rows: &places[..block],
            columns: columns.size,
            column_stride: columns.source_stride * SIZE,
        };
        let source = &source[first * SIZE..];
        transpose_panel::<SIZE>(level, &panel, source, target);
        first += block;
    }
}

/// Transposes a panel with the instructions of a level that the machine has.
fn transpose_panel<const SIZE: usize>(level: Level, panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    match level {
        Level::Portable => portable::transpose::<SIZE>(panel, source, target),
        #[cfg(target_arch = "x86_64")]
        Level::Sse2 | Level::Avx2 => x86::transpose::<SIZE>(level, panel, source, target),
        #[cfg(not(target_arch = "x86_64"))]
        Level::Sse2 | Level::Avx2 => portable::transpose::<SIZE>(panel, source, target),
    }
}

/// A part of a transposition, in bytes: the element of row `r` and column `c` lies at
/// `r * SIZE + c * column_stride` of the source and belongs at `rows[r] + c * SIZE` of the target.
#[derive(Debug)]
pub(super) struct Panel<'a> {
    pub(super) rows: &'a [usize],
    pub(super) columns: usize,
    pub(super) column_stride: usize,
}

impl Panel<'_> {
    /// Whether every element lies within the buffers.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn fits<const SIZE: usize>(&self, source: &[u8], target: &[u8]) -> bool {
        let (Some(columns), Some(rows)) = (self.columns.checked_sub(1), self.rows.len().checked_sub(1))
        else {
            return true;
        };
        let source_end = columns
            .checked_mul(self.column_stride)
            .and_then(|last| last.checked_add((rows + 1).checked_mul(SIZE)?));
        let target_end =
            self.rows.iter().max().and_then(|last| last.checked_add(self.columns.checked_mul(SIZE)?));
        source_end.is_some_and(|end| end <= source.len()) && target_end.is_some_and(|end| end <= target.len())
    }

    /// Whether all columns begin at the same place of a line.
    pub(super) const fn is_in_step(&self) -> bool {
        self.column_stride.is_multiple_of(LINE)
    }

    /// Whether it is large enough for a block.
    pub(super) const fn has_blocks(&self) -> bool {
        self.rows.len() >= BLOCK && self.columns >= BLOCK
    }
}
