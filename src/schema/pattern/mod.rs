//! Names with captures: `encoder.layer.{i}.{p:query|key}.weight`, `block_{i+1}/{TABLE[i]}`.

mod ambiguity;
mod error;
mod expression;
mod name;
mod parse;

pub use error::{EvaluateError, PatternError, PatternErrorKind};
pub use expression::Tables;
pub use name::{CaptureKind, CaptureValue, Captures, Pattern, Separator};
