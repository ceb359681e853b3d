//! Where each variable lies in each Keras file format: a tree of groups, attributes and datasets, without
//! bytes. What encodes the tree knows nothing of Keras.

use crate::tensor::{Dtype, VariablePath};

use super::Architecture;

/// The formats that can be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `.weights.h5` of Keras 3.
    WeightsH5,
    /// Weights-only `.h5` of Keras 2, read by all versions.
    LegacyH5,
}

/// A group of an HDF5 file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// The attributes, in the order in which they are written.
    pub attributes: Vec<Attribute>,
    /// The children; names are unique and hold no `/`.
    pub children: Vec<(String, Node)>,
}

/// A child of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A group.
    Group(Group),
    /// A dataset.
    Dataset(Dataset),
}

/// A dataset that holds one variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The variable, as an index into [`Architecture::variables`].
    pub variable: usize,
    /// The attributes: `dtype` = `bfloat16` where the elements are bfloat16, which HDF5 has no type for.
    pub attributes: Vec<Attribute>,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The value.
    pub value: AttributeValue,
}

/// The kinds of value that Keras reads from attributes.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A scalar variable-length UTF-8 string.
    Text(String),
    /// A one-dimensional array of fixed-length strings, as long as the longest. Empty for a list of no
    /// names, which h5py writes as an array of shape `(0,)`.
    TextList(Vec<String>),
}

/// Why an architecture has no layout in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Legacy files are read by position, and a template does not tell the order of the layers.
    #[error(
        "a legacy `.h5` is read by the position of its layers, and a template does not tell their order: \
         give the architecture as `model.to_json()` or `.keras`, or write a `.weights.h5`"
    )]
    LayerOrder,
    /// bfloat16 in a legacy file cannot be loaded by any version of Keras.
    #[error("Keras cannot load bfloat16 from a legacy `.h5` (variable `{variable}`): write it as float32")]
    Bfloat16 {
        /// The variable.
        variable: VariablePath,
    },
    /// Two things of the file have one name.
    #[error("two datasets or groups of the file are named `{path}`: rename one of the layers")]
    SameName {
        /// The HDF5 path.
        path: String,
    },
}

/// The tree of a file of that format. `written` tells the element type that the file is to hold for a
/// variable, or `None` for one that is left out (waived).
///
/// # Errors
/// When the format cannot hold the architecture so that Keras reads it.
pub fn lay_out(
    _architecture: &Architecture,
    _format: Format,
    _written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<Group, LayoutError> {
    unimplemented!()
}

/// The path of a variable's dataset in a file of that format, without a leading `/`:
/// `layers/dense/vars/0`, `dense/dense/kernel`. `None` when there is no such variable.
#[must_use]
pub fn dataset_path(_architecture: &Architecture, _format: Format, _variable: usize) -> Option<String> {
    unimplemented!()
}
