//! A schema within another: names with what stands before them there.

use super::error::FaultKind;
use super::glob::Glob;
use super::pattern::{Pattern, PatternErrorKind};
use super::rule::{LayerRule, RuleKind, Schema, TensorRule};

/// Where a schema stands.
pub(super) struct Mount {
    /// What stands before the keys; empty, or with its last dot.
    pub(super) torch: String,
    /// What stands before the paths; empty, or with its last slash.
    pub(super) keras: String,
}

impl Mount {
    /// Puts the names of a schema's rules where the schema stands. Its own prefixes come after: each key may have any
    /// of them.
    ///
    /// # Errors
    /// When a name becomes too long.
    pub(super) fn place(&self, schema: &mut Schema) -> Result<(), FaultKind> {
        let prefixes = std::mem::take(&mut schema.prefixes);
        let mut fail = Ok(());
        let torch = |pattern: &mut Pattern| match pattern.mounted(&self.torch, &prefixes) {
            Ok(mounted) => {
                *pattern = mounted;
                Ok(())
            }
            Err(kind) => Err(kind),
        };
        let keras = |pattern: &mut Pattern| match pattern.mounted(&self.keras, &[]) {
            Ok(mounted) => {
                *pattern = mounted;
                Ok(())
            }
            Err(kind) => Err(kind),
        };
        for rule in &mut schema.rules {
            let placed = match &mut rule.kind {
                RuleKind::Layer(LayerRule { torch: left, keras: right, .. })
                | RuleKind::Sequence(LayerRule { torch: left, keras: right, .. }) => {
                    torch(left).and_then(|()| keras(right))
                }
                RuleKind::Tensor(rule) => tensor(rule, &torch, &keras),
                RuleKind::Fill(fill) => fill.keras.iter_mut().try_for_each(keras),
                RuleKind::Keep(keep) => keep.keras.iter_mut().try_for_each(keras),
            };
            if let Err(kind) = placed {
                fail = Err(FaultKind::Pattern(kind));
            }
        }
        let mut ignore = Vec::new();
        for glob in std::mem::take(&mut schema.ignore) {
            for prefix in prefixes.iter().map(String::as_str).chain([""]) {
                let text = format!("{}{prefix}{}", self.torch, glob.text);
                match Glob::parse(&text, glob.position.clone()) {
                    Ok(mounted) if ignore.iter().any(|other: &Glob| other.text == mounted.text) => {}
                    Ok(mounted) => ignore.push(mounted),
                    Err(error) => fail = Err(FaultKind::Glob(error)),
                }
            }
        }
        schema.ignore = ignore;
        fail
    }
}

type Place<'a> = dyn Fn(&mut Pattern) -> Result<(), PatternErrorKind> + 'a;

fn tensor(rule: &mut TensorRule, torch: &Place<'_>, keras: &Place<'_>) -> Result<(), PatternErrorKind> {
    torch(&mut rule.torch)?;
    rule.keras.iter_mut().try_for_each(keras)?;
    if let Some(compute) = &mut rule.compute {
        compute.inputs.iter_mut().try_for_each(|(_, pattern)| torch(pattern))?;
    }
    rule.add.iter_mut().try_for_each(|term| tensor(term, torch, keras))
}

/// Whether a text can stand before names: it has neither captures nor what globs give a meaning.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| "{}[]*?".contains(c))
}
