//! Nested tensors: `_rebuild_nested_tensor`.

use super::call::Call;
use super::spec::NestedSpec;
use super::unwrap::part;
use crate::checkpoint::pickle::tensor_error::TensorError;

/// `(buffer, sizes, strides, offsets)`.
pub(super) fn rebuild<'a>(call: &Call<'_, 'a>) -> Result<NestedSpec<'a>, TensorError> {
    let arg = |index| call.arg(index, 4..=4, "4 are expected").and_then(|id| part(call, id));
    Ok(NestedSpec { buffer: arg(0)?, sizes: arg(1)?, strides: arg(2)?, offsets: arg(3)? })
}
