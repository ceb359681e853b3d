//! Transpositions in the registers of x86-64: of SSE2, which every such machine has, and of AVX2.

#![expect(unsafe_code, reason = "vector instructions need it")]

mod avx2;
mod sse2;

use super::strips::{Ahead, Cache, Dense, RUN, Strip, blocks, staged, strips};
use super::transpose::{BLOCK, Panel};
use super::{Level, portable};

/// Whether this machine has AVX2.
pub(super) fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

/// Transposes a panel; as every machine does where it is too small for blocks, or elements are larger than eight bytes.
pub(super) fn transpose<const SIZE: usize>(
    level: Level,
    panel: &Panel<'_>,
    source: &[u8],
    target: &mut [u8],
) {
    if SIZE > 8 || !panel.has_blocks() || !panel.fits::<SIZE>(source, target) {
        return portable::transpose::<SIZE>(panel, source, target);
    }
    // SAFETY: every element of the panel, which has blocks, lies within the buffers, and AVX2 is there. So what `walk`
    // calls with is what a band asks for.
    unsafe {
        if level == Level::Avx2 && has_avx2() {
            by_avx2::<SIZE>(panel, source, target);
        } else {
            walk::<SIZE>(panel, source, target, |from, stride, rows, to, count, ahead| {
                sse2::band::<SIZE>(from, stride, rows, to, count, ahead);
            });
        }
    }
}

/// Transposes a panel with AVX2.
///
/// # Safety
/// As [`walk`], and AVX2 is there.
#[target_feature(enable = "avx2")]
unsafe fn by_avx2<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    // SAFETY: as the caller promises. What `walk` calls with is what a band asks for.
    unsafe {
        walk::<SIZE>(panel, source, target, |from, stride, rows, to, count, ahead| {
            avx2::band::<SIZE>(from, stride, rows, to, count, ahead);
        });
    }
}

/// Turns a panel strip by strip: calls with every block of rows that is to be turned, as a band. Always a part of
/// its caller, whose instructions it has only there.
///
/// # Safety
/// Every element of the panel, which has blocks, lies within the buffers.
#[inline(always)]
unsafe fn walk<const SIZE: usize>(
    panel: &Panel<'_>,
    source: &[u8],
    target: &mut [u8],
    band: impl Fn(*const u8, usize, &[usize; BLOCK], *mut u8, usize, &mut Ahead<'_>),
) {
    let strips = strips::<SIZE>(panel, target);
    let target = target.as_mut_ptr();
    // SAFETY: as the caller promises; these are columns of the panel.
    let to = |strip: Strip| unsafe { target.add(strip.first * SIZE) };
    if panel.is_in_step() {
        let mut dense = Dense::new();
        for strip in strips {
            let to = to(strip);
            staged::<SIZE>(panel, strip, source, &mut dense, |columns, byte, rows, ahead| {
                let from = columns.as_ptr().cast::<u8>().wrapping_add(byte);
                band(from, RUN, rows, to, strip.count, ahead);
            });
        }
    } else {
        // Pieces would reach into three lines of some columns, and columns out of step hardly drive each other out.
        for strip in strips {
            // SAFETY: as the caller promises.
            unsafe { direct::<SIZE>(panel, strip, source, to(strip), &band) };
        }
    }
}

/// Turns a strip from where it is. Always a part of its caller, too.
///
/// # Safety
/// As [`walk`], these are columns of the panel, and the first belongs at `target`.
#[inline(always)]
unsafe fn direct<const SIZE: usize>(
    panel: &Panel<'_>,
    strip: Strip,
    source: &[u8],
    target: *mut u8,
    band: &impl Fn(*const u8, usize, &[usize; BLOCK], *mut u8, usize, &mut Ahead<'_>),
) {
    let stride = panel.column_stride;
    let rows = panel.rows.len();
    let mut ahead = Ahead::new::<SIZE>(panel, source, Cache::First, strip.end * stride, rows);
    for (row, rows) in blocks(panel.rows) {
        // SAFETY: these are elements of the panel.
        let from = unsafe { source.as_ptr().add(strip.first * stride + row * SIZE) };
        band(from, stride, rows, target, strip.count, &mut ahead);
    }
}
