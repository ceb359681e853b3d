//! The architecture: layers and their variables.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{Dtype, Shape, VariablePath};

use super::carried::Carried;
use super::error::Error;
use super::json::Value;
use super::open;

/// A Keras model, as far as its weights go.
#[derive(Debug)]
pub struct Architecture {
    /// The file it was read from.
    pub path: PathBuf,
    /// What that file is.
    pub origin: Origin,
    /// Which Keras' rules the model follows.
    pub generation: Generation,
    /// Every layer that owns variables, and every model or wrapper around one, in the order in which
    /// `.weights.h5` is written (a nested model's layers follow it).
    pub layers: Vec<Layer>,
    /// Every variable, layer by layer, in the order of the layer's `vars` group.
    pub variables: Vec<Variable>,
    /// The layers without variables, in the same order; none in a template.
    pub weightless: Vec<Weightless>,
    /// The layers and weights of the legacy format as the file itself names and orders them, when it is one.
    pub legacy: Option<Vec<LegacyNames>>,
    /// What the file holds besides the model's variables.
    pub carried: Carried,
}

/// What an architecture was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// `model.to_json()`.
    Json,
    /// A `.keras` archive.
    Archive,
    /// An unzipped `.keras` archive: a folder with `config.json` and `model.weights.h5`.
    Folder,
    /// A whole model in HDF5, its configuration in the attribute `model_config`.
    WholeH5,
    /// A `.weights.h5` of the same model: layer names from the `name` attributes, no configs.
    Template,
    /// Sharded weights of the same model, by their index `.weights.json`; as a template.
    ShardedTemplate,
    /// Legacy weights of the same model: names and order of layers and weights, but no groups of
    /// `.weights.h5`.
    LegacyTemplate,
}

impl Origin {
    /// Whether the file holds the variables of a model and no configuration.
    #[must_use]
    pub const fn is_template(self) -> bool {
        matches!(self, Self::Template | Self::ShardedTemplate | Self::LegacyTemplate)
    }

    /// Whether the file holds values.
    #[must_use]
    pub const fn has_values(self) -> bool {
        !matches!(self, Self::Json)
    }
}

/// Which Keras' rules a model follows: they differ in the groups of some layers and in the names of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// Keras 2, up to 2.15.
    Keras2,
    /// Keras 3.
    Keras3,
}

/// A layer of a legacy file, with the names that the file gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyNames {
    /// The entry of `layer_names`.
    pub layer: String,
    /// The entries of `weight_names`, each with its variable as an index into [`Architecture::variables`].
    pub weights: Vec<(String, usize)>,
}

/// A layer or nested model.
#[derive(Debug)]
pub struct Layer {
    /// Layer names from the root (exclusive), joined by `/`; empty for the root itself.
    pub path: String,
    /// The layer's own name, the last of the path. Keras 2 lets it hold a `/`.
    pub name: String,
    /// Other paths that lead to the same layer: the attribute path in a template (`conv1` for
    /// `self.conv1`), the further places of a shared layer.
    pub aliases: Vec<String>,
    /// The class (`Conv2D`), or `None` when a template does not tell.
    pub class: Option<String>,
    /// Whether nothing but the layer's name in a template tells the class. Keras names a layer after its class
    /// (`dense_1`), but so may the model's author name another one: the plan must not let such a class choose
    /// among layouts alone.
    pub class_from_name: bool,
    /// How an `EinsumDense` reads its kernel, where something tells.
    pub kernel_axes: Option<KernelAxes>,
    /// The layer's own variables, as a range of [`Architecture::variables`].
    pub variables: Range<usize>,
    /// The layer's group in `.weights.h5`: `layers/conv2d_1`; empty for the root.
    pub group: String,
    /// The layers directly inside it that hold variables, in the order of the walk, as indices into
    /// [`Architecture::layers`]: also a shared one that was met elsewhere first. None in a template.
    pub inside: Vec<usize>,
    /// The layer's `config`, when the architecture has one.
    pub config: Option<Value>,
    /// How the features on the last axis of the layer's input are ordered.
    pub features: FeatureOrder,
    /// How the features on the last axis of the layer's output are ordered for what reads them.
    pub outputs: FeatureOrder,
}

/// How the equation of an `EinsumDense` reads the axes of its kernel: `abc,ced->abde` contracts the first, and makes
/// of the third and the second, in that order, the features that an `nn.Linear` makes in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelAxes {
    /// The axes that are contracted with the input, in the order of the input.
    pub input: Vec<usize>,
    /// The axes that the output has of it alone, in the order of the output. An axis in neither list is one of the
    /// input and the output both, for which an `nn.Linear` has nothing.
    pub output: Vec<usize>,
    /// Whether the bias, if there is one, is of the output's axes in `output` alone.
    pub has_plain_bias: bool,
}

/// A layer without variables, or an operation of `keras.ops` in the graph. Its settings decide what the model computes
/// all the same.
#[derive(Debug, Clone)]
pub struct Weightless {
    /// Layer names from the root, joined by `/`.
    pub path: String,
    /// The class: `MaxPooling2D`.
    pub class: String,
    /// Its `config`.
    pub config: Value,
}

/// How the features that a layer reads were put in order, or how those that it makes are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureOrder {
    /// Channels of one position: nothing was flattened, nothing is unflattened.
    Plain,
    /// A feature map of these sizes was flattened in row-major order: `[height, width, channels]` (of any
    /// rank, channels last). PyTorch flattens channels first. Of a layer's output: it becomes such a map.
    Flattened(Vec<usize>),
    /// Features in several orders meet, so that no map's is that of all of them. The text names the layer where.
    Mixed(String),
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
    /// The name that Keras 3 has for it, `kernel`, or an index. It is the last part of the path, unless Keras 2 has
    /// another name there.
    pub name: Cow<'static, str>,
    /// The index in the layer's `vars` group.
    pub index: usize,
    /// The shape.
    pub shape: Shape,
    /// The element type that the model holds it in.
    pub dtype: Dtype,
    /// Whether it was created trainable (moving statistics are not). Decides the order in legacy files.
    pub trainable: bool,
    /// The value that Keras gives it, when it is bookkeeping of Keras' own that no checkpoint has: the scales and
    /// maxima of float8 training.
    pub initial: Option<f64>,
    /// Its value in the architecture's own file, when that has values.
    pub value: Option<Box<LazyTensor>>,
}

impl Variable {
    /// Takes the value that the model's own file has. A whole number has the type that the file says: which one a count
    /// has depends on Keras' backend (`int64` of TensorFlow), which no configuration tells.
    pub(super) fn take(&mut self, value: LazyTensor) {
        if [self.dtype, value.dtype].iter().all(|dtype| matches!(dtype, Dtype::I32 | Dtype::I64)) {
            self.dtype = value.dtype;
        }
        self.value = Some(Box::new(value));
    }
}

impl Architecture {
    /// Reads an architecture: `.json`, `.keras` (also unzipped), a whole-model `.h5`, or a template, told apart
    /// by content.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use ptw2k::keras::Architecture;
    ///
    /// let architecture = Architecture::open(Path::new("testdata/mnist/arch.json"))?;
    /// let first = &architecture.variables[0];
    /// assert_eq!(first.path.as_str(), "conv1/kernel");
    /// assert_eq!(first.shape.sizes(), [3, 3, 1, 6]);
    /// # Ok::<(), ptw2k::keras::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the file is none of these, breaks their rules, or does not tell the model's variables.
    pub fn open(path: &Path) -> Result<Self, Error> {
        open::read(path).map_err(|kind| Error { path: path.to_owned(), kind })
    }

    /// The weights that a file of a whole model holds, as a template: without what its configuration would tell of
    /// names and classes. For a model whose configuration does not tell its variables
    /// ([`ErrorKind::is_untold`](super::ErrorKind::is_untold)).
    ///
    /// # Errors
    /// When the file holds no weights, or breaks the rules of its form.
    pub fn of_weights(path: &Path) -> Result<Self, Error> {
        open::read_weights(path).map_err(|kind| Error { path: path.to_owned(), kind })
    }

    /// Reads bytes as the file at that path. The shards of an index are files of their own, next to it.
    ///
    /// # Errors
    /// As [`Architecture::open`].
    pub fn from_bytes(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        open::read_bytes(path, bytes).map_err(|kind| Error { path: path.to_owned(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{ByteOrder, Strided};

    fn check(own: Dtype, stored: Dtype, expected: Dtype) {
        let shape = Shape::new([]).unwrap();
        let storage = Bytes::held(vec![0; 8]).into();
        let view = Strided::contiguous(shape.clone());
        let mut variable = Variable {
            path: VariablePath::new("n/count"),
            layer: 0,
            name: "count".into(),
            index: 2,
            shape,
            dtype: own,
            trainable: false,
            initial: None,
            value: None,
        };
        variable.take(LazyTensor { dtype: stored, view, byte_order: ByteOrder::Little, storage });
        assert_eq!(variable.dtype, expected, "{own} {stored}");
    }

    #[test]
    fn whole_numbers_are_of_the_file() {
        check(Dtype::I32, Dtype::I64, Dtype::I64);
        check(Dtype::I64, Dtype::I32, Dtype::I32);
        // bfloat16 may be stored as float32.
        check(Dtype::Bf16, Dtype::F32, Dtype::Bf16);
        check(Dtype::I32, Dtype::F32, Dtype::I32);
    }
}
