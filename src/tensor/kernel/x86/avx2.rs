//! Blocks of a transposition in the registers of AVX2.
//!
//! A strip as wide as a line is turned in blocks of 16 or 32 columns, whose rows fill a register; a narrower one
//! with SSE2.

use std::arch::x86_64::*;

use super::sse2;
use crate::tensor::kernel::strips::Ahead;
use crate::tensor::kernel::transpose::{BLOCK, LINE};

/// Turns eight rows of a strip of so many columns, in two halves, and asks for lines before each.
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
    ahead: &mut Ahead<'_>,
) {
    if count * SIZE < LINE {
        // SAFETY: as the caller promises.
        return unsafe { sse2::band::<SIZE>(source, stride, rows, target, count, ahead) };
    }
    for half in 0..2 {
        ahead.ask(half);
        // SAFETY: as the caller promises; halves lie within the columns and the rows.
        unsafe {
            let (columns, first) = (half * LINE / SIZE / 2, half * BLOCK / 2);
            match SIZE {
                1 => wide_1(source.add(columns * stride), stride, rows, target.add(columns)),
                2 => wide_2(source.add(columns * stride), stride, rows, target.add(2 * columns)),
                4 => wide_4(source, stride, rows, first, target),
                _ => wide_8(source, stride, rows, first, target),
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
/// As [`band`], of four rows from `first` on and 16 columns of elements of four bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn wide_4(source: *const u8, stride: usize, rows: &[usize; BLOCK], first: usize, target: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe {
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
/// As [`band`], of four rows from `first` on and eight columns of elements of eight bytes.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn wide_8(source: *const u8, stride: usize, rows: &[usize; BLOCK], first: usize, target: *mut u8) {
    // SAFETY: as the caller promises; loads and stores need no alignment.
    unsafe {
        for row in [first, first + 2] {
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
