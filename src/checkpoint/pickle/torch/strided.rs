//! Strided tensors: `_rebuild_tensor`, `_v2` and `_v3`.

use super::call::Call;
use super::spec::StridedSpec;
use super::storage::{StorageSpec, is_storage, quantized_name, storage};
use crate::checkpoint::pickle::tensor_error::{TensorError, UnsupportedTensor};
use crate::checkpoint::pickle::value::{Pickle, Value, ValueId};
use crate::tensor::{Dtype, Shape, Sizes};

pub(super) fn rebuild<'a>(call: &Call<'_, 'a>) -> Result<StridedSpec<'a>, TensorError> {
    let (count, expected, metadata) = match call.name {
        "_rebuild_tensor" => (4..=4, "4 are expected", None),
        "_rebuild_tensor_v2" => (6..=7, "6 or 7 are expected", call.args.get(6)),
        _ => (7..=8, "7 or 8 are expected", call.args.get(7)),
    };
    let arg = |index: usize| call.arg(index, count.clone(), expected);
    let storage = plain_storage(call, arg(0)?)?;
    let dtype = if call.name == "_rebuild_tensor_v3" {
        call.dtype(arg(6)?)?
    } else {
        storage.dtype.ok_or_else(|| call.wrong("an untyped storage without a dtype"))?
    };
    let (is_conj, is_neg) = match metadata {
        Some(&metadata) => bits(call, metadata)?,
        None => (false, false),
    };
    let (offset, shape, strides) = view(call, arg(1)?, arg(2)?, arg(3)?)?;
    Ok(StridedSpec { storage, dtype, offset, shape, strides, is_conj, is_neg })
}

/// Offset, sizes and strides.
pub(super) fn view(
    call: &Call<'_, '_>,
    offset: ValueId,
    sizes: ValueId,
    strides: ValueId,
) -> Result<(usize, Shape, Sizes), TensorError> {
    let offset = call.size(offset).ok_or_else(|| call.wrong("the offset is no count"))?;
    let shape = call.shape(sizes)?;
    Ok((offset, shape, call.sizes(strides, "the strides are no counts")?))
}

/// `torch.FloatTensor` with `(storage, offset, size, stride)`.
pub(super) fn old<'a>(
    pickle: &Pickle<'a>,
    class: &'a str,
    state: &[ValueId],
) -> Result<StridedSpec<'a>, TensorError> {
    let call = Call { pickle, module: "torch", name: class, args: state, subclass: None };
    let arg = |index: usize| call.arg(index, 4..=4, "4 are expected");
    let storage = plain_storage(&call, arg(0)?)?;
    let dtype = match class {
        "DoubleTensor" => Dtype::F64,
        "FloatTensor" => Dtype::F32,
        "HalfTensor" => Dtype::F16,
        "LongTensor" => Dtype::I64,
        "IntTensor" => Dtype::I32,
        "ShortTensor" => Dtype::I16,
        "CharTensor" => Dtype::I8,
        "ByteTensor" => Dtype::U8,
        _ => {
            let function = call.function();
            return Err(TensorError::Unsupported(UnsupportedTensor::Function { function }));
        }
    };
    if storage.dtype != Some(dtype) {
        return Err(call.wrong("the storage has another type than the tensor"));
    }
    let (offset, shape, strides) = view(&call, arg(1)?, arg(2)?, arg(3)?)?;
    Ok(StridedSpec { storage, dtype, offset, shape, strides, is_conj: false, is_neg: false })
}

/// A storage of a type that is not quantized.
fn plain_storage<'a>(call: &Call<'_, 'a>, id: ValueId) -> Result<StorageSpec<'a>, TensorError> {
    if !is_storage(call.pickle, id) {
        return Err(call.wrong("the first is no storage"));
    }
    let storage = storage(call.pickle, id)?;
    match storage.dtype {
        Some(dtype) if storage.is_quantized => {
            let dtype = quantized_name(dtype).to_owned();
            Err(TensorError::Unsupported(UnsupportedTensor::Dtype { dtype }))
        }
        _ => Ok(storage),
    }
}

/// The bits `conj` and `neg` of the metadata.
fn bits(call: &Call<'_, '_>, id: ValueId) -> Result<(bool, bool), TensorError> {
    let dict = match call.pickle.get(id) {
        Value::None => return Ok((false, false)),
        Value::Dict(dict) => dict,
        _ => return Err(call.wrong("the metadata is no dictionary")),
    };
    let (mut is_conj, mut is_neg) = (false, false);
    for (key, value) in dict.items() {
        match (call.pickle.text(key), call.pickle.get(value)) {
            (Some("conj"), &Value::Bool(bit)) => is_conj = bit,
            (Some("neg"), &Value::Bool(bit)) => is_neg = bit,
            (Some("conj" | "neg"), _) => return Err(call.wrong("a bit of the metadata is no bool")),
            (entry, _) => {
                let entry = entry.map_or_else(|| call.pickle.describe(key), ToOwned::to_owned);
                return Err(TensorError::Unsupported(UnsupportedTensor::Metadata { entry }));
            }
        }
    }
    Ok((is_conj, is_neg))
}
