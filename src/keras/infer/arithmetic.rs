//! Arithmetic on shapes, as the functions of NumPy define it.

use crate::keras::json::{InputShape, Value, setting, text};
use crate::tensor::MAX_RANK;

/// Longest constant whose shape is told by its nested lists.
const MAX_CONSTANT_RANK: usize = MAX_RANK;

/// The product of sizes, when all are fixed.
pub(in crate::keras) fn product(sizes: &[Option<usize>]) -> Option<usize> {
    sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size?))
}

/// An axis (negative from the end) as an index below `rank`.
pub(super) fn index(axis: i64, rank: usize) -> Option<usize> {
    let signed = i64::try_from(rank).ok()?;
    let axis = usize::try_from(if axis < 0 { axis.checked_add(signed)? } else { axis }).ok()?;
    (axis < rank).then_some(axis)
}

/// Axes as indices, each once.
fn indices(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    axes.iter().map(|&axis| index(axis, rank)).collect()
}

/// A shape, unless it has more axes than any tensor.
pub(super) fn bounded(shape: InputShape) -> Option<InputShape> {
    (shape.len() <= MAX_RANK).then_some(shape)
}

/// One operand's size against the other's. An open size may be 1, so that with another it stays open unless the
/// other is fixed and longer than 1: then the result has that size whatever the open one is.
fn broadcast_size(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    match (a, b) {
        (Some(1), other) | (other, Some(1)) => other,
        (Some(size), _) | (None, Some(size)) => Some(size),
        (None, None) => None,
    }
}

/// The shape of two operands combined in the same place.
pub(super) fn broadcast(a: &[Option<usize>], b: &[Option<usize>]) -> InputShape {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let lead = long.len() - short.len();
    let sizes = long.iter().enumerate().map(|(at, &size)| match at.checked_sub(lead) {
        Some(other) => broadcast_size(size, short.get(other).copied().flatten()),
        None => size,
    });
    sizes.collect()
}

/// All operands combined.
pub(super) fn broadcast_all(shapes: &[InputShape]) -> Option<InputShape> {
    let (first, rest) = shapes.split_first()?;
    Some(rest.iter().fold(first.clone(), |all, shape| broadcast(&all, shape)))
}

/// The shape without axes (all of them, when none are given), or with 1 there.
pub(super) fn reduce(shape: &InputShape, axes: Option<&[i64]>, keeps: bool) -> Option<InputShape> {
    let gone = match axes {
        Some(axes) => indices(axes, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    let size = |(at, &size): (usize, &Option<usize>)| match (gone.contains(&at), keeps) {
        (true, true) => Some(Some(1)),
        (true, false) => None,
        (false, _) => Some(size),
    };
    Some(shape.iter().enumerate().filter_map(size).collect())
}

/// A size of a target shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A fixed size.
    Size(usize),
    /// What the other sizes leave (-1).
    Rest,
    /// A size that is computed.
    Open,
}

/// A shape in other sizes, of which one may take the rest. With several open sizes it is not known which of
/// them the rest takes.
pub(super) fn reshape(shape: &InputShape, target: &[Target]) -> Option<InputShape> {
    if target.len() > MAX_RANK {
        return None;
    }
    let known = target.iter().try_fold(1_usize, |product, size| match size {
        Target::Size(size) => product.checked_mul(*size),
        Target::Rest | Target::Open => Some(product),
    })?;
    let is_open = target.contains(&Target::Open);
    let rest = if is_open { None } else { product(shape).and_then(|total| total.checked_div(known)) };
    let size = |size: &Target| match size {
        Target::Size(size) => Some(*size),
        Target::Rest => rest,
        Target::Open => None,
    };
    Some(target.iter().map(size).collect())
}

/// The sizes of a target shape: numbers, -1 for the rest.
pub(super) fn target(value: &Value) -> Option<Vec<Target>> {
    let size = |item: &Value| match item.as_i64() {
        Some(-1) => Some(Target::Rest),
        Some(size) => usize::try_from(size).ok().map(Target::Size),
        None => item.is_null().then_some(Target::Open),
    };
    match value {
        Value::Array(items) => items.iter().map(size).collect(),
        one => Some(vec![size(one)?]),
    }
}

/// The axes in another order; backwards when none is given.
pub(super) fn transpose(shape: &InputShape, order: Option<&[i64]>) -> Option<InputShape> {
    match order {
        None => Some(shape.iter().rev().copied().collect()),
        Some(order) if order.len() == shape.len() => {
            indices(order, shape.len())?.into_iter().map(|axis| shape.get(axis).copied()).collect()
        }
        Some(_) => None,
    }
}

/// Shapes joined along an axis.
pub(super) fn concatenate(shapes: &[&InputShape], axis: i64) -> Option<InputShape> {
    let (first, rest) = shapes.split_first()?;
    let axis = index(axis, first.len())?;
    let mut joined = (*first).clone();
    for shape in rest {
        if shape.len() != joined.len() {
            return None;
        }
        for (at, (size, &other)) in joined.iter_mut().zip(*shape).enumerate() {
            *size =
                if at == axis { size.zip(other).and_then(|(a, b)| a.checked_add(b)) } else { size.or(other) };
        }
    }
    Some(joined)
}

/// As many equal shapes along a new axis.
pub(super) fn stack(shapes: &[&InputShape], axis: i64) -> Option<InputShape> {
    let first = *shapes.first()?;
    if shapes.iter().any(|shape| shape.len() != first.len()) {
        return None;
    }
    let mut shape: InputShape =
        (0..first.len()).map(|at| shapes.iter().find_map(|shape| shape.get(at).copied().flatten())).collect();
    let at = index(axis, shape.len() + 1)?;
    shape.insert(at, Some(shapes.len()));
    bounded(shape)
}

/// New axes of size 1, by their places in the result.
pub(super) fn expand(shape: &InputShape, axes: &[i64]) -> Option<InputShape> {
    let mut places = indices(axes, shape.len().checked_add(axes.len()).filter(|&rank| rank <= MAX_RANK)?)?;
    places.sort_unstable();
    let mut expanded = shape.clone();
    for at in places {
        (at <= expanded.len()).then(|| expanded.insert(at, Some(1)))?;
    }
    Some(expanded)
}

/// The shape without axes of size 1: those given, or all. Without axes an open size hides the rank.
pub(super) fn squeeze(shape: &InputShape, axes: Option<&[i64]>) -> Option<InputShape> {
    match axes {
        Some(axes) => reduce(shape, Some(axes), false),
        None if shape.contains(&None) => None,
        None => Some(shape.iter().copied().filter(|size| *size != Some(1)).collect()),
    }
}

/// The product of matrices (stacks of them broadcast).
pub(super) fn matmul(a: &InputShape, b: &InputShape) -> Option<InputShape> {
    match (a.as_slice(), b.as_slice()) {
        ([], _) | (_, []) => None,
        ([_], [_]) => Some(vec![]),
        ([_], [lead @ .., _, columns]) => Some([lead, &[*columns]].concat()),
        ([lead @ .., rows, _], [_]) => Some([lead, &[*rows]].concat()),
        ([a @ .., rows, _], [b @ .., _, columns]) => {
            Some([broadcast(a, b).as_slice(), &[*rows, *columns]].concat())
        }
    }
}

/// Each axis as many times.
pub(super) fn tile(shape: &InputShape, times: &[usize]) -> Option<InputShape> {
    let rank = shape.len().max(times.len());
    let padded = |axis: usize| axis.checked_sub(rank - shape.len()).map_or(Some(1), |at| *shape.get(at)?);
    let count =
        |axis: usize| axis.checked_sub(rank - times.len()).map_or(Some(1), |at| times.get(at).copied());
    bounded((0..rank).map(|axis| padded(axis)?.checked_mul(count(axis)?)).collect())
}

/// One size replaced.
pub(super) fn with_size(shape: &InputShape, axis: i64, size: Option<usize>) -> Option<InputShape> {
    let mut shape = shape.clone();
    let at = index(axis, shape.len())?;
    *shape.get_mut(at)? = size;
    Some(shape)
}

/// The shape of a constant: a number, nested lists, or Keras' `__tensor__` and `__numpy__` objects.
pub(super) fn constant_shape(value: &Value) -> Option<InputShape> {
    if matches!(text(value, "class_name"), Some("__tensor__" | "__numpy__")) {
        return constant_shape(setting(value, "value")?);
    }
    let mut shape = Vec::new();
    let mut value = value;
    while let Value::Array(items) = value {
        if shape.len() == MAX_CONSTANT_RANK {
            return None;
        }
        shape.push(Some(items.len()));
        match items.first() {
            Some(first) => value = first,
            None => return Some(shape),
        }
    }
    (value.is_number() || value.is_boolean() || value.is_string()).then_some(shape)
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    const N: Option<usize> = None;

    fn some<const R: usize>(sizes: [usize; R]) -> InputShape {
        sizes.into_iter().map(Some).collect()
    }

    #[test]
    fn broadcasting() {
        assert_eq!(broadcast(&[N, Some(1), Some(3)], &[Some(5), Some(1)]), [N, Some(5), Some(3)]);
        assert_eq!(broadcast(&[N, N], &[N, Some(1)]), [N, N]);
        assert_eq!(broadcast(&[N, N], &[N, Some(4)]), [N, Some(4)]);
    }

    #[test]
    fn reshaping() {
        let shape = vec![N, Some(6), Some(4)];
        use Target::{Open, Rest, Size};
        assert_eq!(reshape(&shape, &[Rest, Size(4)]), Some(vec![N, Some(4)]));
        assert_eq!(reshape(&shape, &[Open, Rest, Size(8)]), Some(vec![N, N, Some(8)]));
        assert_eq!(reshape(&some([2, 6]), &[Rest, Size(4)]), Some(some([3, 4])));
    }

    #[test]
    fn products_of_matrices() {
        assert_eq!(matmul(&vec![N, Some(3), Some(4)], &some([4, 5])), Some(vec![N, Some(3), Some(5)]));
        assert_eq!(matmul(&some([4]), &some([2, 4, 5])), Some(some([2, 5])));
        assert_eq!(matmul(&some([3, 4]), &some([4])), Some(some([3])));
    }

    #[test]
    fn shapes_of_constants() {
        assert_eq!(constant_shape(&json!(2.5)), Some(vec![]));
        assert_eq!(constant_shape(&json!([[1, 2, 3], [4, 5, 6]])), Some(some([2, 3])));
        let tensor = json!({"class_name": "__tensor__", "config": {"value": [1, 2], "dtype": "float32"}});
        assert_eq!(constant_shape(&tensor), Some(some([2])));
        assert_eq!(constant_shape(&json!({"a": 1})), None);
    }

    #[test]
    fn axes() {
        assert_eq!(expand(&some([3, 4]), &[-1]), Some(some([3, 4, 1])));
        assert_eq!(squeeze(&some([3, 1, 4]), None), Some(some([3, 4])));
        assert_eq!(squeeze(&vec![N, Some(1)], None), None);
        assert_eq!(stack(&[&vec![N, Some(3)], &some([2, 3])], 1), Some(some([2, 2, 3])));
        assert_eq!(concatenate(&[&vec![N, Some(3)], &some([2, 4])], -1), Some(some([2, 7])));
        assert_eq!(tile(&some([3, 4]), &[2, 1, 5]), Some(some([2, 3, 20])));
        assert_eq!(reduce(&some([2, 3, 4]), Some(&[1, -1]), true), Some(some([2, 1, 1])));
    }
}
