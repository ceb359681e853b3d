//! Kernels for every machine.

use crate::tensor::CopyAxis;

use super::gather::Panel;

/// Columns and rows of a block: its lines stay in the first-level cache on both sides.
const BLOCK: usize = 16;

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

/// Transposes what of a panel lies at or after these rows or columns (both 0: all of it; otherwise what whole
/// blocks before them left over).
pub(super) fn transpose<const SIZE: usize>(
    panel: &Panel<'_>,
    source: &[u8],
    target: &mut [u8],
    done_rows: usize,
    done_columns: usize,
) {
    let mut block = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        for first in columns.clone().step_by(BLOCK) {
            let columns = first..columns.end.min(first + BLOCK);
            for row in rows.clone() {
                let place = panel.rows[row] + columns.start * SIZE;
                let line = &mut target[place..place + columns.len() * SIZE];
                let (elements, _) = line.as_chunks_mut::<SIZE>();
                for (element, column) in elements.iter_mut().zip(columns.clone()) {
                    let from = row * SIZE + column * panel.column_stride;
                    element.copy_from_slice(&source[from..from + SIZE]);
                }
            }
        }
    };
    let all_rows = panel.rows.len();
    if done_rows > 0 && done_columns > 0 {
        block(done_rows..all_rows, 0..done_columns);
        block(0..all_rows, done_columns..panel.columns);
    } else {
        block(0..all_rows, 0..panel.columns);
    }
}
