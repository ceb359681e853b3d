//! A plan: where every byte of every variable comes from.

use std::path::PathBuf;

use crate::keras::Architecture;
use crate::lazy::LazyTensor;
use crate::schema::Position;
use crate::tensor::{Dtype, StateDictKey, StridedCopy};

/// A plan without faults.
#[derive(Debug)]
pub struct Plan {
    /// The architecture.
    pub architecture: Architecture,
    /// The checkpoint's files, which the tensors are read from: no output may replace them.
    pub sources: Vec<PathBuf>,
    /// The prefix of the schema that was stripped from the keys.
    pub prefix: String,
    /// A binding for every variable to be written, in the architecture's order. A waived variable without a
    /// value has none.
    pub bindings: Vec<Binding>,
    /// Tensors that no variable reads, each with the reason.
    pub unused: Vec<(StateDictKey, Provenance)>,
    /// Variables that are left out because `--allow-missing` waived them, as indices.
    pub left_out: Vec<usize>,
    /// What the weights alone cannot make equal, and other remarks.
    pub notes: Vec<Note>,
}

/// What a variable is made of.
#[derive(Debug)]
pub struct Binding {
    /// The variable, as an index into the architecture's variables.
    pub variable: usize,
    /// The element type that the file is to hold.
    pub dtype: Dtype,
    /// The value.
    pub value: Value,
    /// The rule that says so.
    pub provenance: Provenance,
    /// The layout that was used, for people; empty for a copy of equal shape.
    pub layout: String,
}

/// A variable's value.
#[derive(Debug)]
pub enum Value {
    /// The sum of the terms; one term for anything that is not a reduction. Each term covers the whole
    /// variable.
    Gather(Vec<Term>),
    /// A constant.
    Fill(f64),
}

/// Parts that together write every element of the variable exactly once.
#[derive(Debug)]
pub struct Term {
    /// The parts.
    pub parts: Vec<Part>,
}

/// One strided copy from one tensor.
#[derive(Debug)]
pub struct Part {
    /// The tensor's name (empty for the architecture's own value).
    pub key: StateDictKey,
    /// The tensor. `copy`'s source offset and strides count elements of `source.bytes`: the tensor's own
    /// offset and strides are already in them.
    pub source: LazyTensor,
    /// From the tensor to the variable's row-major elements.
    pub copy: StridedCopy,
}

/// Where a decision came from.
#[derive(Debug, Clone)]
pub enum Provenance {
    /// A rule of the schema.
    Rule(Position),
    /// A rule of the schema, through the rules of a Keras class.
    Class {
        /// The class.
        class: String,
        /// The layer's rule.
        rule: Position,
    },
    /// A waiver on the command line.
    Waiver(String),
}

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The layer or variable it is about.
    pub about: String,
    /// The remark, a whole sentence.
    pub text: String,
}

impl Provenance {
    /// The rule, unless it was the command line.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        match self {
            Self::Rule(position) | Self::Class { rule: position, .. } => Some(position),
            Self::Waiver(_) => None,
        }
    }
}
