//! Blocks of a transposition in the registers of SSE2, which every machine of x86-64 has: eight columns at a time.

use std::arch::x86_64::*;

use crate::tensor::kernel::strips::{Ahead, starts};
use crate::tensor::kernel::transpose::BLOCK;

/// Turns eight rows of a strip of so many columns, and asks for lines before.
///
/// # Safety
/// At `source` eight elements, and again after each stride, `count` times in all, which is at least eight; room for
/// `count` at each of `rows` in `target`.
pub(super) unsafe fn band<const SIZE: usize>(
    source: *const u8,
    stride: usize,
    rows: &[usize; BLOCK],
    target: *mut u8,
    count: usize,
    ahead: &mut Ahead<'_>,
) {
    ahead.ask(0);
    ahead.ask(1);
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
/// As [`band`], of eight columns of elements of one byte.
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
#[inline]
unsafe fn block_4(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises; loads and stores need no alignment.
    unsafe {
        for first in [0, 4] {
            let four = |column: usize| {
                let load = |column: usize| _mm_loadu_si128(source.add(column * stride + first * 4).cast());
                let (c0, c1, c2, c3) = (load(column), load(column + 1), load(column + 2), load(column + 3));
                let (a0, a1) = (_mm_unpacklo_epi32(c0, c1), _mm_unpackhi_epi32(c0, c1));
                let (a2, a3) = (_mm_unpacklo_epi32(c2, c3), _mm_unpackhi_epi32(c2, c3));
                [
                    _mm_unpacklo_epi64(a0, a2),
                    _mm_unpackhi_epi64(a0, a2),
                    _mm_unpacklo_epi64(a1, a3),
                    _mm_unpackhi_epi64(a1, a3),
                ]
            };
            let (left, right) = (four(0), four(4));
            for row in 0..4 {
                let target = target.add(rows[first + row]);
                _mm_storeu_si128(target.cast(), left[row]);
                _mm_storeu_si128(target.add(16).cast(), right[row]);
            }
        }
    }
}

/// # Safety
/// As [`band`], of eight columns of elements of eight bytes.
#[inline]
unsafe fn block_8(source: *const u8, stride: usize, rows: &[usize; BLOCK], target: *mut u8) {
    // SAFETY: as the caller promises; loads and stores need no alignment.
    unsafe {
        for row in (0..BLOCK).step_by(2) {
            let load = |column: usize| _mm_loadu_si128(source.add(column * stride + row * 8).cast());
            let (this, next) = (target.add(rows[row]), target.add(rows[row + 1]));
            for column in (0..BLOCK).step_by(2) {
                let (a, b) = (load(column), load(column + 1));
                _mm_storeu_si128(this.add(column * 8).cast(), _mm_unpacklo_epi64(a, b));
                _mm_storeu_si128(next.add(column * 8).cast(), _mm_unpackhi_epi64(a, b));
            }
        }
    }
}
