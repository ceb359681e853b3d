//! What schedulers and gradient scalers keep: counters, and hardly a tensor.

use super::entries::count;
use super::graph::attribute;
use super::words::control_marks;
use crate::checkpoint::pickle::{Holders, Pickle, Value, ValueId};
use crate::tensor::MAX_RANK;

/// Whether a value that is called a scheduler or a scaler is one: a part of a model has tensors of several
/// elements, and none of their attributes.
pub(super) fn is_control_state(
    pickle: &Pickle<'_>,
    holders: &Holders,
    id: ValueId,
    budget: &mut usize,
) -> bool {
    let is_large = |tensor| !is_one_element(pickle, tensor);
    control_marks().iter().any(|name| attribute(pickle, id, name).is_some())
        || count(pickle, holders, id, budget, &is_large) == Some(0)
}

/// Whether a tensor has one element at most, as far as its sizes can be seen.
pub(super) fn is_one_element(pickle: &Pickle<'_>, tensor: ValueId) -> bool {
    let (outer, inner) = sizes(pickle, tensor);
    let is_small =
        |sizes: &[ValueId]| sizes.iter().all(|&size| matches!(pickle.get(size), Value::Int(0 | 1)));
    outer.or(inner).is_some_and(is_small)
}

/// Whether a tensor has no elements.
pub(super) fn is_empty(pickle: &Pickle<'_>, tensor: ValueId) -> bool {
    let (outer, inner) = sizes(pickle, tensor);
    let is_zero = |sizes: &[ValueId]| sizes.iter().any(|&size| matches!(pickle.get(size), Value::Int(0)));
    outer.is_some_and(is_zero) || inner.is_some_and(is_zero)
}

/// The third argument of a rebuild function is the shape; a parameter is made of a tensor.
fn sizes<'p>(pickle: &'p Pickle<'_>, tensor: ValueId) -> (Option<&'p [ValueId]>, Option<&'p [ValueId]>) {
    let args = |id| match pickle.get(id) {
        Value::Object(object) => pickle.sequence(object.args).unwrap_or(&[]),
        _ => &[],
    };
    let outer = args(tensor);
    let inner = outer.first().map_or(&[][..], |&inner| args(inner));
    // A list of more is no shape; thousands of tensors may share a long one.
    let is_shape = |sizes: &&[ValueId]| sizes.len() <= MAX_RANK;
    let shape = |args: &[ValueId]| args.get(2).and_then(|&sizes| pickle.sequence(sizes)).filter(is_shape);
    (shape(outer), shape(inner))
}
