//! Tables and counts for people.

use std::io::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::HumanCount;

use super::escape::escape;
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
    let columns: Vec<Column> = headings.iter().map(|heading| Column::text(heading)).collect();
    print_columns(out, &columns, rows)
}

/// As [`print`], with columns of numbers.
pub(super) fn print_columns(
    out: &mut dyn Write,
    headings: &[Column],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> std::io::Result<()> {
    print_within(columns(std::io::stdout()).map(usize::from), out, headings, rows)
}

fn print_within(
    width: Option<usize>,
    out: &mut dyn Write,
    headings: &[Column],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> std::io::Result<()> {
    let escaped = |row: Vec<String>| row.iter().map(|cell| escape(cell)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.into_iter().map(escaped).collect();
    let lines = lines(headings, &rows);
    let widest = lines.iter().map(|line| line.chars().count()).max();
    if width.is_some_and(|width| widest > Some(width)) {
        return rows.iter().try_for_each(|row| print_below(out, row, width.unwrap_or(usize::MAX)));
    }
    for (at, line) in lines.iter().enumerate() {
        if at == 0 {
            writeln!(out, "{HEADING}{line}{HEADING:#}")?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn lines(headings: &[Column], rows: &[Vec<String>]) -> Vec<String> {
    // A column without a word in it is left out, unless nothing is in the table at all.
    let is_shown = |at: &usize| {
        rows.is_empty() || rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()))
    };
    let shown: Vec<usize> = (0..headings.len()).filter(is_shown).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let shown_headings: Vec<Column> = shown.iter().filter_map(|&at| headings.get(at)).copied().collect();
    table.set_header(shown_headings.iter().map(|column| column.heading));
    for row in rows {
        table.add_row(shown.iter().filter_map(|&at| row.get(at)));
    }
    for (column, heading) in table.column_iter_mut().zip(&shown_headings) {
        column.set_padding((0, 2));
        if heading.is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// A row of several lines, broken between cells alone.
fn print_below(out: &mut dyn Write, row: &[String], width: usize) -> std::io::Result<()> {
    let mut cells = row.iter().filter(|cell| !cell.is_empty());
    writeln!(out, "{HEADING}{}{HEADING:#}", cells.next().map_or("", String::as_str))?;
    let mut line = String::new();
    for cell in cells {
        if !line.is_empty() && INDENT + line.chars().count() + GAP + cell.chars().count() > width {
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
        print_within(width, &mut out, &["TO", "FROM", "LAYOUT"].map(Column::text), rows).unwrap();
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
