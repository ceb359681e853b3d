//! `[[layer]]`, `[[sequence]]`, `[[tensor]]`, `[[fill]]`, `[[keep]]`.

use std::sync::Arc;

use toml::de::DeValue;

use super::pair::{self, Pair};
use super::{compute, tensor};
use crate::schema::error::FaultKind;
use crate::schema::pattern::{PARAMETER, Pattern, Separator, Tables};
use crate::schema::reader::{Faults, Table, counts, number, wrong_type};
use crate::schema::rule::{Fill, Keep, LayerRule, Rule, RuleKind, Scope};

const LAYER_KEYS: &[&str] = &["torch", "keras", "class", "flatten", "unflatten", "groups", "optional"];

/// Every rule of the file, kind by kind.
pub(super) fn parse(root: &Table<'_>, tables: &Tables, scope: &Arc<Scope>, faults: &mut Faults) -> Vec<Rule> {
    let mut rules = Drafts { rules: Vec::new(), scope };
    each(root, "layer", "[[layer]]", faults, &mut rules, |table, faults| {
        Some(RuleKind::Layer(layer(table, tables, true, faults)?))
    });
    each(root, "sequence", "[[sequence]]", faults, &mut rules, |table, faults| {
        Some(RuleKind::Sequence(layer(table, tables, false, faults)?))
    });
    each(root, "tensor", "[[tensor]]", faults, &mut rules, |table, faults| {
        let keys: Vec<&str> = tensor::KEYS.iter().copied().chain(["optional"]).collect();
        table.check_keys(&keys, faults);
        table.required("keras", faults)?;
        let keras = table.strings("keras", faults);
        Some(RuleKind::Tensor(Box::new(tensor::parse(table, keras, tables, faults)?)))
    });
    each(root, "fill", "[[fill]]", faults, &mut rules, |table, faults| {
        table.check_keys(&["keras", "value", "optional"], faults);
        let value = table.required("value", faults).and_then(|value| number("value", value, faults));
        let keras = targets(table, faults)?;
        Some(RuleKind::Fill(Fill { keras, value: value? }))
    });
    each(root, "keep", "[[keep]]", faults, &mut rules, |table, faults| {
        table.check_keys(&["keras", "optional"], faults);
        Some(RuleKind::Keep(Keep { keras: targets(table, faults)? }))
    });
    rules.rules
}

/// The rules so far, and the scope of the next.
struct Drafts<'a> {
    rules: Vec<Rule>,
    scope: &'a Arc<Scope>,
}

fn each(
    root: &Table<'_>,
    key: &'static str,
    name: &'static str,
    faults: &mut Faults,
    drafts: &mut Drafts<'_>,
    mut parse: impl FnMut(&Table<'_>, &mut Faults) -> Option<RuleKind>,
) {
    let Some(value) = root.get(key) else { return };
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type(key, value.span(), "a list of tables: two brackets on each side", value.get_ref(), faults);
        return;
    };
    for item in items.iter() {
        let Some(table) = Table::of(key, item, name, faults) else { continue };
        let optional = table.boolean("optional", faults) == Some(true);
        if let Some(kind) = parse(&table, faults) {
            let position = faults.position(table.whole_span());
            drafts.rules.push(Rule { kind, optional, position, scope: Arc::clone(drafts.scope) });
        }
    }
}

/// `[[layer]]` or `[[sequence]]`.
fn layer(table: &Table<'_>, tables: &Tables, is_paired: bool, faults: &mut Faults) -> Option<LayerRule> {
    table.check_keys(LAYER_KEYS, faults);
    let class = table.string("class", faults).map(toml::Spanned::into_inner);
    let flatten = map(
        table,
        "flatten",
        "the sizes of the flattened map, channels last: `[height, width, channels]`, or `[]` when nothing was \
         flattened",
        faults,
    );
    let unflatten = map(
        table,
        "unflatten",
        "the sizes of the map that the output becomes, channels last: `[height, width, channels]`, or `[]` when \
         it becomes none",
        faults,
    );
    let groups = compute::groups(table, faults);
    table.required("keras", faults);
    let keras = table.string("keras", faults);
    let torch = pair::torch(table, faults);
    let keras = keras?;
    let Pair { torch, torch_span, keras, keras_span } =
        pair::parse(table, torch, vec![keras], tables, faults)?;
    let keras = keras.into_iter().next()?;
    let is_misplaced = !is_paired || !is_last_segment(torch.as_str());
    if torch.has_parameter() && is_misplaced {
        faults
            .add(torch_span, FaultKind::ParameterName)
            .help("it stands in the last segment of a [[layer]] rule's `torch`, as in `rnn.{*}_l{k}`");
        return None;
    }
    if is_paired {
        one_sided(&torch, &keras, torch_span, keras_span, faults)?;
    }
    Some(LayerRule { torch, keras, class, flatten, unflatten, groups })
}

/// Whether `{*}` is in the last segment.
fn is_last_segment(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.contains("{*}"))
}

/// The sizes of a feature map, or none.
fn map(
    table: &Table<'_>,
    key: &'static str,
    expected: &'static str,
    faults: &mut Faults,
) -> Option<Vec<usize>> {
    let value = table.get(key)?;
    let sizes = counts(key, value, 1, faults)?;
    if sizes.is_empty() || (2..=4).contains(&sizes.len()) {
        return Some(sizes);
    }
    faults.add(value.span(), FaultKind::Value { key: key.to_owned(), expected });
    None
}

/// Adds a fault for every capture that only one side of a layer rule has.
fn one_sided(
    torch: &Pattern,
    keras: &Pattern,
    torch_span: std::ops::Range<usize>,
    keras_span: std::ops::Range<usize>,
    faults: &mut Faults,
) -> Option<()> {
    const HELP: &str = "a layer rule pairs one module with one layer; spell tensors out in `[[tensor]]`, or \
                        pair by order in `[[sequence]]`";
    let before = faults.list.len();
    let names = |pattern: &Pattern| -> Vec<String> {
        pattern.captures().iter().map(|(name, _)| name.clone()).filter(|name| name != PARAMETER).collect()
    };
    let (left, right, reads) = (names(torch), names(keras), keras.reads());
    for name in &left {
        if !right.contains(name) && !reads.contains(&name.as_str()) {
            let kind = FaultKind::OneSided { name: name.clone(), side: "torch" };
            faults.add(torch_span.clone(), kind).other(keras_span.clone(), "not here").help(HELP);
        }
    }
    for name in right {
        if !left.contains(&name) {
            let kind = FaultKind::OneSided { name, side: "keras" };
            faults.add(keras_span.clone(), kind).other(torch_span.clone(), "not here").help(HELP);
        }
    }
    (faults.list.len() == before).then_some(())
}

/// The variables of `[[fill]]` and `[[keep]]`: captures stand for any value, and nothing can be computed.
fn targets(table: &Table<'_>, faults: &mut Faults) -> Option<Vec<Pattern>> {
    table.required("keras", faults)?;
    let before = faults.list.len();
    let mut patterns = Vec::new();
    for text in table.strings("keras", faults) {
        let Some(pattern) = pair::name(&text, Separator::Slash, &[], faults) else { continue };
        for read in pattern.reads() {
            faults
                .add(text.span(), FaultKind::Unbound(read.to_owned()))
                .help("this rule has no torch side to compute from; write the capture itself, as in `{i}`");
        }
        patterns.push(pattern);
    }
    (faults.list.len() == before).then_some(patterns)
}
