//! The results: for a terminal, as Markdown, and as JSON with every single measurement.

mod json;
mod table;

use std::path::Path;

use super::machine::Facts;
use super::options::Options;
use super::row::Row;
use crate::Outcome;

/// Everything that a run found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) facts: Facts,
    pub(super) quick: bool,
    pub(super) load_before: String,
    pub(super) load_after: String,
    pub(super) rows: Vec<Row>,
}

/// Writes a file, with the folder for it.
fn write(file: &Path, text: &str) -> Outcome {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

impl Report {
    /// Writes both files.
    pub(super) fn save(&self, options: &Options) -> Outcome {
        write(&options.markdown, &self.markdown())?;
        write(&options.json, &self.json())
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("\n");
        for (name, value) in self.lines() {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push('\n');
        let cells = table::cells(&self.rows);
        let widths = table::widths(&cells);
        for row in &cells {
            let padded: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text.push_str(padded.join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// One table, and the facts above it.
    fn markdown(&self) -> String {
        let mut text = String::from("# Benchmark\n\n");
        for (name, value) in self.lines() {
            text.push_str(&format!("- {name}: {value}\n"));
        }
        text.push('\n');
        let cells = table::cells(&self.rows);
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let (head, body) =
            cells.split_first().map_or((&[][..], &[][..]), |(head, body)| (head.as_slice(), body));
        text.push_str(&line(head));
        text.push_str(&format!("|{}\n", "---|".repeat(head.len())));
        for row in body {
            text.push_str(&line(&row.each_ref().map(|cell| cell.replace('|', "\\|"))));
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let facts = self.facts.iter().map(|(name, value)| (*name, value.as_str()));
        facts.chain([("load before", self.load_before.as_str()), ("load after", self.load_after.as_str())])
    }
}

#[cfg(test)]
mod tests;
