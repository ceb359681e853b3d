//! Kernels for every machine: blocks of a transposition in the registers of eight bytes that all have.

use crate::tensor::CopyAxis;

use super::transpose::{BLOCK, Dense, LINE, Panel, RUN, blocks, prefetch, starts};

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

/// Transposes a panel.
pub(super) fn transpose<const SIZE: usize>(panel: &Panel<'_>, source: &[u8], target: &mut [u8]) {
    if !panel.has_blocks() {
        return elements::<SIZE>(panel, source, target);
    }
    // Columns that make up a line; at least a block.
    let width = (LINE / SIZE).max(BLOCK);
    let mut dense = Dense([[0; RUN]; LINE]);
    let staged = &mut dense.0;
    for first in starts(panel.columns, width) {
        let count = width.min(panel.columns - first);
        for start in starts(panel.rows.len(), RUN / SIZE) {
            let rows = &panel.rows[start..panel.rows.len().min(start + RUN / SIZE)];
            let bytes = rows.len() * SIZE;
            for (column, staged) in (first..).zip(&mut staged[..count]) {
                let start = column * panel.column_stride + start * SIZE;
                match source[start..].first_chunk::<RUN>() {
                    Some(source) if bytes == RUN => *staged = *source,
                    _ => staged[..bytes].copy_from_slice(&source[start..start + bytes]),
                }
                for line in (0..bytes).step_by(LINE) {
                    prefetch(source, start + width * panel.column_stride + line);
                }
            }
            for (row, rows) in blocks(rows) {
                for (column, staged) in blocks(&staged[..count]) {
                    turn::<SIZE>(staged, row * SIZE, rows, &mut target[(first + column) * SIZE..]);
                }
            }
        }
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

/// Turns a block: the eight elements at a byte of each of eight staged columns.
#[inline(always)]
fn turn<const SIZE: usize>(
    staged: &[[u8; RUN]; BLOCK],
    byte: usize,
    places: &[usize; BLOCK],
    target: &mut [u8],
) {
    // Eight elements of one or two bytes are as many words.
    let mut columns = [[0; 2]; BLOCK];
    let mut lines = [[0; 2]; BLOCK];
    if SIZE <= 2 {
        for (words, column) in columns.iter_mut().zip(staged) {
            for (word, bytes) in words.iter_mut().zip(column[byte..byte + BLOCK * SIZE].as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
    }
    match SIZE {
        1 => {
            let turned = turn_bytes(columns.map(|[word, _]| word));
            lines.iter_mut().zip(turned).for_each(|(line, word)| line[0] = word);
        }
        2 => {
            for (rows, four) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let turned = turn_pairs(std::array::from_fn(|column| columns[four * 4 + column][rows]));
                turned.into_iter().enumerate().for_each(|(row, word)| lines[rows * 4 + row][four] = word);
            }
        }
        _ => {
            for (row, place) in places.iter().enumerate() {
                let line = &mut target[*place..place + BLOCK * SIZE];
                for (element, column) in line.as_chunks_mut::<SIZE>().0.iter_mut().zip(staged) {
                    *element = column[byte..].as_chunks::<SIZE>().0[row];
                }
            }
            return;
        }
    }
    for (line, place) in lines.iter().zip(places) {
        let target = &mut target[*place..place + BLOCK * SIZE];
        for (bytes, word) in target.as_chunks_mut().0.iter_mut().zip(line) {
            *bytes = word.to_le_bytes();
        }
    }
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
