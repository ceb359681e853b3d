//! Blocks of a transposition in the registers of AVX2.
//!
//! A strip as wide as a line is turned in blocks of 16 or 32 columns, whose rows fill a register; a narrower one in
//! blocks of eight.

#![expect(unsafe_code, reason = "vector instructions need it")]

use std::arch::x86_64::*;

use super::transpose::{BLOCK, LINE, starts};

/// Turns eight rows of a strip of so many columns.
///
/// # Safety
/// AVX2; at `source` eight elements, and again after each stride, `count` times in all, which is at least
/// eight and at most a line's worth; room for `count` at each of `rows` in `target`.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) unsafe fn band<const SIZE: usize>(
    source: *const u8,
    stride: usize,
    rows: &[usize; BLOCK],
    target: *mut u8,
    count: usize,
) {
    // SAFETY: as the caller promises; blocks lie within the columns.
    unsafe {
        if count * SIZE < LINE {
            return narrow::<SIZE>(source, stride, rows, target, count);
        }
        let wide = if SIZE == 1 { 32 } else { 16 };
        for column in (0..LINE / SIZE).step_by(wide) {
            let (source, target) = (source.add(column * stride), target.add(column * SIZE));
            match SIZE {
                1 => wide_1(source, stride, rows, target),
                2 => wide_2(source, stride, rows, target),
                4 => wide_4(source, stride, rows, target),
                _ => block_8(source, stride, rows, target),
            }
        }
    }
}

/// Turns eight rows of a strip that is narrower than a line.
///
/// # Safety
/// As [`band`].
#[target_feature(enable = "avx2")]
#[inline(never)]
unsafe fn narrow<const SIZE: usize>(
    source: *const u8,
    stride: usize,
    rows: &[usize; BLOCK],
    target: *mut u8,
    count: usize,
) {
    for column in starts(count, BLOCK) {
        // SAFETY: as the caller promises; blocks lie within the columns.
        unsafe {
            let (source, target) = (source.add(column * stride), target.add(column * SIZE));
            match SIZE {
                1 => block_1(source, stride, rows, target),
                2 => block_2(source, stride, rows, target),
                4 => block_4(source, stride, rows, target),
                _ => block_8(source, stride, rows, target),
            }
        }
    }
}

/// # Safety
/// As [`band`], of 32 columns of elements of one byte.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn wide_1(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises; loads and stores need no alignment.
    unsafe {
        let load = |column: usize| _mm_loadl_epi64(source.add(column * stride).cast());
        let pair = |column: usize| _mm_unpacklo_epi8(load(column), load(column + 1));
        // Columns k and k + 16, so that no lane is crossed later.
        let two = |column: usize| _mm256_set_m128i(pair(column + 16), pair(column));
        let four = |column: usize| {
            let (a, b) = (two(column), two(column + 2));
            [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)]
        };
        let eight = |column: usize| interleave(four(column), four(column + 4));
        store_rows(eight(0), eight(8), rows, target);
    }
}

/// # Safety
/// As [`band`], of 16 columns of elements of two bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn wide_2(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises; loads and stores need no alignment.
    unsafe {
        // Columns k and k + 8, so that no lane is crossed later.
        let load = |column: usize| {
            let low = _mm_loadu_si128(source.add(column * stride).cast());
            let high = _mm_loadu_si128(source.add((column + 8) * stride).cast());
            _mm256_set_m128i(high, low)
        };
        let two = |column: usize| {
            let (a, b) = (load(column), load(column + 1));
            [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)]
        };
        let four = |column: usize| interleave(two(column), two(column + 2));
        store_rows(four(0), four(4), rows, target);
    }
}

/// Puts four bytes of one and four of the other in turn.
#[target_feature(enable = "avx2")]
#[inline]
fn interleave([a0, a1]: [__m256i; 2], [b0, b1]: [__m256i; 2]) -> [__m256i; 4] {
    [
        _mm256_unpacklo_epi32(a0, b0),
        _mm256_unpackhi_epi32(a0, b0),
        _mm256_unpacklo_epi32(a1, b1),
        _mm256_unpackhi_epi32(a1, b1),
    ]
}

/// Stores eight rows of 32 bytes, whose halves in each lane are still apart: two rows' in each register.
///
/// # Safety
/// AVX2; room for 32 bytes at each of `rows` in `target`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn store_rows(left: [__m256i; 4], right: [__m256i; 4], rows: &[usize; BLOCK], target: *mut u8) {
    for (index, (left, right)) in left.into_iter().zip(right).enumerate() {
        // SAFETY: as the caller promises; stores need no alignment.
        unsafe {
            let (row, next) = (target.add(rows[2 * index]), target.add(rows[2 * index + 1]));
            _mm256_storeu_si256(row.cast(), _mm256_unpacklo_epi64(left, right));
            _mm256_storeu_si256(next.cast(), _mm256_unpackhi_epi64(left, right));
        }
    }
}

/// # Safety
/// As [`band`], of 16 columns of elements of four bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn wide_4(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe {
        for first in [0, 4] {
            let left = four_rows(source.add(first * 4), stride);
            let right = four_rows(source.add(8 * stride + first * 4), stride);
            for row in 0..4 {
                // Both halves of a line, one after the other.
                let target = target.add(rows[first + row]);
                _mm256_storeu_ps(target.cast(), left[row]);
                _mm256_storeu_ps(target.add(32).cast(), right[row]);
            }
        }
    }
}

/// # Safety
/// As [`band`], of eight columns of elements of one byte.
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
/// As [`band`], of eight columns of elements of two bytes.
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
/// As [`band`], of eight columns of elements of four bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn block_4(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe {
        for first in [0, 4] {
            let turned = four_rows(source.add(first * 4), stride);
            for row in 0..4 {
                _mm256_storeu_ps(target.add(rows[first + row]).cast(), turned[row]);
            }
        }
    }
}

/// Four rows of eight columns of elements of four bytes.
///
/// # Safety
/// AVX2; at `source` four elements, and again after each stride, eight times in all.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn four_rows(source: *const u8, stride: usize) -> [__m256; 4] {
    // Columns k and k + 4, so that no lane is crossed later.
    let load = |column: usize| {
        // SAFETY: as the caller promises; loads need no alignment.
        let (low, high) = unsafe {
            let low = _mm_loadu_ps(source.add(column * stride).cast());
            (low, _mm_loadu_ps(source.add((column + 4) * stride).cast()))
        };
        _mm256_set_m128(high, low)
    };
    let (c0, c1, c2, c3) = (load(0), load(1), load(2), load(3));
    let (a0, a1) = (_mm256_unpacklo_ps(c0, c1), _mm256_unpackhi_ps(c0, c1));
    let (a2, a3) = (_mm256_unpacklo_ps(c2, c3), _mm256_unpackhi_ps(c2, c3));
    [
        _mm256_shuffle_ps::<0x44>(a0, a2),
        _mm256_shuffle_ps::<0xEE>(a0, a2),
        _mm256_shuffle_ps::<0x44>(a1, a3),
        _mm256_shuffle_ps::<0xEE>(a1, a3),
    ]
}

/// # Safety
/// As [`band`], of eight columns of elements of eight bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn block_8(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises; loads and stores need no alignment.
    unsafe {
        for row in (0..8).step_by(2) {
            // Columns k and k + 2, two rows at a time.
            let load = |column: usize| {
                let low = _mm_loadu_pd(source.add(column * stride + row * 8).cast());
                let high = _mm_loadu_pd(source.add((column + 2) * stride + row * 8).cast());
                _mm256_set_m128d(high, low)
            };
            let (c0, c1, c4, c5) = (load(0), load(1), load(4), load(5));
            // Both halves of a line, one after the other.
            let store = |row: usize, left, right| {
                let target = target.add(rows[row]);
                _mm256_storeu_pd(target.cast(), left);
                _mm256_storeu_pd(target.add(32).cast(), right);
            };
            store(row, _mm256_unpacklo_pd(c0, c1), _mm256_unpacklo_pd(c4, c5));
            store(row + 1, _mm256_unpackhi_pd(c0, c1), _mm256_unpackhi_pd(c4, c5));
        }
    }
}
