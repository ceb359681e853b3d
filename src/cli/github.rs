//! `--format github`: errors, warnings and notes as annotations of GitHub Actions, each at its line.
//!
//! ```text
//! ::error file=schema.toml,line=9,col=9,title=ptw2k: rule::the rule for `conv3` matches no tensor of the checkpoint
//! ```
//!
//! The runner reads them from either stream ("Workflow commands for GitHub Actions"; what is escaped is in its
//! `ActionCommand.cs`).

use std::fmt::{self, Write as _};

use super::asked::Asked;
use super::escape::{escape, escape_lines};
use super::faults;
use crate::plan::{Fault, Faults};
use crate::schema::{self, Position};
use crate::zoo;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// What is marked: one annotation.
#[derive(Debug, Clone)]
pub(super) struct Annotation {
    pub(super) level: Level,
    pub(super) place: Option<Position>,
    /// What stands behind `ptw2k` in the title.
    pub(super) title: String,
    pub(super) message: String,
}

impl Annotation {
    /// One without a place.
    pub(super) fn new(level: Level, title: &str, message: impl Into<String>) -> Self {
        Self { level, place: None, title: title.to_owned(), message: message.into() }
    }

    fn error_at(place: Option<&Position>, title: &str, message: String) -> Self {
        Self { place: place.cloned(), ..Self::new(Level::Error, title, message) }
    }
}

/// As the runner reads it: a line.
impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut properties = String::new();
        let mut message = escape_lines(&self.message);
        match &self.place {
            Some(place) if is_file(place) => {
                let (file, line, column) = (property(&place.file.name), place.line(), place.column());
                write!(properties, "file={file},line={line},col={column},")?;
                if let Some(user) = place.file.user().strip_prefix(", ") {
                    write!(message, "\n({})", escape(user))?;
                }
            }
            Some(place) => message = format!("{place}: {message}"),
            None => {}
        }
        let (level, title) = (self.level.name(), property(&self.title));
        writeln!(f, "::{level} {properties}title=ptw2k{title}::{}", data(&message))
    }
}

/// A text for the log, which the runner takes for no command, whatever names are in it: it looks for one at the
/// beginning of each line, behind blanks, and for one of the old form anywhere.
pub(super) fn inert(text: &str) -> String {
    let line = |line: &str| {
        let mark = if line.trim_start().starts_with("::") { "| " } else { "" };
        format!("{mark}{}", line.replace("##[", "## ["))
    };
    text.split_inclusive(['\n', '\r']).map(line).collect()
}

/// The same of JSON, which stays what it is: its lines begin otherwise, and a string can spell a letter in two ways.
pub(super) fn inert_json(text: &str) -> String {
    text.replace("##[", "#\\u0023[")
}

/// Faults that one annotation tells: those of a rule, or those of a kind that no rule is to blame for.
struct Group<'f> {
    kind: &'static str,
    /// Where the rule is, and what of it is to blame.
    rule: Option<(Position, Position)>,
    faults: Vec<&'f Fault>,
}

/// The faults of a plan: one annotation for each rule that is to blame, and for each kind without a rule. GitHub shows
/// ten of a step.
pub(super) fn faults(found: &Faults, asked: Asked) -> Vec<Annotation> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut add = |kind: &'static str, rule: Option<&Position>, fault| {
        let place = rule.map(|rule| (rule.clone(), faults::blamed(fault, rule)));
        let is_same = |group: &&mut Group<'_>| match (&group.rule, rule) {
            (Some((one, _)), Some(other)) => one.file.name == other.file.name && one.span == other.span,
            (None, None) => group.kind == kind,
            (Some(_), None) | (None, Some(_)) => false,
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.faults.push(fault),
            None => groups.push(Group { kind, rule: place, faults: vec![fault] }),
        }
    };
    for (kind, name, _) in faults::GROUPS {
        for fault in found.faults.iter().filter(|fault| fault.kind() == kind) {
            match faults::places(fault).as_slice() {
                [] => add(name, None, fault),
                rules => rules.iter().for_each(|&rule| add(name, Some(rule), fault)),
            }
        }
    }
    let follows = faults::follows(found);
    let annotate = |group: &Group<'_>| {
        let place = group.rule.as_ref().map(|(_, place)| place);
        Annotation::error_at(place, &format!(": {}", group.kind), asked.says(&group.message(follows)))
    };
    groups.iter().map(annotate).collect()
}

impl Group<'_> {
    /// The faults, and after those with one hint the hint.
    fn message(&self, follows: bool) -> String {
        let some = self.faults.get(..faults::SHOWN).unwrap_or(&self.faults);
        let mut lines = Vec::new();
        let hint = |fault: &Fault| faults::hint(fault, follows).map(str::to_owned);
        for run in some.chunk_by(|one, next| hint(one) == hint(next)) {
            lines.extend(run.iter().map(|fault| fault.to_string()));
            lines.extend(run.first().and_then(|fault| hint(fault)).map(|hint| format!("hint: {hint}")));
        }
        if self.faults.len() > some.len() {
            lines.push(format!("… and {} more", self.faults.len() - some.len()));
        }
        lines.join("\n")
    }
}

/// What is wrong with a schema: one annotation each.
pub(super) fn schema(faults: &[schema::Fault]) -> Vec<Annotation> {
    let annotate = |fault: &schema::Fault| {
        let message = explained(fault, fault.help.as_deref(), fault.other.as_ref());
        Annotation::error_at(Some(&fault.position), ": schema", message)
    };
    faults.iter().map(annotate).collect()
}

/// What is wrong with the manifest of a zoo: one annotation for each place, which may stand for many jobs.
pub(super) fn manifest(faults: &[zoo::Fault]) -> Vec<Annotation> {
    let annotate = |same: &[zoo::Fault]| {
        let explain = |fault: &zoo::Fault| explained(fault, fault.help.as_deref(), fault.other.as_ref());
        let mut lines: Vec<String> = same.iter().take(faults::SHOWN).map(explain).collect();
        if let Some(more) = same.len().checked_sub(faults::SHOWN).filter(|&more| more > 0) {
            lines.push(format!("… and {more} more"));
        }
        Annotation::error_at(same.first().map(|fault| &fault.position), ": manifest", lines.join("\n"))
    };
    faults.chunk_by(|one, next| one.position.span == next.position.span).map(annotate).collect()
}

/// A fault with what is said beside it.
fn explained(
    fault: &dyn fmt::Display,
    help: Option<&str>,
    other: Option<&(Position, &'static str)>,
) -> String {
    let other = other.map(|(position, label)| format!("\n{position}: {label}")).unwrap_or_default();
    let help = help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    format!("{fault}{other}{help}")
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::SourceFile;

    fn check(name: &str, text: &str, message: &str, expected: &str) {
        let at = text.find('!').unwrap_or(0);
        let file = Arc::new(SourceFile::new(name, text));
        let place = Position { file, span: at..at + 1 };
        let annotation = Annotation::error_at(Some(&place), ": rule", message.to_owned());
        assert_eq!(annotation.to_string(), expected);
    }

    #[test]
    fn lines() {
        check(
            "a,b: 50%.toml",
            "x\ny !",
            "50%: a, b\nc",
            "::error file=a%2Cb%3A 50%25.toml,line=2,col=3,title=ptw2k%3A rule::50%25: a, b%0Ac\n",
        );
        check("bundled:a/b", "!", "m", "::error title=ptw2k%3A rule::bundled:a/b:1:1: m\n");
        // A name cannot begin a command of its own.
        check(
            "a\n::error::",
            "!",
            "m\r\n::error::",
            "::error file=a\\n%3A%3Aerror%3A%3A,line=1,col=1,title=ptw2k%3A rule::m\\r%0A::error::\n",
        );
        assert_eq!(Annotation::new(Level::of("note"), "", "m").to_string(), "::notice title=ptw2k::m\n");
        assert_eq!(Annotation::new(Level::of("warning"), "", "m").to_string(), "::warning title=ptw2k::m\n");
    }

    #[test]
    fn logs() {
        assert_eq!(inert("error: a::b\n  c\n"), "error: a::b\n  c\n");
        assert_eq!(inert("error: a\n ::stop-commands::x\n"), "error: a\n|  ::stop-commands::x\n");
        assert_eq!(inert("error: a\r::stop-commands::x\n"), "error: a\r| ::stop-commands::x\n");
        assert_eq!(inert("error: a##[error]b"), "error: a## [error]b");
    }
}
