//! The whole file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{class, compute, rules, uses};
use crate::schema::compose::{Draft, Loader};
use crate::schema::error::{Error, FaultKind};
use crate::schema::glob::Glob;
use crate::schema::pattern::{CaptureValue, Tables};
use crate::schema::position::SourceFile;
use crate::schema::reader::{Faults, Table, wrong_type};
use crate::schema::rule::{LowRank, Schema, Scope};
use crate::schema::targets;

/// Syntax errors reported at most: what follows the first few is mostly their consequence.
const MAX_SYNTAX_ERRORS: usize = 5;

const KEYS: &[&str] = &[
    "schema", "name", "about", "extends", "source", "target", "table", "layer", "sequence", "tensor", "fill",
    "keep", "use", "class",
];

/// Parses a schema file without the built-in classes, and the schemas that it is made of.
pub(in crate::schema) fn parse(
    file: Arc<SourceFile>,
    folder: Option<&Path>,
    loader: &mut Loader,
) -> Result<Draft, Error> {
    let mut faults = Faults { file: Arc::clone(&file), list: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(&file.text);
    for error in errors.into_iter().take(MAX_SYNTAX_ERRORS) {
        let span = error.span().unwrap_or(0..0);
        faults.add(span, FaultKind::Syntax(error.message().to_owned()));
    }
    let draft = if faults.list.is_empty() {
        Some(document(root.get_ref(), folder, loader, &mut faults)?)
    } else {
        None
    };
    let mut list = faults.list;
    match draft {
        Some(draft) if list.is_empty() => Ok(draft),
        _ => {
            list.sort_by_key(|fault| fault.position.span.start);
            Err(Error::Invalid { file, faults: list })
        }
    }
}

fn document(
    root: &DeTable<'_>,
    folder: Option<&Path>,
    loader: &mut Loader,
    faults: &mut Faults,
) -> Result<Draft, Error> {
    let root = Table::root(root, "the schema");
    root.check_keys(KEYS, faults);
    version(&root, faults);
    let base = match root.string("extends", faults) {
        Some(name) => loader.load(&name, faults.position(name.span()), folder, faults)?,
        None => None,
    };
    let Source { prefixes, ignore, low_rank } = source(&root, faults);
    let mut tables = tables(&root, faults);
    if let Some(base) = &base {
        // Its rules may look up what the other has.
        for (name, table) in &base.scope.tables {
            tables.entry(name.clone()).or_insert_with(|| table.clone());
        }
    }
    let mut rules = rules::parse(&root, &tables, &loader.unset, faults);
    rules.sort_by_key(|rule| rule.position.span.start);
    targets::check(&rules, faults);
    let mut ignore = ignore;
    for (place, used) in uses::parse(&root, folder, loader, faults)? {
        let at = rules.partition_point(|rule| {
            !Arc::ptr_eq(&rule.position.file, &faults.file) || rule.position.span.start < place
        });
        rules.splice(at..at, used.rules);
        ignore.extend(used.ignore);
    }
    let Target { architecture, is_nothing_flattened, is_nothing_unflattened } = target(&root, folder, faults);
    let schema = Schema {
        file: Arc::clone(&faults.file),
        files: Vec::new(),
        name: root.string("name", faults).map(Spanned::into_inner),
        about: root.string("about", faults).map(Spanned::into_inner),
        prefixes,
        ignore,
        architecture,
        rules,
        scope: Arc::clone(&loader.unset),
    };
    let classes = class::parse(&root, faults);
    let scope = Scope { tables, classes, low_rank, is_nothing_flattened, is_nothing_unflattened };
    let has_prefixes = root.get("source").is_some_and(|source| match source.get_ref() {
        DeValue::Table(source) => source.contains_key("prefix"),
        _ => false,
    });
    let mut draft = Draft { schema, scope, has_prefixes };
    if let Some(base) = base {
        draft.extend(base);
    }
    Ok(draft)
}

fn version(root: &Table<'_>, faults: &mut Faults) {
    const HELP: &str = "write `schema = 1`: the version of the language";
    let Some(value) = root.get("schema") else {
        faults.add(0..0, FaultKind::Missing { key: "schema", table: "the schema" }).help(HELP);
        return;
    };
    match value.get_ref() {
        DeValue::Integer(version) if version.as_str() == "1" => {}
        DeValue::Integer(version) => {
            faults.add(value.span(), FaultKind::Version(version.to_string())).help(HELP);
        }
        other => wrong_type("schema", value.span(), "1", other, faults),
    }
}

/// `[source]`.
struct Source {
    prefixes: Vec<String>,
    ignore: Vec<Glob>,
    low_rank: LowRank,
}

fn source(root: &Table<'_>, faults: &mut Faults) -> Source {
    let every_key = || vec![String::new()];
    let table = root.get("source").and_then(|value| Table::of("source", value, "[source]", faults));
    let Some(table) = table else {
        return Source { prefixes: every_key(), ignore: Vec::new(), low_rank: LowRank::default() };
    };
    table.check_keys(&["prefix", "ignore", "lora"], faults);
    let mut prefixes = Vec::new();
    for prefix in table.strings("prefix", faults) {
        let text = prefix.get_ref();
        if !text.is_empty() && !text.ends_with('.') {
            let kind = FaultKind::Value { key: "prefix".to_owned(), expected: "empty or end in a dot" };
            faults.add(prefix.span(), kind).help(format!("write `{text}.`"));
        }
        prefixes.push(prefix.into_inner());
    }
    if prefixes.is_empty() {
        prefixes = every_key();
    }
    let ignore = globs(&table, "ignore", faults);
    Source { prefixes, ignore, low_rank: compute::of_source(&table, faults) }
}

/// A list of globs; empty when the key is absent.
pub(super) fn globs(table: &Table<'_>, key: &str, faults: &mut Faults) -> Vec<Glob> {
    let mut globs = Vec::new();
    for text in table.strings(key, faults) {
        match Glob::parse(text.get_ref(), faults.position(text.span())) {
            Ok(glob) => globs.push(glob),
            Err(error) => {
                faults.add(text.span(), FaultKind::Glob(error));
            }
        }
    }
    globs
}

/// `[target]`.
#[derive(Default)]
struct Target {
    architecture: Option<PathBuf>,
    is_nothing_flattened: bool,
    is_nothing_unflattened: bool,
}

fn target(root: &Table<'_>, folder: Option<&Path>, faults: &mut Faults) -> Target {
    let table = root.get("target").and_then(|value| Table::of("target", value, "[target]", faults));
    let Some(table) = table else { return Target::default() };
    table.check_keys(&["architecture", "flatten", "unflatten"], faults);
    let architecture = table.string("architecture", faults).map(|path| {
        let path = PathBuf::from(path.into_inner());
        match folder {
            Some(folder) => folder.join(path),
            None => path,
        }
    });
    Target {
        architecture,
        is_nothing_flattened: is_nothing(&table, "flatten", faults),
        is_nothing_unflattened: is_nothing(&table, "unflatten", faults),
    }
}

/// Whether the key is there; its one value is `[]`.
fn is_nothing(table: &Table<'_>, key: &'static str, faults: &mut Faults) -> bool {
    const EXPECTED: &str = "`[]`: sizes of a map belong to the rule of one layer";
    let Some(value) = table.get(key) else { return false };
    match value.get_ref() {
        DeValue::Array(items) if items.is_empty() => {}
        DeValue::Array(_) => {
            faults.add(value.span(), FaultKind::Value { key: key.to_owned(), expected: EXPECTED });
        }
        other => wrong_type(key, value.span(), "`[]`", other, faults),
    }
    true
}

fn tables(root: &Table<'_>, faults: &mut Faults) -> Tables {
    let mut tables = Tables::new();
    let Some(value) = root.get("table") else { return tables };
    let Some(table) = Table::of("table", value, "[table]", faults) else { return tables };
    for (name, value) in table.entries() {
        let mut entries = Vec::new();
        match value.get_ref() {
            DeValue::Array(items) => {
                for (index, item) in (0_u64..).zip(items.iter()) {
                    if let Some(value) = entry(name.get_ref(), item, faults) {
                        entries.push((CaptureValue::Integer(index), value));
                    }
                }
            }
            DeValue::Table(items) => {
                for (key, item) in items {
                    if let Some(value) = entry(name.get_ref(), item, faults) {
                        entries.push((CaptureValue::Text(key.get_ref().to_string()), value));
                    }
                }
            }
            other => wrong_type(name.get_ref(), value.span(), "a list or a table", other, faults),
        }
        tables.insert(name.into_inner(), entries);
    }
    tables
}

/// A value of a look-up table.
fn entry(table: &str, value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<CaptureValue> {
    const EXPECTED: &str = "made of strings and integers from 0";
    match value.get_ref() {
        DeValue::String(text) => Some(CaptureValue::Text(text.to_string())),
        DeValue::Integer(integer) => match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Some(CaptureValue::Integer(number)),
            Err(_) => {
                faults.add(value.span(), FaultKind::Value { key: table.to_owned(), expected: EXPECTED });
                None
            }
        },
        other => {
            wrong_type(table, value.span(), EXPECTED, other, faults);
            None
        }
    }
}
