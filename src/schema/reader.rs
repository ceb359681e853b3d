//! Strict reading of TOML tables: every key known, every value of its type, every fault collected.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, FaultKind};
use super::position::{Position, SourceFile};

/// How alike a key must be to a known one to be taken for a misspelling (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.8;

/// The faults found so far.
pub(crate) struct Faults {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) list: Vec<Fault>,
}

impl Faults {
    pub(crate) fn position(&self, span: Range<usize>) -> Position {
        Position { file: Arc::clone(&self.file), span }
    }

    /// Adds a fault, to which help and another place may be added.
    pub(crate) fn add(&mut self, span: Range<usize>, kind: FaultKind) -> FaultEntry<'_> {
        let position = self.position(span);
        self.list.push(Fault { position, kind, help: None, other: None });
        FaultEntry(self)
    }

    /// A range of a string value's content as a range of the file: exact when the string has no escapes.
    pub(crate) fn within(&self, value: &Spanned<String>, range: Range<usize>) -> Range<usize> {
        let span = value.span();
        let raw = self.file.text.get(span.clone()).unwrap_or("");
        for quote in ["\"\"\"", "'''", "\"", "'"] {
            let content = raw.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
            if content == Some(value.get_ref()) {
                let start = span.start + quote.len();
                return start + range.start..start + range.end;
            }
        }
        span
    }
}

/// The fault that was added last.
pub(crate) struct FaultEntry<'a>(&'a mut Faults);

impl FaultEntry<'_> {
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        if let Some(fault) = self.0.list.last_mut() {
            fault.help = Some(help.into());
        }
        self
    }

    pub(crate) fn other(self, span: Range<usize>, label: &'static str) -> Self {
        let position = self.0.position(span);
        if let Some(fault) = self.0.list.last_mut() {
            fault.other = Some((position, label));
        }
        self
    }
}

/// A table of the file.
pub(crate) struct Table<'a> {
    entries: &'a DeTable<'a>,
    /// The header, or the whole of an inline table.
    span: Range<usize>,
    /// For messages: `[[tensor]]`.
    name: &'static str,
}

impl<'a> Table<'a> {
    /// The whole of a file, which messages call by that name.
    pub(crate) const fn root(entries: &'a DeTable<'a>, name: &'static str) -> Self {
        Self { entries, span: 0..0, name }
    }

    /// The table that a value is, or a fault.
    pub(crate) fn of(
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
        name: &'static str,
        faults: &mut Faults,
    ) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Self { entries, span: value.span(), name }),
            other => {
                wrong_type(key, value.span(), "a table", other, faults);
                None
            }
        }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// From the header to the end of the last value.
    pub(crate) fn whole_span(&self) -> Range<usize> {
        let end = self.entries.iter().map(|(_, value)| last_byte(value)).max();
        self.span.start..end.unwrap_or(self.span.end).max(self.span.end)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Spanned<String>, &'a Spanned<DeValue<'a>>)> {
        self.entries.iter().map(|(key, value)| (Spanned::new(key.span(), key.get_ref().to_string()), value))
    }

    /// A fault for every key that is not known.
    pub(crate) fn check_keys(&self, known: &[&str], faults: &mut Faults) {
        for (key, _) in self.entries() {
            let name = key.get_ref();
            if known.contains(&name.as_str()) {
                continue;
            }
            let help = match near(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", listed(known)),
            };
            let kind = FaultKind::UnknownKey { key: name.clone(), table: self.name };
            faults.add(key.span(), kind).help(help);
        }
    }

    /// A fault when the key is absent.
    pub(crate) fn required(
        &self,
        key: &'static str,
        faults: &mut Faults,
    ) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.get(key);
        if value.is_none() {
            faults.add(self.span(), FaultKind::Missing { key, table: self.name });
        }
        value
    }

    pub(crate) fn string(&self, key: &str, faults: &mut Faults) -> Option<Spanned<String>> {
        self.get(key).and_then(|value| string(key, value, "a string", faults))
    }

    pub(crate) fn boolean(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            other => {
                wrong_type(key, value.span(), "true or false", other, faults);
                None
            }
        }
    }

    /// A string or a list of strings, at least one; nothing when the key is absent or not that.
    pub(crate) fn strings(&self, key: &str, faults: &mut Faults) -> Vec<Spanned<String>> {
        const EXPECTED: &str = "a string or a list of strings";
        let Some(value) = self.get(key) else { return Vec::new() };
        let list = match value.get_ref() {
            DeValue::String(text) => vec![Spanned::new(value.span(), text.to_string())],
            DeValue::Array(items) => {
                items.iter().filter_map(|item| string(key, item, EXPECTED, faults)).collect()
            }
            other => {
                wrong_type(key, value.span(), EXPECTED, other, faults);
                return Vec::new();
            }
        };
        if let DeValue::Array(items) = value.get_ref()
            && items.is_empty()
        {
            let kind =
                FaultKind::Value { key: key.to_owned(), expected: "a string or a list that is not empty" };
            faults.add(value.span(), kind);
        }
        list
    }

    /// An inline table whose values `read` understands, with each key's place.
    pub(crate) fn map<T>(
        &self,
        key: &'static str,
        faults: &mut Faults,
        mut read: impl FnMut(&Spanned<DeValue<'a>>, &mut Faults) -> Option<T>,
    ) -> BTreeMap<String, (T, Range<usize>)> {
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let Some(table) = Table::of(key, value, key, faults) else { return BTreeMap::new() };
        let mut map = BTreeMap::new();
        for (name, value) in table.entries() {
            if let Some(value) = read(value, faults) {
                map.insert(name.get_ref().clone(), (value, name.span()));
            }
        }
        map
    }
}

pub(crate) fn string(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    expected: &'static str,
    faults: &mut Faults,
) -> Option<Spanned<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(Spanned::new(value.span(), text.to_string())),
        other => {
            wrong_type(key, value.span(), expected, other, faults);
            None
        }
    }
}

/// An integer that counts something; `least` is 0, 1 or 2.
pub(crate) fn count(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    least: usize,
    faults: &mut Faults,
) -> Option<usize> {
    let expected = match least {
        0 => "an integer from 0",
        1 => "an integer from 1",
        _ => "an integer above 1",
    };
    let DeValue::Integer(integer) = value.get_ref() else {
        wrong_type(key, value.span(), expected, value.get_ref(), faults);
        return None;
    };
    match usize::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) if number >= least => Some(number),
        Ok(_) | Err(_) => {
            faults.add(value.span(), FaultKind::Value { key: key.to_owned(), expected });
            None
        }
    }
}

/// A list of such integers.
pub(crate) fn counts(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    least: usize,
    faults: &mut Faults,
) -> Option<Vec<usize>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(|item| count(key, item, least, faults)).collect(),
        other => {
            wrong_type(key, value.span(), "a list of integers", other, faults);
            None
        }
    }
}

/// A number, whole or not.
pub(crate) fn number(key: &str, value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<f64> {
    let parsed = match value.get_ref() {
        DeValue::Float(float) => float.as_str().parse::<f64>(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse::<f64>(),
        other => {
            wrong_type(key, value.span(), "a number", other, faults);
            return None;
        }
    };
    match parsed {
        Ok(number) => Some(number),
        Err(_) => {
            faults.add(value.span(), FaultKind::Value { key: key.to_owned(), expected: "a number" });
            None
        }
    }
}

pub(crate) fn wrong_type(
    key: &str,
    span: Range<usize>,
    expected: &'static str,
    found: &DeValue<'_>,
    faults: &mut Faults,
) {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    faults.add(span, FaultKind::Type { key: key.to_owned(), expected, found });
}

/// The candidate that `name` most likely stands for.
pub(crate) fn near<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Names in backticks, separated by commas.
pub(crate) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn last_byte(value: &Spanned<DeValue<'_>>) -> usize {
    match value.get_ref() {
        DeValue::Table(entries) => {
            entries.iter().map(|(_, value)| last_byte(value)).max().unwrap_or(0).max(value.span().end)
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => value.span().end,
    }
}
