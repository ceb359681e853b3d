//! Kernels with AVX2: transpositions in registers, whole 64-byte lines stored at once.

use super::gather::Panel;
use super::portable;

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

/// Transposes a panel: whole blocks in registers, the rest as [`portable::transpose`] does.
pub(super) fn transpose<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_available() && panel.fits::<SIZE>(source, target) {
        let (rows, columns) = (panel.rows.len() / x86::ROWS * x86::ROWS, panel.columns & !7);
        if rows > 0 && columns > 0 && SIZE > 1 {
            // SAFETY: AVX2 is there, and every element of the panel lies within the buffers.
            #[expect(unsafe_code, reason = "vector instructions need it")]
            unsafe {
                match SIZE {
                    2 => x86::panel_2(panel, source.as_ptr(), target.as_mut_ptr()),
                    4 => x86::panel_4(panel, source.as_ptr(), target.as_mut_ptr()),
                    _ => x86::panel_8(panel, source.as_ptr(), target.as_mut_ptr()),
                }
            }
            return portable::transpose::<SIZE>(panel, source, target, rows, columns);
        }
    }
    portable::transpose::<SIZE>(panel, source, target, 0, 0);
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions need it")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Panel;

    /// Rows of a block, whatever the element.
    pub(super) const ROWS: usize = 8;

    /// Defines the walk over the whole blocks of a panel: pairs of blocks of 8 columns, so that lines are
    /// stored whole, down the rows.
    macro_rules! panel {
        ($name:ident, $block:ident, $size:literal) => {
            /// # Safety
            /// AVX2 is there, and every element of the panel lies within the buffers.
            #[target_feature(enable = "avx2")]
            pub(super) unsafe fn $name(panel: &Panel<'_>, source: *const u8, target: *mut u8) {
                let stride = panel.column_stride;
                let columns = panel.columns & !7;
                let mut first = 0;
                while first < columns {
                    let end = columns.min(first + 16);
                    for (index, rows) in panel.rows.as_chunks::<ROWS>().0.iter().enumerate() {
                        let mut column = first;
                        while column < end {
                            // SAFETY: rows `index * 8 ..` and columns `column ..`, eight of each, are elements
                            // of the panel.
                            unsafe {
                                let from = source.add(index * ROWS * $size + column * stride);
                                $block(from, stride, rows, target.add(column * $size));
                            }
                            column += 8;
                        }
                    }
                    first = end;
                }
            }
        };
    }

    panel!(panel_2, block_2, 2);
    panel!(panel_4, block_4, 4);
    panel!(panel_8, block_8, 8);

    /// # Safety
    /// AVX2; eight runs of 16 bytes at `source`, and 16 bytes at each of `rows` in `target`.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_2(source: *const u8, stride: usize, rows: &[usize; 8], target: *mut u8) {
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
    /// AVX2; eight runs of 32 bytes at `source`, and 32 bytes at each of `rows` in `target`.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_4(source: *const u8, stride: usize, rows: &[usize; 8], target: *mut u8) {
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
    /// AVX2; eight runs of 64 bytes at `source`, and 64 bytes at each of `rows` in `target`.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn block_8(source: *const u8, stride: usize, rows: &[usize; 8], target: *mut u8) {
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
