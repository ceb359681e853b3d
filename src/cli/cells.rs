//! The cells of a table that has thousands of rows, as one text.

use std::fmt::{Display, Write as _};
use std::num::NonZeroUsize;

use super::escape::{escape, is_plain};

/// The cells of rows, one behind the other, each safe to print.
#[derive(Debug)]
pub(super) struct Cells {
    /// In a row.
    columns: NonZeroUsize,
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
    /// None yet, of rows of so many.
    pub(super) const fn new(columns: NonZeroUsize) -> Self {
        Self { columns, text: String::new(), ends: Vec::new() }
    }

    /// Adds a row; what it lacks is empty.
    pub(super) fn push_row(&mut self, row: Vec<String>) {
        let lacking = std::iter::repeat_n(String::new(), self.columns.get().saturating_sub(row.len()));
        row.into_iter().take(self.columns.get()).chain(lacking).for_each(|cell| self.push(cell));
    }

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

    /// Adds the rows of others behind its own; they have as many columns.
    pub(super) fn append(&mut self, others: &Self) {
        let start = self.text.len();
        self.text.push_str(&others.text);
        self.ends.extend(others.ends.iter().map(|end| start + end));
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> + Clone {
        let columns = self.columns.get();
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
        let mut cells = Cells::new(NonZeroUsize::new(3).unwrap());
        assert_eq!(cells.rows().count(), 0);
        ["a", "", "b\n"].into_iter().for_each(|cell| cells.push(cell));
        for row in [&["größe", "7"][..], &["c", "d", "e", "f"]] {
            cells.push_row(row.iter().map(ToString::to_string).collect());
        }
        let rows = |cells: &Cells| -> Vec<Vec<String>> {
            cells.rows().map(|row| row.cells().map(str::to_owned).collect()).collect()
        };
        let expected = [["a", "", "b\\n"], ["größe", "7", ""], ["c", "d", "e"]];
        assert_eq!(rows(&cells), expected);
        let mut twice = Cells::new(cells.columns);
        twice.append(&cells);
        twice.append(&cells);
        assert_eq!(rows(&twice), [expected, expected].concat());
    }
}
