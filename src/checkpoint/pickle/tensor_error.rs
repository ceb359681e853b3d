//! Why a tensor cannot be read.

use crate::lazy::{DensifyError, DequantizeError, LoadError, ResolveError};
use crate::tensor::{Dtype, Printable, ShapeError, StridedError};

/// Why a tensor of the state_dict cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// A kind of tensor that is not supported.
    #[error("{0}")]
    Unsupported(UnsupportedTensor),
    /// The arguments of a rebuild function are not what torch writes.
    #[error("the arguments of {function} are wrong: {what}")]
    Arguments {
        /// The function.
        function: String,
        /// Which one.
        what: &'static str,
    },
    /// The pickle changes the tensor after it was rebuilt.
    #[error("the pickle sets items or a state on the tensor after it was rebuilt, which torch never does")]
    Changed,
    /// The storage has no record.
    #[error("the archive has no record `{record}` for its storage", record = Printable(record))]
    MissingRecord {
        /// The record.
        record: String,
    },
    /// The storage's record has another size than the pickle says.
    #[error(
        "the pickle says that the storage has {numel} elements of {width} bytes, \
         but the record `{record}` has {bytes} bytes", record = Printable(record)
    )]
    RecordSize {
        /// The record.
        record: String,
        /// Elements, by the pickle.
        numel: usize,
        /// Bytes of one.
        width: usize,
        /// Bytes of the record.
        bytes: usize,
    },
    /// The storage's record cannot be read.
    #[error("the record of its storage cannot be read: {0}")]
    Record(crate::checkpoint::ZipError),
    /// The sizes are no shape.
    #[error("{0}")]
    Shape(#[from] ShapeError),
    /// The view reaches past the storage.
    #[error("{0}")]
    View(#[from] StridedError),
    /// A view that repeats its elements is larger than anything that could be written.
    #[error(
        "the view repeats {storage} bytes up to {bytes} bytes; the limit of one tensor is {limit}; save it with .clone() \
         or leave it out"
    )]
    Expanded {
        /// Bytes of the storage.
        storage: usize,
        /// Bytes of the tensor when contiguous.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A big-endian archive whose storage has another element width than the tensor.
    #[error(
        "a big-endian storage of {storage_width}-byte elements is viewed as {dtype}: its bytes have no known order"
    )]
    ByteOrder {
        /// Bytes of an element of the storage.
        storage_width: usize,
        /// The tensor's element type.
        dtype: Dtype,
    },
    /// A part of a sparse, quantized or nested tensor is a conjugate or negative view.
    #[error("a part of it is a lazy conj or neg view, which torch never writes")]
    PartBits,
    /// A conjugate or negative view of values that have neither.
    #[error("{0}")]
    Resolve(#[from] ResolveError),
    /// A quantized tensor breaks the rules.
    #[error("it is a quantized tensor: {0}")]
    Quantized(#[from] DequantizeError),
    /// Scales or zero points in a list that holds something else than numbers of their type.
    #[error("it is a quantized tensor whose list of {dtype} parameters holds a {what}")]
    Channels {
        /// What it holds.
        what: String,
        /// The type expected.
        dtype: Dtype,
    },
    /// A sparse tensor breaks the rules.
    #[error("it is a sparse tensor: {0}")]
    Sparse(#[from] DensifyError),
    /// Dense tensors that are larger than anything that the file pays for.
    #[error(
        "it is a sparse tensor; with the others of the file it takes {bytes} bytes when dense, and the limit is {limit}"
    )]
    Dense {
        /// Bytes when dense: of this tensor, or of all so far.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Indices of many tensors over the same bytes.
    #[error(
        "its indices share bytes with so many others that checking them takes more than {limit} bytes to read"
    )]
    Checked {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A nested tensor breaks the rules.
    #[error("it is a nested tensor: {what}")]
    Nested {
        /// What is wrong.
        what: &'static str,
    },
    /// Several tensors where the file has a place for one.
    #[error("it is several tensors, where one is expected; save them one by one")]
    NotOne,
    /// Nested tensors, tuples and lists with more parts than any model has.
    #[error("with the other nested tensors, tuples and lists of the file it has more than {limit} parts")]
    Parts {
        /// The limit.
        limit: usize,
    },
    /// Values that have to be read on opening cannot be read.
    #[error("{0}")]
    Load(LoadError),
}

impl From<LoadError> for TensorError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Densify(error) => Self::Sparse(error),
            LoadError::Dequantize(error) => Self::Quantized(error),
            other => Self::Load(other),
        }
    }
}

/// The kinds of tensor that are not supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedTensor {
    /// A layout that is not strided, in a program of torch.export.
    #[error(
        "its layout is not strided, which torch.export cannot read either; call .to_dense() before exporting"
    )]
    Layout,
    /// An element type without a Keras counterpart.
    #[error("its dtype {dtype} is not supported; convert the tensor in PyTorch before saving", dtype = Printable(dtype))]
    Dtype {
        /// The name in torch.
        dtype: String,
    },
    /// A tensor on the meta device.
    #[error(
        "it is a tensor on the meta device: the checkpoint has no values for it; save it after the weights are loaded"
    )]
    Meta,
    /// Metadata that is not known.
    #[error("its metadata has the entry {entry:?}, whose meaning is not known", entry = Printable(entry).to_string())]
    Metadata {
        /// The entry.
        entry: String,
    },
    /// One rank's part of a distributed tensor.
    #[error(
        "it is a DTensor, of which this file has one rank's part; gather it with .full_tensor() before saving"
    )]
    Distributed,
    /// A flat parameter of FSDP, which holds many tensors.
    #[error(
        "it is a flat parameter of FSDP; save with StateDictType.FULL_STATE_DICT so that every tensor has its name"
    )]
    FsdpFlat,
    /// A subclass of `torch.Tensor`.
    #[error("it is a tensor subclass, {class}, which is not supported; save plain tensors")]
    Subclass {
        /// The class.
        class: String,
    },
    /// A function that makes tensors and is not known.
    #[error("it is made by {function}, which is not supported")]
    Function {
        /// The function.
        function: String,
    },
    /// A container or object that holds tensors, where a tensor is expected.
    #[error(
        "it is a {what} that holds tensors; only tensors, and dictionaries and lists of them, can be read: save such a \
         dictionary in place of it"
    )]
    Inside {
        /// What it is.
        what: String,
    },
    /// One rank's part of a sharded tensor.
    #[error(
        "it is a ShardedTensor, of which this file has one rank's part; save with \
         StateDictType.FULL_STATE_DICT, or with torch.distributed.checkpoint and then run: \
         python -m torch.distributed.checkpoint.format_utils dcp_to_torch folder file"
    )]
    Sharded,
}
