//! The architecture: layers and their variables.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::bytes::LazyTensor;
use crate::tensor::{Dtype, Shape, VariablePath};

use super::Error;

/// A Keras model, as far as its weights go.
#[derive(Debug)]
pub struct Architecture {
    /// The file it was read from.
    pub path: PathBuf,
    /// What that file is.
    pub origin: Origin,
    /// Every layer that owns variables, and every model or wrapper around one, in the order in which
    /// `.weights.h5` is written (a nested model's layers follow it).
    pub layers: Vec<Layer>,
    /// Every variable, layer by layer, in the order of the layer's `vars` group.
    pub variables: Vec<Variable>,
}

/// What an architecture was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// `model.to_json()`.
    Json,
    /// A `.keras` archive.
    Archive,
    /// A `.weights.h5` of the same model: layer names from the `name` attributes, no configs.
    Template,
}

/// A layer or nested model.
#[derive(Debug)]
pub struct Layer {
    /// Layer names from the root (exclusive), joined by `/`; empty for the root itself.
    pub path: String,
    /// Other paths that lead to the same layer: the attribute path in a template (`conv1` for
    /// `self.conv1`), the further places of a shared layer.
    pub aliases: Vec<String>,
    /// The class (`Conv2D`), or `None` when a template does not tell.
    pub class: Option<String>,
    /// The layer's own variables, as a range of [`Architecture::variables`].
    pub variables: Range<usize>,
    /// The layer's group in `.weights.h5`: `layers/conv2d_1`; empty for the root.
    pub group: String,
    /// The layer's `config`, when the architecture has one.
    pub config: Option<serde_json::Value>,
    /// How the features on the last axis of the layer's input are ordered.
    pub features: FeatureOrder,
}

/// How the features that a layer reads were put in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureOrder {
    /// Channels of one position: nothing was flattened.
    Plain,
    /// A feature map of these sizes was flattened in row-major order: `[height, width, channels]` (of any
    /// rank, channels last). PyTorch flattens channels first.
    Flattened(Vec<usize>),
    /// The graph between the flattening and the layer (or its absence, in a template) does not tell. The
    /// text names the layer that hides it.
    Unknown(String),
}

/// One variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// The layer's path and the variable's name: `encoder/dense_1/kernel`. The index in the layer's `vars`
    /// group stands for a name that is not known.
    pub path: VariablePath,
    /// The layer that owns it, as an index into [`Architecture::layers`].
    pub layer: usize,
    /// The last part of the path: `kernel`, or an index.
    pub name: String,
    /// The index in the layer's `vars` group.
    pub index: usize,
    /// The shape.
    pub shape: Shape,
    /// The element type that the model holds it in.
    pub dtype: Dtype,
    /// Whether it was created trainable (moving statistics are not). Decides the order in legacy files.
    pub trainable: bool,
    /// Its value in the architecture's own file, when that has values.
    pub value: Option<LazyTensor>,
}

impl Architecture {
    /// Reads an architecture: `.json`, `.keras` or a `.weights.h5` template, told apart by content.
    ///
    /// # Errors
    /// When the file is none of these, breaks their rules, or does not tell the model's variables.
    pub fn open(_path: &Path) -> Result<Self, Error> {
        unimplemented!()
    }
}
