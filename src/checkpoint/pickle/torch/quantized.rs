//! Quantized tensors: `_rebuild_qtensor`.

use super::call::Call;
use super::spec::{Channels, Quantization, QuantizedSpec, StridedSpec};
use super::storage::{is_storage, storage};
use super::strided::view;
use super::unwrap::part;
use crate::checkpoint::pickle::tensor_error::TensorError;
use crate::checkpoint::pickle::value::{Value, ValueId};

/// `(storage, offset, size, stride, qparams, requires_grad, hooks)`.
pub(super) fn rebuild<'a>(call: &Call<'_, 'a>) -> Result<QuantizedSpec<'a>, TensorError> {
    let arg = |index: usize| call.arg(index, 7..=7, "7 are expected");
    let id = arg(0)?;
    if !is_storage(call.pickle, id) {
        return Err(call.wrong("the first is no storage"));
    }
    let storage = storage(call.pickle, id)?;
    let dtype = match storage.dtype {
        Some(dtype) if storage.is_quantized => dtype,
        _ => return Err(call.wrong("the storage is not quantized")),
    };
    let (offset, shape, strides) = view(call, arg(1)?, arg(2)?, arg(3)?)?;
    let quantization = quantization(call, arg(4)?)?;
    if let &Quantization::PerChannel { axis, .. } = &quantization
        && axis >= shape.rank()
    {
        return Err(call.wrong("the axis of the scales is none of the tensor's"));
    }
    let integers = StridedSpec { storage, dtype, offset, shape, strides, is_conj: false, is_neg: false };
    Ok(QuantizedSpec { integers, quantization })
}

fn quantization<'a>(call: &Call<'_, 'a>, id: ValueId) -> Result<Quantization<'a>, TensorError> {
    let parameters = call.pickle.sequence(id).ok_or_else(|| call.wrong("qparams is no tuple"))?;
    let scheme = parameters.first().and_then(|&scheme| call.pickle.global(scheme));
    match (scheme, parameters) {
        (Some(("torch", "per_tensor_affine")), &[_, scale, zero_point]) => {
            let scale = match *call.pickle.get(scale) {
                Value::Float(scale) => scale,
                Value::Int(scale) => scale as f64,
                _ => return Err(call.wrong("the scale is no number")),
            };
            let &Value::Int(zero_point) = call.pickle.get(zero_point) else {
                return Err(call.wrong("the zero point is no integer"));
            };
            Ok(Quantization::PerTensor { scale, zero_point })
        }
        (
            Some(("torch", name @ ("per_channel_affine" | "per_channel_affine_float_qparams"))),
            &[_, scales, zero_points, axis],
        ) => Ok(Quantization::PerChannel {
            axis: call.size(axis).ok_or_else(|| call.wrong("the axis is no count"))?,
            scales: channels(call, scales)?,
            zero_points: channels(call, zero_points)?,
            lists_are_f32: name == "per_channel_affine_float_qparams",
        }),
        _ => Err(call.wrong("qparams is of no known scheme")),
    }
}

fn channels<'a>(call: &Call<'_, 'a>, id: ValueId) -> Result<Channels<'a>, TensorError> {
    match call.pickle.get(id) {
        Value::List(_) => Ok(Channels::List(id)),
        _ => part(call, id).map(Channels::Tensor),
    }
}
