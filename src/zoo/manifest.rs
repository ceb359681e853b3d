//! The manifest's text.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Error, Fault};
use super::settings::{KEYS, Settings};
use crate::schema::reader::{Faults, Table, wrong_type};
use crate::schema::{FaultKind, Position, SourceFile};

/// The longest manifest, in bytes: a hundred thousand jobs of a few lines each.
const MAX_LENGTH: u64 = 16 << 20;

/// Syntax errors reported at most: what follows the first few is mostly their consequence.
const MAX_SYNTAX_ERRORS: usize = 5;

/// The jobs as they are written.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) file: Arc<SourceFile>,
    pub(super) entries: Vec<Entry>,
}

/// A `[[job]]`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) checkpoint: Spanned<String>,
    /// Its own settings over the defaults.
    pub(super) settings: Settings,
    /// Its header.
    pub(super) position: Position,
}

impl Manifest {
    /// Reads a manifest. What is wrong with it is in the faults; what is left of it can still be checked.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Fault>), Error> {
        let fail = |source| Error::Io { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(fail)?.len();
        if length > MAX_LENGTH {
            return Err(Error::TooLarge { path: path.to_owned(), length, limit: MAX_LENGTH });
        }
        let text = std::fs::read(path).map_err(fail)?;
        let text = String::from_utf8(text).map_err(|_| Error::NotText { path: path.to_owned() })?;
        Ok(Self::parse(&path.display().to_string(), text))
    }

    pub(super) fn parse(name: &str, text: String) -> (Self, Vec<Fault>) {
        let file = Arc::new(SourceFile::new(name, text));
        let mut faults = Faults { file: Arc::clone(&file), list: Vec::new() };
        let mut own = Vec::new();
        let (root, errors) = DeTable::parse_recoverable(&file.text);
        for error in errors.into_iter().take(MAX_SYNTAX_ERRORS) {
            let span = error.span().unwrap_or(0..0);
            faults.add(span, FaultKind::Syntax(error.message().to_owned()));
        }
        let mut entries = Vec::new();
        if faults.list.is_empty() {
            let root = Table::root(root.get_ref(), "the manifest");
            root.check_keys(&["defaults", "job"], &mut faults);
            let defaults = root.get("defaults");
            let defaults = defaults.and_then(|value| Table::of("defaults", value, "[defaults]", &mut faults));
            let defaults = defaults.map(|table| {
                table.check_keys(KEYS, &mut faults);
                Settings::read(&table, &mut faults, &mut own)
            });
            let defaults = defaults.unwrap_or_default();
            for item in items(&root, &mut faults) {
                entries.extend(entry(item, &defaults, &mut faults, &mut own));
            }
        }
        own.extend(faults.list.into_iter().map(Fault::from));
        (Self { file, entries }, own)
    }
}

fn items<'a>(root: &Table<'a>, faults: &mut Faults) -> &'a [Spanned<DeValue<'a>>] {
    match root.get("job").map(|value| (value.get_ref(), value.span())) {
        Some((DeValue::Array(items), _)) => items,
        Some((other, span)) => {
            wrong_type("job", span, "a list of tables: two brackets on each side", other, faults);
            &[]
        }
        None => &[],
    }
}

fn entry(
    item: &Spanned<DeValue<'_>>,
    defaults: &Settings,
    faults: &mut Faults,
    own: &mut Vec<Fault>,
) -> Option<Entry> {
    let table = Table::of("job", item, "[[job]]", faults)?;
    let known: Vec<&str> = std::iter::once("checkpoint").chain(KEYS.iter().copied()).collect();
    table.check_keys(&known, faults);
    table.required("checkpoint", faults);
    let settings = Settings::read(&table, faults, own).or(defaults);
    if settings.schema.is_none() {
        let kind = FaultKind::Missing { key: "schema", table: "[[job]]" };
        faults.add(table.span(), kind).help("name it here, or for all jobs in [defaults]");
    }
    let checkpoint = table.string("checkpoint", faults)?;
    Some(Entry { checkpoint, settings, position: faults.position(table.span()) })
}
