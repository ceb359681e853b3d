//! Why a tree cannot be encoded.

use crate::tensor::Dtype;

/// A tree that HDF5, or the subset that is written, cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An object header message holds at most 65,535 bytes.
    #[error(
        "attribute `{name}` of `{object}` takes {bytes} bytes and an HDF5 attribute holds {limit}: \
         it has to be split"
    )]
    AttributeTooLarge {
        /// The HDF5 path of the group or dataset.
        object: String,
        /// The attribute.
        name: String,
        /// Bytes of the message.
        bytes: usize,
        /// The most that fit.
        limit: usize,
    },
    /// An object header counts its messages in 16 bits.
    #[error("`{object}` has {count} attributes, more than an HDF5 object can hold")]
    TooManyAttributes {
        /// The HDF5 path of the group or dataset.
        object: String,
        /// How many there are.
        count: usize,
    },
    /// A name is empty, `.`, or holds `/` or NUL.
    #[error("`{name}` in `{group}` cannot be the name of an HDF5 object: rename the layer")]
    Name {
        /// The HDF5 path of the group.
        group: String,
        /// The name.
        name: String,
    },
    /// Two children of one group share a name.
    #[error("`{group}` has two children named `{name}`: rename one of the layers")]
    SameName {
        /// The HDF5 path of the group.
        group: String,
        /// The name.
        name: String,
    },
    /// Groups are nested deeper than is supported.
    #[error("`{group}` is nested deeper than {limit} groups")]
    TooDeep {
        /// The HDF5 path of the group.
        group: String,
        /// The deepest nesting.
        limit: usize,
    },
    /// HDF5 holds at most 32 axes.
    #[error("`{object}` has {rank} axes and an HDF5 dataset has at most {limit}")]
    Rank {
        /// The HDF5 path of the dataset.
        object: String,
        /// Axes of the variable.
        rank: usize,
        /// The most that HDF5 holds.
        limit: usize,
    },
    /// Keras does not load variables of the element type from a file.
    #[error("`{object}` is {dtype}, which Keras cannot load from a weight file")]
    ElementType {
        /// The HDF5 path of the dataset.
        object: String,
        /// The element type.
        dtype: Dtype,
    },
    /// The tree names a variable or a carried dataset that there are no values for.
    #[error("`{object}` holds what the plan does not write")]
    UnknownContent {
        /// The HDF5 path of the dataset.
        object: String,
    },
    /// A second name is that of nothing, or of another second name.
    #[error("`{group}` has a second name for something that it does not hold")]
    Alias {
        /// The HDF5 path of the group.
        group: String,
    },
    /// The file would be longer than can be counted.
    #[error("the file would be longer than 2^63 bytes")]
    TooLong,
}
