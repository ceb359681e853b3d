//! How a transposition goes through its panels: a strip of columns at a time, as wide as a line of the target; down its
//! rows a piece at a time, which is staged; and a block of rows of that at a time, which a kernel turns.
//!
//! Staging makes the columns of a piece dense. Where they lie they may be a multiple of 4096 bytes apart, or of a large
//! part of that, and then fall on the same few places of a cache and drive each other out of it before they are
//! used up. For the same reason what is asked for ahead of staging goes to the second-level cache alone. It is asked for
//! a few lines at a time, with every block of rows: a burst of requests fills a queue, and all loads wait.

use super::transpose::{BLOCK, LINE, Panel};

/// Bytes of a column that are staged at a time: two lines, which are fetched in pairs. What is staged of the
/// smallest elements is then a quarter of the first-level cache.
pub(super) const RUN: usize = 128;

/// The columns of a piece, a run of each; it begins with a line, so that few of its loads and stores reach into two.
#[repr(align(64))]
pub(super) struct Dense([[u8; RUN]; LINE]);

impl Dense {
    pub(super) const fn new() -> Self {
        Self([[0; RUN]; LINE])
    }
}

/// Columns of a panel that are turned side by side: at least a block, and at most a line's worth (a block's, if that
/// is more).
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    pub(super) first: usize,
    pub(super) count: usize,
    /// The first column of the next.
    pub(super) end: usize,
}

/// Columns that make up a line; at least a block.
pub(super) const fn width<const SIZE: usize>() -> usize {
    if LINE / SIZE > BLOCK { LINE / SIZE } else { BLOCK }
}

/// Pieces that lines are asked for ahead: as many as memory needs to answer, which are more the less there is in each.
/// Measured, from two to six at every width.
const fn ahead<const SIZE: usize>() -> usize {
    2 + 32 / width::<SIZE>()
}

/// The strips of a panel that has blocks. They end where lines of the target do (those of its first row, if the rows
/// differ): stores that reach into two lines cost far more than others.
pub(super) fn strips<const SIZE: usize>(
    panel: &Panel<'_>,
    target: &[u8],
) -> impl Iterator<Item = Strip> + use<SIZE> {
    let width = width::<SIZE>();
    let columns = panel.columns;
    let place = target.as_ptr().addr() + panel.rows[0];
    let mut start = 0;
    let mut next = width - place % LINE / SIZE;
    std::iter::from_fn(move || {
        if start >= columns {
            return None;
        }
        let end = next.min(columns);
        // One that is too narrow for a block overlaps its neighbour.
        let first = start.min(columns - BLOCK);
        let strip = Strip { first, count: (end - first).max(BLOCK), end };
        start = end;
        next += width;
        Some(strip)
    })
}

/// Goes down a strip: stages its columns a piece at a time, and has every block of rows turned, from a byte of the
/// staged columns, with the lines that are to be asked for meanwhile.
#[inline(always)]
pub(super) fn staged<const SIZE: usize>(
    panel: &Panel<'_>,
    strip: Strip,
    source: &[u8],
    dense: &mut Dense,
    mut turn: impl FnMut(&[[u8; RUN]; LINE], usize, &[usize; BLOCK], &mut Ahead<'_>),
) {
    let stride = panel.column_stride;
    let pieces = panel.rows.len().div_ceil(RUN / SIZE);
    for start in starts(panel.rows.len(), RUN / SIZE) {
        let rows = &panel.rows[start..panel.rows.len().min(start + RUN / SIZE)];
        let bytes = rows.len() * SIZE;
        for (column, staged) in (strip.first..strip.first + strip.count).zip(&mut dense.0) {
            let start = column * stride + start * SIZE;
            match source[start..].first_chunk::<RUN>() {
                Some(source) if bytes == RUN => *staged = *source,
                _ => staged[..bytes].copy_from_slice(&source[start..start + bytes]),
            }
        }
        let column = strip.end + (ahead::<SIZE>().div_ceil(pieces) - 1) * width::<SIZE>();
        let place = column * stride + start * SIZE;
        let mut ahead = Ahead::new::<SIZE>(panel, source, Cache::Second, place, rows.len());
        for (row, rows) in blocks(rows) {
            turn(&dense.0, row * SIZE, rows, &mut ahead);
        }
    }
}

/// Lines of the source that will be needed soon, of a strip's columns: those of the first piece of each, then those of
/// the second of each, and so on.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    source: &'a [u8],
    cache: Cache,
    /// Where the columns begin, and how far apart they are.
    start: usize,
    stride: usize,
    columns: usize,
    /// What is asked for next: a column, and a byte of it, of the piece that begins at this one.
    column: usize,
    byte: usize,
    piece: usize,
    last_byte: usize,
    /// Bytes from which on no line is left.
    end: usize,
    /// Lines asked for with each block of rows.
    share: usize,
}

impl<'a> Ahead<'a> {
    /// So many rows of a strip's columns from `start` on, while blocks of as many rows are turned.
    #[inline(always)]
    pub(super) fn new<const SIZE: usize>(
        panel: &Panel<'_>,
        source: &'a [u8],
        cache: Cache,
        start: usize,
        rows: usize,
    ) -> Self {
        let stride = panel.column_stride;
        let columns = width::<SIZE>();
        // From the line that all columns begin in, or, where they begin at different places of a line, from line to
        // line and to the last byte, which may lie in one more.
        let into = if panel.is_in_step() { (source.as_ptr().addr() + start) % LINE } else { 0 };
        let start = start.saturating_sub(into);
        let last_byte = into + rows * SIZE - 1;
        let end = if panel.is_in_step() { last_byte + 1 } else { last_byte + LINE };
        let share = (end.div_ceil(LINE) * columns).div_ceil(rows.div_ceil(BLOCK));
        Self { source, cache, start, stride, columns, column: 0, byte: 0, piece: 0, last_byte, end, share }
    }

    /// Asks for the first or the second half of a block's share.
    #[inline(always)]
    pub(super) fn ask(&mut self, half: usize) {
        for _ in self.share * half / 2..self.share * (half + 1) / 2 {
            let byte = self.byte.min(self.last_byte);
            prefetch(self.cache, self.source, self.start + self.column * self.stride + byte);
            self.byte += LINE;
            if self.byte == self.piece + RUN || self.byte >= self.end {
                self.column += 1;
                if self.column == self.columns {
                    self.column = 0;
                    self.piece += RUN;
                }
                self.byte = self.piece;
            }
        }
    }
}

/// The level of cache that a line is wanted in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cache {
    #[cfg(target_arch = "x86_64")]
    First,
    Second,
}

/// Asks for the line at a place of a buffer. A place beyond its end is no harm.
#[inline(always)]
fn prefetch(cache: Cache, source: &[u8], place: usize) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "an instruction needs it")]
    // SAFETY: the instruction reads nothing, so any address will do, and every machine has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let address = source.as_ptr().wrapping_add(place).cast();
        match cache {
            Cache::First => _mm_prefetch::<_MM_HINT_T0>(address),
            Cache::Second => _mm_prefetch::<_MM_HINT_T1>(address),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (cache, source, place);
}

/// Where pieces of some length start that a number of rows or columns is cut into: the last one starts earlier, and
/// overlaps the one before it, where less than a block would be left for it.
pub(super) fn starts(count: usize, length: usize) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(length)).map(move |piece| (piece * length).min(count.saturating_sub(BLOCK)))
}

/// The blocks that rows or columns are cut into, and where they start; none if there are fewer than a block has.
pub(super) fn blocks<T>(lines: &[T]) -> impl Iterator<Item = (usize, &[T; BLOCK])> {
    starts(lines.len(), BLOCK).map_while(|start| Some((start, lines[start..].first_chunk()?)))
}
