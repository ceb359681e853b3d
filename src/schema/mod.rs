//! Schemas: TOML to validated rules. Nothing of either side's files.
//!
//! `schemas/README.md` is the reference of the language.

mod axes;
pub mod bundled;
mod compose;
mod error;
mod glob;
mod mount;
mod open;
mod parse;
mod pattern;
mod position;
pub(crate) mod reader;
mod rule;
mod targets;

pub use error::{Error, Fault, FaultKind};
pub use glob::{Glob, GlobError};
pub(crate) use pattern::PARAMETER;
pub use pattern::{
    CaptureKind, CaptureValue, Captures, EvaluateError, Pattern, PatternError, PatternErrorKind, Separator,
    Tables,
};
pub use position::{Position, SourceFile};
pub use rule::{
    Class, ClassVariable, Compute, Fill, Formula, Inside, Keep, LayerRule, LowRank, NUMBER, Reduce, Rule,
    RuleKind, Schema, Scope, TensorRule,
};
