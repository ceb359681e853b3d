//! `[[sequence]]`: the n-th matching module to the n-th matching layer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::expansion::Expansion;
use crate::keras::canonical_class;
use crate::plan::faults::fault::FaultDetail;
use crate::plan::names::module::Module;
use crate::schema::{CaptureKind, CaptureValue, Captures, Class, LayerRule, Pattern, Rule};

/// What a pattern matched: the shared captures, its own, and a module or layer.
type Matched<T> = BTreeMap<Captures, Vec<(Captures, T)>>;

/// Expands a sequence: within each value of the captures that both sides name, modules and layers are put
/// in order and paired.
pub(in crate::plan) fn expand<'a>(expansion: &mut Expansion<'a>, rule: &'a Rule, layer: &'a LayerRule) {
    let shared: BTreeSet<&str> = layer
        .torch
        .captures()
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| layer.keras.captures().iter().any(|(other, _)| other == name))
        .collect();
    let wanted = layer.class.as_deref().map(canonical_class);
    let class = wanted.and_then(|class| rule.scope.classes.get(class)).map(Arc::as_ref);
    let modules = group(
        &shared,
        expansion
            .source
            .modules
            .paths()
            .filter(|module| expansion.source.has_own(module) && belongs(expansion, module, class))
            .filter_map(|module| Some((layer.torch.matches(module)?, module))),
    );
    let layers = group(
        &shared,
        expansion.architecture.layers.iter().enumerate().filter_map(|(at, candidate)| {
            let fits = match (wanted, candidate.class.as_deref()) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            };
            let has_variables =
                !candidate.variables.is_empty() || class.is_some_and(|class| class.speaks_of_inside());
            if !has_variables || !fits {
                return None;
            }
            let paths = std::iter::once(&candidate.path).chain(&candidate.aliases);
            let captures = paths.filter_map(|path| layer.keras.matches(path)).next()?;
            Some((captures, at))
        }),
    );
    if modules.is_empty() {
        return expansion.unused(rule, &layer.torch, false);
    }
    if layers.is_empty() {
        return expansion.unused(rule, &layer.keras, true);
    }
    let textual = |pattern: &Pattern| {
        pattern.captures().iter().any(|(name, kind)| {
            !shared.contains(name.as_str()) && matches!(kind, CaptureKind::Segment | CaptureKind::Segments)
        })
    };
    let unordered = if textual(&layer.torch) && !expansion.checkpoint.is_module_order {
        Some((&layer.torch, "checkpoint"))
    } else if textual(&layer.keras) && expansion.architecture.origin.is_template() {
        Some((&layer.keras, "template"))
    } else {
        None
    };
    if let Some((pattern, file)) = unordered {
        let hint = "capture integers, list the alternatives in order, or write [[layer]] rules".to_owned();
        let detail = FaultDetail::SequenceOrder { pattern: pattern.as_str().to_owned(), file };
        return expansion.fault(&rule.position, detail, Some(hint));
    }
    if textual(&layer.torch) || textual(&layer.keras) {
        expansion.remarks.by_order.extend(layers.values().flatten().map(|(_, at)| *at));
    }
    let mut modules = modules;
    let mut layers = layers;
    let keys: BTreeSet<Captures> = modules.keys().chain(layers.keys()).cloned().collect();
    for key in keys {
        let modules = sorted(modules.remove(&key), &layer.torch);
        let layers = sorted(layers.remove(&key), &layer.keras);
        if modules.len() != layers.len() {
            let list = |names: Vec<&str>| names.join(", ");
            let hint = format!(
                "modules: {}; layers: {}",
                list(modules.clone()),
                list(layers.iter().map(|&at| expansion.architecture.layers[at].path.as_str()).collect()),
            );
            let detail = FaultDetail::SequenceLength { modules: modules.len(), layers: layers.len() };
            expansion.fault(&rule.position, detail, Some(hint));
            modules.iter().for_each(|module| expansion.excuse(&Module::of(module), 0..0));
            for at in layers {
                expansion.excused.extend(expansion.architecture.layers[at].variables.clone());
            }
            continue;
        }
        for (module, at) in modules.into_iter().zip(layers) {
            expansion.layer(rule, layer, &Module::of(module), at);
        }
    }
}

/// Whether a module is of the class that the sequence asks for: each of its tensors has a use in the class,
/// with as many axes as one of the layouts.
fn belongs(expansion: &Expansion<'_>, module: &str, class: Option<&Class>) -> bool {
    let Some(class) = class.filter(|class| class.inside.is_empty()) else { return true };
    let styles = &expansion.source.styles;
    let module = Module::of(module);
    let plain = expansion.source.below(&module).into_iter().filter(|(at, _)| !styles.inputs.contains(at));
    let plain = plain.map(|(at, name)| (name, expansion.checkpoint.tensors[at].tensor.view.shape().rank()));
    let made = styles.by_key.range(module.before.clone()..);
    let made = made
        .map_while(|(key, styles)| Some((key.strip_prefix(module.before.as_str())?, styles.first()?.rank)));
    plain.chain(made).all(|(name, rank)| {
        let used = class.variables.iter().any(|known| {
            let layouts = &known.rule.layouts;
            known.rule.torch.matches(name).is_some()
                && (layouts.is_empty() || layouts.iter().any(|layout| layout.left().len() == rank))
        });
        used || class.ignore.iter().any(|glob| glob.matches(name))
    })
}

fn group<T>(shared: &BTreeSet<&str>, found: impl Iterator<Item = (Captures, T)>) -> Matched<T> {
    let mut groups = Matched::new();
    for (captures, item) in found {
        let (both, own) = captures.split(|name| shared.contains(name));
        groups.entry(both).or_default().push((own, item));
    }
    groups
}

/// By the captures, in the order in which the pattern names them: integers by value, alternatives as they
/// are listed; anything else, and ties, in the order of the file.
fn sorted<T>(found: Option<Vec<(Captures, T)>>, pattern: &Pattern) -> Vec<T> {
    let Some(mut found) = found else { return Vec::new() };
    found.sort_by_key(|(captures, _)| {
        let place = |(name, kind): &(String, CaptureKind)| match (kind, captures.get(name)) {
            (_, Some(CaptureValue::Integer(value))) => *value,
            (CaptureKind::Alternatives(values), Some(CaptureValue::Text(text))) => {
                values.iter().position(|value| value == text).map_or(0, |at| at as u64)
            }
            _ => 0,
        };
        pattern.captures().iter().map(place).collect::<Vec<u64>>()
    });
    found.into_iter().map(|(_, item)| item).collect()
}
