//! `ptw2k verify`.

use std::collections::BTreeMap;

use indicatif::HumanBytes;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::addition::Addition;
use super::coverage::Coverage;
use super::element::{self, Number, Raw};
use super::exit::Exit;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{args, inputs, ledger, table};
use crate::keras::file_layout::{Form, Format, dataset_path};
use crate::keras::{StoredVariable, WeightsFile, WeightsForm};
use crate::lazy::LazyTensor;
use crate::plan::{Binding, LoadedStorages, Plan, Term, Unreadable, Value};
use crate::tensor::{Dtype, Shape};

/// How a variable of the file differs from the plan.
enum Difference {
    /// The file lacks it.
    Absent,
    /// The plan lacks it.
    Unplanned,
    /// Another shape.
    Shape { expected: Shape, found: Shape },
    /// Another element type.
    Dtype { expected: Dtype, found: Dtype },
    /// Other values.
    Values { count: usize, first: Vec<usize>, expected: String, found: String },
    /// Elements that the plan gives no value, more than one, or one from outside the checkpoint.
    Uncovered { count: usize },
}

/// Compares every value of a file with what the plan makes of the checkpoint. The plan itself is not judged.
///
/// # Errors
/// When an input cannot be read or the plan has faults.
pub fn verify(args: &args::Verify, terminal: Terminal) -> Result<Exit, Failure> {
    let file = WeightsFile::open(&args.file)?;
    let form = Form { keras: args.source.keras, ..Form::new(format(&file)) };
    let plan = inputs::plan(&args.source, &|_| form.clone(), terminal)?;
    inputs::check_records(&plan, None, terminal);
    let differences = compare(&plan, &file)
        .map_err(|source| Failure::Unreadable { path: args.source.checkpoint.clone(), source })?;
    if terminal.json {
        terminal.json_result(&json!({
            "file": args.file.to_string_lossy(),
            "variables": plan.bindings.len(),
            "equal": differences.is_empty(),
            "differences": differences.iter().map(to_json).collect::<Vec<_>>(),
        }))?;
    } else {
        terminal.result(|out| {
            if differences.is_empty() {
                let bytes = HumanBytes(ledger::byte_len(&plan));
                let variables = table::count(plan.bindings.len(), "variable");
                return writeln!(out, "{variables}, {bytes}: equal, bit for bit");
            }
            let rows = differences.iter().map(|(path, difference)| vec![path.clone(), describe(difference)]);
            table::print(out, &["VARIABLE", "DIFFERENCE"], rows)?;
            let variables = table::count(plan.bindings.len(), "variable");
            writeln!(out, "\n{} of {variables} differ", differences.len())
        })?;
    }
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Difference })
}

fn format(file: &WeightsFile) -> Format {
    match file.form {
        WeightsForm::WeightsH5 | WeightsForm::Archive => Format::WeightsH5,
        WeightsForm::LegacyH5 => {
            let is_whole = |stored: &StoredVariable| stored.path.starts_with("model_weights/");
            if file.variables.iter().all(is_whole) { Format::WholeH5 } else { Format::LegacyH5 }
        }
    }
}

/// Every difference, in the plan's order, then what only the file has.
fn compare(plan: &Plan, file: &WeightsFile) -> Result<Vec<(String, Difference)>, Unreadable> {
    let format = format(file);
    let mut stored: BTreeMap<&str, &StoredVariable> =
        file.variables.iter().map(|stored| (stored.path.as_str(), stored)).collect();
    let pairs: Vec<(&Binding, Option<&StoredVariable>)> = plan
        .bindings
        .iter()
        .map(|binding| {
            let path = dataset_path(&plan.architecture, format, binding.variable);
            (binding, path.and_then(|path| stored.remove(path.as_str())))
        })
        .collect();
    let compare = |(binding, stored): (&Binding, Option<&StoredVariable>)| {
        let Some(variable) = plan.architecture.variables.get(binding.variable) else { return Ok(None) };
        let found = match stored {
            Some(stored) => compare_variable(binding, &variable.shape, &stored.tensor)?,
            None => Some(Difference::Absent),
        };
        Ok(found.map(|found| (variable.path.to_string(), found)))
    };
    let found: Result<Vec<_>, Unreadable> = pairs.into_par_iter().map(compare).collect();
    let mut differences: Vec<(String, Difference)> = found?.into_iter().flatten().collect();
    differences.extend(stored.into_keys().map(|path| (path.to_owned(), Difference::Unplanned)));
    Ok(differences)
}

fn compare_variable(
    binding: &Binding,
    shape: &Shape,
    stored: &LazyTensor,
) -> Result<Option<Difference>, Unreadable> {
    if stored.view.shape() != shape {
        return Ok(Some(Difference::Shape { expected: shape.clone(), found: stored.view.shape().clone() }));
    }
    if stored.dtype != binding.dtype {
        return Ok(Some(Difference::Dtype { expected: binding.dtype, found: stored.dtype }));
    }
    let binding = &binding.loaded(&mut LoadedStorages::default())?;
    let mut tally = Tally { stored, shape, count: 0, first: None };
    let uncovered = match &binding.value {
        Value::Fill(value) => {
            (0..shape.numel()).for_each(|at| tally.compare_number(at, Number::Float(*value)));
            0
        }
        Value::Gather(terms) => match terms.as_slice() {
            [term] => for_each_element(term, shape, |at, raw, dtype| {
                if dtype == binding.dtype && dtype != Dtype::Bool {
                    tally.compare(at, raw);
                } else {
                    tally.compare_number(at, element::decode(raw, dtype));
                }
            }),
            terms => compare_sum(terms, &mut tally),
        },
    };
    if uncovered > 0 {
        return Ok(Some(Difference::Uncovered { count: uncovered }));
    }
    Ok(tally.first.map(|(first, expected, found)| Difference::Values {
        count: tally.count,
        first,
        expected,
        found,
    }))
}

/// Compares sums; they are of biases, so the few values are held.
fn compare_sum(terms: &[Term], tally: &mut Tally<'_>) -> usize {
    let addition = Addition::of(terms);
    let mut sums: Vec<Option<Number>> = vec![None; tally.shape.numel()];
    let mut uncovered = 0;
    for term in terms {
        uncovered += for_each_element(term, tally.shape, |at, raw, source| {
            let value = element::decode(raw, source);
            if let Some(sum) = sums.get_mut(at) {
                *sum = Some(sum.map_or(value, |sum| addition.add(sum, value)));
            }
        });
    }
    for (at, sum) in sums.into_iter().enumerate() {
        if let Some(sum) = sum {
            tally.compare_number(at, sum);
        }
    }
    uncovered
}

/// Calls with the place in the variable, the bytes and the type of every element of a term. Returns how many
/// elements of the variable got no value, or more than one, or one that the checkpoint does not have.
fn for_each_element(term: &Term, shape: &Shape, mut each: impl FnMut(usize, Raw, Dtype)) -> usize {
    let mut coverage = Coverage::of(term, shape.numel());
    let mut wrong = 0;
    for part in &term.parts {
        for step in 0..part.copy.numel() {
            let (from, to) = element::step(&part.copy, step);
            match element::read(&part.source, from) {
                Some(raw) if coverage.is_first(to) => each(to, raw, part.source.dtype),
                _ => wrong += 1,
            }
        }
    }
    wrong + coverage.left()
}

/// Compares values with those of the file.
struct Tally<'a> {
    stored: &'a LazyTensor,
    shape: &'a Shape,
    count: usize,
    first: Option<(Vec<usize>, String, String)>,
}

impl Tally<'_> {
    /// Compares with an element of the file's type.
    fn compare(&mut self, at: usize, expected: Raw) {
        let dtype = self.stored.dtype;
        let found = element::read(self.stored, element::place(&self.stored.view, at));
        if found != Some(expected) {
            self.differ(at, element::decode(expected, dtype), found);
        }
    }

    /// Compares with what the file's type makes of a number.
    fn compare_number(&mut self, at: usize, number: Number) {
        match element::encode(number, self.stored.dtype) {
            Some(expected) => self.compare(at, expected),
            None => {
                let found = element::read(self.stored, element::place(&self.stored.view, at));
                self.differ(at, number, found);
            }
        }
    }

    fn differ(&mut self, at: usize, expected: Number, found: Option<Raw>) {
        let dtype = self.stored.dtype;
        self.count += 1;
        self.first.get_or_insert_with(|| {
            // The reader has checked that the file holds every element, so the default stands for none.
            let found = element::decode(found.unwrap_or_default(), dtype);
            (element::index(self.shape, at), expected.shown(dtype), found.shown(dtype))
        });
    }
}

fn describe(difference: &Difference) -> String {
    match difference {
        Difference::Absent => "not in the file".to_owned(),
        Difference::Unplanned => "in the file, but not in the plan".to_owned(),
        Difference::Shape { expected, found } => format!("shape {found} instead of {expected}"),
        Difference::Dtype { expected, found } => format!("{found} instead of {expected}"),
        Difference::Values { count, first, expected, found } => {
            let values = table::count(*count, "value");
            format!("{values}, first at {first:?}: {found} instead of {expected}")
        }
        Difference::Uncovered { count } => {
            format!("the plan does not cover {} exactly once", table::count(*count, "element"))
        }
    }
}

fn to_json((path, difference): &(String, Difference)) -> Json {
    let (kind, detail) = match difference {
        Difference::Absent => ("absent", json!({})),
        Difference::Unplanned => ("unplanned", json!({})),
        Difference::Shape { expected, found } => {
            ("shape", json!({ "expected": expected.sizes(), "found": found.sizes() }))
        }
        Difference::Dtype { expected, found } => {
            ("dtype", json!({ "expected": expected.name(), "found": found.name() }))
        }
        Difference::Values { count, first, expected, found } => (
            "values",
            // As text: JSON has neither infinities nor NaN.
            json!({ "count": count, "first": first, "expected": expected, "found": found }),
        ),
        Difference::Uncovered { count } => ("uncovered", json!({ "count": count })),
    };
    json!({ "variable": path, "difference": kind, "detail": detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lazy::Bytes;
    use crate::plan::Part;
    use crate::tensor::{ByteOrder, CopyAxis, StateDictKey, Strided, StridedCopy};

    fn part(dtype: Dtype, numel: usize, axes: &[(usize, usize)], target_offset: usize) -> Part {
        let axes: Vec<_> = axes
            .iter()
            .map(|&(size, target_stride)| CopyAxis { size, source_stride: 1, target_stride })
            .collect();
        Part {
            key: StateDictKey::new("tensor"),
            source: LazyTensor {
                dtype,
                view: Strided::contiguous(Shape::new([numel]).unwrap()),
                byte_order: ByteOrder::Little,
                storage: Bytes::held(vec![0; numel * dtype.size()]).into(),
            },
            copy: StridedCopy { axes, source_offset: 0, target_offset },
        }
    }

    fn check_coverage(parts: Vec<Part>, sizes: &[usize], is_whole: bool, expected: usize) {
        let term = Term { parts };
        let shape = Shape::new(sizes).unwrap();
        let mut called = 0;
        assert_eq!(matches!(Coverage::of(&term, shape.numel()), Coverage::Whole), is_whole);
        assert_eq!(for_each_element(&term, &shape, |_, _, _| called += 1), expected);
        if expected == 0 {
            assert_eq!(called, shape.numel());
        }
    }

    #[test]
    fn coverage() {
        let part = |axes: &[(usize, usize)], offset| part(Dtype::F32, 400, axes, offset);
        check_coverage(vec![part(&[(5, 1), (3, 35), (7, 5)], 0)], &[3, 7, 5], true, 0);
        check_coverage(vec![part(&[(1, 99), (3, 1)], 0)], &[3], true, 0);
        check_coverage(vec![part(&[(3, 1)], 1)], &[3], false, 2);
        check_coverage(vec![part(&[(3, 5), (4, 1)], 0)], &[3, 5], false, 3);
        check_coverage(vec![part(&[(3, 4), (5, 1)], 0)], &[3, 5], false, 4);
        check_coverage(vec![part(&[(70, 2)], 0), part(&[(70, 2)], 1)], &[140], false, 0);
        check_coverage(vec![part(&[(70, 2)], 0), part(&[(69, 2)], 1)], &[140], false, 1);
        check_coverage(vec![part(&[(70, 1)], 0), part(&[(71, 1)], 69)], &[140], false, 1);
    }
}
