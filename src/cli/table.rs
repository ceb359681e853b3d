//! Tables for people.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};

use super::escape::escape;
use super::terminal::{HEADING, columns};

/// Prints rows under a heading. On a terminal, cells wrap to its width; in a pipe, every row is a line.
pub(super) fn print(
    out: &mut dyn Write,
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = columns(std::io::stdout()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| escape(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for (line, text) in table.lines().enumerate() {
        let text = text.trim_end();
        if line == 0 {
            writeln!(out, "{HEADING}{text}{HEADING:#}")?;
        } else {
            writeln!(out, "{text}")?;
        }
    }
    Ok(())
}
