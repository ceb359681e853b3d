//! The two names of a rule: parsed, and their captures made to agree.

use std::ops::Range;

use toml::Spanned;

use crate::schema::error::FaultKind;
use crate::schema::pattern::{CaptureKind, Pattern, Separator, Tables};
use crate::schema::reader::{Faults, Table, listed, near};

/// A parsed rule's names, with the places of their values.
pub(super) struct Pair {
    pub(super) torch: Pattern,
    pub(super) torch_span: Range<usize>,
    pub(super) keras: Vec<Pattern>,
    /// Of the whole value.
    pub(super) keras_span: Range<usize>,
}

/// Reads `torch` where it is one name; `None` after a fault.
pub(super) fn torch(table: &Table<'_>, faults: &mut Faults) -> Option<Spanned<String>> {
    table.required("torch", faults);
    table.string("torch", faults)
}

/// Parses a rule's names; `None` after a fault in either.
pub(super) fn parse(
    table: &Table<'_>,
    torch_text: Option<Spanned<String>>,
    keras: Vec<Spanned<String>>,
    tables: &Tables,
    faults: &mut Faults,
) -> Option<Pair> {
    let keras_span = table.get("keras")?.span();
    // A bare capture is of the kind that the other side declares, so the sides are parsed twice: first the
    // declarations, then with them.
    let mut declared = Vec::new();
    let torch = torch_text.as_ref().and_then(|text| name(text, Separator::Dot, &declared, faults));
    let (Some(torch_text), Some(mut torch)) = (torch_text, torch) else {
        // The other names are read for their faults alone.
        for text in &keras {
            name(text, Separator::Slash, &[], faults);
        }
        return None;
    };
    declared.extend(torch.declares());
    let mut patterns = Vec::new();
    for text in &keras {
        let pattern = name(text, Separator::Slash, &declared, faults)?;
        for (name, kind) in pattern.declares() {
            if !declared.iter().any(|(known, _)| *known == name) {
                declared.push((name, kind));
            }
        }
        patterns.push(pattern);
    }
    if declared.len() > torch.declares().len() {
        torch = name(&torch_text, Separator::Dot, &declared, faults)?;
        patterns = keras
            .iter()
            .map(|text| name(text, Separator::Slash, &declared, faults))
            .collect::<Option<Vec<_>>>()?;
    }
    if torch.computes() {
        faults.add(torch_text.span(), FaultKind::TorchComputes).help(
            "capture on the torch side and compute on the keras side: `torch = \"a.{i}\"`, `keras = \"a_{i+1}\"`",
        );
        return None;
    }
    let mut is_bound = true;
    for (pattern, text) in patterns.iter().zip(&keras) {
        is_bound &= check_reads(pattern, &torch, text, tables, faults);
    }
    is_bound.then_some(Pair { torch, torch_span: torch_text.span(), keras: patterns, keras_span })
}

/// Parses one name, or adds the fault.
pub(super) fn name(
    text: &Spanned<String>,
    separator: Separator,
    declared: &[(String, CaptureKind)],
    faults: &mut Faults,
) -> Option<Pattern> {
    match Pattern::parse_with(text.get_ref(), separator, declared) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let span = faults.within(text, error.range.clone());
            let help = error.help();
            faults.add(span, FaultKind::Pattern(error.kind)).help(help);
            None
        }
    }
}

fn check_reads(
    pattern: &Pattern,
    torch: &Pattern,
    text: &Spanned<String>,
    tables: &Tables,
    faults: &mut Faults,
) -> bool {
    let captured: Vec<&str> = torch.captures().iter().map(|(name, _)| name.as_str()).collect();
    let before = faults.list.len();
    for read in pattern.reads() {
        if !captured.contains(&read) {
            let help = if captured.is_empty() {
                "the torch side captures nothing".to_owned()
            } else {
                format!("the torch side captures {}", listed(&captured))
            };
            faults.add(text.span(), FaultKind::Unbound(read.to_owned())).help(help);
        }
    }
    for table in pattern.tables() {
        if !tables.contains_key(table) {
            let help = match near(table, tables.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add it: `[table]`, `{table} = [0, 3, 6]`"),
            };
            faults.add(text.span(), FaultKind::NoTable(table.to_owned())).help(help);
        }
    }
    faults.list.len() == before
}
