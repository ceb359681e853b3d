//! What `--stats` and `--hash` find out of all values.

use std::fmt::Write as _;
use std::path::Path;

use super::number::significant;
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::progress::Bar;
use crate::cli::table::{Column, count};
use crate::cli::terminal::{Terminal, WARNING};
use crate::lazy::survey::{Survey, SurveyOptions, survey};
use crate::lazy::{LazyTensor, NonFinite, Statistics};

/// Tensors that one message names.
const MAX_NAMED: usize = 8;

/// Reads all values of the named tensors, if that is asked for; else nothing comes back. `exit` is for values
/// that cannot be read.
pub(super) fn read(
    args: &args::Inspect,
    path: &Path,
    exit: Exit,
    tensors: &[(&str, &LazyTensor)],
    terminal: Terminal,
) -> Result<Vec<Survey>, Failure> {
    if !args.reads_values() {
        return Ok(Vec::new());
    }
    let bar = Bar::new(terminal, tensors.iter().map(|(_, tensor)| tensor.byte_len() as u64).sum());
    let options = SurveyOptions { statistics: args.stats, hash: args.hash, threads: args.threads };
    let values: Vec<&LazyTensor> = tensors.iter().map(|&(_, tensor)| tensor).collect();
    let outcomes = survey(&values, &options, &|bytes| bar.advance(bytes));
    bar.finish();
    let mut surveys = Vec::with_capacity(outcomes.len());
    let mut failed = Vec::new();
    for (outcome, (name, _)) in outcomes.into_iter().zip(tensors) {
        match outcome {
            Ok(survey) => surveys.push(survey),
            Err(reason) => failed.push(((*name).to_owned(), reason)),
        }
    }
    let mut failed = failed.into_iter();
    match failed.next() {
        None => Ok(surveys),
        Some((name, source)) => {
            let others = named(failed.map(|(name, _)| name));
            Err(Failure::Values { path: path.to_owned(), name, others, source, exit })
        }
    }
}

/// The columns for what is asked for.
pub(super) fn columns(args: &args::Inspect) -> Vec<Column> {
    let mut columns = Vec::new();
    if args.stats {
        columns.extend(["MIN", "MAX", "MEAN", "STD", "ZEROS"].map(Column::number));
        columns.push(Column::text("NOT FINITE"));
    }
    if args.hash {
        columns.push(Column::text("SHA-256"));
    }
    columns
}

/// The cells of a row below [`columns`].
pub(super) fn cells(args: &args::Inspect, found: Option<&Survey>) -> Vec<String> {
    let mut cells = Vec::new();
    if args.stats {
        cells.extend(statistics_cells(found.and_then(|found| found.statistics.as_ref())));
    }
    if args.hash {
        cells.push(found.and_then(|found| found.sha256).map_or_else(String::new, |sum| hex(&sum)));
    }
    cells
}

fn statistics_cells(found: Option<&Statistics>) -> [String; 6] {
    let Some(Statistics { count, min, max, mean, std, non_finite, zeros }) = found else {
        return Default::default();
    };
    let shown = |value: &Option<f64>| value.map_or_else(String::new, significant);
    let zeros = match *zeros {
        0 => String::new(),
        all if all == *count => "all".to_owned(),
        some => some.to_string(),
    };
    [shown(min), shown(max), shown(mean), shown(std), zeros, describe(non_finite)]
}

/// `3 NaN, 1 inf`.
fn describe(found: &NonFinite) -> String {
    let NonFinite { nan, positive_infinity, negative_infinity } = found;
    let parts = [(nan, "NaN"), (positive_infinity, "inf"), (negative_infinity, "-inf")];
    let parts = parts.into_iter().filter(|&(&number, _)| number > 0);
    parts.map(|(number, what)| format!("{number} {what}")).collect::<Vec<_>>().join(", ")
}

/// Says which tensors hold values that are not finite: a long list hides them.
pub(super) fn warn(tensors: &[(&str, &LazyTensor)], surveys: &[Survey], terminal: Terminal) {
    let is_odd = |survey: &Survey| survey.statistics.is_some_and(|found| found.non_finite.total() > 0);
    let odd: Vec<String> = tensors
        .iter()
        .zip(surveys)
        .filter(|(_, survey)| is_odd(survey))
        .map(|((name, _), _)| (*name).to_owned())
        .collect();
    if !odd.is_empty() {
        let verb = if odd.len() == 1 { "holds" } else { "hold" };
        let tensors = count(odd.len(), "tensor");
        let names = named(odd.into_iter());
        terminal.remark(
            WARNING,
            "warning",
            format_args!("{tensors} {verb} values that are not finite: {names}"),
        );
    }
}

/// The first names, in backticks, and how many there are more.
fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    let shown: Vec<String> = names.take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_what_is_not_finite() {
        let found = |nan, positive_infinity, negative_infinity| {
            describe(&NonFinite { nan, positive_infinity, negative_infinity })
        };
        assert_eq!(found(0, 0, 0), "");
        assert_eq!(found(3, 0, 1), "3 NaN, 1 -inf");
        assert_eq!(found(0, 2, 0), "2 inf");
    }

    #[test]
    fn few_names() {
        let check = |number: usize, expected: &str| {
            let names: Vec<String> = (0..number).map(|at| at.to_string()).collect();
            assert_eq!(named(names.into_iter()), expected);
        };
        check(0, "");
        check(2, "`0`, `1`");
        check(10, "`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, and 2 more");
    }
}
