//! Schemas made of schemas: `extends` and `[[use]]`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;

use super::bundled;
use super::error::{Error, FaultKind};
use super::open::read;
use super::parse;
use super::position::{Position, SourceFile};
use super::reader::Faults;
use super::rule::{Class, Rule, RuleKind, Schema, Scope};

/// How deep schemas may stand in each other. A model of models of layers takes three.
const MAX_DEPTH: usize = 8;
/// Schemas that one may be made of: one that uses another twice, which does so again, doubles them with each step.
const MAX_SCHEMAS: usize = 64;

/// A schema before its rules know their classes and tables.
pub(super) struct Draft {
    pub(super) schema: Schema,
    /// What `schema.scope` is to be.
    pub(super) scope: Scope,
    /// Whether it says its prefixes.
    pub(super) has_prefixes: bool,
}

/// Reads schemas that others name.
pub(super) struct Loader {
    builtin: BTreeMap<String, Arc<Class>>,
    /// The schemas that are being read, each named by the one before: what tells it from others, and its name.
    chain: Vec<(String, String)>,
    loaded: usize,
    /// The files that were read for them.
    files: Vec<PathBuf>,
    /// The scope of rules until their schema is complete.
    pub(super) unset: Arc<Scope>,
}

impl Loader {
    pub(super) fn new(builtin: BTreeMap<String, Arc<Class>>) -> Self {
        Self { builtin, chain: Vec::new(), loaded: 0, files: Vec::new(), unset: Arc::default() }
    }

    /// Parses a schema with all that it is made of. `identity` tells it from others.
    pub(super) fn parse(
        &mut self,
        identity: String,
        file: SourceFile,
        folder: Option<&Path>,
    ) -> Result<Draft, Error> {
        self.chain.push((identity, file.name.clone()));
        let draft = parse::parse(Arc::new(file), folder, self);
        self.chain.pop();
        draft
    }

    /// Gives the rules of a schema their classes and tables; those of schemas that it uses have theirs.
    pub(super) fn complete(&self, draft: Draft) -> Schema {
        let Draft { mut schema, mut scope, .. } = draft;
        for (name, class) in &self.builtin {
            scope.classes.entry(name.clone()).or_insert_with(|| Arc::clone(class));
        }
        schema.scope = Arc::new(scope);
        for rule in schema.rules.iter_mut().filter(|rule| Arc::ptr_eq(&rule.scope, &self.unset)) {
            rule.scope = Arc::clone(&schema.scope);
        }
        schema
    }

    /// The schema that another one names: a bundled one, or a file beside it. `None` after a fault.
    ///
    /// # Errors
    /// When it is there and not valid.
    pub(super) fn load(
        &mut self,
        name: &Spanned<String>,
        place: Position,
        folder: Option<&Path>,
        faults: &mut Faults,
    ) -> Result<Option<Draft>, Error> {
        let path = Path::new(name.get_ref());
        let is_file = path.extension().is_some_and(|extension| extension == "toml");
        let path = folder.map_or_else(|| path.to_owned(), |folder| folder.join(path));
        let identity = if is_file { identity(&path) } else { format!("bundled:{}", name.get_ref()) };
        if self.chain.iter().any(|(other, _)| *other == identity) {
            let chain = self.said(name.get_ref());
            faults
                .add(name.span(), FaultKind::Cycle(chain))
                .help("a schema cannot be a part of itself: move what both need to a third");
            return Ok(None);
        }
        let limit = if self.chain.len() >= MAX_DEPTH {
            Some(FaultKind::TooDeep { chain: self.said(name.get_ref()), limit: MAX_DEPTH })
        } else if self.loaded >= MAX_SCHEMAS {
            Some(FaultKind::TooManySchemas { limit: MAX_SCHEMAS })
        } else {
            None
        };
        if let Some(kind) = limit {
            faults.add(name.span(), kind);
            return Ok(None);
        }
        self.loaded += 1;
        let found = if is_file {
            self.files.push(path.clone());
            read(&path).map(|text| (path.display().to_string(), text, path.parent().map(Path::to_owned)))
        } else {
            bundled::find(name.get_ref()).map(|bundled| (identity.clone(), bundled.text.to_owned(), None))
        };
        match found {
            Ok((name, text, folder)) => {
                let mut file = SourceFile::new(name, text);
                file.used_by = Some(place);
                self.parse(identity, file, folder.as_deref()).map(Some)
            }
            Err(error) => {
                let help = if is_file {
                    "a file is looked for beside the schema that names it"
                } else {
                    "`ptw2k schemas` lists the bundled schemas; the name of a file ends in `.toml`"
                };
                let reason = match &error {
                    Error::Io { source, .. } => format!("{error}: {source}"),
                    other => other.to_string(),
                };
                faults.add(name.span(), FaultKind::NotLoaded(reason)).help(help);
                Ok(None)
            }
        }
    }

    /// The files that were read for the schemas that others name, each once.
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        let mut seen = HashSet::new();
        self.files.into_iter().filter(|path| seen.insert(path.clone())).collect()
    }

    /// `a.toml → b.toml → a.toml`.
    fn said(&self, last: &str) -> String {
        let names = self.chain.iter().map(|(_, name)| name.as_str()).chain([last]);
        names.collect::<Vec<_>>().join(" → ")
    }
}

/// What tells a file from others, whatever it is called.
pub(super) fn identity(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}

impl Draft {
    /// Puts what a schema extends before what it has itself. Of two rules for one target, and of two tables or classes
    /// of one name, its own counts.
    pub(super) fn extend(&mut self, base: Self) {
        let Self { schema: mut base, scope, has_prefixes } = base;
        drop_overridden(&mut base.rules, &self.schema.rules);
        base.rules.append(&mut self.schema.rules);
        self.schema.rules = base.rules;
        base.ignore.append(&mut self.schema.ignore);
        self.schema.ignore = base.ignore;
        if !self.has_prefixes {
            self.schema.prefixes = base.prefixes;
            self.has_prefixes = has_prefixes;
        }
        self.schema.architecture = self.schema.architecture.take().or(base.architecture);
        for (name, table) in scope.tables {
            self.scope.tables.entry(name).or_insert(table);
        }
        for (name, class) in scope.classes {
            self.scope.classes.entry(name).or_insert(class);
        }
        if self.scope.low_rank.alpha.is_none() {
            self.scope.low_rank = scope.low_rank;
        }
        self.scope.is_nothing_flattened |= scope.is_nothing_flattened;
        self.scope.is_nothing_unflattened |= scope.is_nothing_unflattened;
    }
}

/// The targets of a rule as they are written, and whether they are layers.
fn targets(rule: &Rule) -> (bool, Vec<&str>) {
    match &rule.kind {
        RuleKind::Layer(layer) | RuleKind::Sequence(layer) => (true, vec![layer.keras.as_str()]),
        RuleKind::Tensor(tensor) => (false, tensor.keras.iter().map(|keras| keras.as_str()).collect()),
        RuleKind::Fill(fill) => (false, fill.keras.iter().map(|keras| keras.as_str()).collect()),
        RuleKind::Keep(keep) => (false, keep.keras.iter().map(|keras| keras.as_str()).collect()),
    }
}

/// Takes from rules the targets that others have, and the rules that are left with none.
fn drop_overridden(rules: &mut Vec<Rule>, others: &[Rule]) {
    let taken: Vec<(bool, &str)> = others
        .iter()
        .map(targets)
        .flat_map(|(is_layer, names)| names.into_iter().map(move |name| (is_layer, name)))
        .collect();
    let is_left = |is_layer: bool, name: &str| !taken.contains(&(is_layer, name));
    rules.retain_mut(|rule| match &mut rule.kind {
        RuleKind::Layer(layer) | RuleKind::Sequence(layer) => is_left(true, layer.keras.as_str()),
        RuleKind::Tensor(tensor) => {
            tensor.keras.retain(|keras| is_left(false, keras.as_str()));
            !tensor.keras.is_empty()
        }
        RuleKind::Fill(fill) => {
            fill.keras.retain(|keras| is_left(false, keras.as_str()));
            !fill.keras.is_empty()
        }
        RuleKind::Keep(keep) => {
            keep.keras.retain(|keras| is_left(false, keras.as_str()));
            !keep.keras.is_empty()
        }
    });
}
