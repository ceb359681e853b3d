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

/// Transposes a panel; as every machine does where the instructions are missing.
pub(super) fn transpose<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_available() && panel.fits::<SIZE>(source, target) {
        // SAFETY: AVX2 is there, and every element of the panel lies within the buffers.
        #[expect(unsafe_code, reason = "vector instructions need it")]
        unsafe {
            x86::whole_blocks::<SIZE>(panel, source, target);
        }
        return portable::rest::<SIZE>(panel, source, target);
    }
    portable::transpose::<SIZE>(panel, source, target);
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions need it")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::transpose::{BLOCK, LINE, Panel, RUN, prefetch};

    /// # Safety
    /// AVX2 is there, and every element of the panel lies within the buffers.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn whole_blocks<const SIZE: usize>(
        panel: &Panel<'_>,
        source: &[u8],
        target: &mut [u8],
    ) {
        let (_, columns) = panel.whole();
        // Columns that make up a line.
        let width = LINE / SIZE;
        let mut dense = [[0; RUN]; LINE];
        for first in (0..columns).step_by(width) {
            let count = width.min(columns - first);
            // SAFETY: as the caller promises; these are whole blocks of the panel.
            unsafe {
                if panel.is_aliased() {
                    staged::<SIZE>(panel, first, count, source, target, &mut dense);
                } else {
                    direct::<SIZE>(panel, first, count, source, target);
                }
            }
        }
    }

    /// Turns so many columns from one on, from where they are.
    ///
    /// # Safety
    /// As [`whole_blocks`], and they are whole blocks of the panel.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn direct<const SIZE: usize>(
        panel: &Panel<'_>,
        first: usize,
        count: usize,
        source: &[u8],
        target: &mut [u8],
    ) {
        let width = LINE / SIZE;
        // With each block of rows so many of the next columns' lines are asked for as it uses up of these.
        let share = width * BLOCK * SIZE / LINE;
        for (index, rows) in panel.rows.as_chunks::<BLOCK>().0.iter().enumerate() {
            let byte = index * BLOCK * SIZE;
            let next = first + width + byte % LINE / (BLOCK * SIZE) * share;
            for column in next..next + share {
                prefetch(source, column * panel.column_stride + byte / LINE * LINE);
            }
            for column in (first..first + count).step_by(BLOCK) {
                // SAFETY: these are elements of the panel.
                unsafe {
                    let from = source.as_ptr().add(byte + column * panel.column_stride);
                    let to = target.as_mut_ptr().add(column * SIZE);
                    block::<SIZE>(from, panel.column_stride, rows, to);
                }
            }
        }
    }

    /// Turns so many columns from one on by way of a dense buffer.
    ///
    /// # Safety
    /// As [`direct`].
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn staged<const SIZE: usize>(
        panel: &Panel<'_>,
        first: usize,
        count: usize,
        source: &[u8],
        target: &mut [u8],
        staged: &mut [[u8; RUN]; LINE],
    ) {
        let (rows, _) = panel.whole();
        let width = LINE / SIZE;
        for (run, rows) in panel.rows[..rows].chunks(RUN / SIZE).enumerate() {
            let bytes = rows.len() * SIZE;
            for (column, staged) in (first..first + count).zip(&mut *staged) {
                let start = column * panel.column_stride + run * RUN;
                if bytes == RUN
                    && let Some(source) = source[start..].first_chunk::<RUN>()
                {
                    *staged = *source;
                } else {
                    staged[..bytes].copy_from_slice(&source[start..start + bytes]);
                }
                let next = start + width * panel.column_stride;
                prefetch(source, next);
                if bytes > LINE {
                    prefetch(source, next + LINE);
                }
            }
            for (index, rows) in rows.as_chunks::<BLOCK>().0.iter().enumerate() {
                for column in (0..count).step_by(BLOCK) {
                    // SAFETY: these columns are staged, and these are elements of the panel.
                    unsafe {
                        let from = staged[column..].as_ptr().cast::<u8>().add(index * BLOCK * SIZE);
                        let to = target.as_mut_ptr().add((first + column) * SIZE);
                        block::<SIZE>(from, RUN, rows, to);
                    }
                }
            }
        }
    }

    /// Turns eight columns of eight elements.
    ///
    /// # Safety
    /// AVX2; at `source` eight elements, and again after each stride, eight times in all; room for eight at each
    /// of `rows` in `target`.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block<const SIZE: usize>(
        source: *const u8,
        stride: usize,
        rows: &[usize; BLOCK],
        target: *mut u8,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            match SIZE {
                1 => block_1(source, stride, rows, target),
                2 => block_2(source, stride, rows, target),
                4 => block_4(source, stride, rows, target),
                _ => block_8(source, stride, rows, target),
            }
        }
    }

    /// # Safety
    /// As [`block`], of elements of one byte.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_1(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
        // SAFETY: as the caller promises; loads and stores need no alignment.
        unsafe {
            let load = |column: usize| _mm_loadl_epi64(source.add(column * stride).cast());
            let (a0, a1) = (_mm_unpacklo_epi8(load(0), load(1)), _mm_unpacklo_epi8(load(2), load(3)));
            let (a2, a3) = (_mm_unpacklo_epi8(load(4), load(5)), _mm_unpacklo_epi8(load(6), load(7)));
            let (b0, b1) = (_mm_unpacklo_epi16(a0, a1), _mm_unpackhi_epi16(a0, a1));
            let (b2, b3) = (_mm_unpacklo_epi16(a2, a3), _mm_unpackhi_epi16(a2, a3));
            let store = |row: usize, two: __m128i| {
                _mm_storel_epi64(target.add(rows[row]).cast(), two);
                _mm_storel_epi64(target.add(rows[row + 1]).cast(), _mm_unpackhi_epi64(two, two));
            };
            store(0, _mm_unpacklo_epi32(b0, b2));
            store(2, _mm_unpackhi_epi32(b0, b2));
            store(4, _mm_unpacklo_epi32(b1, b3));
            store(6, _mm_unpackhi_epi32(b1, b3));
        }
    }

    /// # Safety
    /// As [`block`], of elements of two bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_2(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
        // SAFETY: as the caller promises; loads and stores need no alignment.
        unsafe {
            let load = |column: usize| _mm_loadu_si128(source.add(column * stride).cast());
            let (a0, a1) = (_mm_unpacklo_epi16(load(0), load(1)), _mm_unpackhi_epi16(load(0), load(1)));
            let (a2, a3) = (_mm_unpacklo_epi16(load(2), load(3)), _mm_unpackhi_epi16(load(2), load(3)));
            let (a4, a5) = (_mm_unpacklo_epi16(load(4), load(5)), _mm_unpackhi_epi16(load(4), load(5)));
            let (a6, a7) = (_mm_unpacklo_epi16(load(6), load(7)), _mm_unpackhi_epi16(load(6), load(7)));
            let (b0, b1) = (_mm_unpacklo_epi32(a0, a2), _mm_unpackhi_epi32(a0, a2));
            let (b2, b3) = (_mm_unpacklo_epi32(a4, a6), _mm_unpackhi_epi32(a4, a6));
            let (b4, b5) = (_mm_unpacklo_epi32(a1, a3), _mm_unpackhi_epi32(a1, a3));
            let (b6, b7) = (_mm_unpacklo_epi32(a5, a7), _mm_unpackhi_epi32(a5, a7));
            let store = |row: usize, value| _mm_storeu_si128(target.add(rows[row]).cast(), value);
            store(0, _mm_unpacklo_epi64(b0, b2));
            store(1, _mm_unpackhi_epi64(b0, b2));
            store(2, _mm_unpacklo_epi64(b1, b3));
            store(3, _mm_unpackhi_epi64(b1, b3));
            store(4, _mm_unpacklo_epi64(b4, b6));
            store(5, _mm_unpackhi_epi64(b4, b6));
            store(6, _mm_unpacklo_epi64(b5, b7));
            store(7, _mm_unpackhi_epi64(b5, b7));
        }
    }

    /// # Safety
    /// As [`block`], of elements of four bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_4(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
        // SAFETY: as the caller promises; loads and stores need no alignment.
        unsafe {
            // Columns k and k + 4, half of the rows each, so that no lane is crossed later.
            let load = |column: usize, half: usize| {
                let low = _mm_loadu_ps(source.add(column * stride + half * 16).cast());
                let high = _mm_loadu_ps(source.add((column + 4) * stride + half * 16).cast());
                _mm256_set_m128(high, low)
            };
            for half in 0..2 {
                let (c0, c1, c2, c3) = (load(0, half), load(1, half), load(2, half), load(3, half));
                let (a0, a1) = (_mm256_unpacklo_ps(c0, c1), _mm256_unpackhi_ps(c0, c1));
                let (a2, a3) = (_mm256_unpacklo_ps(c2, c3), _mm256_unpackhi_ps(c2, c3));
                let store = |row: usize, value| {
                    _mm256_storeu_ps(target.add(rows[half * 4 + row]).cast(), value);
                };
                store(0, _mm256_shuffle_ps::<0x44>(a0, a2));
                store(1, _mm256_shuffle_ps::<0xEE>(a0, a2));
                store(2, _mm256_shuffle_ps::<0x44>(a1, a3));
                store(3, _mm256_shuffle_ps::<0xEE>(a1, a3));
            }
        }
    }

    /// # Safety
    /// As [`block`], of elements of eight bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_8(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
        // SAFETY: as the caller promises; loads and stores need no alignment.
        unsafe {
            // Columns k and k + 2, two rows at a time.
            let load = |column: usize, row: usize| {
                let low = _mm_loadu_pd(source.add(column * stride + row * 8).cast());
                let high = _mm_loadu_pd(source.add((column + 2) * stride + row * 8).cast());
                _mm256_set_m128d(high, low)
            };
            for row in (0..8).step_by(2) {
                for column in [0, 4] {
                    let (c0, c1) = (load(column, row), load(column + 1, row));
                    let store = |row: usize, value| {
                        _mm256_storeu_pd(target.add(rows[row] + column * 8).cast(), value);
                    };
                    store(row, _mm256_unpacklo_pd(c0, c1));
                    store(row + 1, _mm256_unpackhi_pd(c0, c1));
                }
            }
        }
    }
}
