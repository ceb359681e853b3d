//! `ptw2k plan --explain`: one binding in full.

use std::io::Write;

use serde_json::{Value as Json, json};

use super::element::{self, Number};
use super::escape::escape;
use super::excerpt;
use super::expected::{self, Expected};
use super::failure::Failure;
use super::faults::place;
use super::ledger;
use super::terminal::{HEADING, Terminal};
use crate::convert::ConvertError;
use crate::lazy::LazyTensor;
use crate::plan::{Binding, Detail, Part, Plan, Unreadable, Value};
use crate::schema::Position;
use crate::tensor::Shape;

/// Values that are shown.
const VALUES: usize = 6;
/// Tensors of a binding that are shown with their loops and values; stacked experts come by the hundred.
const PARTS: usize = 4;
/// Variables of a layer that are named where it is asked for instead.
const NAMED: usize = 8;
/// Elements of a variable whose values are worked out, one by one: a second or two of them.
const MAX_ELEMENTS: usize = 1 << 24;

/// Shows the binding of a variable.
pub(super) fn explain(plan: &Plan, path: &str, terminal: Terminal) -> Result<(), Failure> {
    let found = plan.bindings.iter().find_map(|binding| {
        let variable = plan.architecture.variables.get(binding.variable)?;
        (variable.path.as_str() == path).then_some((binding, variable))
    });
    let Some((binding, variable)) = found else {
        return Err(Failure::NoVariable { path: path.to_owned(), hint: meant(plan, path) });
    };
    let unreadable = |source: Unreadable| ConvertError::Unreadable {
        path: plan.sources.first().cloned().unwrap_or_default(),
        source,
    };
    let said = Said {
        binding,
        shape: &variable.shape,
        path: variable.path.as_str(),
        detail: plan.details.get(&binding.variable),
        before: binding
            .parts()
            .take(PARTS)
            .map(first_values)
            .collect::<Result<_, _>>()
            .map_err(unreadable)?,
        after: results(binding, &variable.shape).map_err(unreadable)?,
    };
    if terminal.json { terminal.json_result(&said.to_json()) } else { terminal.result(|out| said.print(out)) }
}

/// What may be meant by a path that is no variable's: those of the layer that it names, or the most similar.
fn meant(plan: &Plan, path: &str) -> Option<String> {
    let paths = || plan.architecture.variables.iter().map(|variable| variable.path.as_str());
    let below = |layer: &str| {
        let inside = |other: &&str| other.strip_prefix(layer).is_some_and(|rest| rest.starts_with('/'));
        let count = paths().filter(inside).count();
        let mut named: Vec<String> =
            paths().filter(inside).take(NAMED).map(|path| format!("`{path}`")).collect();
        if count > named.len() {
            named.push(format!("and {} more", count - named.len()));
        }
        (!named.is_empty()).then(|| format!("layer `{layer}` has {}", named.join(", ")))
    };
    below(path).or_else(|| below(path.rsplit_once('/')?.0)).or_else(|| {
        let similar = paths().map(|other| (strsim::jaro_winkler(path, other), other));
        let (_, near) = similar.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
        Some(format!("did you mean `{near}`?"))
    })
}

/// Everything that is said.
struct Said<'a> {
    binding: &'a Binding,
    shape: &'a Shape,
    path: &'a str,
    detail: Option<&'a Detail>,
    /// The first values of each part's tensor, in its own order.
    before: Vec<Vec<String>>,
    /// The first values of the variable; none where there are too many to work out.
    after: Option<Vec<String>>,
}

impl Said<'_> {
    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Self { binding, shape, .. } = self;
        writeln!(out, "{HEADING}{}{HEADING:#} {shape} {}", escape(self.path), binding.dtype)?;
        writeln!(out, "\n{HEADING}Rule{HEADING:#} {}", escape(&ledger::provenance(&binding.provenance)))?;
        if let Some(position) = binding.provenance.position() {
            excerpt::quote(position, out)?;
        }
        if let Some(detail) = self.detail {
            for (name, value) in &detail.captures {
                writeln!(out, "  {{{}}} is {}", escape(name), escape(value))?;
            }
            if let Some(entry) = &detail.entry {
                writeln!(out, "\n{HEADING}Class{HEADING:#} {}", place(entry))?;
                excerpt::quote(entry, out)?;
            }
        }
        writeln!(out, "\n{HEADING}Values{HEADING:#} {}", escape(&ledger::how(binding)))?;
        if let Some(detail) = self.detail {
            let sizes: Vec<String> =
                detail.sizes.iter().map(|(axis, size)| format!("{axis} = {size}")).collect();
            if !sizes.is_empty() {
                writeln!(out, "  sizes: {}", sizes.join(", "))?;
            }
            writeln!(out, "  {}", self.nature())?;
        }
        if let Value::Fill(value) = &binding.value {
            writeln!(out, "  constant {value}")?;
        }
        for (part, before) in binding.parts().zip(&self.before) {
            print_part(part, before, out)?;
        }
        let more = binding.parts().count().saturating_sub(PARTS);
        if more > 0 {
            writeln!(out, "\n  and {more} more tensors")?;
        }
        match &self.after {
            Some(values) => writeln!(out, "\n{HEADING}Result{HEADING:#}\n  {}", values.join(", ")),
            None => writeln!(out, "\n{HEADING}Result{HEADING:#}\n  too many values to work them out here"),
        }
    }

    /// What becomes of the elements.
    fn nature(&self) -> String {
        let nature = self.detail.and_then(|detail| detail.nature);
        let cuts = nature.is_some_and(|nature| nature.cuts);
        let repeats = nature.is_some_and(|nature| nature.repeats);
        let terms = match &self.binding.value {
            Value::Gather(terms) => terms.len(),
            Value::Fill(_) => 0,
        };
        let mut said = vec![match (cuts, repeats) {
            (false, false) => "each element arrives once",
            (true, false) => "some elements are left out",
            (false, true) => "elements repeat",
            (true, true) => "some elements are left out, and others repeat",
        }];
        let dense = self.binding.parts().find_map(|part| part.derivation.as_ref()?.dense.as_ref());
        let blocks =
            dense.map(|dense| format!("in {} blocks on the diagonal, with zeros elsewhere", dense.groups));
        said.extend(blocks.as_deref());
        if terms > 1 {
            said.push("and terms are added");
        }
        said.join(", ")
    }

    fn to_json(&self) -> Json {
        let detail = self.detail;
        let pairs = |list: Option<&Vec<(String, String)>>| -> Json {
            list.into_iter().flatten().map(|(name, value)| (name.clone(), json!(value))).collect()
        };
        let parts = self.binding.parts().zip(&self.before).map(|(part, before)| {
            let loops = part.copy.axes.iter().map(|axis| {
                json!({ "size": axis.size, "source_stride": axis.source_stride, "target_stride": axis.target_stride })
            });
            json!({
                "tensor": part.key.as_str(),
                "shape": part.source.view.shape().sizes(),
                "dtype": part.source.dtype.name(),
                "loops": loops.collect::<Vec<_>>(),
                "source_offset": part.copy.source_offset,
                "target_offset": part.copy.target_offset,
                "first": before,
            })
        });
        json!({
            "variable": self.path,
            "shape": self.shape.sizes(),
            "dtype": self.binding.dtype.name(),
            "rule": ledger::provenance(&self.binding.provenance),
            "text": self.binding.provenance.position().map(Position::snippet),
            "class": detail.and_then(|detail| detail.entry.as_ref()).map(|entry| json!({
                "place": place(entry),
                "text": entry.snippet(),
            })),
            "captures": pairs(detail.map(|detail| &detail.captures)),
            "sizes": detail.map(|detail| detail.sizes.iter().map(|(axis, size)| (axis.clone(), json!(size))).collect::<Json>()),
            "values": ledger::how(self.binding),
            "elements": self.nature(),
            "parts": parts.collect::<Vec<_>>(),
            "first": self.after,
        })
    }
}

fn print_part(part: &Part, before: &[String], out: &mut dyn Write) -> std::io::Result<()> {
    let key = if part.key.as_str().is_empty() { "(the architecture's own value)" } else { part.key.as_str() };
    writeln!(out, "\n  {} {} {}", escape(key), part.source.view.shape(), part.source.dtype)?;
    if let Some(derivation) = &part.derivation {
        writeln!(out, "    {} of", escape(&derivation.formula))?;
        for (key, tensor) in &derivation.sources {
            writeln!(out, "      {} {} {}", escape(key.as_str()), tensor.view.shape(), tensor.dtype)?;
        }
    }
    writeln!(out, "    first values: {}", before.join(", "))?;
    let copy = part.copy.collapse();
    writeln!(out, "    from element {} to element {}", copy.source_offset, copy.target_offset)?;
    for axis in &copy.axes {
        writeln!(
            out,
            "    {} steps of {} in the tensor, of {} in the variable",
            axis.size, axis.source_stride, axis.target_stride
        )?;
    }
    Ok(())
}

/// The first values of a tensor, in its own order.
fn first_values(part: &Part) -> Result<Vec<String>, Unreadable> {
    let loaded = part.source.loaded().map_err(|source| Unreadable { key: part.key.clone(), source })?;
    let LazyTensor { view, dtype, .. } = &loaded;
    let shown = (0..view.shape().numel().min(VALUES)).filter_map(|at| {
        let raw = element::read(&loaded, element::place(view, at))?;
        Some(element::decode(raw, *dtype).shown(*dtype))
    });
    let mut shown: Vec<String> = shown.collect();
    if view.shape().numel() > VALUES {
        shown.push("…".to_owned());
    }
    Ok(shown)
}

/// The first values of a variable.
fn results(binding: &Binding, shape: &Shape) -> Result<Option<Vec<String>>, Unreadable> {
    if shape.numel() > MAX_ELEMENTS {
        return Ok(None);
    }
    let dtype = binding.dtype;
    let mut first: Vec<Option<Number>> = vec![None; shape.numel().min(VALUES)];
    expected::each(binding, shape, |at, expected: Expected| {
        if let Some(place) = first.get_mut(at) {
            *place = expected.encode(dtype).map(|raw| element::decode(raw, dtype));
        }
    })?;
    let mut shown: Vec<String> = first
        .iter()
        .map(|number| number.map_or_else(|| "?".to_owned(), |number| number.shown(dtype)))
        .collect();
    if shape.numel() > VALUES {
        shown.push("…".to_owned());
    }
    Ok(Some(shown))
}
