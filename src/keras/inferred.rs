//! Shapes that the graph tells, or does not.

use std::rc::Rc;

use super::json::InputShape;

/// The shape of a tensor, or what hides it.
pub(super) type Inferred = Result<InputShape, Hidden>;

/// A layer or operation whose output shape is not known. Texts are shared: a tensor behind it carries them on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Hidden {
    /// The layer or operation, from the root.
    pub(super) by: Rc<str>,
    /// Its class, or the function that it calls.
    pub(super) class: Rc<str>,
}

impl Hidden {
    pub(super) fn new(by: &str, class: &str) -> Self {
        Self { by: by.into(), class: class.into() }
    }

    /// Of a model's input whose shape nothing tells.
    pub(super) fn unbuilt() -> Self {
        Self::new("", "")
    }

    /// Whether nothing but a missing input shape hides it.
    pub(super) fn is_unbuilt(&self) -> bool {
        self.by.is_empty()
    }
}
