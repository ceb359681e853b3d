//! Why a schema is not valid.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, SourceCode};

use super::glob::GlobError;
use super::pattern::PatternErrorKind;
use super::position::{Position, SourceFile};
use crate::tensor::LayoutErrorKind;

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read the schema {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is longer than any schema.
    #[error("the schema {} has {length} bytes, more than the {limit} that are supported", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: u64,
        /// The longest one supported.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{} is no schema: a schema is a text, TOML in UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// No file and no bundled schema of that name.
    #[error("there is no schema `{name}`: neither a file nor one of the bundled schemas{}", near_names(near))]
    Unknown {
        /// The name.
        name: String,
        /// Bundled schemas with a name like it.
        near: Vec<&'static str>,
    },
    /// The text breaks the rules of the language.
    #[error("the schema {}{} is not valid{}", file.name, file.user(), list(faults))]
    Invalid {
        /// The schema.
        file: Arc<SourceFile>,
        /// Everything that is wrong with it, in the order of the text.
        faults: Vec<Fault>,
    },
}

fn near_names(near: &[&str]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean `{}`?", near.join("` or `")) }
}

fn other_formula(name: &str) -> String {
    if name.is_empty() { ", which the rule does not have".to_owned() } else { format!(", not of \"{name}\"") }
}

/// Under a renderer of diagnostics the faults are shown on their own; the list is for all others.
fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {}: {fault}", fault.position)).collect()
}

impl Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::Unknown { .. } => Some(Box::new("`ptw2k schemas` lists the bundled schemas")),
            Self::Io { .. } | Self::TooLarge { .. } | Self::NotText { .. } | Self::Invalid { .. } => None,
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self {
            Self::Invalid { faults, .. } => {
                Some(Box::new(faults.iter().map(|fault| fault as &dyn Diagnostic)))
            }
            Self::Io { .. } | Self::TooLarge { .. } | Self::NotText { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// One thing that is wrong with a schema.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// Where.
    pub position: Position,
    /// What.
    pub kind: FaultKind,
    /// What to do about it.
    pub help: Option<String>,
    /// Another place that has to do with it, and what it is.
    pub other: Option<(Position, &'static str)>,
}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.position.file)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_primary_with_span(
            Some(self.kind.label().to_owned()),
            self.position.span.clone(),
        );
        let other = self.other.as_ref().map(|(position, label)| {
            LabeledSpan::new_with_span(Some((*label).to_owned()), position.span.clone())
        });
        Some(Box::new(std::iter::once(here).chain(other)))
    }
}

/// What can be wrong with a schema.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// Not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// `schema` is not a version that is known.
    #[error("schema version {0} is not known")]
    Version(String),
    /// A key that the language does not have.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// What it stands in.
        table: &'static str,
    },
    /// Another schema cannot be read.
    #[error("{0}")]
    NotLoaded(String),
    /// A schema that is a part of itself.
    #[error("schemas go round in a circle: {0}")]
    Cycle(String),
    /// Schemas in schemas, too many deep.
    #[error("schemas stand in each other more than {limit} deep: {chain}")]
    TooDeep {
        /// The schemas, the outermost first.
        chain: String,
        /// How deep they may.
        limit: usize,
    },
    /// A schema is made of too many.
    #[error("it is made of more than {limit} schemas")]
    TooManySchemas {
        /// How many there may be.
        limit: usize,
    },
    /// A key that must be there.
    #[error("{table} needs `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it is missing in.
        table: &'static str,
    },
    /// A value of another type.
    #[error("`{key}` must be {expected}, not {found}")]
    Type {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value of the right type that has no meaning.
    #[error("`{key}` must be {expected}")]
    Value {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Not a pattern.
    #[error("{0}")]
    Pattern(PatternErrorKind),
    /// Not a layout.
    #[error("{0}")]
    Layout(LayoutErrorKind),
    /// Not a glob.
    #[error("{0}")]
    Glob(#[from] GlobError),
    /// Not a formula.
    #[error("`{0}` is no formula that `compute` knows")]
    UnknownFormula(String),
    /// A name where a formula takes a table of them.
    #[error("`compute = \"{0}\"` takes a table of tensors")]
    TensorsOf(&'static str),
    /// A key of another formula.
    #[error("`{key}` is a key of `compute = {of}`{}", other_formula(name))]
    OtherFormula {
        /// The key.
        key: String,
        /// The formulas that have it.
        of: &'static str,
        /// The formula that the rule has; empty for none.
        name: &'static str,
    },
    /// A term that captures what splits the rule's tensor.
    #[error("the term captures `{0}`, by which the rule splits its tensor")]
    TermCapture(String),
    /// An expression in a state_dict key.
    #[error("a state_dict key cannot compute: names of tensors are matched, names of variables are made")]
    TorchComputes,
    /// `{*}` where there is no parameter to stand for.
    #[error("`{{*}}` stands for the names of a module's parameters, and cannot stand here")]
    ParameterName,
    /// An axis whose values are any text.
    #[error("the capture `{0}` is an axis, but its values are any text, which has no order")]
    TextAxis(String),
    /// An expression reads what the torch side does not capture.
    #[error("the capture `{0}` is not bound: the torch side does not have it")]
    Unbound(String),
    /// No table of that name.
    #[error("there is no table `{0}`")]
    NoTable(String),
    /// A capture on one side of a layer rule.
    #[error("the capture `{name}` stands only on the {side} side of a layer rule")]
    OneSided {
        /// The capture.
        name: String,
        /// `torch` or `keras`.
        side: &'static str,
    },
    /// A capture of one side that is also an axis of the tensor or of the variable.
    #[error("`{0}` is both a capture of one side and an axis that the {side} has itself", side = .1)]
    CaptureIsAxis(String, &'static str),
    /// An axis of the source that goes nowhere.
    #[error("the axis `{0}` stands on the left only: its elements would be lost")]
    AxisLost(String),
    /// `sizes`, `order`, `slice` or `take` of an axis that the layout does not have.
    #[error("`{key}` names the axis `{axis}`, which no layout of the rule has where it must")]
    NoAxis {
        /// The key.
        key: &'static str,
        /// The axis.
        axis: String,
    },
    /// `sizes`, `order`, `slice` or `take` without `layout`.
    #[error("`{0}` needs a `layout` that names the axes")]
    NoLayout(&'static str),
    /// Two rules write one variable or layer.
    #[error("`{0}` is the target of two rules")]
    DuplicateTarget(String),
}

impl FaultKind {
    /// What is said at the place itself.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "here",
            Self::Version(_) => "this version knows `schema = 1`",
            Self::UnknownKey { .. } => "not a key of the language",
            Self::NotLoaded(_) => "not to be had",
            Self::Cycle(_) => "names one that names it",
            Self::TooDeep { .. } | Self::TooManySchemas { .. } => "one too many",
            Self::Missing { .. } => "incomplete",
            Self::Type { .. } => "of the wrong type",
            Self::Value { .. } => "not valid",
            Self::UnknownFormula(_) => "no formula",
            Self::TensorsOf(_) => "one name",
            Self::OtherFormula { .. } => "of another formula",
            Self::TermCapture(_) => "in this term",
            Self::Pattern(_) | Self::TorchComputes | Self::ParameterName => "in this name",
            Self::Layout(_) => "in this layout",
            Self::Glob(_) => "in this glob",
            Self::Unbound(_) => "reads a capture that has no value",
            Self::NoTable(_) => "looks up a table that is not there",
            Self::OneSided { .. } => "on this side only",
            Self::CaptureIsAxis(..) => "one name for two things",
            Self::TextAxis(_) => "names an axis without an order",
            Self::AxisLost(_) => "left only",
            Self::NoAxis { .. } => "no such axis",
            Self::NoLayout(_) => "needs a layout",
            Self::DuplicateTarget(_) => "written again here",
        }
    }
}
