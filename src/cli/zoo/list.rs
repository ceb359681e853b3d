//! `--dry-run`: every job with its state.

use indicatif::HumanBytes;

use super::diagnosis::state_name;
use super::results::Results;
use super::summary::states;
use crate::cli::failure::Failure;
use crate::cli::table::{self, Column};
use crate::cli::terminal::Terminal;
use crate::zoo::{Job, Summary};

/// A row for each job.
pub(super) fn print(
    jobs: &[Job],
    results: &Results,
    summary: &Summary,
    terminal: Terminal,
) -> Result<(), Failure> {
    let columns = [
        Column::text("STATE"),
        Column::text("OUTPUT"),
        Column::text("CHECKPOINT"),
        Column::number("VARIABLES"),
        Column::number("SIZE"),
        Column::text("REASON"),
    ];
    let rows = jobs.iter().zip(&summary.states).enumerate().map(|(at, (job, state))| {
        let done = results.get(at).and_then(|ended| ended.done.as_ref());
        let (variables, bytes) = match (results.get(at), done) {
            (_, Some(done)) => (done.variables.to_string(), HumanBytes(done.bytes).to_string()),
            (Some(ended), None) => (ended.outcome.to_owned(), String::new()),
            (None, None) => Default::default(),
        };
        let reasons: Vec<String> = state.reasons().iter().map(ToString::to_string).collect();
        vec![
            state_name(state).to_owned(),
            job.output.to_string_lossy().into_owned(),
            job.checkpoint.to_string_lossy().into_owned(),
            variables,
            bytes,
            reasons.join("; "),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    terminal.result(|out| {
        table::print_columns(out, &columns, rows.iter().cloned())?;
        let count = |(name, count)| format!("{count} {name}");
        writeln!(out, "\n{}\n", states(&summary.states).map(count).join(", "))
    })
}
