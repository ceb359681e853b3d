//! Names with captures: `encoder.layer.{i}.{p:query|key}.weight`, `block_{i+1}/{TABLE[i]}`.

mod ambiguity;
mod captures;
mod error;
mod expression;
mod matcher;
mod name;
mod parse;
mod part;

pub use captures::Captures;
pub use error::{EvaluateError, PatternError, PatternErrorKind};
pub use expression::Tables;
pub use name::Pattern;
pub(crate) use parse::PARAMETER;
pub use part::{CaptureKind, CaptureValue, Separator};
