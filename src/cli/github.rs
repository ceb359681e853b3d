//! `--format github`: errors, warnings and notes as annotations of GitHub Actions, each at its line.
//!
//! ```text
//! ::error file=schema.toml,line=9,col=9,title=ptw2k: rule::the rule for `conv3` matches no tensor of the checkpoint
//! ```
//!
//! The runner reads them from either stream ("Workflow commands for GitHub Actions"; what is escaped is in its
//! `ActionCommand.cs`).

use std::fmt::Write as _;

use super::escape::{escape, escape_message};
use super::faults::{GROUPS, SHOWN, quoted};
use crate::plan::{Fault, Faults};
use crate::schema::{self, Position};

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    /// That of a line with this label.
    pub(super) fn of(label: &str) -> Self {
        match label {
            "error" => Self::Error,
            "note" | "hint" => Self::Notice,
            _ => Self::Warning,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// One annotation, a line.
pub(super) fn annotation(level: Level, place: Option<&Position>, title: &str, message: &str) -> String {
    let mut properties = String::new();
    let mut message = escape_message(message);
    match place {
        Some(place) if is_file(place) => {
            // Writing to a string cannot fail.
            let (file, line, column) = (property(&place.file.name), place.line(), place.column());
            let _ = write!(properties, "file={file},line={line},col={column},");
            message.push_str(&place.file.user());
        }
        Some(place) => message = format!("{place}: {message}"),
        None => {}
    }
    let (level, title) = (level.name(), property(title));
    format!("::{level} {properties}title=ptw2k{title}::{}\n", data(&message))
}

/// The faults of a plan: one annotation for each rule that is to blame, and for each kind without a rule.
pub(super) fn faults(found: &Faults) -> String {
    let mut text = String::new();
    let mut places: Vec<(String, &Position, &str, Vec<&Fault>)> = Vec::new();
    let mut others: Vec<(&str, Vec<&Fault>)> = Vec::new();
    for (kind, name, _) in GROUPS {
        for fault in found.faults.iter().filter(|fault| fault.kind() == kind) {
            let rules = quoted(fault);
            if rules.is_empty() {
                match others.iter_mut().find(|(other, _)| *other == name) {
                    Some((_, faults)) => faults.push(fault),
                    None => others.push((name, vec![fault])),
                }
            }
            for place in rules {}
        }
    }
    let _ = (&mut text, &mut places);
    text
}

/// What is wrong with a schema: one annotation each.
pub(super) fn schema(faults: &[schema::Fault]) -> String {
    let annotate = |fault: &schema::Fault| {
        let mut message = fault.to_string();
        if let Some((position, label)) = &fault.other {
            let _ = write!(message, "\n{position}: {label}");
        }
        if let Some(help) = &fault.help {
            let _ = write!(message, "\nhelp: {help}");
        }
        annotation(Level::Error, Some(&fault.position), ": schema", &message)
    };
    faults.iter().map(annotate).collect()
}

/// Bundled schemas are no files of the repository.
fn is_file(place: &Position) -> bool {
    !place.file.name.starts_with("bundled:")
}

/// The text of an annotation.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(&escape(text)).replace(':', "%3A").replace(',', "%2C")
}
