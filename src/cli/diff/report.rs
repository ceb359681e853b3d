//! What is said of the differences.

use serde_json::{Value as Json, json};

use super::compare::{Difference, Differing, Values};
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::table::{self, count};
use crate::cli::terminal::Terminal;

/// Prints the result of a comparison of so many variables.
pub(super) fn print(
    args: &args::Diff,
    compared: usize,
    differences: &[Differing],
    terminal: Terminal,
) -> Result<(), Failure> {
    if terminal.json {
        return terminal.json_result(&json!({
            "one": args.one.to_string_lossy(),
            "other": args.other.to_string_lossy(),
            "variables": compared,
            "equal": differences.is_empty(),
            "differences": differences.iter().map(to_json).collect::<Vec<_>>(),
        }));
    }
    terminal.result(|out| {
        if differences.is_empty() {
            return writeln!(out, "{}: equal, bit for bit", count(compared, "variable"));
        }
        let rows = differences.iter().map(|Differing { name, place, difference }| {
            let place = place.clone().filter(|place| place != name).unwrap_or_default();
            vec![name.clone(), describe(difference), place]
        });
        table::print(out, &["VARIABLE", "DIFFERENCE", "IN THE FILE"], rows)?;
        writeln!(out, "\n{}", summary(differences))
    })
}

/// `3 variables differ`.
pub(super) fn summary(differences: &[Differing]) -> String {
    let verb = if differences.len() == 1 { "differs" } else { "differ" };
    format!("{} {verb}", count(differences.len(), "variable"))
}

fn describe(difference: &Difference) -> String {
    match difference {
        Difference::OnlyInOne => "only in the first file".to_owned(),
        Difference::OnlyInOther => "only in the second file".to_owned(),
        Difference::Shape { one, other } => format!("shape {one} and {other}"),
        Difference::Dtype { one, other } => format!("{one} and {other}"),
        Difference::Values(Values { count, max_abs, first, one, other }) => {
            let values = table::count(*count, "value");
            // Nothing is that far from what is no number.
            let most = if *max_abs > 0.0 { format!(", by at most {max_abs:.2e}") } else { String::new() };
            format!("{values}{most}, first at {first:?}: {one} and {other}")
        }
        Difference::Order { one, other } => format!(
            "weight {one} in the first and {other} in the second, counted from 0: Keras reads legacy files by order"
        ),
    }
}

fn to_json(differing: &Differing) -> Json {
    let Differing { name, place, difference } = differing;
    let (kind, detail) = match difference {
        Difference::OnlyInOne => ("only_in_one", json!({})),
        Difference::OnlyInOther => ("only_in_other", json!({})),
        Difference::Shape { one, other } => ("shape", json!({ "one": one.sizes(), "other": other.sizes() })),
        Difference::Dtype { one, other } => ("dtype", json!({ "one": one.name(), "other": other.name() })),
        // Numbers as text: JSON has neither infinities nor NaN.
        Difference::Values(Values { count, max_abs, first, one, other }) => (
            "values",
            json!({
                "count": count,
                "max_abs": format!("{max_abs:?}"),
                "first": first,
                "one": one,
                "other": other,
            }),
        ),
        Difference::Order { one, other } => ("order", json!({ "one": one, "other": other })),
    };
    let variable = place.as_ref().unwrap_or(name);
    json!({ "variable": variable, "path": name, "difference": kind, "detail": detail })
}
