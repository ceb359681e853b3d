//! `scale`, `offset`, `round`, and the terms of `add`.

use toml::de::DeValue;

use super::{pair, tensor};
use crate::schema::axes;
use crate::schema::error::FaultKind;
use crate::schema::pattern::{Pattern, Separator};
use crate::schema::reader::{Faults, Table, number, string, wrong_type};
use crate::schema::rule::TensorRule;
use crate::tensor::{Arithmetic, Dtype};

/// The keys of a term.
const TERM_KEYS: &[&str] = &["torch", "layout", "sizes", "order", "slice", "take"];

/// `scale`, `offset` and `round`.
pub(super) fn arithmetic(table: &Table<'_>, faults: &mut Faults) -> Arithmetic {
    let mut finite = |key: &'static str, is_zero_allowed: bool| {
        let value = table.get(key)?;
        let found = number(key, value, faults)?;
        if found.is_finite() && (is_zero_allowed || found != 0.0) {
            return Some(found);
        }
        let expected = if is_zero_allowed { "a finite number" } else { "a finite number other than 0" };
        faults.add(value.span(), FaultKind::Value { key: key.to_owned(), expected });
        None
    };
    let (scale, offset) = (finite("scale", false), finite("offset", true));
    Arithmetic { scale, offset, round: round(table, faults) }
}

fn round(table: &Table<'_>, faults: &mut Faults) -> Option<Dtype> {
    const EXPECTED: &str = "\"float16\" or \"bfloat16\"";
    let value = table.get("round")?;
    let text = string("round", value, EXPECTED, faults)?;
    match text.get_ref().as_str() {
        "float16" => Some(Dtype::F16),
        "bfloat16" => Some(Dtype::Bf16),
        _ => {
            faults.add(value.span(), FaultKind::Value { key: "round".to_owned(), expected: EXPECTED });
            None
        }
    }
}

/// The terms of `add`, whose captures are those of the rule's names.
pub(super) fn terms(
    table: &Table<'_>,
    torch: &Pattern,
    keras: &[Pattern],
    faults: &mut Faults,
) -> Vec<TensorRule> {
    let Some(value) = table.get("add") else { return Vec::new() };
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type("add", value.span(), "a list of tables", value.get_ref(), faults);
        return Vec::new();
    };
    if items.is_empty() {
        let expected = "a list that is not empty";
        faults.add(value.span(), FaultKind::Value { key: "add".to_owned(), expected });
    }
    let mut terms = Vec::new();
    for item in items.iter() {
        let Some(item) = Table::of("add", item, "a term of `add`", faults) else { continue };
        item.check_keys(TERM_KEYS, faults);
        item.required("torch", faults);
        let Some(text) = item.string("torch", faults) else { continue };
        let mut declared = torch.captures().to_vec();
        for (name, kind) in keras.iter().flat_map(|pattern| pattern.captures()) {
            if !declared.iter().any(|(known, _)| known == name) {
                declared.push((name.clone(), kind.clone()));
            }
        }
        let Some(pattern) = pair::name(&text, Separator::Dot, &declared, faults) else { continue };
        let before = faults.list.len();
        if pattern.computes() {
            faults.add(text.span(), FaultKind::TorchComputes);
        }
        let is_in = |pattern: &Pattern, name: &str| pattern.captures().iter().any(|(other, _)| other == name);
        for (name, _) in pattern.captures() {
            if keras.iter().any(|keras| is_in(keras, name)) && !is_in(torch, name) {
                faults
                    .add(text.span(), FaultKind::TermCapture(name.clone()))
                    .help("write a rule for each of the variables, with its own term");
            }
        }
        let (layouts, places): (Vec<_>, Vec<_>) =
            tensor::layouts(&item, "layout", faults).into_iter().unzip();
        let axes = tensor::Axes::read(&item, faults);
        let named = axes.named();
        let term = TensorRule {
            torch: pattern,
            keras: keras.to_vec(),
            layouts,
            sizes: axes.sizes(),
            order: axes.order(),
            slice: axes.slice(),
            take: axes.take(),
            reduce: None,
            compute: None,
            dim: None,
            add: Vec::new(),
            arithmetic: Arithmetic::default(),
            position: faults.position(item.whole_span()),
            torch_position: faults.position(text.span()),
            keras_position: faults.position(text.span()),
            layout_position: item.get("layout").map(|value| faults.position(value.span())),
        };
        if faults.list.len() == before {
            axes::check_term(&term, torch, &places, &named, faults);
            terms.push(term);
        }
    }
    terms
}
