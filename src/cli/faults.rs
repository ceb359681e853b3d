//! The faults of a plan, grouped.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::escape::{escape, escape_message};
use super::excerpt;
use super::terminal::{ERROR, HEADING, HINT, PLACE, Terminal};
use crate::plan::{Fault, FaultDetail, FaultKind, Faults};
use crate::schema::Position;

/// The groups, in the order in which they are worth reading: what is wrong before what follows from it.
pub(super) const GROUPS: [(FaultKind, &str, &str); 7] = [
    (FaultKind::Rule, "rule", "rules that cannot be applied"),
    (FaultKind::Duplicate, "duplicate", "variables bound more than once"),
    (FaultKind::Ambiguous, "ambiguous", "more than one reading fits"),
    (FaultKind::Shape, "shape", "shapes that do not fit"),
    (FaultKind::Dtype, "dtype", "types that cannot be converted"),
    (FaultKind::Missing, "missing", "variables without a value"),
    (FaultKind::Unexpected, "unexpected", "tensors without a use"),
];

/// Faults of a group that are shown to people. One mistake makes hundreds, which differ in names alone; all are in the
/// report for machines.
pub(super) const SHOWN: usize = 10;

/// So many variables without a value, beside rules that cannot be applied, are told to follow from these
/// instead of what each could take its value from.
const FOLLOWING: usize = 3;

/// The hint of variables that probably lack a value because a rule cannot be applied.
const FOLLOWS: &str = "correct the rules that cannot be applied first: these variables may be theirs";

/// Tells all faults on stderr.
pub(super) fn report(faults: &Faults, terminal: Terminal) {
    terminal.label(ERROR, "error", format!("{faults}; nothing was written"));
    let follows = follows(faults);
    let mut text = String::new();
    let mut shown = HashSet::new();
    for (kind, name, meaning) in GROUPS {
        let group: Vec<&Fault> = faults.faults.iter().filter(|fault| fault.kind() == kind).collect();
        if group.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{HEADING}{name}{HEADING:#}: {meaning} ({})", group.len());
        // A hundred faults in a row with one hint need it once.
        let some = group.get(..SHOWN).unwrap_or(&group);
        for run in some.chunk_by(|one, next| hint(one, follows) == hint(next, follows)) {
            for fault in run {
                let message = escape_message(&fault.to_string()).replace('\n', "\n  ");
                let _ = writeln!(text, "  {message}");
                for position in places(fault) {
                    let _ = writeln!(text, "    {PLACE}at {}{PLACE:#}", place(position));
                    let quoted = blamed(fault, position);
                    // A hundred faults of one rule need its line once.
                    if shown.insert((quoted.file.name.clone(), quoted.span.clone())) {
                        excerpt::underline(&quoted, &mut text);
                    }
                }
            }
            if let Some(hint) = run.first().and_then(|fault| hint(fault, follows)) {
                let indent = if run.len() > 1 { "  " } else { "    " };
                let _ = writeln!(text, "{indent}{HINT}hint:{HINT:#} {}", escape(&terminal.asked.says(hint)));
            }
        }
        if group.len() > some.len() {
            let _ = writeln!(text, "  … and {} more (`--json` lists all)", group.len() - some.len());
        }
    }
    terminal.error_text(&text);
}

/// Whether the variables without a value probably lack it because rules cannot be applied.
pub(super) fn follows(faults: &Faults) -> bool {
    let count = |kind| faults.faults.iter().filter(|fault| fault.kind() == kind).count();
    count(FaultKind::Missing) >= FOLLOWING && count(FaultKind::Rule) > 0
}

/// What of a rule a fault is about: the value of a key, or the whole.
pub(super) fn blamed(fault: &Fault, rule: &Position) -> Position {
    keys(fault).iter().find_map(|key| rule.value_of(key)).unwrap_or_else(|| rule.clone())
}

/// The rules that a fault is about: two where they collide.
pub(super) fn places(fault: &Fault) -> Vec<&Position> {
    match &fault.detail {
        FaultDetail::Duplicate { first, second, .. } => vec![first, second],
        _ => fault.position.iter().collect(),
    }
}

/// The keys of a rule that a fault is about, the first that the rule has.
fn keys(fault: &Fault) -> &'static [&'static str] {
    match &fault.detail {
        FaultDetail::UnusedRule { keras: true, .. }
        | FaultDetail::UnknownTarget { .. }
        | FaultDetail::AmbiguousPath { .. }
        | FaultDetail::Evaluate { .. }
        | FaultDetail::UnknownClass { .. }
        | FaultDetail::UntoldClass { .. }
        | FaultDetail::Container { .. }
        | FaultDetail::UnknownVariable { .. }
        | FaultDetail::Duplicate { .. }
        | FaultDetail::NothingToKeep { .. } => &["keras"],
        FaultDetail::ClassMismatch { .. } => &["class"],
        FaultDetail::OrderContradiction { key: "flatten", .. }
        | FaultDetail::SeveralMaps { key: "flatten", .. } => &["flatten"],
        FaultDetail::OrderContradiction { .. } | FaultDetail::SeveralMaps { .. } => &["unflatten"],
        _ => &["torch", "keras"],
    }
}

/// What is said of a fault; what a rule is to blame for has a hint of its own.
pub(super) fn hint(fault: &Fault, follows: bool) -> Option<&str> {
    let is_missing = fault.kind() == FaultKind::Missing;
    if follows && is_missing && fault.position.is_none() { Some(FOLLOWS) } else { fault.hint.as_deref() }
}

/// The faults for machines.
pub(super) fn to_json(faults: &Faults) -> serde_json::Value {
    let fault = |fault: &Fault| {
        let kind = GROUPS.iter().find(|(kind, ..)| *kind == fault.kind()).map(|(_, name, _)| name);
        serde_json::json!({
            "kind": kind,
            "message": fault.to_string(),
            "rule": fault.position.as_ref().map(place),
            "hint": fault.hint,
        })
    };
    serde_json::json!({ "faults": faults.faults.iter().map(fault).collect::<Vec<_>>() })
}

/// `schema.toml:12`, and who uses the schema.
pub(super) fn place(position: &Position) -> String {
    format!("{}:{}{}", escape(&position.file.name), position.line(), escape(&position.file.user()))
}
