//! Sparse tensors: `_rebuild_sparse_tensor`.

use super::call::Call;
use super::spec::{CompressedSpec, CooSpec, TensorSpec};
use super::unwrap::part;
use crate::checkpoint::pickle::tensor_error::TensorError;
use crate::checkpoint::pickle::value::{Value, ValueId};
use crate::lazy::CompressedLayout;

/// `(layout, data)`, the data by the layout.
pub(super) fn rebuild<'a>(call: &Call<'_, 'a>) -> Result<TensorSpec<'a>, TensorError> {
    let layout = layout(call, call.arg(0, 2..=2, "2 are expected")?)?;
    let parts = call.pickle.sequence(call.arg(1, 2..=2, "2 are expected")?);
    let parts = parts.ok_or_else(|| call.wrong("the parts are no tuple"))?;
    let compressed = match layout {
        "sparse_coo" => {
            let (&[indices, values, shape] | &[indices, values, shape, _]) = parts else {
                return Err(call.wrong("3 or 4 parts are expected"));
            };
            let is_coalesced = match parts.get(3).map(|&id| call.pickle.get(id)) {
                None | Some(Value::None | Value::Bool(false)) => false,
                Some(Value::Bool(true)) => true,
                Some(_) => return Err(call.wrong("is_coalesced is no bool")),
            };
            return Ok(TensorSpec::Coo(Box::new(CooSpec {
                indices: part(call, indices)?,
                values: part(call, values)?,
                shape: call.shape(shape)?,
                is_coalesced,
            })));
        }
        "sparse_csr" => CompressedLayout::Csr,
        "sparse_csc" => CompressedLayout::Csc,
        "sparse_bsr" => CompressedLayout::Bsr,
        "sparse_bsc" => CompressedLayout::Bsc,
        _ => return Err(call.wrong("the layout is no known one")),
    };
    let &[pointers, plain, values, shape] = parts else {
        return Err(call.wrong("4 parts are expected"));
    };
    Ok(TensorSpec::Compressed(Box::new(CompressedSpec {
        layout: compressed,
        compressed: part(call, pointers)?,
        plain: part(call, plain)?,
        values: part(call, values)?,
        shape: call.shape(shape)?,
    })))
}

/// A layout: a global, or `torch.serialization._get_layout('torch.sparse_coo')`.
fn layout<'a>(call: &Call<'_, 'a>, id: ValueId) -> Result<&'a str, TensorError> {
    let wrong = || call.wrong("the layout is none");
    let pickle = call.pickle;
    if let Some(("torch", name)) = pickle.global(id) {
        return Ok(name);
    }
    let Value::Object(object) = pickle.get(id) else { return Err(wrong()) };
    match (pickle.global(object.callable), pickle.get(object.args)) {
        (Some(("torch.serialization", "_get_layout")), Value::Tuple(args)) => match **args {
            [name] => pickle.text(name).and_then(|name| name.strip_prefix("torch.")).ok_or_else(wrong),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}
