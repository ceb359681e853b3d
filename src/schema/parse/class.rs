//! `[class.X]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::{document, pair, tensor};
use crate::schema::error::FaultKind;
use crate::schema::pattern::{CaptureValue, Captures, Separator, Tables};
use crate::schema::reader::{Faults, Table, wrong_type};
use crate::schema::rule::{Class, ClassVariable, Inside, NUMBER};

/// Every class of the file, by name.
pub(super) fn parse(root: &Table<'_>, faults: &mut Faults) -> BTreeMap<String, Arc<Class>> {
    let mut classes = BTreeMap::new();
    let Some(value) = root.get("class") else { return classes };
    let Some(table) = Table::of("class", value, "[class]", faults) else { return classes };
    for (name, value) in table.entries() {
        let Some(table) = Table::of(name.get_ref(), value, "[class.X]", faults) else { continue };
        table.check_keys(&["variables", "inside", "suffix", "ignore"], faults);
        let ignore = document::globs(&table, "ignore", faults);
        let inside = inside(&table, faults);
        if inside.is_empty() {
            table.required("variables", faults);
        }
        let variables = variables(&table, faults);
        let suffixes =
            table.strings("suffix", faults).into_iter().map(Spanned::into_inner).collect::<Vec<_>>();
        let suffixes = if suffixes.is_empty() { vec![String::new()] } else { suffixes };
        let position = faults.position(table.whole_span());
        let name = name.into_inner();
        let class = Class { name: name.clone(), variables, inside, suffixes, ignore, position };
        classes.insert(name, Arc::new(class));
    }
    classes
}

fn variables(table: &Table<'_>, faults: &mut Faults) -> Vec<ClassVariable> {
    let mut variables: Vec<ClassVariable> = Vec::new();
    let keys: Vec<&str> = tensor::KEYS.iter().copied().chain(["flatten", "unflatten", "expands"]).collect();
    for table in tables(table, "variables", "a variable of a class", faults) {
        table.check_keys(&keys, faults);
        let flatten = tensor::layouts(&table, "flatten", faults);
        let unflatten = tensor::layouts(&table, "unflatten", faults);
        if table.required("keras", faults).is_none() {
            continue;
        }
        let Some(keras) = table.string("keras", faults) else { continue };
        let expands = table.boolean("expands", faults) == Some(true);
        let Some(rule) = tensor::parse(&table, vec![keras.clone()], &Tables::new(), faults) else { continue };
        if let Some(value) = table.get("expands").filter(|_| expands && rule.groups.is_some()) {
            let expected = "false where the variable has `groups` of its own";
            faults.add(value.span(), FaultKind::Value { key: "expands".to_owned(), expected });
            continue;
        }
        // The same variable may have other tensors in other modules.
        let is_same =
            |other: &&ClassVariable| other.rule.torch == rule.torch && other.rule.keras == rule.keras;
        if let Some(first) = variables.iter().find(is_same) {
            let (name, first) = (first.name().to_owned(), first.rule.keras_position.span.clone());
            faults.add(keras.span(), FaultKind::DuplicateTarget(name)).other(first, "written here");
            continue;
        }
        let flatten = flatten.into_iter().map(|(layout, _)| layout).collect();
        let unflatten = unflatten.into_iter().map(|(layout, _)| layout).collect();
        variables.push(ClassVariable { rule, flatten, unflatten, expands });
    }
    variables
}

/// The layers inside that go by their own classes.
fn inside(table: &Table<'_>, faults: &mut Faults) -> Vec<Inside> {
    const EXPECTED: &str = "names with `{*}` where those of the parameters stand, as in `{*}_reverse`; `{n}` is the layer's number";
    let mut found = Vec::new();
    for table in tables(table, "inside", "a layer inside", faults) {
        table.check_keys(&["keras", "torch", "class"], faults);
        let class = table.string("class", faults).map(Spanned::into_inner);
        table.required("keras", faults);
        let keras = table.string("keras", faults);
        let keras =
            keras.and_then(|text| pair::name(&text, Separator::Slash, &[], faults).map(|name| (name, text)));
        let Some((keras, keras_text)) = keras else { continue };
        if let Some(read) = keras.reads().first() {
            faults.add(keras_text.span(), FaultKind::Unbound((*read).to_owned()));
            continue;
        }
        let text = table.string("torch", faults);
        let text = text.unwrap_or_else(|| Spanned::new(keras_text.span(), "{*}".to_owned()));
        let Some(torch) = pair::name(&text, Separator::Dot, &[], faults) else { continue };
        let number = Captures::from([(NUMBER.to_owned(), CaptureValue::Integer(0))]);
        let numbered = torch.substitute(&number, &Tables::new());
        if numbered.is_ok_and(|torch| torch.around_parameter().is_some()) {
            found.push(Inside { keras, torch, class });
        } else {
            faults.add(text.span(), FaultKind::Value { key: "torch".to_owned(), expected: EXPECTED });
        }
    }
    found
}

/// The tables of a list; none where there is no such key.
fn tables<'a>(
    table: &Table<'a>,
    key: &'static str,
    name: &'static str,
    faults: &mut Faults,
) -> Vec<Table<'a>> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type(key, value.span(), "a list of tables", value.get_ref(), faults);
        return Vec::new();
    };
    items.iter().filter_map(|item| Table::of(key, item, name, faults)).collect()
}
