//! What the caller of a plan decides.

use std::num::NonZeroUsize;

use crate::keras::file_layout::Form;
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
