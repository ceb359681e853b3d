//! The ledger of a plan: where every variable comes from and where every tensor goes, for people and
//! machines.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;

use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::args::Source;
use super::cells::Cells;
use super::escape::escape;
use super::faults::place;
use super::table::{self, count};
use super::terminal::{HEADING, Terminal, WARNING};
use crate::crew::{Hands, beside};
use crate::lazy::LazyTensor;
use crate::plan::{Binding, Note, Part, Plan, Provenance, Value};
use crate::schema::Position;
use crate::tensor::{Arithmetic, Dtype, Shape, StateDictKey};

/// The columns of the table.
const HEADINGS: [&str; 7] = ["VARIABLE", "SHAPE", "SOURCE", "SHAPE", "DTYPE", "LAYOUT", "RULE"];
const COLUMNS: NonZeroUsize = NonZeroUsize::new(HEADINGS.len()).unwrap();

/// Rows that are worth a thread: so many take a millisecond.
const MANY_ROWS: usize = 1000;

/// Tensors that a cell of the table names; stacked experts come by the hundred.
const NAMED: usize = 3;

/// The table, then what is not in it.
pub(super) fn print(plan: &Plan, hands: Hands<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    table::print_cells(out, &HEADINGS, &cells(plan, hands))?;
    if !plan.left_out.is_empty() {
        writeln!(out, "\n{HEADING}Left out{HEADING:#}")?;
        for variable in plan.left_out.iter().filter_map(|&at| plan.architecture.variables.get(at)) {
            writeln!(out, "  {} {}", escape(variable.path.as_str()), variable.shape)?;
        }
    }
    if !plan.unused.is_empty() {
        writeln!(out, "\n{HEADING}Unused{HEADING:#}")?;
        for (key, reason) in &plan.unused {
            writeln!(out, "  {}: {}", escape(key.as_str()), escape(&provenance(reason)))?;
        }
    }
    writeln!(out, "\n{}", summary(plan))
}

/// `8 variables from 9 tensors, 39.76 KiB; 1 tensor unused, 2 notes`.
fn summary(plan: &Plan) -> String {
    let mut tensors: Vec<&str> = plan.bindings.iter().flat_map(parts).flat_map(keys).collect();
    tensors.retain(|key| !key.is_empty());
    tensors.sort_unstable();
    tensors.dedup();
    let variables = count(plan.bindings.len(), "variable");
    let text =
        format!("{variables} from {}, {}", count(tensors.len(), "tensor"), HumanBytes(plan.byte_len()));
    let rest: Vec<String> = [
        (plan.unused.len(), "tensor", " unused"),
        (plan.left_out.len(), "variable", " left out"),
        (plan.notes.len(), "note", ""),
    ]
    .into_iter()
    .filter(|&(number, ..)| number > 0)
    .map(|(number, noun, what)| format!("{}{what}", count(number, noun)))
    .collect();
    if rest.is_empty() { text } else { format!("{text}; {}", rest.join(", ")) }
}

/// The remarks, on stderr.
pub(super) fn remark(notes: &[Note], terminal: Terminal) {
    for note in notes {
        terminal.remark(WARNING, "note", format_args!("{}: {}", escape(&note.about), note.text));
    }
}

/// The whole ledger for machines.
pub(super) fn to_json(plan: &Plan, source: &Source) -> Json {
    let variable = |at: usize| plan.architecture.variables.get(at);
    let bindings = plan.bindings.iter().filter_map(|binding| {
        let target = variable(binding.variable)?;
        let (sources, fill, terms) = match &binding.value {
            Value::Gather(terms) => {
                (parts(binding).into_iter().flat_map(part_json).collect(), None, terms.len())
            }
            Value::Fill(value) => (Vec::new(), Some(*value), 0),
        };
        Some(json!({
            "variable": target.path.as_str(),
            "shape": target.shape.sizes(),
            "dtype": binding.dtype.name(),
            "layout": &*binding.layout,
            "computed": formulas(binding),
            "arithmetic": arithmetic_json(&binding.arithmetic),
            "sources": sources,
            "terms": terms,
            "fill": fill,
            "rule": provenance(&binding.provenance),
        }))
    });
    let unused = |(key, reason): &(StateDictKey, Provenance)| json!({ "tensor": key.as_str(), "reason": provenance(reason) });
    let left_out = |target: &crate::keras::Variable| json!({ "variable": target.path.as_str(), "shape": target.shape.sizes() });
    json!({
        "ptw2k": env!("CARGO_PKG_VERSION"),
        "checkpoint": source.checkpoint.to_string_lossy(),
        "schema": source.schema,
        "architecture": plan.architecture.path.to_string_lossy(),
        "prefix": plan.prefix,
        "variables": bindings.collect::<Vec<_>>(),
        "unused": plan.unused.iter().map(unused).collect::<Vec<_>>(),
        "left_out": plan.left_out.iter().filter_map(|&at| variable(at)).map(left_out).collect::<Vec<_>>(),
        "notes": notes_json(&plan.notes),
    })
}

/// The remarks for machines.
pub(super) fn notes_json(notes: &[Note]) -> Json {
    notes.iter().map(|note| json!({ "about": note.about, "text": note.text })).collect()
}

/// `schema.toml:12`, with the class or as the waiver was given.
pub(super) fn provenance(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Rule(position) => place(position),
        Provenance::Class { class, rule } => format!("{} ({class})", place(rule)),
        Provenance::Waiver(waiver) => waiver.clone(),
        Provenance::Role(role) => format!("{}, which is in no state_dict", role.name()),
        Provenance::Initial => "as Keras begins with it".to_owned(),
    }
}

/// The parts of a value, one per tensor, in the order in which they stand in it.
fn parts(binding: &Binding) -> Vec<&Part> {
    let terms = match &binding.value {
        Value::Gather(terms) => terms.as_slice(),
        Value::Fill(_) => &[],
    };
    let mut parts: Vec<&Part> = Vec::with_capacity(terms.len());
    for term in terms {
        let first = parts.len();
        for part in &term.parts {
            if parts.last().is_none_or(|last| last.key != part.key) {
                parts.push(part);
            }
        }
        if let Some(own) = parts.get_mut(first..) {
            own.sort_by_key(|part| part.copy.target_offset);
        }
    }
    parts
}

/// The tensors of the checkpoint that a part reads.
fn part_json(part: &Part) -> Vec<Json> {
    let tensor = |key: &StateDictKey, source: &LazyTensor| {
        json!({
            "tensor": key.as_str(),
            "shape": source.view.shape().sizes(),
            "dtype": source.dtype.name(),
        })
    };
    match &part.derivation {
        Some(derivation) => derivation.sources.iter().map(|(key, source)| tensor(key, source)).collect(),
        None => vec![tensor(&part.key, &part.source)],
    }
}

/// The names of the same.
fn keys(part: &Part) -> Vec<&str> {
    match &part.derivation {
        Some(derivation) => derivation.sources.iter().map(|(key, _)| key.as_str()).collect(),
        None => vec![part.key.as_str()],
    }
}

/// The shape of a part's tensor: that of the weight of groups, where a dense one is made of it.
fn stored_shape(part: &Part) -> &Shape {
    let dense = part.derivation.as_ref().and_then(|derivation| derivation.dense.as_ref());
    dense.map_or_else(|| part.source.view.shape(), |dense| &dense.shape)
}

/// The formulas that a value is computed by, each once.
fn formulas(binding: &Binding) -> Vec<&str> {
    let derivations = binding.parts().filter_map(|part| part.derivation.as_ref());
    let mut formulas: Vec<&str> = Vec::new();
    for derivation in derivations {
        if !formulas.contains(&derivation.formula.as_str()) {
            formulas.push(&derivation.formula);
        }
    }
    formulas
}

fn arithmetic_json(arithmetic: &Arithmetic) -> Json {
    let Arithmetic { scale, offset, round } = arithmetic;
    json!({ "scale": scale, "offset": offset, "round": round.map(Dtype::name) })
}

/// What is done to the values: `weight_norm(g, v), o i -> i o, × 0.5`.
pub(super) fn how(binding: &Binding) -> Cow<'_, str> {
    let Value::Gather(terms) = &binding.value else { return Cow::Borrowed("") };
    let layout = match binding.layout.split_once("->") {
        Some((left, right)) if left.trim() != right.trim() => &binding.layout,
        _ if terms.len() > 1 => "sum",
        _ => "",
    };
    let formulas = formulas(binding);
    if formulas.is_empty() && binding.arithmetic.is_none() {
        return Cow::Borrowed(if layout.is_empty() { "copy" } else { layout });
    }
    let formulas = shorten(formulas.into_iter().map(str::to_owned).collect(), ", ");
    let steps = [formulas, layout.to_owned(), binding.arithmetic.to_string()];
    let steps: Vec<String> = steps.into_iter().filter(|step| !step.is_empty()).collect();
    Cow::Owned(steps.join(", "))
}

/// The rows of the table; those of a large model by two threads.
fn cells(plan: &Plan, hands: Hands<'_>) -> Cells {
    let is_worth = plan.bindings.len() >= MANY_ROWS && hands.are_several();
    let (first, second) = plan.bindings.split_at(plan.bindings.len() / 2);
    let (others, mut cells) = beside(is_worth, || cells_of(plan, second), || cells_of(plan, first));
    cells.append(&others.unwrap_or_else(|| cells_of(plan, second)));
    cells
}

fn cells_of(plan: &Plan, bindings: &[Binding]) -> Cells {
    let mut cells = Cells::new(COLUMNS);
    let mut rules = Rules::default();
    for binding in bindings {
        let (path, shape): (&dyn Display, &dyn Display) =
            match plan.architecture.variables.get(binding.variable) {
                Some(variable) => (&variable.path, &variable.shape),
                None => (&"", &""),
            };
        cells.push(path);
        cells.push(shape);
        put_sources(binding, &mut cells);
        cells.push(how(binding));
        cells.push(rules.of(&binding.provenance));
    }
    cells
}

/// The tensors of a binding, their shapes and element types.
fn put_sources(binding: &Binding, cells: &mut Cells) {
    let dtype = binding.dtype;
    let terms = match &binding.value {
        Value::Gather(terms) => terms,
        Value::Fill(value) => {
            cells.push(format_args!("constant {value}"));
            cells.push("");
            return cells.push(dtype);
        }
    };
    let joint = if terms.len() > 1 { " + " } else { ", " };
    let name = |part: &Part| match part.key.as_str() {
        "" => "(the architecture's own value)".to_owned(),
        key => key.to_owned(),
    };
    let parts = parts(binding);
    let names = parts.iter().flat_map(|part| match &part.derivation {
        Some(derivation) => derivation.sources.iter().map(|(key, _)| key.to_string()).collect(),
        None => vec![name(part)],
    });
    cells.push(shorten(names.collect(), joint));
    cells.push(same(parts.iter().map(|part| stored_shape(part).to_string())));
    if parts.iter().all(|part| part.source.dtype == dtype) {
        return cells.push(dtype);
    }
    let source = same(parts.iter().map(|part| part.source.dtype.to_string()));
    cells.push(format_args!("{source} → {dtype}"));
}

/// The rules of rows, of which one makes many.
#[derive(Default)]
struct Rules<'p> {
    last: Option<(&'p Provenance, String)>,
}

impl<'p> Rules<'p> {
    fn of(&mut self, provenance: &'p Provenance) -> &str {
        let known = self.last.take().filter(|(last, _)| is_same(last, provenance));
        let (_, rule) = self.last.insert(known.unwrap_or_else(|| (provenance, self::provenance(provenance))));
        rule
    }
}

/// Whether the same rule made both.
fn is_same(one: &Provenance, other: &Provenance) -> bool {
    let is_same_place =
        |one: &Position, other: &Position| Arc::ptr_eq(&one.file, &other.file) && one.span == other.span;
    match (one, other) {
        (Provenance::Rule(one), Provenance::Rule(other)) => is_same_place(one, other),
        (Provenance::Class { class, rule }, Provenance::Class { class: other_class, rule: other }) => {
            class == other_class && is_same_place(rule, other)
        }
        _ => false,
    }
}

fn shorten(mut names: Vec<String>, joint: &str) -> String {
    if let [name] = names.as_mut_slice() {
        return std::mem::take(name);
    }
    match names.as_slice() {
        [first, .., last] if names.len() > NAMED => format!("{first} … {last} ({} tensors)", names.len()),
        names => names.join(joint),
    }
}

/// One text for all where they agree, else a list without repeats.
fn same(texts: impl Iterator<Item = String>) -> String {
    let mut different: Vec<String> = texts.collect();
    different.dedup();
    shorten(different, ", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SourceFile;

    fn check(names: &[&str], expected: &str) {
        assert_eq!(shorten(names.iter().map(ToString::to_string).collect(), ", "), expected);
    }

    /// The rule of a row is that of its variable, whatever stood in the row before.
    #[test]
    fn rules_that_take_turns() {
        let file = Arc::new(SourceFile::new("s.toml", "a\nb\n"));
        let rule = |at: usize| Position { file: Arc::clone(&file), span: at..at + 1 };
        let of_class = |class: &str| Provenance::Class { class: class.into(), rule: rule(2) };
        let all = [
            Provenance::Rule(rule(0)),
            Provenance::Rule(rule(0)),
            Provenance::Rule(rule(2)),
            of_class("Dense"),
            of_class("Dense"),
            of_class("LSTM"),
            Provenance::Waiver("w".to_owned()),
            Provenance::Waiver("v".to_owned()),
            Provenance::Rule(rule(0)),
        ];
        let mut rules = Rules::default();
        let found: Vec<String> = all.iter().map(|provenance| rules.of(provenance).to_owned()).collect();
        let one_by_one: Vec<String> = all.iter().map(provenance).collect();
        assert_eq!(found, one_by_one);
        assert_eq!(found[4..7], ["s.toml:2 (Dense)", "s.toml:2 (LSTM)", "w"]);
    }

    #[test]
    fn names_are_shortened() {
        check(&[], "");
        check(&["a", "b", "c"], "a, b, c");
        check(&["a", "b", "c", "d", "e"], "a … e (5 tensors)");
    }
}
