//! `ptw2k verify`.

use std::collections::{HashMap, HashSet};

use indicatif::HumanBytes;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::element::{self, Raw};
use super::exit::Exit;
use super::expected::{self, Expected};
use super::failure::Failure;
use super::listener::Listener;
use super::order::moved;
use super::terminal::Terminal;
use super::{args, inputs, table};
use crate::convert::{ConvertError, check_records};
use crate::keras::WeightsFile;
use crate::keras::file_layout::Form;
use crate::lazy::LazyTensor;
use crate::plan::{Binding, Plan, Unreadable};
use crate::tensor::{Dtype, Shape};

/// How a variable of the file differs from the plan, or the file from what the plan is for.
enum Difference {
    /// The file lacks it.
    Absent,
    /// The plan lacks it.
    Unplanned,
    /// It is carried over from the architecture's file, which has another.
    Carried,
    /// Another shape.
    Shape { expected: Shape, found: Shape },
    /// Another element type.
    Dtype { expected: Dtype, found: Dtype },
    /// Other values.
    Values { count: usize, first: Vec<usize>, expected: String, found: String },
    /// Elements that the plan gives no value, more than one, or one from outside the checkpoint.
    Uncovered { count: usize },
    /// It stands at another place among the weights of a legacy file, which Keras reads by their order.
    Order { expected: usize, found: usize },
    /// The file's configuration is not the architecture's.
    Configuration,
}

impl Difference {
    /// Whether it is one of what the file has beside the plan's variables.
    const fn is_of_the_file(&self) -> bool {
        matches!(self, Self::Unplanned | Self::Carried | Self::Configuration)
    }
}

/// Compares every value of a file with what the plan makes of the checkpoint. The plan itself is not judged.
///
/// # Errors
/// When an input cannot be read or the plan has faults.
pub fn verify(args: &args::Verify, terminal: Terminal) -> Result<Exit, Failure> {
    let file = WeightsFile::open(&args.file)?;
    let form = Form { keras: args.source.keras, ..Form::new(file.form.format()) };
    let source = inputs::source(&args.source);
    let plan = inputs::plan(&source, &inputs::options(&args.source, form)?, terminal)?;
    check_records(&plan, None, &Listener::new(terminal, &source.reading));
    let differences = compare(&plan, &file)
        .map_err(|unreadable| ConvertError::Unreadable { path: source.checkpoint, source: unreadable })?;
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
                let bytes = HumanBytes(plan.byte_len());
                let variables = table::count(plan.bindings.len(), "variable");
                return writeln!(out, "{variables}, {bytes}: equal, bit for bit");
            }
            let rows = differences.iter().map(|(path, difference)| vec![path.clone(), describe(difference)]);
            table::print(out, &["VARIABLE", "DIFFERENCE"], rows)?;
            writeln!(out, "\n{}", summary(&plan, &differences))
        })?;
    }
    if differences.is_empty() {
        return Ok(Exit::Done);
    }
    terminal.differs(&format!("{}: {}", args.file.display(), summary(&plan, &differences)));
    Ok(Exit::Difference)
}

/// How many variables of the plan differ, and how many datasets the plan does not have.
fn summary(plan: &Plan, differences: &[(String, Difference)]) -> String {
    let count = |is: fn(&Difference) -> bool| {
        let paths = differences.iter().filter(|(_, difference)| is(difference)).map(|(path, _)| path);
        // A legacy file holds a shared layer's variable more than once.
        paths.collect::<HashSet<_>>().len()
    };
    let variables = plan.bindings.len();
    let strangers =
        |difference: &Difference| matches!(difference, Difference::Absent | Difference::Shape { .. });
    if variables > 1 && count(strangers) == variables {
        return format!(
            "none of {} is in the file, at its place and in its shape: the file is of another model, or of this one built in \
             another way",
            table::count(variables, "variable")
        );
    }
    let differ = count(|difference| !difference.is_of_the_file());
    let verb = if differ == 1 { "differs" } else { "differ" };
    let others = count(|difference| matches!(difference, Difference::Unplanned | Difference::Carried));
    let others = match others {
        0 => String::new(),
        others => format!("; {} of the file beside them", table::count(others, "dataset")),
    };
    format!("{differ} of {} {verb}{others}", table::count(variables, "variable"))
}

/// The name under which the configuration is listed.
const CONFIGURATION: &str = "(configuration)";

/// Every difference, in the plan's order, then what only the file has.
fn compare(plan: &Plan, file: &WeightsFile) -> Result<Vec<(String, Difference)>, Unreadable> {
    let architecture = &plan.architecture;
    let is_legacy = file.form.is_legacy();
    let stored: HashMap<&str, usize> =
        file.variables.iter().enumerate().map(|(at, stored)| (stored.place(), at)).collect();
    let find =
        |place: &str| stored.get(place).or_else(|| stored.get(file.first_name(place)?.as_str())).copied();
    let places = if is_legacy { architecture.legacy_places() } else { architecture.weights_h5_places() };
    // A legacy file holds a shared layer in each layer that has it.
    let entries = if is_legacy { architecture.legacy_entries() } else { Vec::new() };
    let mut again: HashMap<usize, Vec<Option<usize>>> = HashMap::new();
    let mut listed = Vec::with_capacity(entries.len());
    for (place, variable) in &entries {
        let at = find(place);
        again.entry(*variable).or_default().push(at);
        listed.extend(at);
    }
    let pairs: Vec<(&Binding, Option<usize>)> = plan
        .bindings
        .iter()
        .flat_map(|binding| {
            let place = places.get(binding.variable).and_then(Option::as_deref);
            let first = place.and_then(find);
            let others = again.get(&binding.variable).into_iter().flatten().copied();
            let others = others.filter(move |&at| at != first);
            std::iter::once(first).chain(others).map(move |at| (binding, at))
        })
        .collect();
    let planned: HashSet<usize> = pairs.iter().filter_map(|&(_, at)| at).collect();
    // What the file has of them, in its own order.
    let mut in_file = listed.clone();
    in_file.sort_unstable();
    let moved = moved(&listed, &in_file);
    let compare = |(binding, at): (&Binding, Option<usize>)| {
        let Some(variable) = architecture.variables.get(binding.variable) else { return Ok(None) };
        let found = match at.and_then(|at| file.variables.get(at)) {
            Some(stored) => compare_variable(binding, &variable.shape, &stored.tensor)?,
            None => Some(Difference::Absent),
        };
        let moved = || moved.get(&at?);
        let found = found.or_else(|| moved().map(|&(expected, found)| Difference::Order { expected, found }));
        Ok(found.map(|found| (variable.path.to_string(), found)))
    };
    let found: Result<Vec<_>, Unreadable> = pairs.into_par_iter().map(compare).collect();
    let mut differences: Vec<(String, Difference)> = found?.into_iter().flatten().collect();
    let unplanned = file.variables.iter().enumerate().filter(|(at, _)| !planned.contains(at));
    for (_, stored) in unplanned {
        let own = architecture.carried.datasets.iter().find(|own| own.path == stored.place());
        let difference = match own {
            None => Difference::Unplanned,
            Some(own) if is_same_tensor(&own.tensor, &stored.tensor) => continue,
            Some(_) => Difference::Carried,
        };
        differences.push((stored.path.clone(), difference));
    }
    if let (Some(expected), Some(found)) = (&architecture.carried.config, &file.config)
        && !is_same_configuration(expected.as_slice(), found.as_slice())
    {
        differences.push((CONFIGURATION.to_owned(), Difference::Configuration));
    }
    Ok(differences)
}

/// Whether a dataset is carried over as it is.
fn is_same_tensor(one: &LazyTensor, other: &LazyTensor) -> bool {
    let is_alike = one.dtype == other.dtype && one.view.shape() == other.view.shape();
    is_alike && matches!((one.contiguous(), other.contiguous()), (Ok(one), Ok(other)) if one == other)
}

/// Whether two texts describe one model. What `model.save()` alone writes does not count: numbers of shared objects,
/// and how the model was compiled.
fn is_same_configuration(one: &[u8], other: &[u8]) -> bool {
    let parse = |text: &[u8]| serde_json::from_slice::<Json>(text).map(described);
    one == other || matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
}

/// A configuration without what `to_json()` leaves out.
fn described(value: Json) -> Json {
    const LEFT_OUT: [&str; 2] = ["shared_object_id", "compile_config"];
    match value {
        Json::Object(fields) => {
            let fields = fields.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
            Json::Object(fields.map(|(name, value)| (name, described(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(described).collect()),
        other => other,
    }
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
    let mut tally = Tally { stored, shape, count: 0, first: None };
    let uncovered = expected::each(binding, shape, |at, expected| tally.compare(at, expected))?;
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

/// Compares values with those of the file.
struct Tally<'a> {
    stored: &'a LazyTensor,
    shape: &'a Shape,
    count: usize,
    first: Option<(Vec<usize>, String, String)>,
}

impl Tally<'_> {
    /// Compares an element of the file with what the plan makes of it.
    fn compare(&mut self, at: usize, expected: Expected) {
        let dtype = self.stored.dtype;
        let found: Option<Raw> = element::read(self.stored, element::place(&self.stored.view, at));
        let wanted = expected.encode(dtype);
        if wanted.is_some() && found == wanted {
            return;
        }
        self.count += 1;
        self.first.get_or_insert_with(|| {
            let number = wanted.map_or_else(|| expected.number(dtype), |raw| element::decode(raw, dtype));
            // The reader has checked that the file holds every element, so the default stands for none.
            let found = element::decode(found.unwrap_or_default(), dtype);
            (element::index(self.shape, at), number.shown(dtype), found.shown(dtype))
        });
    }
}

fn describe(difference: &Difference) -> String {
    match difference {
        Difference::Absent => "not in the file".to_owned(),
        Difference::Unplanned => "in the file, but not in the plan".to_owned(),
        Difference::Carried => "not what the architecture's file has".to_owned(),
        Difference::Shape { expected, found } => format!("shape {found} instead of {expected}"),
        Difference::Dtype { expected, found } => format!("{found} instead of {expected}"),
        Difference::Values { count, first, expected, found } => {
            let values = table::count(*count, "value");
            format!("{values}, first at {first:?}: {found} instead of {expected}")
        }
        Difference::Uncovered { count } => {
            format!("the plan does not cover {} exactly once", table::count(*count, "element"))
        }
        Difference::Order { expected, found } => {
            format!(
                "weight {found} of the file instead of {expected}, counted from 0: Keras reads them by order"
            )
        }
        Difference::Configuration => "the file's configuration is not the architecture's".to_owned(),
    }
}

fn to_json((path, difference): &(String, Difference)) -> Json {
    let (kind, detail) = match difference {
        Difference::Absent => ("absent", json!({})),
        Difference::Unplanned => ("unplanned", json!({})),
        Difference::Carried => ("carried", json!({})),
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
        Difference::Order { expected, found } => ("order", json!({ "expected": expected, "found": found })),
        Difference::Configuration => ("configuration", json!({})),
    };
    json!({ "variable": path, "difference": kind, "detail": detail })
}
