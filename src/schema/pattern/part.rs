//! What patterns are made of, and their spelling.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::expression::Expression;

/// What a pattern consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Capture {
        name: Arc<str>,
        kind: CaptureKind,
        /// Written without a kind.
        is_bare: bool,
        joint: Joint,
        /// The braces' place in the pattern.
        range: Range<usize>,
    },
    Expression {
        /// What stands between the braces.
        text: String,
        tree: Expression,
    },
}

/// The separator that belongs to a `{x:**}` and goes when it stands for no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    None,
    Before,
    After,
}

/// What stands between the segments of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `.`, in state_dict keys.
    Dot,
    /// `/`, in Keras paths.
    Slash,
}

impl Separator {
    /// The separator itself.
    #[must_use]
    pub const fn as_char(self) -> char {
        match self {
            Self::Dot => '.',
            Self::Slash => '/',
        }
    }
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
    /// Of any other. The segments of `{x:**}` are joined by `/` here, whatever separated them in the name,
    /// so that `a.b` on one side is `a/b` on the other.
    Text(String),
}

impl CaptureValue {
    /// The value as an integer: also of a text that is a canonical decimal (`{k:0|3|6}`).
    #[must_use]
    pub fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Text(text) => match text.parse::<u64>() {
                Ok(value) if value.to_string() == *text => Some(value),
                Ok(_) | Err(_) => None,
            },
        }
    }
}

impl fmt::Display for CaptureValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => fmt::Display::fmt(value, f),
            Self::Text(text) => f.pad(text),
        }
    }
}

/// Parts as text: the name itself when nothing but letters is left, else in the notation of patterns.
pub(super) fn render(parts: &[Part], separator: Separator) -> String {
    if let [Part::Text(text)] = parts {
        return text.clone();
    }
    let separator = separator.as_char();
    let mut result = String::new();
    for part in parts {
        match part {
            Part::Text(text) => result.push_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Expression { text, .. } => result.push_str(&format!("{{{text}}}")),
            Part::Capture { name, kind, joint, .. } => {
                let capture = match kind {
                    CaptureKind::Integer => format!("{{{name}}}"),
                    CaptureKind::Alternatives(list) => format!("{{{name}:{}}}", list.join("|")),
                    CaptureKind::Segment => format!("{{{name}:*}}"),
                    CaptureKind::Segments => format!("{{{name}:**}}"),
                };
                match joint {
                    Joint::None => result.push_str(&capture),
                    Joint::Before => result.push_str(&format!("{separator}{capture}")),
                    Joint::After => result.push_str(&format!("{capture}{separator}")),
                }
            }
        }
    }
    result
}
