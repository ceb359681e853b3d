//! `[class.X]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeValue;

use super::{document, tensor};
use crate::schema::error::FaultKind;
use crate::schema::pattern::Tables;
use crate::schema::reader::{Faults, Table, wrong_type};
use crate::schema::rule::{Class, ClassVariable};

/// Every class of the file, by name.
pub(super) fn parse(root: &Table<'_>, faults: &mut Faults) -> BTreeMap<String, Arc<Class>> {
    let mut classes = BTreeMap::new();
    let Some(value) = root.get("class") else { return classes };
    let Some(table) = Table::of("class", value, "[class]", faults) else { return classes };
    for (name, value) in table.entries() {
        let Some(table) = Table::of(name.get_ref(), value, "[class.X]", faults) else { continue };
        table.check_keys(&["variables", "ignore"], faults);
        let ignore = document::globs(&table, "ignore", faults);
        let variables = variables(&table, faults);
        let position = faults.position(table.whole_span());
        let name = name.into_inner();
        classes.insert(name.clone(), Arc::new(Class { name, variables, ignore, position }));
    }
    classes
}

fn variables(table: &Table<'_>, faults: &mut Faults) -> Vec<ClassVariable> {
    let mut variables: Vec<ClassVariable> = Vec::new();
    let Some(value) = table.required("variables", faults) else { return variables };
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type("variables", value.span(), "a list of tables", value.get_ref(), faults);
        return variables;
    };
    let keys: Vec<&str> = tensor::KEYS.iter().copied().chain(["flatten", "unflatten"]).collect();
    for item in items.iter() {
        let Some(table) = Table::of("variables", item, "a variable of a class", faults) else { continue };
        table.check_keys(&keys, faults);
        let flatten = tensor::layouts(&table, "flatten", faults);
        let unflatten = tensor::layouts(&table, "unflatten", faults);
        if table.required("keras", faults).is_none() {
            continue;
        }
        let Some(keras) = table.string("keras", faults) else { continue };
        let Some(rule) = tensor::parse(&table, vec![keras.clone()], &Tables::new(), faults) else { continue };
        let Some(name) = rule.keras.first().and_then(|pattern| pattern.literal()) else {
            let expected = "the variable's name, without captures";
            faults.add(keras.span(), FaultKind::Value { key: "keras".to_owned(), expected });
            continue;
        };
        let name = name.to_owned();
        if let Some(first) = variables.iter().find(|variable| variable.name == name) {
            let first = first.rule.keras_position.span.clone();
            faults.add(keras.span(), FaultKind::DuplicateTarget(name)).other(first, "written here");
            continue;
        }
        let flatten = flatten.into_iter().map(|(layout, _)| layout).collect();
        let unflatten = unflatten.into_iter().map(|(layout, _)| layout).collect();
        variables.push(ClassVariable { name, rule, flatten, unflatten });
    }
    variables
}
