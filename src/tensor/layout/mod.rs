//! Layout expressions, `(h d) e -> e h d`: parsed, solved against shapes, turned into strided copies.

mod expression;
mod rearrange;

pub use expression::{Layout, LayoutError, LayoutErrorKind};
pub use rearrange::Slice;
