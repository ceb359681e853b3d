//! What the names on both sides lead to.

use crate::map::{Map, Set};
use std::collections::BTreeMap;

use super::styles::Styles;
use crate::checkpoint::Checkpoint;
use crate::keras::Architecture;
use crate::schema::{Captures, PARAMETER, Pattern, RuleKind, Schema, Tables};

use super::module::Module;

/// Modules around a tensor that rules can name, from the outermost on. Models are some ten deep; a hostile name has as
/// many modules as letters, each as long as what is before it.
const MAX_DEPTH: usize = 256;

/// The checkpoint's keys under the schema's prefix.
pub(super) struct SourceNames<'a> {
    /// Per tensor, the key without the prefix.
    pub(super) keys: Vec<&'a str>,
    /// The tensors that rules can name, in the order of the file.
    visible: Vec<usize>,
    /// Those of one name; more than one where a key with the prefix meets one without.
    by_key: Map<&'a str, Vec<usize>>,
    /// The same, sorted by key.
    sorted: Vec<usize>,
    /// Every module, in order of first appearance, with the tensors directly in it.
    pub(super) modules: Vec<(&'a str, Vec<usize>)>,
    by_module: Map<&'a str, usize>,
    /// The prefix that was stripped.
    pub(super) prefix: &'a str,
    /// Tensors that others are there in place of.
    pub(super) styles: Styles,
}

impl<'a> SourceNames<'a> {
    /// Strips the first prefix under which a rule matches.
    pub(super) fn new(checkpoint: &'a Checkpoint, schema: &'a Schema) -> Self {
        let with_others = schema.prefixes.iter().any(String::is_empty);
        let under = |prefix| Self::under(checkpoint, prefix, with_others);
        let first = schema.prefixes.first().map_or("", String::as_str);
        schema
            .prefixes
            .iter()
            .map(|prefix| under(prefix))
            .find(|names| schema.rules.iter().any(|rule| names.any_match(&rule.kind)))
            .unwrap_or_else(|| under(first))
    }

    /// The names under a prefix. A key without it keeps its own name where `with_others`, and has none for the
    /// rules otherwise.
    pub(super) fn under(checkpoint: &'a Checkpoint, prefix: &'a str, with_others: bool) -> Self {
        let keys: Vec<&str> = checkpoint
            .tensors
            .iter()
            .map(|tensor| {
                let key = tensor.key.as_str();
                key.strip_prefix(prefix).unwrap_or(key)
            })
            .collect();
        let is_visible = |at: &usize| with_others || checkpoint.tensors[*at].key.as_str().starts_with(prefix);
        let visible: Vec<usize> = (0..keys.len()).filter(is_visible).collect();
        let mut by_key: Map<&str, Vec<usize>> =
            Map::with_capacity_and_hasher(visible.len(), Default::default());
        for &at in &visible {
            by_key.entry(keys[at]).or_default().push(at);
        }
        let mut sorted = visible.clone();
        sorted.sort_unstable_by_key(|&at| keys[at]);
        let mut modules: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut by_module = Map::default();
        for &tensor in &visible {
            let key = keys[tensor];
            let mut ends: Vec<usize> = key.match_indices('.').map(|(at, _)| at).collect();
            let parent = ends.last().copied().unwrap_or(0);
            if parent == 0 {
                ends.push(0);
            }
            // The module of the tensor itself always counts.
            let deepest = ends.len() - 1;
            let counted = ends.into_iter().enumerate().filter(|&(at, _)| at < MAX_DEPTH || at == deepest);
            for (_, end) in counted {
                let module = &key[..end];
                let at = *by_module.entry(module).or_insert_with(|| {
                    modules.push((module, Vec::new()));
                    modules.len() - 1
                });
                if end == parent {
                    modules[at].1.push(tensor);
                }
            }
        }
        let styles = Styles::find(&by_key, &checkpoint.tensors);
        Self { keys, visible, by_key, sorted, modules, by_module, prefix, styles }
    }

    /// Whether a rule matches any of the names.
    pub(super) fn any_match(&self, rule: &RuleKind) -> bool {
        match rule {
            RuleKind::Tensor(rule) => {
                let is_made =
                    rule.compute.is_none() && !self.matching_styles(&Module::of(""), &rule.torch).is_empty();
                is_made || self.visible.iter().any(|&at| rule.torch.matches(self.keys[at]).is_some())
            }
            RuleKind::Layer(rule) | RuleKind::Sequence(rule) => !self.modules_of(&rule.torch).is_empty(),
            RuleKind::Fill(_) | RuleKind::Keep(_) => false,
        }
    }

    /// The tensors below a module, in the order of the file, with their names relative to it.
    pub(super) fn below(&self, module: &Module) -> Vec<(usize, &'a str)> {
        let before = module.before.as_str();
        let start = self.sorted.partition_point(|&at| self.keys[at] < before);
        let mut found: Vec<(usize, &str)> = self.sorted[start..]
            .iter()
            .map(|&at| (at, self.keys[at]))
            .take_while(|(_, key)| key.starts_with(before))
            .filter_map(|(at, key)| Some((at, module.parameter(key)?)))
            .collect();
        found.sort_unstable();
        found
    }

    /// The tensors that a pattern, relative to a module, matches. A literal needs no search.
    pub(super) fn matching(&self, module: &Module, pattern: &Pattern) -> Vec<(Captures, usize)> {
        if pattern.is_literal() {
            let key = module.key(pattern.as_str());
            let found = self.by_key.get(key.as_str()).map_or(&[][..], Vec::as_slice);
            return found.iter().map(|&at| (Captures::new(), at)).collect();
        }
        self.below(module)
            .into_iter()
            .filter_map(|(at, name)| pattern.matches(name).map(|captures| (captures, at)))
            .collect()
    }

    /// The modules that a layer rule names, each with its captures, in the order of the file.
    pub(super) fn modules_of(&self, torch: &Pattern) -> Vec<(Captures, Module)> {
        if torch.is_literal() && !torch.has_parameter() {
            let found = self.by_module.contains_key(torch.as_str());
            return found.then(|| (Captures::new(), Module::of(torch.as_str()))).into_iter().collect();
        }
        if !torch.has_parameter() {
            let modules = self.modules.iter();
            return modules.filter_map(|(path, _)| Some((torch.matches(path)?, Module::of(path)))).collect();
        }
        let mut seen = Set::default();
        let keys = self.visible.iter().filter_map(|&at| torch.matches(self.keys[at]));
        keys.filter_map(|mut captures| {
            captures.remove(PARAMETER);
            let named = torch.substitute(&captures, &Tables::new()).ok()?;
            let (before, after) = named.around_parameter()?;
            let module = Module { before: before.to_owned(), after: after.to_owned() };
            seen.insert(module.clone()).then_some((captures, module))
        })
        .collect()
    }

    /// The names, relative to a module, of tensors that others are there in place of, and that a pattern matches;
    /// each with its whole name.
    pub(super) fn matching_styles(&self, module: &Module, pattern: &Pattern) -> Vec<(Captures, String)> {
        let of_module = self.styles.by_key.range(module.before.clone()..).map(|(key, _)| key);
        of_module
            .take_while(|key| key.starts_with(module.before.as_str()))
            .filter_map(|key| Some((pattern.matches(module.parameter(key)?)?, key.clone())))
            .collect()
    }

    /// Whether a module has tensors that a pattern matches, or others in their place.
    pub(super) fn has(&self, module: &Module, pattern: &Pattern) -> bool {
        !self.matching(module, pattern).is_empty() || !self.matching_styles(module, pattern).is_empty()
    }

    /// The keys, without the prefix, of the tensors that a pattern matches, and of those that others stand for.
    pub(super) fn names(&self, module: &Module, pattern: &Pattern) -> Vec<String> {
        let plain = self.matching(module, pattern).into_iter().map(|(_, at)| self.keys[at].to_owned());
        let made = self.matching_styles(module, pattern).into_iter().map(|(_, key)| key);
        plain.chain(made).collect()
    }

    /// The one tensor of a name.
    pub(super) fn one(&self, key: &str) -> Option<usize> {
        match self.by_key.get(key).map(Vec::as_slice) {
            Some(&[at]) => Some(at),
            _ => None,
        }
    }

    /// Whether a module has tensors of its own: some that are there as they are, or some that others are there in
    /// place of. A module that only holds what others are made of has none.
    pub(super) fn has_own(&self, module: &str) -> bool {
        let is_made = || {
            let start = if module.is_empty() { String::new() } else { format!("{module}.") };
            let mut of_module = self.styles.by_key.range(start.clone()..).map(|(key, _)| key);
            let mut names = of_module.by_ref().map_while(|key| key.strip_prefix(&start));
            names.any(|name| !name.contains('.'))
        };
        self.direct(module).iter().any(|at| !self.styles.inputs.contains(at)) || is_made()
    }

    /// The tensors directly in a module.
    pub(super) fn direct(&self, module: &str) -> &[usize] {
        self.by_module.get(module).map_or(&[], |&at| &self.modules[at].1)
    }
}

/// The architecture's paths, in every spelling that leads to one variable or layer alone.
pub(super) struct TargetNames {
    layers: Map<String, Lookup>,
    variables: Map<String, Lookup>,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// One layer or variable.
    One(usize),
    /// Several.
    Several,
}

impl TargetNames {
    pub(super) fn new(architecture: &Architecture) -> Self {
        let mut layers = Map::default();
        let mut variables = Map::default();
        // Names come before aliases: an alias that is also a layer's name means the name.
        for (at, layer) in architecture.layers.iter().enumerate() {
            insert(&mut layers, layer.path.clone(), at);
        }
        for (at, variable) in architecture.variables.iter().enumerate() {
            insert(&mut variables, variable.path.as_str().to_owned(), at);
        }
        let mut layer_aliases = Map::default();
        let mut variable_aliases = Map::default();
        for (at, layer) in architecture.layers.iter().enumerate() {
            for alias in &layer.aliases {
                insert(&mut layer_aliases, alias.clone(), at);
            }
            for path in std::iter::once(&layer.path).chain(&layer.aliases) {
                let slash = if path.is_empty() { "" } else { "/" };
                for index in layer.variables.clone() {
                    let variable = &architecture.variables[index];
                    insert(&mut variable_aliases, format!("{path}{slash}{}", variable.index), index);
                    insert(&mut variable_aliases, format!("{path}{slash}{}", variable.name), index);
                }
            }
        }
        for (path, lookup) in layer_aliases {
            layers.entry(path).or_insert(lookup);
        }
        for (path, lookup) in variable_aliases {
            variables.entry(path).or_insert(lookup);
        }
        Self { layers, variables }
    }

    pub(super) fn layer(&self, path: &str) -> Option<Lookup> {
        self.layers.get(path).copied()
    }

    /// The variables that a pattern matches in any spelling, in their order; none where it matches one in two ways,
    /// or a spelling that several have.
    pub(super) fn matching(&self, pattern: &Pattern) -> Option<Vec<(Captures, usize)>> {
        let mut found: BTreeMap<usize, Captures> = BTreeMap::new();
        for (path, lookup) in &self.variables {
            let Some(captures) = pattern.matches(path) else { continue };
            let Lookup::One(at) = lookup else { return None };
            if found.insert(*at, captures.clone()).is_some_and(|other| other != captures) {
                return None;
            }
        }
        Some(found.into_iter().map(|(at, captures)| (captures, at)).collect())
    }

    pub(super) fn variable(&self, path: &str) -> Option<Lookup> {
        self.variables.get(path).copied()
    }
}

fn insert(names: &mut Map<String, Lookup>, path: String, at: usize) {
    names
        .entry(path)
        .and_modify(|lookup| {
            if *lookup != Lookup::One(at) {
                *lookup = Lookup::Several;
            }
        })
        .or_insert(Lookup::One(at));
}
