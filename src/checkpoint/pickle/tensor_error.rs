//! Why a tensor cannot be read.

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
    #[error("the view repeats {storage} bytes up to {bytes} bytes; the limit is {limit}")]
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
}

/// The kinds of tensor that are not supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedTensor {
    /// An element type without a Keras counterpart.
    #[error("its dtype {dtype} is not supported; convert the tensor in PyTorch before saving", dtype = Printable(dtype))]
    Dtype {
        /// The name in torch.
        dtype: String,
    },
    /// A quantized tensor.
    #[error("it is a quantized tensor, which is not supported; call .dequantize() before saving")]
    Quantized,
    /// A sparse tensor.
    #[error("it is a sparse tensor, which is not supported; call .to_dense() before saving")]
    Sparse,
    /// A nested tensor.
    #[error("it is a nested tensor, which is not supported; save its parts, .unbind(), instead")]
    Nested,
    /// A tensor on the meta device.
    #[error("it is a tensor on the meta device: the checkpoint has no values for it")]
    Meta,
    /// A conjugate or negative view.
    #[error("it is a lazy {bit} view, which is not supported; call .resolve_{bit}() before saving")]
    LazyBit {
        /// `conj` or `neg`.
        bit: &'static str,
    },
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
    #[error("it is a {what} that holds tensors; only tensors and dictionaries of tensors can be read")]
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
