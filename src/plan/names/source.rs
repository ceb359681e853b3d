//! What the names of the checkpoint lead to.

use smallvec::SmallVec;

use super::keys::Keys;
use super::module::Module;
use super::modules::Modules;
use super::styles::Styles;
use crate::checkpoint::Checkpoint;
use crate::map::Set;
use crate::schema::{Captures, PARAMETER, Pattern, RuleKind, Schema, Tables};

/// Tensors or variables that a pattern matches, each with its captures; mostly one.
pub(in crate::plan) type Matches = SmallVec<[(Captures, usize); 1]>;

/// The checkpoint's keys under the schema's prefix.
pub(in crate::plan) struct SourceNames<'a> {
    /// Per tensor, the key without the prefix.
    pub(in crate::plan) keys: Vec<&'a str>,
    /// The tensors that rules can name, in the order of the file.
    visible: Vec<usize>,
    /// The same by name. Several have one where a key with the prefix meets one without.
    named: Keys<'a>,
    pub(in crate::plan) modules: Modules<'a>,
    /// The prefix that was stripped.
    pub(in crate::plan) prefix: &'a str,
    /// Tensors that others are there in place of.
    pub(in crate::plan) styles: Styles,
}

impl<'a> SourceNames<'a> {
    /// Strips the first prefix under which a rule matches.
    pub(in crate::plan) fn new(checkpoint: &'a Checkpoint, schema: &'a Schema) -> Self {
        let with_others = schema.prefixes.iter().any(String::is_empty);
        let under = |prefix| Self::under(checkpoint, prefix, with_others);
        let first = schema.prefixes.first().map_or("", String::as_str);
        if schema.prefixes.len() < 2 {
            return under(first);
        }
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
        let named = Keys::new(&keys, &visible);
        let modules = Modules::new(&keys, &visible);
        let styles = Styles::find(&named, &checkpoint.tensors);
        Self { keys, visible, named, modules, prefix, styles }
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
    pub(in crate::plan) fn below(&self, module: &Module) -> Vec<(usize, &'a str)> {
        let below = self.named.below(&module.before);
        let mut found: Vec<(usize, &str)> = below
            .filter_map(|(key, tensors)| Some((module.parameter(key)?, tensors)))
            .flat_map(|(name, tensors)| tensors.iter().map(move |&at| (at, name)))
            .collect();
        found.sort_unstable();
        found
    }

    /// The tensors that a pattern, relative to a module, matches. A literal needs no search.
    pub(in crate::plan) fn matching(&self, module: &Module, pattern: &Pattern) -> Matches {
        if pattern.is_literal() {
            let key = module.key(pattern.as_str());
            return self.named.of(&key).iter().map(|&at| (Captures::new(), at)).collect();
        }
        self.below(module)
            .into_iter()
            .filter_map(|(at, name)| pattern.matches(name).map(|captures| (captures, at)))
            .collect()
    }

    /// The modules that a layer rule names, each with its captures, in the order of the file.
    pub(in crate::plan) fn modules_of(&self, torch: &Pattern) -> Vec<(Captures, Module)> {
        if torch.is_literal() && !torch.has_parameter() {
            let found = self.modules.has(torch.as_str());
            return found.then(|| (Captures::new(), Module::of(torch.as_str()))).into_iter().collect();
        }
        if !torch.has_parameter() {
            let paths = self.modules.paths();
            return paths.filter_map(|path| Some((torch.matches(path)?, Module::of(path)))).collect();
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
    pub(in crate::plan) fn matching_styles(
        &self,
        module: &Module,
        pattern: &Pattern,
    ) -> Vec<(Captures, String)> {
        if self.styles.by_key.is_empty() {
            return Vec::new();
        }
        let of_module = self.styles.by_key.range(module.before.clone()..).map(|(key, _)| key);
        of_module
            .take_while(|key| key.starts_with(module.before.as_str()))
            .filter_map(|key| Some((pattern.matches(module.parameter(key)?)?, key.clone())))
            .collect()
    }

    /// Whether a module has tensors that a pattern matches, or others in their place.
    pub(in crate::plan) fn has(&self, module: &Module, pattern: &Pattern) -> bool {
        let mut names = self.named.below(&module.before).filter_map(|(key, _)| module.parameter(key));
        let is_there = match pattern.literal() {
            Some(literal) => !self.named.of(&module.key(literal)).is_empty(),
            None => names.any(|name| pattern.matches(name).is_some()),
        };
        is_there || !self.matching_styles(module, pattern).is_empty()
    }

    /// The keys, without the prefix, of the tensors that a pattern matches, and of those that others stand for.
    pub(in crate::plan) fn names(&self, module: &Module, pattern: &Pattern) -> Vec<String> {
        let plain = self.matching(module, pattern).into_iter().map(|(_, at)| self.keys[at].to_owned());
        let made = self.matching_styles(module, pattern).into_iter().map(|(_, key)| key);
        plain.chain(made).collect()
    }

    /// The one tensor of a name.
    pub(in crate::plan) fn one(&self, key: &str) -> Option<usize> {
        self.named.one(key)
    }

    /// Whether a module has tensors of its own: some that are there as they are, or some that others are there in
    /// place of. A module that only holds what others are made of has none.
    pub(in crate::plan) fn has_own(&self, module: &str) -> bool {
        let is_made = || {
            let start = if module.is_empty() { String::new() } else { format!("{module}.") };
            let mut of_module = self.styles.by_key.range(start.clone()..).map(|(key, _)| key);
            let mut names = of_module.by_ref().map_while(|key| key.strip_prefix(&start));
            names.any(|name| !name.contains('.'))
        };
        self.modules.direct(module).iter().any(|at| !self.styles.inputs.contains(at)) || is_made()
    }
}
