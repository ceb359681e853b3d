//! `[[use]]`: schemas within this one.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use crate::schema::compose::Loader;
use crate::schema::error::{Error, FaultKind};
use crate::schema::mount::{Mount, is_plain};
use crate::schema::reader::{Faults, Table, wrong_type};
use crate::schema::rule::Schema;

/// The schemas, each with the place of its table, names with what stands before them here.
pub(super) fn parse(
    root: &Table<'_>,
    folder: Option<&Path>,
    loader: &mut Loader,
    faults: &mut Faults,
) -> Result<Vec<(usize, Schema)>, Error> {
    let mut schemas = Vec::new();
    let Some(value) = root.get("use") else { return Ok(schemas) };
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type(
            "use",
            value.span(),
            "a list of tables: two brackets on each side",
            value.get_ref(),
            faults,
        );
        return Ok(schemas);
    };
    for item in items.iter() {
        let Some(table) = Table::of("use", item, "[[use]]", faults) else { continue };
        table.check_keys(&["schema", "torch", "keras"], faults);
        table.required("schema", faults);
        let torch = before(&table, "torch", '.', "empty or end in a dot, without captures", faults);
        let keras = before(&table, "keras", '/', "empty or end in a slash, without captures", faults);
        let Some(name) = table.string("schema", faults) else { continue };
        let place = faults.position(table.whole_span());
        let start = place.span.start;
        let Some(draft) = loader.load(&name, place, folder, faults)? else { continue };
        let mut schema = loader.complete(draft);
        if let Err(kind) = (Mount { torch, keras }).place(&mut schema) {
            faults.add(table.span(), kind).help("what stands before the names makes one too long");
        }
        schemas.push((start, schema));
    }
    Ok(schemas)
}

/// What stands before names.
fn before(
    table: &Table<'_>,
    key: &'static str,
    separator: char,
    expected: &'static str,
    faults: &mut Faults,
) -> String {
    let Some(text) = table.string(key, faults) else { return String::new() };
    let (text, span): (String, _) = (text.get_ref().clone(), Spanned::span(&text));
    if !is_plain(&text) || !(text.is_empty() || text.ends_with(separator)) {
        faults.add(span, FaultKind::Value { key: key.to_owned(), expected });
    }
    text
}
