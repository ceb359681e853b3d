//! Transpositions in the registers of AVX2.

use super::portable;
use super::transpose::Panel;

/// Whether this machine has the instructions.
pub(super) fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Transposes a panel; as every machine does where the instructions are missing, or elements are larger than eight bytes.
pub(super) fn transpose<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if SIZE <= 8 && is_available() && panel.has_blocks() && panel.fits::<SIZE>(source, target) {
        // SAFETY: AVX2 is there, and every element of the panel, which has blocks, lies within the buffers.
        #[expect(unsafe_code, reason = "vector instructions need it")]
        return unsafe { x86::strips::<SIZE>(panel, source, target) };
    }
    portable::transpose::<SIZE>(panel, source, target);
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions need it")]
mod x86 {
    use super::super::avx2_blocks::band;
    use super::super::transpose::{BLOCK, Dense, LINE, Panel, RUN, blocks, prefetch, starts};

    /// Columns of a panel that are turned side by side: at least a block, and at most a line's worth.
    #[derive(Clone, Copy)]
    struct Strip {
        first: usize,
        count: usize,
        /// Bytes of the source from its first column to the next strip's.
        ahead: usize,
    }

    /// Turns a panel strip by strip. Strips end where lines of the target do (those of its first row, if the rows
    /// differ): stores that reach into two lines cost far more than others.
    ///
    /// # Safety
    /// AVX2 is there, and every element of the panel, which has blocks, lies within the buffers.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn strips<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
        let width = LINE / SIZE;
        let mut dense = Dense([[0; RUN]; LINE]);
        let place = target.as_ptr().addr() + panel.rows[0];
        let mut start = 0;
        let mut end = width - place % LINE / SIZE;
        while start < panel.columns {
            end = end.min(panel.columns);
            // One that is too narrow for a block overlaps its neighbour.
            let first = start.min(panel.columns - BLOCK);
            let count = (end - first).max(BLOCK);
            let strip = Strip { first, count, ahead: (end - first) * panel.column_stride };
            // SAFETY: as the caller promises; these are columns of the panel.
            unsafe {
                if panel.is_aliased() {
                    staged::<SIZE>(panel, strip, source, target, &mut dense.0);
                } else {
                    direct::<SIZE>(panel, strip, source, target);
                }
            }
            start = end;
            end += width;
        }
    }

    /// Turns a strip from where it is. Always a part of [`strips`], whose instructions it has only there.
    ///
    /// # Safety
    /// As [`strips`], and these are columns of the panel.
    #[inline(always)]
    unsafe fn direct<const SIZE: usize>(panel: &Panel<'_>, strip: Strip, source: &[u8], target: &mut [u8]) {
        let width = LINE / SIZE;
        let stride = panel.column_stride;
        let start = strip.first * stride;
        // The next strip's lines are asked for in equal shares, one with each block of rows: the first line of every
        // column, then the second, and so on up to the one that the column's last byte is in.
        let last_byte = panel.rows.len() * SIZE - 1;
        let lines = last_byte.div_ceil(LINE) + 1;
        let share = (lines * width).div_ceil(panel.rows.len().div_ceil(BLOCK));
        let next = start + strip.ahead;
        let (mut byte, mut column) = (0, 0);
        for (row, rows) in blocks(panel.rows) {
            for _ in 0..share {
                prefetch(source, next + byte + column * stride);
                column += 1;
                if column == width {
                    column = 0;
                    byte = last_byte.min(byte + LINE);
                }
            }
            // SAFETY: these are elements of the panel.
            unsafe {
                let from = source.as_ptr().add(start + row * SIZE);
                let to = target.as_mut_ptr().add(strip.first * SIZE);
                band::<SIZE>(from, stride, rows, to, strip.count);
            }
        }
    }

    /// Turns a strip by way of a dense buffer; a part of [`strips`] as well.
    ///
    /// # Safety
    /// As [`direct`].
    #[inline(always)]
    unsafe fn staged<const SIZE: usize>(
        panel: &Panel<'_>,
        strip: Strip,
        source: &[u8],
        target: &mut [u8],
        staged: &mut [[u8; RUN]; LINE],
    ) {
        for start in starts(panel.rows.len(), RUN / SIZE) {
            let rows = &panel.rows[start..panel.rows.len().min(start + RUN / SIZE)];
            let bytes = rows.len() * SIZE;
            for (column, staged) in (strip.first..strip.first + strip.count).zip(&mut *staged) {
                let start = column * panel.column_stride + start * SIZE;
                if bytes == RUN
                    && let Some(source) = source[start..].first_chunk::<RUN>()
                {
                    *staged = *source;
                } else {
                    staged[..bytes].copy_from_slice(&source[start..start + bytes]);
                }
                let next = start + strip.ahead;
                prefetch(source, next);
                if bytes > LINE {
                    prefetch(source, next + LINE);
                }
            }
            for (row, rows) in blocks(rows) {
                // SAFETY: these columns are staged, and these are elements of the panel.
                unsafe {
                    let from = staged.as_ptr().cast::<u8>().add(row * SIZE);
                    let to = target.as_mut_ptr().add(strip.first * SIZE);
                    band::<SIZE>(from, RUN, rows, to, strip.count);
                }
            }
        }
    }
}
