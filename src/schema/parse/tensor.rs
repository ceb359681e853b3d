//! `[[tensor]]`, and the variables of a class, which say the same in the same keys.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::pair::{self, Pair};
use super::{arithmetic, compute};
use crate::schema::axes;
use crate::schema::error::FaultKind;
use crate::schema::pattern::{Pattern, Tables};
use crate::schema::reader::{Faults, Table, count, counts, near, string, wrong_type};
use crate::schema::rule::{Reduce, TensorRule};
use crate::tensor::{Layout, Slice};

/// The keys of both.
pub(super) const KEYS: &[&str] = &[
    "torch",
    "keras",
    "layout",
    "sizes",
    "order",
    "slice",
    "take",
    "reduce",
    "compute",
    "dim",
    "alpha",
    "rslora",
    "fan_in_fan_out",
    "add",
    "scale",
    "offset",
    "round",
];

/// Parses the keys of [`KEYS`]; `None` after a fault.
pub(super) fn parse(
    table: &Table<'_>,
    keras: Vec<Spanned<String>>,
    tables: &Tables,
    faults: &mut Faults,
) -> Option<TensorRule> {
    let before = faults.list.len();
    let texts = compute::texts(table, faults);
    let torch = match (&texts, table.get("compute")) {
        (Some(texts), _) => texts.first(),
        (None, Some(_)) => None,
        (None, None) => one_name(table, faults),
    };
    let Some(Pair { torch, torch_span, keras, keras_span }) =
        pair::parse(table, torch, keras, tables, faults)
    else {
        // The rest of the rule is read for its faults alone.
        layouts(table, "layout", faults);
        reduce(table, faults);
        arithmetic::arithmetic(table, faults);
        return None;
    };
    if torch.has_parameter() || keras.iter().any(Pattern::has_parameter) {
        faults.add(torch_span, FaultKind::ParameterName).help("name the parameter, or capture it: `{p:*}`");
        return None;
    }
    let (layouts, layout_places): (Vec<_>, Vec<_>) = layouts(table, "layout", faults).into_iter().unzip();
    let axes = Axes::read(table, faults);
    let named = axes.named();
    let compute = match texts {
        Some(texts) => compute::compute(texts, &torch, table, faults),
        None => {
            compute::without(table, faults);
            None
        }
    };
    let rule = TensorRule {
        layouts,
        sizes: axes.sizes(),
        order: axes.order(),
        slice: axes.slice(),
        take: axes.take(),
        reduce: reduce(table, faults),
        compute,
        dim: table.get("dim").and_then(|value| count("dim", value, 0, faults)),
        add: arithmetic::terms(table, &torch, &keras, faults),
        arithmetic: arithmetic::arithmetic(table, faults),
        torch,
        keras,
        position: faults.position(table.whole_span()),
        torch_position: faults.position(torch_span),
        keras_position: faults.position(keras_span),
        layout_position: table.get("layout").map(|value| faults.position(value.span())),
    };
    if faults.list.len() == before {
        axes::check(&rule, &layout_places, &named, faults);
    }
    (faults.list.len() == before).then_some(rule)
}

/// `torch` without `compute`.
fn one_name(table: &Table<'_>, faults: &mut Faults) -> Option<Spanned<String>> {
    if let Some(value) = table.get("torch")
        && let DeValue::Table(_) = value.get_ref()
    {
        wrong_type("torch", value.span(), "a string", value.get_ref(), faults);
        if let Some(fault) = faults.list.last_mut() {
            fault.help = Some("several tensors become one by `compute = \"…\"`".to_owned());
        }
        return None;
    }
    pair::torch(table, faults)
}

/// The keys that name axes, each value with the place of the axis' name.
pub(super) struct Axes {
    sizes: Placed<usize>,
    order: Placed<Vec<usize>>,
    slice: Placed<Slice>,
    take: Placed<usize>,
}

type Placed<T> = BTreeMap<String, (T, Range<usize>)>;

impl Axes {
    pub(super) fn read(table: &Table<'_>, faults: &mut Faults) -> Self {
        Self {
            sizes: table.map("sizes", faults, |value, faults| count("sizes", value, 1, faults)),
            order: table.map("order", faults, order),
            slice: table.map("slice", faults, slice),
            take: table.map("take", faults, |value, faults| count("take", value, 0, faults)),
        }
    }

    pub(super) fn named(&self) -> axes::Named {
        axes::Named {
            sizes: places(&self.sizes),
            order: places(&self.order),
            slice: places(&self.slice),
            take: places(&self.take),
        }
    }

    pub(super) fn sizes(&self) -> BTreeMap<String, usize> {
        values(&self.sizes)
    }

    pub(super) fn order(&self) -> BTreeMap<String, Vec<usize>> {
        values(&self.order)
    }

    pub(super) fn slice(&self) -> BTreeMap<String, Slice> {
        values(&self.slice)
    }

    pub(super) fn take(&self) -> BTreeMap<String, usize> {
        values(&self.take)
    }
}

/// One layout or a list of candidates, each with its place.
pub(super) fn layouts(table: &Table<'_>, key: &str, faults: &mut Faults) -> Vec<(Layout, Range<usize>)> {
    let mut layouts = Vec::new();
    for text in table.strings(key, faults) {
        match Layout::parse(text.get_ref()) {
            Ok(layout) => layouts.push((layout, text.span())),
            Err(error) => {
                let span = faults.within(&text, error.range);
                faults.add(span, FaultKind::Layout(error.kind));
            }
        }
    }
    layouts
}

fn places<T>(map: &Placed<T>) -> Vec<(String, Range<usize>)> {
    map.iter().map(|(axis, (_, span))| (axis.clone(), span.clone())).collect()
}

fn values<T: Clone>(map: &Placed<T>) -> BTreeMap<String, T> {
    map.iter().map(|(axis, (value, _))| (axis.clone(), value.clone())).collect()
}

fn order(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Vec<usize>> {
    let order = counts("order", value, 0, faults)?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if order.is_empty() || !sorted.into_iter().eq(0..order.len()) {
        let expected = "a permutation: each index from 0 once, as in `[1, 0, 2]`";
        faults.add(value.span(), FaultKind::Value { key: "order".to_owned(), expected });
        return None;
    }
    Some(order)
}

fn slice(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Slice> {
    const EXPECTED: &str = "`\"start:end\"`, `\"start:\"`, `\":end\"` or `\"fit\"`";
    let text = string("slice", value, EXPECTED, faults)?;
    if text.get_ref() == "fit" {
        return Some(Slice::Fit);
    }
    let parsed = text.get_ref().split_once(':').and_then(|(start, end)| {
        let (start, end) = (start.trim(), end.trim());
        let start = if start.is_empty() { Some(0) } else { index(start) };
        let end = if end.is_empty() { Some(None) } else { index(end).map(Some) };
        Some((start?, end?))
    });
    match parsed {
        Some((start, end)) if end.is_none_or(|end| start < end) => Some(Slice::Range { start, end }),
        Some(_) | None => {
            faults
                .add(value.span(), FaultKind::Value { key: "slice".to_owned(), expected: EXPECTED })
                .help("indices count from 0, and the end is past the start");
            None
        }
    }
}

fn index(text: &str) -> Option<usize> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

fn reduce(table: &Table<'_>, faults: &mut Faults) -> Option<Reduce> {
    let value = table.get("reduce")?;
    match value.get_ref() {
        DeValue::String(text) if text == "sum" => Some(Reduce::Sum),
        DeValue::String(text) => {
            let kind = FaultKind::Value { key: "reduce".to_owned(), expected: "\"sum\"" };
            let entry = faults.add(value.span(), kind);
            if near(text, ["sum"].into_iter()).is_some() {
                entry.help("did you mean `sum`?");
            }
            None
        }
        other => {
            wrong_type("reduce", value.span(), "\"sum\"", other, faults);
            None
        }
    }
}
