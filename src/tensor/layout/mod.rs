//! Layout expressions, `(h d) e -> e h d`: parsed, solved against shapes, turned into strided copies.

mod equations;
mod error;
mod expression;
mod grid;
mod inverse;
mod operation;
mod rearrange;
mod solve;

pub use equations::SizeEquation;
pub use error::SolveError;
pub use expression::{Layout, LayoutError, LayoutErrorKind};
pub use inverse::{Inverse, Nature};
pub use operation::{Capture, Operation, Slice};
pub use rearrange::{Rearranged, SourcePiece, TargetPiece, rearrange};
pub use solve::Side;
