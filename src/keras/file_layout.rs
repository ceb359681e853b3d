//! Where each variable lies in each Keras file format: a tree of groups, attributes and datasets, without
//! bytes. What encodes the tree knows nothing of Keras.

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
    /// A one-dimensional array of fixed-length strings, as long as the longest.
    TextList(Vec<String>),
}

/// The tree of a file of that format. `written` tells which variables the file is to hold (all but waived
/// ones).
pub fn lay_out(_architecture: &Architecture, _format: Format, _written: &dyn Fn(usize) -> bool) -> Group {
    unimplemented!()
}
