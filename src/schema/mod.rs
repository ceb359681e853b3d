//! Schemas: TOML to validated rules. Nothing of either side's files.

mod error;
mod load;
mod pattern;
mod rule;

pub use error::Error;
pub use load::{Bundled, bundled};
pub use pattern::{
    CaptureKind, CaptureValue, Captures, EvaluateError, Pattern, PatternError, Separator, Tables,
};
pub use rule::{
    Class, ClassVariable, Fill, Glob, Keep, LayerRule, Position, Reduce, Rule, RuleKind, Schema, SourceFile,
    TensorRule,
};
