//! `[[tensor]]`, and the variables of a class, which say the same in the same keys.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::pair::{self, Pair};
use crate::schema::axes;
use crate::schema::error::FaultKind;
use crate::schema::pattern::{Pattern, Tables};
use crate::schema::reader::{Faults, Table, count, counts, near, string, wrong_type};
use crate::schema::rule::{Reduce, TensorRule};
use crate::tensor::{Layout, Slice};

/// The keys of both.
pub(super) const KEYS: &[&str] = &["torch", "keras", "layout", "sizes", "order", "slice", "take", "reduce"];
/// What a later version will read.
pub(super) const RESERVED: &[&str] = &["compute", "add", "scale", "offset", "round"];

/// Parses the keys of [`KEYS`]; `None` after a fault.
pub(super) fn parse(
    table: &Table<'_>,
    keras: Vec<Spanned<String>>,
    tables: &Tables,
    faults: &mut Faults,
) -> Option<TensorRule> {
    let before = faults.list.len();
    let Some(Pair { torch, torch_span, keras, keras_span }) = pair::parse(table, keras, tables, faults)
    else {
        // The rest of the rule is read for its faults alone.
        layouts(table, "layout", faults);
        reduce(table, faults);
        return None;
    };
    if torch.has_parameter() || keras.iter().any(Pattern::has_parameter) {
        faults.add(torch_span, FaultKind::ParameterName).help("name the parameter, or capture it: `{p:*}`");
        return None;
    }
    let (layouts, layout_places): (Vec<_>, Vec<_>) = layouts(table, "layout", faults).into_iter().unzip();
    let sizes = table.map("sizes", faults, |value, faults| count("sizes", value, 1, faults));
    let order = table.map("order", faults, order);
    let slice = table.map("slice", faults, slice);
    let take = table.map("take", faults, |value, faults| count("take", value, 0, faults));
    let reduce = reduce(table, faults);
    let named = axes::Named {
        sizes: places(&sizes),
        order: places(&order),
        slice: places(&slice),
        take: places(&take),
    };
    let rule = TensorRule {
        torch,
        keras,
        layouts,
        sizes: values(sizes),
        order: values(order),
        slice: values(slice),
        take: values(take),
        reduce,
        torch_position: faults.position(torch_span),
        keras_position: faults.position(keras_span),
        layout_position: table.get("layout").map(|value| faults.position(value.span())),
    };
    if faults.list.len() == before {
        axes::check(&rule, &layout_places, &named, faults);
    }
    (faults.list.len() == before).then_some(rule)
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

fn places<T>(map: &BTreeMap<String, (T, Range<usize>)>) -> Vec<(String, Range<usize>)> {
    map.iter().map(|(axis, (_, span))| (axis.clone(), span.clone())).collect()
}

fn values<T>(map: BTreeMap<String, (T, Range<usize>)>) -> BTreeMap<String, T> {
    map.into_iter().map(|(axis, (value, _))| (axis, value)).collect()
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
