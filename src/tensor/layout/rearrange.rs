//! From a layout and shapes to strided copies.

/// The part of a source axis that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// `"start:end"`, as in Python, without negative numbers.
    Range {
        /// The first index.
        start: usize,
        /// One past the last; `None` for all that follow.
        end: Option<usize>,
    },
    /// `"fit"`: the first elements, as many as the target has.
    Fit,
}
