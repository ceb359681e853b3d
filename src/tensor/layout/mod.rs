//! Layout expressions, `(h d) e -> e h d`: parsed, solved against shapes, turned into strided copies.

mod expression;
mod rearrange;
mod solve;

pub use expression::{Layout, LayoutError, LayoutErrorKind};
pub use rearrange::{Capture, Operation, Rearranged, Slice, SourcePiece, TargetPiece, rearrange};
pub use solve::{Side, SolveError};
