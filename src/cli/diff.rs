//! `ptw2k diff`.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::args;
use super::element::{self, Number, Raw};
use super::exit::Exit;
use super::failure::Failure;
use super::table::{self, count};
use super::terminal::Terminal;
use crate::keras::file_layout::{Format, dataset_path};
use crate::keras::{Architecture, StoredVariable, WeightsFile, WeightsForm};
use crate::lazy::LazyTensor;
use crate::tensor::{Dtype, Shape};

/// How a variable differs between two files.
enum Difference {
    /// The other lacks it.
    OnlyInOne,
    /// The first lacks it.
    OnlyInOther,
    /// Other shapes.
    Shape { one: Shape, other: Shape },
    /// Other element types.
    Dtype { one: Dtype, other: Dtype },
    /// Other values.
    Values(Values),
}

struct Values {
    count: usize,
    /// Of those that are numbers.
    max_abs: f64,
    first: Vec<usize>,
    one: String,
    other: String,
}

/// Compares two weight files, variable by variable.
///
/// # Errors
/// When a file cannot be read, or the two are of formats that name variables differently.
pub fn diff(args: &args::Diff, terminal: Terminal) -> Result<Exit, Failure> {
    let one = WeightsFile::open(&args.one)?;
    let other = WeightsFile::open(&args.other)?;
    if (one.form == WeightsForm::LegacyH5) != (other.form == WeightsForm::LegacyH5) {
        return Err(Failure::DifferentForms { one: args.one.clone(), other: args.other.clone() });
    }
    let differences = compare(&one, &other);
    let names = if differences.is_empty() { BTreeMap::new() } else { variable_names([&one, &other]) };
    if terminal.json {
        terminal.json_result(&json!({
            "one": args.one.to_string_lossy(),
            "other": args.other.to_string_lossy(),
            "equal": differences.is_empty(),
            "differences": differences.iter().map(|found| to_json(found, &names)).collect::<Vec<_>>(),
        }))?;
    } else {
        terminal.result(|out| {
            if differences.is_empty() {
                return writeln!(out, "{}: equal, bit for bit", count(one.variables.len(), "variable"));
            }
            let rows = differences.iter().map(|(path, difference)| {
                let (name, dataset) = match names.get(path) {
                    Some(name) => (name.clone(), path.clone()),
                    None => (path.clone(), String::new()),
                };
                vec![name, describe(difference), dataset]
            });
            table::print(out, &["VARIABLE", "DIFFERENCE", "IN .weights.h5"], rows)?;
            let verb = if differences.len() == 1 { "differs" } else { "differ" };
            writeln!(out, "\n{} {verb}", count(differences.len(), "variable"))
        })?;
    }
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Difference })
}

/// The variables' paths, as `inspect` names them, by those of their datasets. Legacy files have one name for
/// both, and a file that is of no model it can be told of has datasets alone.
fn variable_names(files: [&WeightsFile; 2]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for file in files.into_iter().filter(|file| file.form != WeightsForm::LegacyH5) {
        let Ok(architecture) = Architecture::open(&file.path) else { continue };
        for (at, variable) in architecture.variables.iter().enumerate() {
            if let Some(path) = dataset_path(&architecture, Format::WeightsH5, at) {
                names.entry(path).or_insert_with(|| variable.path.as_str().to_owned());
            }
        }
    }
    names
}

/// Every difference, in the order of the first file, then what only the other has.
fn compare(one: &WeightsFile, other: &WeightsFile) -> Vec<(String, Difference)> {
    let mut others: BTreeMap<&str, &StoredVariable> =
        other.variables.iter().map(|stored| (stored.path.as_str(), stored)).collect();
    let pairs: Vec<(&StoredVariable, Option<&StoredVariable>)> =
        one.variables.iter().map(|stored| (stored, others.remove(stored.path.as_str()))).collect();
    let compare = |(one, other): (&StoredVariable, Option<&StoredVariable>)| {
        let found = match other {
            Some(other) => compare_tensors(&one.tensor, &other.tensor)?,
            None => Difference::OnlyInOne,
        };
        Some((one.path.clone(), found))
    };
    let mut differences: Vec<(String, Difference)> = pairs.into_par_iter().filter_map(compare).collect();
    differences.extend(others.into_keys().map(|path| (path.to_owned(), Difference::OnlyInOther)));
    differences
}

fn compare_tensors(one: &LazyTensor, other: &LazyTensor) -> Option<Difference> {
    let shape = one.view.shape();
    if shape != other.view.shape() {
        return Some(Difference::Shape { one: shape.clone(), other: other.view.shape().clone() });
    }
    if one.dtype != other.dtype {
        return Some(Difference::Dtype { one: one.dtype, other: other.dtype });
    }
    let dtype = one.dtype;
    let mut found: Option<Values> = None;
    for at in 0..shape.numel() {
        let read = |tensor: &LazyTensor| element::read(tensor, element::place(&tensor.view, at));
        let (one_raw, other_raw) = (read(one), read(other));
        if one_raw == other_raw {
            continue;
        }
        // The reader has checked that the files hold every element, so the default stands for none.
        let decode = |raw: Option<Raw>, dtype| element::decode(raw.unwrap_or_default(), dtype);
        let (one, other) = (decode(one_raw, dtype), decode(other_raw, dtype));
        let values = found.get_or_insert_with(|| Values {
            count: 0,
            max_abs: 0.0,
            first: element::index(shape, at),
            one: one.shown(dtype),
            other: other.shown(dtype),
        });
        values.count += 1;
        // `max` passes over NaN.
        values.max_abs = values.max_abs.max(distance(one, other));
    }
    found.map(Difference::Values)
}

#[expect(clippy::cast_precision_loss, reason = "a measure for people")]
fn distance(one: Number, other: Number) -> f64 {
    match (one, other) {
        (Number::Integer(one), Number::Integer(other)) => one.abs_diff(other) as f64,
        (Number::Float(one), Number::Float(other)) => (one - other).abs(),
        (Number::Complex(a, b), Number::Complex(c, d)) => (a - c).hypot(b - d),
        // Both are of one type.
        _ => f64::NAN,
    }
}

fn describe(difference: &Difference) -> String {
    match difference {
        Difference::OnlyInOne => "only in the first file".to_owned(),
        Difference::OnlyInOther => "only in the second file".to_owned(),
        Difference::Shape { one, other } => format!("shape {one} and {other}"),
        Difference::Dtype { one, other } => format!("{one} and {other}"),
        Difference::Values(Values { count, max_abs, first, one, other }) => {
            let values = table::count(*count, "value");
            format!("{values}, by at most {max_abs:.2e}, first at {first:?}: {one} and {other}")
        }
    }
}

fn to_json((path, difference): &(String, Difference), names: &BTreeMap<String, String>) -> Json {
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
    };
    json!({ "variable": path, "path": names.get(path).unwrap_or(path), "difference": kind, "detail": detail })
}
