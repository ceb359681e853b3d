//! What torch's own globals mean: storages (formats/pytorch.md sections 2.2 and 2.3) and the `_rebuild_*`
//! functions (section 2.4), each kind of tensor as a specification that the checkpoint's reader checks against
//! the storages.

mod array;
mod call;
mod kind;
mod nested;
mod quantized;
mod sparse;
mod spec;
mod storage;
mod strided;
mod subclass;
mod unwrap;

pub(crate) use kind::{is_sharded, is_tensor, script_object_state};
pub(crate) use spec::{
    ArrayBytes, ArraySpec, Channels, CompressedSpec, CooSpec, NestedSpec, Quantization, QuantizedSpec,
    StridedSpec, TensorSpec,
};
pub(crate) use storage::StorageSpec;
pub(crate) use unwrap::tensor;
