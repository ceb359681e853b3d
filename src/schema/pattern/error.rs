//! Why a text is not a pattern, and why a pattern has no value.

use std::ops::Range;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct PatternError {
    /// The part of the text that is wrong, in bytes.
    pub range: Range<usize>,
    /// What is wrong with it.
    pub kind: PatternErrorKind,
}

impl PatternError {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self.kind {
            PatternErrorKind::TooLong { .. } => "split the rule into several",
            PatternErrorKind::Unbalanced => {
                "close the capture with `}`; write `{{` and `}}` for braces in a name"
            }
            PatternErrorKind::Empty => "name the capture, as in `{i}`",
            PatternErrorKind::CaptureName { .. } => {
                "a capture's name is a letter or `_` followed by letters, digits or `_`"
            }
            PatternErrorKind::EmptyAlternative => "write the alternatives as `{x:a|b|c}`, none of them empty",
            PatternErrorKind::RepeatedAlternative { .. } => "leave one of the two out",
            PatternErrorKind::KindsDiffer { .. } => {
                "declare it once and write the bare `{name}` in the other places"
            }
            PatternErrorKind::PartOfSegment { .. } => {
                "`**` stands for whole segments: put separators around the capture, or use `*`"
            }
            PatternErrorKind::Ambiguous => {
                "put a separator between the captures, or list the alternatives: `{x:a|b}`"
            }
            PatternErrorKind::Expression { .. } => {
                "an expression has captures, integers, `+ - * // %`, parentheses and `TABLE[index]`"
            }
            PatternErrorKind::TooDeep => "leave out some of the parentheses",
        }
    }
}

/// What is wrong with a text that is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// Longer than any name.
    #[error("a pattern of {length} bytes is longer than the {limit} that are supported")]
    TooLong {
        /// Its length.
        length: usize,
        /// The longest one supported.
        limit: usize,
    },
    /// A brace without a partner.
    #[error("this brace has no partner")]
    Unbalanced,
    /// Nothing between the braces.
    #[error("the braces are empty")]
    Empty,
    /// What stands before the colon is no name.
    #[error("`{name}` is not a capture's name")]
    CaptureName {
        /// It.
        name: String,
    },
    /// An alternative without letters.
    #[error("an alternative is empty")]
    EmptyAlternative,
    /// An alternative listed twice.
    #[error("the alternative `{alternative}` is listed twice")]
    RepeatedAlternative {
        /// It.
        alternative: String,
    },
    /// One name declared with two meanings.
    #[error("the capture `{name}` is declared in two different ways")]
    KindsDiffer {
        /// The capture.
        name: String,
    },
    /// `{x:**}` beside letters.
    #[error("`{{{name}:**}}` is only a part of a segment")]
    PartOfSegment {
        /// The capture.
        name: String,
    },
    /// A name could be divided among the captures in several ways.
    #[error("names can match this in more than one way: the captures run into each other")]
    Ambiguous,
    /// Not an expression.
    #[error("{found} cannot stand here in an expression")]
    Expression {
        /// What was found instead.
        found: String,
    },
    /// Parentheses in parentheses in parentheses.
    #[error("the expression nests too deeply")]
    TooDeep,
}

/// Why a name cannot be computed from captures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// An expression reads a capture that has no value.
    #[error("the capture `{name}` has no value")]
    Unbound {
        /// The capture.
        name: String,
    },
    /// A capture that is joined has no segments, and something stands beside it: the rule does not speak of such a
    /// name.
    #[error("the capture `{name}` has no segments that could be joined")]
    NothingToJoin {
        /// The capture.
        name: String,
    },
    /// An expression computes with a text.
    #[error("`{value}` is not an integer and cannot be computed with in `{{{expression}}}`")]
    NotInteger {
        /// The expression.
        expression: String,
        /// The value.
        value: String,
    },
    /// The result, or a part of it, is negative or too large.
    #[error("`{{{expression}}}` leaves the integers from 0 to 2^64 - 1")]
    OutOfRange {
        /// The expression.
        expression: String,
    },
    /// A division by zero.
    #[error("`{{{expression}}}` divides by zero")]
    DivisionByZero {
        /// The expression.
        expression: String,
    },
    /// No table has that name.
    #[error("there is no table `{table}`")]
    NoTable {
        /// The table.
        table: String,
    },
    /// The table lacks the entry.
    #[error("the table `{table}` has no entry `{key}`")]
    NoEntry {
        /// The table.
        table: String,
        /// The key that was looked up.
        key: String,
    },
    /// What is left after putting the values in is no valid pattern.
    #[error("with its values put in, the pattern becomes `{text}`: {error}")]
    Pattern {
        /// The pattern with the values.
        text: String,
        /// What is wrong with it.
        error: PatternErrorKind,
    },
}
