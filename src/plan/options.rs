//! What the caller of a plan decides.

use std::num::NonZeroUsize;

use crate::keras::Architecture;
use crate::keras::file_layout::{self, Form};
use crate::schema::Glob;
use crate::tensor::Dtype;

/// What the caller decides.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// The element type of every floating-point variable, instead of the architecture's.
    pub dtype: Option<Dtype>,
    /// What the plan is for: some formats and readers do not hold every element type.
    pub form: Form,
    /// Variables that may stay without a source.
    pub allow_missing: Vec<Glob>,
    /// Tensors that may stay without a use.
    pub allow_unexpected: Vec<Glob>,
    /// Whether the plan is to have the details of its bindings.
    pub explain: bool,
    /// Threads that work at a plan of many claims; by default as many as there are cores.
    pub threads: Option<NonZeroUsize>,
}

impl PlanOptions {
    /// The element type in the file of a variable that the model holds in `dtype`.
    #[must_use]
    pub fn stored_dtype(&self, architecture: &Architecture, dtype: Dtype) -> Dtype {
        match self.dtype {
            Some(chosen) if dtype.is_float() => chosen,
            Some(_) | None => file_layout::stored_dtype(architecture, &self.form, dtype),
        }
    }
}
