//! Why a distributed checkpoint cannot be read.

use crate::checkpoint::pickle::PickleError;
use crate::lazy::AssembleError;
use crate::tensor::{Printable, ShapeError, StateDictKey};

/// Why a folder of `torch.distributed.checkpoint` cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DcpError {
    /// No `.metadata`: without it nobody knows what the other files hold.
    #[error(
        "the folder has no file `.metadata`, which says where the tensors are: the save was not finished, \
         or the file was left behind when the folder was copied"
    )]
    NoMetadata,
    /// A `.metadata` larger than any.
    #[error("the file `.metadata` has {bytes} bytes; at most {limit} are read")]
    MetadataTooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The pickle of the metadata breaks the rules.
    #[error("the file `.metadata` cannot be read: {0}")]
    Pickle(#[from] PickleError),
    /// The metadata is not what torch writes.
    #[error("the file `.metadata` is not what torch writes: {what}{}", of(key))]
    Metadata {
        /// What is wrong.
        what: &'static str,
        /// Of which entry.
        key: Option<StateDictKey>,
    },
    /// The global sizes of a tensor, or those of a chunk, are no shape.
    #[error("the sizes of the tensor `{key}` in `.metadata` are no shape: {reason}")]
    Shape {
        /// The tensor.
        key: StateDictKey,
        /// The reason.
        reason: ShapeError,
    },
    /// Two entries claim one place in the nested dictionaries.
    #[error("the entry `{key}` lies where another entry lies, or under one that is no dictionary")]
    Place {
        /// The entry.
        key: StateDictKey,
    },
    /// An entry, or a chunk of a tensor, of which no file holds the values.
    #[error("the `.metadata` does not say where the values of `{key}` are, from {offsets:?} on")]
    NoValues {
        /// The entry.
        key: StateDictKey,
        /// Which chunk; empty for what is no tensor.
        offsets: Vec<usize>,
    },
    /// Stored through a transformation (compression, encryption).
    #[error(
        "the values of `{key}` were stored through a transformation (such as compression), which is not \
         supported; save without one, or use torch.distributed.checkpoint.format_utils.dcp_to_torch_save"
    )]
    Transformed {
        /// The entry.
        key: StateDictKey,
    },
    /// An item that is not all in its file.
    #[error(
        "the values of `{key}` are at bytes {offset} to {offset}+{length} of `{}`, which has {bytes} bytes: \
         the file is truncated, or belongs to another save",
        Printable(file)
    )]
    OutsideFile {
        /// The entry.
        key: StateDictKey,
        /// The file.
        file: String,
        /// The first byte.
        offset: u64,
        /// Bytes.
        length: u64,
        /// Bytes of the file.
        bytes: usize,
    },
    /// Two items that share bytes of a file.
    #[error("two items share the bytes from {offset} on of `{}`", Printable(file))]
    ItemsOverlap {
        /// The file.
        file: String,
        /// Where the second one starts.
        offset: u64,
    },
    /// An item that is no single tensor.
    #[error("the item is no tensor but a {what}")]
    NotATensor {
        /// What it is.
        what: String,
    },
    /// A safetensors file without the tensor.
    #[error("the file does not hold the tensor `{key}`, which `.metadata` says is in it")]
    NotInFile {
        /// The tensor.
        key: StateDictKey,
    },
    /// An item that is another tensor than the metadata says.
    #[error("the item is a tensor of {found}, where `.metadata` says {expected}")]
    Differs {
        /// Type and shape in the item.
        found: String,
        /// Type and shape in the metadata.
        expected: String,
    },
    /// The chunks of a tensor are no whole.
    #[error("the tensor `{key}` cannot be put together: {reason}")]
    Assemble {
        /// The tensor.
        key: StateDictKey,
        /// The reason.
        reason: Box<AssembleError>,
    },
    /// A tensor of more bytes than its chunks have.
    #[error("the tensor `{key}` has {bytes} bytes, of which its files hold {stored}")]
    Expanded {
        /// The tensor.
        key: StateDictKey,
        /// Bytes when contiguous.
        bytes: usize,
        /// Bytes that are stored.
        stored: usize,
    },
    /// A safetensors file without the offsets of its tensors.
    #[error("its metadata DCP_SHARDING_INFO is not what torch writes: {reason}")]
    ShardingInfo {
        /// The reason.
        reason: serde_json::Error,
    },
    /// A tensor of a safetensors file without its offsets, or with those of another rank.
    #[error("its metadata DCP_SHARDING_INFO does not say where the part of the tensor `{key}` lies")]
    NoOffsets {
        /// The tensor.
        key: StateDictKey,
    },
    /// The safetensors files of one rank of which one is missing.
    #[error("the file `{}` is missing; get it again, or the whole folder", Printable(name))]
    MissingFile {
        /// Its name.
        name: String,
    },
    /// More files than any checkpoint has.
    #[error("the folder has more than {limit} files of a checkpoint")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
}

fn of(key: &Option<StateDictKey>) -> String {
    key.as_ref().map_or_else(String::new, |key| format!(" (entry `{key}`)"))
}
