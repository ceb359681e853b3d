//! The cells of a table that has thousands of rows, as one text.

use std::fmt::{Display, Write as _};

use super::escape::{escape, is_plain};

/// The cells of rows, one behind the other, each safe to print.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

/// One row of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'c> {
    text: &'c str,
    start: usize,
    ends: &'c [usize],
}

impl Cells {
    /// Adds a cell.
    pub(super) fn push(&mut self, cell: impl Display) {
        let start = self.text.len();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{cell}");
        let cell = self.text.get(start..).unwrap_or_default();
        if !is_plain(cell) {
            let escaped = escape(cell);
            self.text.truncate(start);
            self.text.push_str(&escaped);
        }
        self.ends.push(self.text.len());
    }

    /// The rows, of so many cells each.
    pub(super) fn rows(&self, columns: usize) -> impl Iterator<Item = Row<'_>> + Clone {
        let rows = self.ends.chunks_exact(columns).enumerate();
        rows.map(move |(at, ends)| {
            let before = (at * columns).checked_sub(1).and_then(|last| self.ends.get(last));
            Row { text: &self.text, start: before.copied().unwrap_or(0), ends }
        })
    }
}

impl<'c> Row<'c> {
    pub(super) fn cells(self) -> impl Iterator<Item = &'c str> {
        let mut start = self.start;
        self.ends.iter().map(move |&end| {
            let cell = self.text.get(start..end).unwrap_or_default();
            start = end;
            cell
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_cells() {
        let mut cells = Cells::default();
        for cell in ["a", "", "b\n", "größe", "", "7"] {
            cells.push(cell);
        }
        let rows: Vec<Vec<&str>> = cells.rows(3).map(|row| row.cells().collect()).collect();
        assert_eq!(rows, [["a", "", "b\\n"], ["größe", "", "7"]]);
        assert_eq!(Cells::default().rows(2).count(), 0);
    }
}
