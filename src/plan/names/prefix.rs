//! Prefixes that no key has, and prefixes of all keys that the schema does not strip: one fault, instead of one of each
//! rule, variable and tensor.

use super::source::SourceNames;
use super::target::{Lookup, TargetNames};
use crate::checkpoint::Checkpoint;
use crate::plan::faults::fault::{Fault, FaultDetail};
use crate::schema::{RuleKind, Schema};

/// The name that the positions of bundled schemas begin with.
const BUNDLED: &str = "bundled:";

/// A schema whose prefixes no key of the checkpoint has.
pub(in crate::plan) fn lacking(checkpoint: &Checkpoint, schema: &Schema) -> Option<Fault> {
    let has = |prefix: &String| {
        checkpoint.tensors.iter().any(|tensor| tensor.key.as_str().starts_with(prefix.as_str()))
    };
    if checkpoint.tensors.is_empty() || schema.prefixes.iter().any(has) {
        return None;
    }
    let common = common(checkpoint).filter(|_| checkpoint.tensors.len() > 1);
    let fits = |prefix: &str| {
        let source = SourceNames::under(checkpoint, prefix, false);
        schema.rules.iter().any(|rule| source.any_match(&rule.kind))
    };
    let hint = match &common {
        None if fits("") => say(schema, ""),
        Some(prefix) if fits(prefix) => say(schema, prefix),
        Some(_) | None => match schema.file.name.strip_prefix(BUNDLED) {
            Some(_) => "the schema is for another model: `ptw2k inspect` shows the keys".to_owned(),
            None => "`ptw2k inspect` shows the keys: say the `prefix` in [source] that they have".to_owned(),
        },
    };
    let detail =
        FaultDetail::NoPrefix { prefixes: schema.prefixes.clone(), keys: checkpoint.tensors.len(), common };
    Some(Fault { detail, position: None, hint: Some(hint) })
}

/// A first segment of all keys without which rules lead to layers, where with it none does.
pub(in crate::plan) fn unstripped(
    checkpoint: &Checkpoint,
    schema: &Schema,
    target: &TargetNames<'_>,
) -> Option<Fault> {
    if schema.prefixes.iter().any(|prefix| !prefix.is_empty()) {
        return None;
    }
    let prefix = common(checkpoint)?;
    let source = SourceNames::under(checkpoint, &prefix, false);
    let arrives = schema.rules.iter().any(|rule| {
        let RuleKind::Layer(layer) = &rule.kind else { return false };
        source.modules_of(&layer.torch).iter().any(|(captures, _)| {
            let path = layer.keras.substitute(captures, &rule.scope.tables);
            path.is_ok_and(|path| matches!(target.layer(path.as_str()), Some(Lookup::One(_))))
        })
    });
    if !arrives {
        return None;
    }
    let hint = say(schema, &prefix);
    let detail = FaultDetail::UnstrippedPrefix { prefix, keys: checkpoint.tensors.len() };
    Some(Fault { detail, position: None, hint: Some(hint) })
}

/// The first segment that all keys have, with its dot.
fn common(checkpoint: &Checkpoint) -> Option<String> {
    let mut keys = checkpoint.tensors.iter().map(|tensor| tensor.key.as_str());
    let (segment, _) = keys.next()?.split_once('.')?;
    let prefix = format!("{segment}.");
    keys.all(|key| key.starts_with(prefix.as_str())).then_some(prefix)
}

/// What to write. A bundled schema cannot be edited.
fn say(schema: &Schema, prefix: &str) -> String {
    match schema.file.name.strip_prefix(BUNDLED) {
        Some(name) => format!(
            "write a schema of your own, with `extends = \"{name}\"`, and in its [source] `prefix = \"{prefix}\"`"
        ),
        None => format!("say `prefix = \"{prefix}\"` in [source]"),
    }
}
