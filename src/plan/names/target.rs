//! What the paths of the architecture lead to.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::hash::Hash;

use super::source::Matches;
use crate::keras::Architecture;
use crate::map::Map;
use crate::schema::{Captures, Pattern};

/// The architecture's paths, in every spelling that leads to one variable or layer alone.
pub(in crate::plan) struct TargetNames<'a> {
    architecture: &'a Architecture,
    layers: Map<&'a str, Lookup>,
    variables: Map<&'a str, Lookup>,
    /// Other spellings. An alias that is also a layer's name means the name, so they are asked second, and most
    /// schemas never ask.
    layer_aliases: OnceCell<Map<&'a str, Lookup>>,
    variable_aliases: OnceCell<Map<String, Lookup>>,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Lookup {
    /// One layer or variable.
    One(usize),
    /// Several.
    Several,
}

impl<'a> TargetNames<'a> {
    pub(in crate::plan) fn new(architecture: &'a Architecture) -> Self {
        let layers = architecture.layers.iter().map(|layer| layer.path.as_str());
        let variables = architecture.variables.iter().map(|variable| variable.path.as_str());
        Self {
            architecture,
            layers: lookups(layers.zip(0..)),
            variables: lookups(variables.zip(0..)),
            layer_aliases: OnceCell::new(),
            variable_aliases: OnceCell::new(),
        }
    }

    pub(in crate::plan) fn layer(&self, path: &str) -> Option<Lookup> {
        let aliases = || self.layer_aliases.get_or_init(|| layer_aliases(self.architecture));
        self.layers.get(path).or_else(|| aliases().get(path)).copied()
    }

    pub(in crate::plan) fn variable(&self, path: &str) -> Option<Lookup> {
        self.variables.get(path).or_else(|| self.variable_aliases().get(path)).copied()
    }

    fn variable_aliases(&self) -> &Map<String, Lookup> {
        self.variable_aliases.get_or_init(|| variable_aliases(self.architecture))
    }

    /// The variables that a pattern matches in any spelling, in their order; none where it matches one in two ways,
    /// or a spelling that several have.
    pub(in crate::plan) fn matching(&self, pattern: &Pattern) -> Option<Matches> {
        let mut found: BTreeMap<usize, Captures> = BTreeMap::new();
        let aliases = self.variable_aliases().iter().map(|(path, lookup)| (path.as_str(), lookup));
        let aliases = aliases.filter(|(path, _)| !self.variables.contains_key(path));
        for (path, lookup) in self.variables.iter().map(|(path, lookup)| (*path, lookup)).chain(aliases) {
            let Some(captures) = pattern.matches(path) else { continue };
            let Lookup::One(at) = lookup else { return None };
            if found.insert(*at, captures.clone()).is_some_and(|other| other != captures) {
                return None;
            }
        }
        Some(found.into_iter().map(|(at, captures)| (captures, at)).collect())
    }
}

fn layer_aliases(architecture: &Architecture) -> Map<&str, Lookup> {
    let layers = architecture.layers.iter().enumerate();
    lookups(layers.flat_map(|(at, layer)| layer.aliases.iter().map(move |alias| (alias.as_str(), at))))
}

/// By its number and by its name, below each spelling of the layer.
fn variable_aliases(architecture: &Architecture) -> Map<String, Lookup> {
    let mut aliases = Vec::new();
    for layer in &architecture.layers {
        for path in std::iter::once(&layer.path).chain(&layer.aliases) {
            let slash = if path.is_empty() { "" } else { "/" };
            for index in layer.variables.clone() {
                let variable = &architecture.variables[index];
                aliases.push((format!("{path}{slash}{}", variable.index), index));
                aliases.push((format!("{path}{slash}{}", variable.name), index));
            }
        }
    }
    lookups(aliases.into_iter())
}

fn lookups<P: Eq + Hash>(paths: impl Iterator<Item = (P, usize)>) -> Map<P, Lookup> {
    let mut lookups = Map::with_capacity_and_hasher(paths.size_hint().0, Default::default());
    for (path, at) in paths {
        lookups
            .entry(path)
            .and_modify(|lookup| {
                if *lookup != Lookup::One(at) {
                    *lookup = Lookup::Several;
                }
            })
            .or_insert(Lookup::One(at));
    }
    lookups
}
