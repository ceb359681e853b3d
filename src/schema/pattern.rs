//! Names with captures: `encoder.layer.{i}.{p:query|key}.weight`, `block_{i+1}/{TABLE[i]}`.

use std::collections::BTreeMap;
use std::ops::Range;

/// A parsed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
}

/// What stands between the segments of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `.`, in state_dict keys.
    Dot,
    /// `/`, in Keras paths.
    Slash,
}

/// What a capture matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureKind {
    /// `{i}`: a decimal integer.
    Integer,
    /// `{x:a|b|c}`: one of several, in that order.
    Alternatives(Vec<String>),
    /// `{x:*}`: one segment.
    Segment,
    /// `{x:**}`: any number of segments.
    Segments,
}

/// The value of a capture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaptureValue {
    /// Of an integer capture.
    Integer(u64),
    /// Of any other.
    Text(String),
}

/// The values of a pattern's captures, by name.
pub type Captures = BTreeMap<String, CaptureValue>;

/// The look-up tables of a schema, by name; an entry per key, in order.
pub type Tables = BTreeMap<String, Vec<(CaptureValue, CaptureValue)>>;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a pattern")]
pub struct PatternError {
    /// The part of the text that is wrong, in bytes.
    pub range: Range<usize>,
}

/// Why a name cannot be computed from captures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot evaluate")]
pub struct EvaluateError;

impl Pattern {
    /// Parses a name.
    ///
    /// # Errors
    /// When braces do not match, a capture is declared twice, or two captures could share a name's letters
    /// in more than one way.
    pub fn parse(_text: &str, _separator: Separator) -> Result<Self, PatternError> {
        unimplemented!()
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The captures that the pattern binds when it matches, in order of appearance. Expressions
    /// (`{i+1}`, `{T[i]}`) bind nothing.
    #[must_use]
    pub fn captures(&self) -> &[(String, CaptureKind)] {
        unimplemented!()
    }

    /// The names that expressions read (`i` of `{2*i}` and of `{T[i]}`).
    #[must_use]
    pub fn reads(&self) -> Vec<&str> {
        unimplemented!()
    }

    /// Whether it has neither captures nor expressions.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        unimplemented!()
    }

    /// The captures' values when the whole of `name` matches. A pattern that still has expressions matches
    /// nothing.
    #[must_use]
    pub fn matches(&self, _name: &str) -> Option<Captures> {
        unimplemented!()
    }

    /// The pattern with every capture named in `values` and every expression replaced by its value. What
    /// `values` does not name stays a capture.
    ///
    /// # Errors
    /// When an expression reads a capture that has no value, leaves the integers, or finds no table entry.
    pub fn substitute(&self, _values: &Captures, _tables: &Tables) -> Result<Self, EvaluateError> {
        unimplemented!()
    }
}
