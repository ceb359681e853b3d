//! What rules had something to say about, for the notes.

use crate::tensor::StateDictKey;

/// What the making of the plan had something to say about.
#[derive(Default)]
pub(in crate::plan) struct Remarks {
    /// Layers that a sequence paired by the order of the files alone.
    pub(in crate::plan) by_order: Vec<usize>,
    /// Variables that are a part of a tensor, by `slice` or `take`.
    pub(in crate::plan) cut: Vec<usize>,
    /// Variables beside a flattened map whose rule leaves the features as they are, each with what is said of it.
    pub(in crate::plan) unpermuted: Vec<(String, usize)>,
    /// Keys of weights that an adapter changes as PEFT's file says, each with what it says.
    pub(in crate::plan) adapted: Vec<(String, StateDictKey)>,
}
