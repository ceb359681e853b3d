//! Layout expressions: `(h d) e -> e h d`.

use std::ops::Range;

/// A parsed layout expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    text: String,
    left: Vec<Group>,
    right: Vec<Group>,
}

/// One axis of a tensor, as the product of named axes; no names for a unit axis.
pub(crate) type Group = Vec<String>;

/// Why a text is not a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a layout")]
pub struct LayoutError {
    /// The part of the text that is wrong, in bytes.
    pub range: Range<usize>,
}

impl Layout {
    /// Parses an expression.
    ///
    /// # Errors
    /// When it is not `left -> right`, parentheses do not match, or a side names an axis twice.
    pub fn parse(_text: &str) -> Result<Self, LayoutError> {
        unimplemented!()
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The groups of the left side, one per source axis.
    pub(crate) fn left(&self) -> &[Group] {
        &self.left
    }

    /// The groups of the right side, one per target axis.
    pub(crate) fn right(&self) -> &[Group] {
        &self.right
    }
}
