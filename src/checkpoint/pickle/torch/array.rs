//! Tensors of devices that torch saves as NumPy arrays: `_rebuild_device_tensor_from_numpy` and
//! `_rebuild_xla_tensor` (formats/pytorch.md section 2.4; numpy/_core/src/multiarray/methods.c and descriptor.c).

use super::call::Call;
use super::spec::{ArrayBytes, ArraySpec};
use crate::checkpoint::pickle::tensor_error::TensorError;
use crate::checkpoint::pickle::value::{Pickle, Value, ValueId};
use crate::tensor::{ByteOrder, Dtype};

/// `(array, dtype, device, requires_grad)`.
pub(super) fn rebuild<'a>(call: &Call<'_, 'a>) -> Result<ArraySpec<'a>, TensorError> {
    let array = call.arg(0, 4..=4, "4 are expected")?;
    let dtype = call.dtype(call.arg(1, 4..=4, "4 are expected")?)?;
    let Array { descriptor, sizes, is_fortran, bytes } =
        array_parts(call.pickle, array).ok_or_else(|| call.wrong("the first is no NumPy array"))?;
    let (stored, byte_order) = element(call.pickle, descriptor)
        .ok_or_else(|| call.wrong("the array's elements are none that a tensor has"))?;
    // NumPy has no bfloat16, so torch saves the numbers as float32.
    let is_widened = stored == Dtype::F32 && dtype == Dtype::Bf16;
    if stored != dtype && !is_widened {
        return Err(call.wrong("the array has another dtype than the tensor"));
    }
    let shape = call.shape(sizes)?;
    let bytes =
        array_bytes(call.pickle, bytes).ok_or_else(|| call.wrong("the array's values are no bytes"))?;
    Ok(ArraySpec { dtype, is_widened, byte_order, shape, is_fortran, bytes })
}

struct Array {
    descriptor: ValueId,
    sizes: ValueId,
    is_fortran: bool,
    bytes: ValueId,
}

/// `_reconstruct(ndarray, (0,), b'b')` with the state `(1, sizes, dtype, is_fortran, bytes)`, or of protocol 5
/// `_frombuffer(bytes, dtype, sizes, order)`.
fn array_parts(pickle: &Pickle<'_>, id: ValueId) -> Option<Array> {
    let Value::Object(object) = pickle.get(id) else { return None };
    let Value::Tuple(args) = pickle.get(object.args) else { return None };
    match (pickle.global(object.callable)?, object.state) {
        (("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct"), Some(state)) => {
            if pickle.global(*args.first()?) != Some(("numpy", "ndarray")) {
                return None;
            }
            let Value::Tuple(state) = pickle.get(state) else { return None };
            let [_version, sizes, descriptor, order, bytes] = **state else { return None };
            let is_fortran = match *pickle.get(order) {
                Value::Bool(is_fortran) => is_fortran,
                Value::Int(is_fortran) => is_fortran != 0,
                _ => return None,
            };
            Some(Array { descriptor, sizes, is_fortran, bytes })
        }
        (("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer"), None) => {
            let [bytes, descriptor, sizes, order] = **args else { return None };
            let is_fortran = match pickle.text(order)? {
                "C" => false,
                "F" => true,
                _ => return None,
            };
            Some(Array { descriptor, sizes, is_fortran, bytes })
        }
        _ => None,
    }
}

/// `dtype('f4', False, True)` with the state `(3, '<', None, None, None, …)`: the kind and the size, then the
/// order of the bytes and what structures and arrays as elements have.
fn element(pickle: &Pickle<'_>, id: ValueId) -> Option<(Dtype, ByteOrder)> {
    let Value::Object(object) = pickle.get(id) else { return None };
    if pickle.global(object.callable) != Some(("numpy", "dtype")) {
        return None;
    }
    let Value::Tuple(args) = pickle.get(object.args) else { return None };
    let dtype = match pickle.text(*args.first()?)? {
        "b1" => Dtype::Bool,
        "u1" => Dtype::U8,
        "u2" => Dtype::U16,
        "u4" => Dtype::U32,
        "u8" => Dtype::U64,
        "i1" => Dtype::I8,
        "i2" => Dtype::I16,
        "i4" => Dtype::I32,
        "i8" => Dtype::I64,
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        "c8" => Dtype::Complex64,
        "c16" => Dtype::Complex128,
        _ => return None,
    };
    let Value::Tuple(state) = pickle.get(object.state?) else { return None };
    let [_version, order, subarray, names, fields, ..] = **state else { return None };
    let is_plain = [subarray, names, fields].iter().all(|&id| matches!(pickle.get(id), Value::None));
    let byte_order = match pickle.text(order)? {
        "<" => ByteOrder::Little,
        ">" => ByteOrder::Big,
        "|" if dtype.size() == 1 => ByteOrder::Little,
        _ => return None,
    };
    is_plain.then_some((dtype, byte_order))
}

/// Bytes, or what stands for them before protocol 3: `_codecs.encode(text, 'latin1')`, and `bytes()` for none.
fn array_bytes<'a>(pickle: &Pickle<'a>, id: ValueId) -> Option<ArrayBytes<'a>> {
    let object = match pickle.get(id) {
        Value::Bytes(bytes) => return Some(ArrayBytes::Plain(id, bytes)),
        Value::Object(object) if object.state.is_none() => object,
        _ => return None,
    };
    let Value::Tuple(args) = pickle.get(object.args) else { return None };
    match (pickle.global(object.callable)?, &**args) {
        (("_codecs", "encode"), &[text, codec]) if pickle.text(codec) == Some("latin1") => {
            Some(ArrayBytes::Latin1(text, pickle.text(text)?))
        }
        (("__builtin__" | "builtins", "bytes"), []) => Some(ArrayBytes::Plain(id, &[])),
        _ => None,
    }
}
