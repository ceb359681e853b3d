//! Tables and counts for people.

use std::io::Write;
use std::num::NonZeroUsize;

use indicatif::HumanCount;
use unicode_width::UnicodeWidthStr as _;

use super::cells::{Cells, Row};
use super::escape::{escape, is_plain};
use super::terminal::{HEADING, PLACE, columns};

/// Blanks in front of the rest of a row that does not fit on a line.
const INDENT: usize = 4;

/// Blanks between cells.
const GAP: usize = 2;

/// `1 variable`, `2,000 variables`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", HumanCount(number as u64))
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    heading: &'static str,
    is_number: bool,
}

impl Column {
    /// A column of texts.
    pub(super) const fn text(heading: &'static str) -> Self {
        Self { heading, is_number: false }
    }

    /// A column of numbers, which end under one another.
    pub(super) const fn number(heading: &'static str) -> Self {
        Self { heading, is_number: true }
    }
}

/// Prints rows under a heading. Every row is a line, unless lines do not fit on the terminal: then a row is
/// its first cell, and the others below it.
pub(super) fn print(
    out: &mut dyn Write,
    headings: &[&'static str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> std::io::Result<()> {
    let Some(columns) = NonZeroUsize::new(headings.len()) else { return Ok(()) };
    let mut cells = Cells::new(columns);
    rows.into_iter().for_each(|row| cells.push_row(row));
    print_cells(out, headings, &cells)
}

/// The same of cells that were made before.
pub(super) fn print_cells(
    out: &mut dyn Write,
    headings: &[&'static str],
    cells: &Cells,
) -> std::io::Result<()> {
    let rows = cells.rows();
    let headings: Vec<Column> = headings.iter().map(|heading| Column::text(heading)).collect();
    print_escaped(columns(std::io::stdout()).map(usize::from), out, &headings, rows)
}

/// As [`print`], with columns of numbers. The rows are made twice, and never all there at once: a checkpoint can
/// have a million.
pub(super) fn print_columns(
    out: &mut dyn Write,
    headings: &[Column],
    rows: impl Iterator<Item = Vec<String>> + Clone,
) -> std::io::Result<()> {
    print_within(columns(std::io::stdout()).map(usize::from), out, headings, rows)
}

fn print_within(
    width: Option<usize>,
    out: &mut dyn Write,
    headings: &[Column],
    rows: impl Iterator<Item = Vec<String>> + Clone,
) -> std::io::Result<()> {
    print_escaped(width, out, headings, rows.map(escaped))
}

fn escaped(row: Vec<String>) -> Vec<String> {
    row.into_iter().map(|cell| if is_plain(&cell) { cell } else { escape(&cell) }).collect()
}

/// What a table has rows of.
trait TableRow {
    /// The cells, which are safe to print.
    fn cells(&self) -> impl Iterator<Item = &str>;
}

impl TableRow for Vec<String> {
    fn cells(&self) -> impl Iterator<Item = &str> {
        self.iter().map(String::as_str)
    }
}

impl TableRow for Row<'_> {
    fn cells(&self) -> impl Iterator<Item = &str> {
        Row::cells(*self)
    }
}

/// Rows whose cells are safe to print.
fn print_escaped<R: TableRow>(
    width: Option<usize>,
    out: &mut dyn Write,
    headings: &[Column],
    mut rows: impl Iterator<Item = R> + Clone,
) -> std::io::Result<()> {
    let layout = Layout::new(headings, rows.clone());
    if let Some(width) = width.filter(|&width| layout.width() > width) {
        return rows.try_for_each(|row| print_below(out, &row, width));
    }
    let mut heading = String::new();
    layout.put_line(headings.iter().map(|column| column.heading), &mut heading);
    writeln!(out, "{HEADING}{heading}{HEADING:#}")?;
    let mut line = String::new();
    rows.try_for_each(|row| {
        line.clear();
        layout.put_line(row.cells(), &mut line);
        line.push('\n');
        out.write_all(line.as_bytes())
    })
}

/// Where the cells of a row stand on a line.
struct Layout {
    /// For each column its width, if it is shown, and whether it is one of numbers.
    columns: Vec<Option<(usize, bool)>>,
}

impl Layout {
    /// A column without a word in it is left out, unless nothing is in the table at all.
    fn new<R: TableRow>(headings: &[Column], rows: impl Iterator<Item = R>) -> Self {
        let mut widths = vec![0; headings.len()];
        let mut is_empty = true;
        for row in rows {
            is_empty = false;
            for (width, cell) in widths.iter_mut().zip(row.cells()) {
                *width = (*width).max(wide(cell));
            }
        }
        let column = |(column, width): (&Column, usize)| {
            (is_empty || width > 0).then(|| (width.max(column.heading.width()), column.is_number))
        };
        Self { columns: headings.iter().zip(widths).map(column).collect() }
    }

    /// Columns of the terminal that the longest line takes.
    fn width(&self) -> usize {
        let shown = self.columns.iter().flatten().map(|(width, _)| width + GAP);
        shown.sum::<usize>().saturating_sub(GAP)
    }

    /// Appends a row to a line that is empty.
    fn put_line<'c>(&self, row: impl Iterator<Item = &'c str>, line: &mut String) {
        for (cell, column) in row.zip(&self.columns) {
            let Some((width, is_number)) = column else { continue };
            let blanks = width.saturating_sub(wide(cell));
            let (before, after) = if *is_number { (blanks, GAP) } else { (0, blanks + GAP) };
            put_blanks(before, line);
            line.push_str(cell);
            put_blanks(after, line);
        }
        line.truncate(line.trim_end().len());
    }
}

fn put_blanks(mut count: usize, line: &mut String) {
    const BLANKS: &str = "                                ";
    while count > 0 {
        let some = count.min(BLANKS.len());
        line.push_str(&BLANKS[..some]);
        count -= some;
    }
}

/// Columns of the terminal that a cell takes.
fn wide(cell: &str) -> usize {
    // Nothing is left in it that takes none.
    if cell.is_ascii() { cell.len() } else { cell.width() }
}

/// A row of several lines, broken between cells alone.
fn print_below(out: &mut dyn Write, row: &impl TableRow, width: usize) -> std::io::Result<()> {
    let mut cells = row.cells().filter(|cell| !cell.is_empty());
    writeln!(out, "{HEADING}{}{HEADING:#}", cells.next().unwrap_or_default())?;
    let mut line = String::new();
    for cell in cells {
        if !line.is_empty() && INDENT + line.width() + GAP + cell.width() > width {
            writeln!(out, "{:INDENT$}{PLACE}{line}{PLACE:#}", "")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        line.push_str(cell);
    }
    if !line.is_empty() {
        writeln!(out, "{:INDENT$}{PLACE}{line}{PLACE:#}", "")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: Option<usize>, expected: &str) {
        let rows = [["conv/kernel", "conv.weight", "a b -> b a"], ["\u{1b}", "", "copy"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let mut out = Vec::new();
        print_within(width, &mut out, &["TO", "FROM", "LAYOUT"].map(Column::text), rows.into_iter()).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
        assert_eq!(text, expected);
    }

    #[test]
    fn every_row_is_a_line_where_it_fits() {
        let wide = "\
TO           FROM         LAYOUT
conv/kernel  conv.weight  a b -> b a
\\u{1b}                    copy
";
        check(None, wide);
        check(Some(36), wide);
    }

    #[test]
    fn rows_take_lines_where_they_do_not_fit() {
        check(Some(35), "conv/kernel\n    conv.weight  a b -> b a\n\\u{1b}\n    copy\n");
        check(Some(20), "conv/kernel\n    conv.weight\n    a b -> b a\n\\u{1b}\n    copy\n");
    }

    fn lines(headings: &[Column], rows: &[Vec<String>]) -> Vec<String> {
        let mut out = Vec::new();
        print_within(None, &mut out, headings, rows.iter().cloned()).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn wide_letters() {
        let rows = [["重み", "1"], ["w", "2"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(lines(&["X", "Y"].map(Column::text), &rows), ["X     Y", "重み  1", "w     2"]);
    }

    #[test]
    fn empty_columns_are_left_out() {
        let row = ["a", "", "b"].map(str::to_owned).to_vec();
        assert_eq!(lines(&["X", "Y", "Z"].map(Column::text), &[row]), ["X  Z", "a  b"]);
        assert_eq!(lines(&["X", "Y"].map(Column::text), &[]), ["X  Y"]);
    }

    #[test]
    fn numbers_end_under_one_another() {
        let rows = [["a", "1.5"], ["b", "-12.25"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            lines(&[Column::text("X"), Column::number("Y")], &rows),
            ["X       Y", "a     1.5", "b  -12.25"]
        );
    }

    #[test]
    fn counts() {
        assert_eq!(count(1, "note"), "1 note");
        assert_eq!(count(0, "note"), "0 notes");
        assert_eq!(count(12_345, "tensor"), "12,345 tensors");
    }
}
