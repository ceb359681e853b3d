//! Lines of schemas, quoted in reports.

use std::fmt::Write as _;
use std::io::Write;

use super::escape::escape;
use super::terminal::{PLACE, WARNING};
use crate::schema::Position;

/// Letters of a line that are quoted: a list of layouts may be long.
const MAX_LETTERS: usize = 140;

/// Quotes every line of a place.
pub(super) fn quote(position: &Position, out: &mut dyn Write) -> std::io::Result<()> {
    for (number, line) in position.lines() {
        writeln!(out, "  {number:>4} | {}", escape(line))?;
    }
    Ok(())
}

/// Quotes the line that a place begins in, and underlines what of it is in that line.
pub(super) fn underline(position: &Position, text: &mut String) {
    let Some((number, line)) = position.lines().next() else { return };
    let first = position.snippet().lines().next().unwrap_or("");
    let before = line.chars().take(position.column().saturating_sub(1));
    let width = |letters: &str| escape(letters).chars().count();
    let start = width(&before.collect::<String>());
    let mut line: String = escape(line);
    let length = width(first).max(1);
    if line.chars().count() > MAX_LETTERS {
        line = line.chars().take(MAX_LETTERS).chain(std::iter::once('…')).collect();
    }
    let length = length.min(line.chars().count().saturating_sub(start));
    if length == 0 {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "      {PLACE}{number:>4} |{PLACE:#} {line}");
    let _ = writeln!(
        text,
        "      {PLACE}     |{PLACE:#} {}{WARNING}{}{WARNING:#}",
        " ".repeat(start),
        "^".repeat(length)
    );
}
