//! Tensor subclasses that keep their values in their state: `_rebuild_wrapper_subclass`. Of these a `DTensor`
//! that has the whole tensor is read.

use super::call::Call;
use super::spec::StridedSpec;
use super::unwrap::part;
use crate::checkpoint::pickle::tensor_error::{TensorError, UnsupportedTensor};
use crate::checkpoint::pickle::value::{Dict, Pickle, Value, ValueId};

/// `(class, dtype, size, stride, offset, layout, device, requires_grad)`; the size is the global one.
pub(super) fn rebuild<'a>(call: &Call<'_, 'a>) -> Result<StridedSpec<'a>, TensorError> {
    let class = call.arg(0, 8..=8, "8 are expected")?;
    let Some((_, state)) = call.subclass else { return Err(refuse(call.pickle, class)) };
    let dtype = call.dtype(call.arg(1, 8..=8, "8 are expected")?)?;
    let shape = call.shape(call.arg(2, 8..=8, "8 are expected")?)?;
    let state = attributes(call.pickle, state).ok_or_else(|| call.wrong("the state is no dictionary"))?;
    let item = |key| call.pickle.item(state, key);
    let local = item("_local_tensor").ok_or_else(|| call.wrong("the state has no _local_tensor"))?;
    let whole = item("_spec").is_some_and(|spec| is_whole(call.pickle, spec));
    let local = part(call, local)?;
    if whole && local.shape == shape && local.dtype == dtype {
        Ok(local)
    } else {
        Err(TensorError::Unsupported(UnsupportedTensor::Distributed))
    }
}

pub(super) fn refuse(pickle: &Pickle<'_>, class: ValueId) -> TensorError {
    TensorError::Unsupported(UnsupportedTensor::Subclass { class: pickle.global_name(class) })
}

/// The attributes of a state: a dictionary, or the second of a pair (those in slots).
fn attributes<'p>(pickle: &'p Pickle<'_>, state: ValueId) -> Option<&'p Dict> {
    match pickle.get(state) {
        Value::Dict(dict) => Some(dict),
        Value::Tuple(pair) => match (&**pair, pair.last().map(|&last| pickle.get(last))) {
            ([_, _], Some(Value::Dict(dict))) => Some(dict),
            _ => None,
        },
        _ => None,
    }
}

/// Whether all placements of a DTensor's `_spec` keep values as they are. The local tensor of a `Partial`
/// placement has the global shape, and values that have yet to be summed over the ranks.
fn is_whole(pickle: &Pickle<'_>, spec: ValueId) -> bool {
    let Value::Object(object) = pickle.get(spec) else { return false };
    let Some(placements) = object
        .state
        .and_then(|state| attributes(pickle, state))
        .and_then(|state| pickle.item(state, "placements"))
        .and_then(|placements| pickle.sequence(placements))
    else {
        return false;
    };
    placements.iter().all(|&placement| match pickle.get(placement) {
        Value::Object(object) => pickle
            .global(object.callable)
            .is_some_and(|(_, name)| matches!(name, "Shard" | "Replicate" | "_StridedShard")),
        _ => false,
    })
}
