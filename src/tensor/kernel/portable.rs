//! Kernels for every machine: blocks of a transposition in the registers of eight bytes that all have.

use crate::tensor::CopyAxis;

use super::strips::{Dense, RUN, staged, starts, strips, width};
use super::transpose::{BLOCK, LINE, Panel};

/// Copies the elements along one axis.
pub(super) fn line<const SIZE: usize>(axis: CopyAxis, source: &[u8], target: &mut [u8]) {
    let CopyAxis { size, source_stride, target_stride } = axis;
    match (source_stride, target_stride) {
        (1, 1) => target[..size * SIZE].copy_from_slice(&source[..size * SIZE]),
        (0, 1) => {
            let (elements, _) = target[..size * SIZE].as_chunks_mut::<SIZE>();
            if let Some(&value) = source.first_chunk::<SIZE>() {
                elements.fill(value);
            }
        }
        _ => {
            for step in 0..size {
                let (from, to) = (step * source_stride * SIZE, step * target_stride * SIZE);
                target[to..to + SIZE].copy_from_slice(&source[from..from + SIZE]);
            }
        }
    }
}

/// Bytes of a row of the widest strip: of a block's columns of 16 bytes.
const WIDEST: usize = BLOCK * 16;

/// The rows of a block for all columns of a strip.
#[repr(align(64))]
struct Band([[u8; WIDEST]; BLOCK]);

/// Transposes a panel: a block of rows at a time is put together in a small buffer, and copied from there.
pub(super) fn transpose<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    if !panel.has_blocks() {
        return elements::<SIZE>(panel, source, target);
    }
    let mut dense = Dense::new();
    let mut band = Band([[0; WIDEST]; BLOCK]);
    for strip in strips::<SIZE>(panel, target) {
        let start = strip.first * SIZE;
        staged::<SIZE>(panel, strip, source, &mut dense, |columns, byte, rows, ahead| {
            ahead.ask(0);
            ahead.ask(1);
            if strip.count == width::<SIZE>() {
                turn_whole::<SIZE>(columns, byte, &mut band.0);
                copy(&band, rows, start, width::<SIZE>() * SIZE, target);
            } else {
                turn::<SIZE>(columns, byte, starts(strip.count, BLOCK), &mut band.0);
                copy(&band, rows, start, strip.count * SIZE, target);
            }
        });
    }
}

/// Copies the first bytes of every row to where they belong.
#[inline(always)]
fn copy(band: &Band, rows: &[usize; BLOCK], start: usize, bytes: usize, target: &mut [u8]) {
    for (row, place) in band.0.iter().zip(rows) {
        target[place + start..place + start + bytes].copy_from_slice(&row[..bytes]);
    }
}

/// Transposes a panel that is too small for blocks.
fn elements<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    for (row, place) in panel.rows.iter().enumerate() {
        let line = &mut target[*place..place + panel.columns * SIZE];
        for (column, element) in line.as_chunks_mut::<SIZE>().0.iter_mut().enumerate() {
            let from = row * SIZE + column * panel.column_stride;
            element.copy_from_slice(&source[from..from + SIZE]);
        }
    }
}

/// Turns a strip as wide as a line: all numbers are known here, so there is nothing to check, and no loop.
#[inline(never)]
fn turn_whole<const SIZE: usize>(columns: &[[u8; RUN]; LINE], byte: usize, band: &mut [[u8; WIDEST]; BLOCK]) {
    turn::<SIZE>(columns, byte, (0..width::<SIZE>()).step_by(BLOCK), band);
}

/// Turns the eight elements at a byte of each of some staged columns, in blocks that begin at these columns.
#[inline(always)]
fn turn<const SIZE: usize>(
    columns: &[[u8; RUN]; LINE],
    byte: usize,
    blocks: impl Iterator<Item = usize>,
    band: &mut [[u8; WIDEST]; BLOCK],
) {
    // It is never more: this only tells the compiler.
    let byte = byte.min(RUN - BLOCK * SIZE);
    for first in blocks {
        let columns = &columns[first..first + BLOCK];
        match SIZE {
            1 => {
                let turned = turn_bytes(std::array::from_fn(|column| word(&columns[column], byte)));
                for (row, word) in band.iter_mut().zip(turned) {
                    row[first..first + 8].copy_from_slice(&word.to_le_bytes());
                }
            }
            2 => {
                for (four, rows) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
                    let turned = turn_pairs(std::array::from_fn(|column| {
                        word(&columns[four + column], byte + 2 * rows)
                    }));
                    let start = 2 * (first + four);
                    for (row, word) in band[rows..rows + 4].iter_mut().zip(turned) {
                        row[start..start + 8].copy_from_slice(&word.to_le_bytes());
                    }
                }
            }
            _ => {
                for (row, line) in band.iter_mut().enumerate() {
                    let line = &mut line.as_chunks_mut::<SIZE>().0[first..first + BLOCK];
                    for (element, column) in line.iter_mut().zip(columns) {
                        *element = column[byte..].as_chunks::<SIZE>().0[row];
                    }
                }
            }
        }
    }
}

/// Eight bytes of a staged column as a word.
#[inline(always)]
fn word(column: &[u8; RUN], byte: usize) -> u64 {
    column[byte..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The lower four bytes of a word, the lower two of each half, the lower one of each pair.
const LOW_HALF: u64 = 0x0000_0000_FFFF_FFFF;
const LOW_PAIRS: u64 = 0x0000_FFFF_0000_FFFF;
const LOW_BYTES: u64 = 0x00FF_00FF_00FF_00FF;

/// Exchanges the upper parts of one word with the lower parts of another.
#[inline(always)]
const fn exchange(words: [u64; 2], low: u64, bits: u32) -> [u64; 2] {
    let [one, other] = words;
    [one & low | (other & low) << bits, (one >> bits) & low | other & !low]
}

/// Transposes four columns of four pairs of bytes.
#[inline(always)]
const fn turn_pairs([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let ([a, b], [c, d]) = (exchange([a, b], LOW_PAIRS, 16), exchange([c, d], LOW_PAIRS, 16));
    let ([a, c], [b, d]) = (exchange([a, c], LOW_HALF, 32), exchange([b, d], LOW_HALF, 32));
    [a, b, c, d]
}

/// Transposes eight columns of eight bytes.
#[inline(always)]
const fn turn_bytes([a, b, c, d, e, f, g, h]: [u64; 8]) -> [u64; 8] {
    let ([a, b], [c, d]) = (exchange([a, b], LOW_BYTES, 8), exchange([c, d], LOW_BYTES, 8));
    let ([e, f], [g, h]) = (exchange([e, f], LOW_BYTES, 8), exchange([g, h], LOW_BYTES, 8));
    let ([a, c], [b, d]) = (exchange([a, c], LOW_PAIRS, 16), exchange([b, d], LOW_PAIRS, 16));
    let ([e, g], [f, h]) = (exchange([e, g], LOW_PAIRS, 16), exchange([f, h], LOW_PAIRS, 16));
    let ([a, e], [b, f]) = (exchange([a, e], LOW_HALF, 32), exchange([b, f], LOW_HALF, 32));
    let ([c, g], [d, h]) = (exchange([c, g], LOW_HALF, 32), exchange([d, h], LOW_HALF, 32));
    [a, b, c, d, e, f, g, h]
}
