//! The end of a zoo, in a table.

use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::diagnosis::state_name;
use super::results::Results;
use crate::cli::failure::Failure;
use crate::cli::table::{self, Column, count};
use crate::cli::terminal::Terminal;
use crate::zoo::{Job, Shard, State, Summary};

/// What jobs end as, in the order of the table.
const OUTCOMES: [&str; 5] = ["written", "current", "planned", "failed", "stopped"];

/// How many jobs ended how.
pub(super) struct Counts([Count; OUTCOMES.len()]);

#[derive(Clone, Copy, Default)]
struct Count {
    jobs: usize,
    bytes: u64,
    seconds: f64,
    notes: usize,
    warnings: usize,
}

impl Counts {
    pub(super) fn new(results: &Results) -> Self {
        let mut counts = Self([Count::default(); OUTCOMES.len()]);
        for ended in results.all() {
            let Some(at) = OUTCOMES.iter().position(|outcome| *outcome == ended.outcome) else { continue };
            let count = &mut counts.0[at];
            count.jobs += 1;
            if let Some(done) = &ended.done {
                count.bytes += done.bytes;
                count.seconds += done.seconds;
                count.notes += done.notes.len();
                count.warnings += done.warnings.len();
            }
        }
        counts
    }

    pub(super) fn to_json(&self) -> Json {
        OUTCOMES
            .iter()
            .zip(&self.0)
            .map(|(outcome, count)| ((*outcome).to_owned(), json!(count.jobs)))
            .collect()
    }

    /// How many notes there are, and warnings that were not told in this run; nothing of none.
    fn remarks(&self) -> String {
        let notes: usize = self.0.iter().map(|count| count.notes).sum();
        let earlier = OUTCOMES.iter().zip(&self.0).filter(|(outcome, _)| **outcome == "current");
        let warnings: usize = earlier.map(|(_, count)| count.warnings).sum();
        let some = |number, noun| (number > 0).then(|| count(number, noun));
        let told = [some(notes, "note"), some(warnings, "warning of earlier runs")];
        told.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    pub(super) fn bytes_written(&self) -> u64 {
        OUTCOMES
            .iter()
            .zip(&self.0)
            .filter(|(outcome, _)| **outcome == "written")
            .map(|(_, count)| count.bytes)
            .sum()
    }
}

/// How many jobs were in which state.
pub(super) fn states(states: &[State]) -> [(&'static str, usize); 3] {
    ["new", "stale", "current"]
        .map(|name| (name, states.iter().filter(|state| state_name(state) == name).count()))
}

/// The same for machines.
pub(super) fn states_json(states: &[State]) -> Json {
    self::states(states).into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect()
}

/// What is said of a share without jobs.
pub(super) fn print_empty(shard: Shard, all: usize, terminal: Terminal) -> Result<(), Failure> {
    if terminal.quiet {
        return Ok(());
    }
    let jobs = count(all, "job");
    terminal.result(|out| writeln!(out, "nothing to do: none of {jobs} belongs to the share {shard}"))
}

/// A row for each outcome, and before them one for each job that is not done; for each job, if more is to be said.
pub(super) fn print(
    jobs: &[Job],
    results: &Results,
    summary: &Summary,
    terminal: Terminal,
) -> Result<(), Failure> {
    if terminal.quiet {
        return Ok(());
    }
    let rows = jobs.iter().enumerate().filter_map(|(at, job)| {
        let ended = results.get(at)?;
        let is_shown = terminal.verbose || ended.done.is_none();
        is_shown.then(|| {
            let output = job.output.to_string_lossy().into_owned();
            let reason = ended.failure.as_ref().map(|failure| first_line(&failure.to_string()).to_owned());
            let (bytes, seconds) = ended.done.as_ref().map_or_else(Default::default, |done| {
                let seconds =
                    if ended.outcome == "current" { String::new() } else { format!("{:.2} s", done.seconds) };
                (HumanBytes(done.bytes).to_string(), seconds)
            });
            vec![ended.outcome.to_owned(), output, bytes, seconds, reason.unwrap_or_default()]
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let counts = Counts::new(results);
    terminal.result(|out| {
        if !rows.is_empty() {
            let columns = [
                Column::text("OUTCOME"),
                Column::text("OUTPUT"),
                Column::number("SIZE"),
                Column::number("TIME"),
                Column::text("ERROR"),
            ];
            table::print_columns(out, &columns, rows.iter().cloned())?;
            writeln!(out)?;
        }
        let columns = [
            Column::text("OUTCOME"),
            Column::number("JOBS"),
            Column::number("SIZE"),
            // Of jobs that run side by side, this is more than the run takes.
            Column::number("TIME (SUM)"),
            Column::number("NOTES"),
            Column::number("WARNINGS"),
        ];
        let some = |number: usize| if number == 0 { String::new() } else { number.to_string() };
        let row = |(outcome, count): (&&str, &Count)| {
            (count.jobs > 0).then(|| {
                let has_bytes = !matches!(*outcome, "failed" | "stopped");
                let bytes = if has_bytes { HumanBytes(count.bytes).to_string() } else { String::new() };
                // What took time in an earlier run takes none in this one.
                let has_time = has_bytes && *outcome != "current";
                let seconds = if has_time { format!("{:.2} s", count.seconds) } else { String::new() };
                vec![
                    (*outcome).to_owned(),
                    count.jobs.to_string(),
                    bytes,
                    seconds,
                    some(count.notes),
                    some(count.warnings),
                ]
            })
        };
        let rows: Vec<Vec<String>> = OUTCOMES.iter().zip(&counts.0).filter_map(row).collect();
        table::print_columns(out, &columns, rows.iter().cloned())?;
        writeln!(out, "\n{:.2} s elapsed", summary.elapsed.as_secs_f64())?;
        let remarks = counts.remarks();
        if remarks.is_empty() || terminal.verbose {
            Ok(())
        } else {
            writeln!(out, "{remarks}, told with --verbose")
        }
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
