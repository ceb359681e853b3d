//! What the operations of `keras.ops` make (`compute_output_spec` of each class in Keras' `ops/`). Keras 3 has
//! their settings in the configuration; for functions of TensorFlow the same settings are arguments of the call.

use crate::keras::calls::Argument;
use crate::keras::json::{InputShape, Value, size};

use super::arithmetic::{
    self, Target, bounded, broadcast_all, concatenate, index, product, reduce, stack, target, with_size,
};
use super::reading::Reading;
use super::{einsum, elementwise, slices};

/// The shapes of an operation's results, or `None` when they are not known.
pub(super) fn results(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    function(call.class, call)
}

/// What the operation of that name makes of the call.
pub(super) fn function(operation: &str, call: &Reading<'_>) -> Option<Vec<InputShape>> {
    match operation {
        "Split" | "ArraySplit" => split(call),
        "Unstack" => {
            let input = call.input()?;
            let axis = call.axis("axis").unwrap_or(0);
            let count = input.get(index(axis, input.len())?).copied().flatten()?;
            /// More results than any call has: each is a tensor of the graph.
            const MAX_RESULTS: usize = 4096;
            let one = reduce(input, Some(&[axis]), false)?;
            (count <= MAX_RESULTS).then(|| vec![one; count])
        }
        "Moments" => {
            let axes = call.axes("axes");
            let made = reduce(call.input()?, axes.as_deref(), call.is_set("keepdims"))?;
            Some(vec![made.clone(), made])
        }
        "TopK" => {
            let k = call.setting("k").and_then(size).or_else(|| call.is_computed("k").then_some(0))?;
            let made = with_size(call.input()?, -1, (!call.is_computed("k")).then_some(k))?;
            Some(vec![made.clone(), made])
        }
        _ => output(operation, call).map(|shape| vec![shape]),
    }
}

fn output(operation: &str, call: &Reading<'_>) -> Option<InputShape> {
    if elementwise::is_of_one(operation) {
        return call.input().cloned();
    }
    if elementwise::is_of_several(operation) {
        let operands = operands(call)?;
        // With a condition alone it tells the places of what is true.
        return if operation == "Where" && operands.len() < 3 { None } else { broadcast_all(&operands) };
    }
    match operation {
        "GetItem" => slices::output(call.input()?, call.arguments.get("key", 1)?),
        "Concatenate" => concatenate(&call.inputs()?, call.axis("axis").unwrap_or(0)),
        "Stack" => stack(&call.inputs()?, call.axis("axis").unwrap_or(0)),
        "Matmul" => arithmetic::matmul(&call.operand("x1", 0)?, &call.operand("x2", 1)?),
        "Dot" => dot(&call.operand("x1", 0)?, &call.operand("x2", 1)?),
        "Outer" => {
            let (a, b) = (call.operand("x1", 0)?, call.operand("x2", 1)?);
            Some(vec![product(&a), product(&b)])
        }
        "Tensordot" => tensordot(call),
        "Einsum" => einsum::output(call.setting("subscripts")?.as_str()?, &operands(call)?),
        "DotProductAttention" => {
            let (query, value) = (call.operand("query", 0)?, call.operand("value", 2)?);
            with_size(&query, -1, value.last().copied().flatten())
        }
        "Take" => take(call),
        "TakeAlongAxis" => call.operand("indices", 1),
        _ => of_one(operation, call, call.input()?),
    }
}

/// All operands of a call, constants among them.
fn operands(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    call.arguments.positional().iter().map(|argument| call.shape_of(argument)).collect()
}

/// The operations on one tensor.
fn of_one(operation: &str, call: &Reading<'_>, input: &InputShape) -> Option<InputShape> {
    let axis = |name: &str, default: i64| call.axis(name).unwrap_or(default);
    match operation {
        "All" | "Amax" | "Amin" | "Any" | "Argmax" | "Argmin" | "Average" | "CountNonzero" | "Logsumexp"
        | "Max" | "Mean" | "Median" | "Min" | "Nanmax" | "Nanmean" | "Nanmin" | "Nansum" | "Norm"
        | "Prod" | "Ptp" | "Std" | "Sum" | "Var" => {
            if call.is_computed("axis") {
                return None;
            }
            reduce(input, call.axes("axis").as_deref(), call.is_set("keepdims"))
        }
        "Cumprod" | "Cumsum" => match call.axis("axis") {
            Some(_) => Some(input.clone()),
            None => Some(vec![product(input)]),
        },
        "Reshape" => arithmetic::reshape(input, &target(call.setting("newshape")?)?),
        "BroadcastTo" => target(call.setting("shape")?)?.into_iter().map(fixed).collect(),
        "Ravel" => Some(vec![product(input)]),
        "Transpose" => arithmetic::transpose(input, call.axes("axes").as_deref()),
        "Swapaxes" => {
            let rank = input.len();
            let (a, b) = (index(call.axis("axis1")?, rank)?, index(call.axis("axis2")?, rank)?);
            let mut shape = input.clone();
            shape.swap(a, b);
            Some(shape)
        }
        "Moveaxis" => moveaxis(input, &call.axes("source")?, &call.axes("destination")?),
        "ExpandDims" => arithmetic::expand(input, &call.axes("axis")?),
        "Squeeze" => arithmetic::squeeze(input, call.axes("axis").as_deref()),
        "Tile" => arithmetic::tile(input, &sizes(call.setting("repeats")?)?),
        "Repeat" => {
            let times = call.setting("repeats").and_then(size);
            let grown = |size: Option<usize>| size.zip(times).and_then(|(a, b)| a.checked_mul(b));
            match call.axis("axis") {
                None => Some(vec![grown(product(input))]),
                Some(axis) => {
                    let at = index(axis, input.len())?;
                    with_size(input, axis, grown(input.get(at).copied().flatten()))
                }
            }
        }
        "Pad" => pad(input, call.setting("pad_width")?),
        "OneHot" => {
            let count = call.setting("num_classes").and_then(size);
            let axis = axis("axis", -1);
            let with = arithmetic::expand(input, &[axis])?;
            with_size(&with, axis, count)
        }
        "Glu" => {
            let axis = axis("axis", -1);
            let half = input.get(index(axis, input.len())?).copied().flatten().map(|size| size / 2);
            with_size(input, axis, half)
        }
        "Resize" => {
            let sizes = sizes(call.setting("size")?)?;
            let [height, width] = sizes.as_slice() else { return None };
            let last = if is_first(call) { -1 } else { -2 };
            let resized = with_size(input, last, Some(*width))?;
            with_size(&resized, last - 1, Some(*height))
        }
        "DepthToSpace" | "SpaceToDepth" => blocks(operation, call, input),
        "MaxPool" | "AveragePool" => super::spatial::pooled(call.config, input),
        "Shape" => Some(vec![Some(input.len())]),
        "Size" | "Ndim" => Some(vec![]),
        _ => None,
    }
}

fn fixed(size: Target) -> Option<Option<usize>> {
    match size {
        Target::Size(size) => Some(Some(size)),
        Target::Open => Some(None),
        Target::Rest => None,
    }
}

/// One size or several.
pub(super) fn sizes(value: &Value) -> Option<Vec<usize>> {
    match value {
        Value::Array(items) => items.iter().map(size).collect(),
        one => Some(vec![size(one)?]),
    }
}

fn is_first(call: &Reading<'_>) -> bool {
    matches!(call.setting("data_format").and_then(Value::as_str), Some("channels_first" | "NCHW"))
}

fn split(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    /// More results than any call has: each is a tensor of the graph.
    const MAX_RESULTS: usize = 4096;
    let input = call.input()?;
    let axis = call.axis("axis").unwrap_or(0);
    let length = input.get(index(axis, input.len())?).copied().flatten();
    let lengths: Vec<Option<usize>> = match call.setting("indices_or_sections")? {
        Value::Array(items) => {
            // The indices at which to cut.
            let cuts = items.iter().map(size).collect::<Option<Vec<_>>>()?;
            let ends = cuts.iter().copied().map(Some).chain(std::iter::once(length));
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            ends.zip(starts).map(|(end, start)| end.and_then(|end| end.checked_sub(start))).collect()
        }
        count => {
            let count = size(count).filter(|&count| count <= MAX_RESULTS)?;
            let part = length.filter(|length| length.checked_rem(count) == Some(0));
            vec![part.and_then(|length| length.checked_div(count)); count]
        }
    };
    lengths.into_iter().map(|length| with_size(input, axis, length)).collect()
}

/// The dot product of NumPy, which takes the last axis of the one and the last but one of the other.
fn dot(a: &InputShape, b: &InputShape) -> Option<InputShape> {
    match (a.as_slice(), b.as_slice()) {
        ([], other) | (other, []) => Some(other.to_vec()),
        ([lead @ .., _], [_]) => Some(lead.to_vec()),
        ([lead @ .., _], [other @ .., _, last]) => bounded([lead, other, &[*last]].concat()),
    }
}

fn tensordot(call: &Reading<'_>) -> Option<InputShape> {
    let operand = |name: [&str; 2], at| call.operand(name[0], at).or_else(|| call.operand(name[1], at));
    let (a, b) = (operand(["x1", "a"], 0)?, operand(["x2", "b"], 1)?);
    let list = |value: &Value| match value {
        Value::Array(items) => items.iter().map(Value::as_i64).collect::<Option<Vec<_>>>(),
        one => one.as_i64().map(|axis| vec![axis]),
    };
    let (left, right) = match call.setting("axes") {
        Some(Value::Array(pair)) => match &**pair {
            [left, right] => (list(left)?, list(right)?),
            _ => return None,
        },
        other => {
            let count = other.map_or(Some(2), size)?;
            let count = i64::try_from(count).ok().filter(|&count| count <= 16)?;
            ((-count..0).collect(), (0..count).collect())
        }
    };
    let (a, b) = (reduce(&a, Some(&left), false)?, reduce(&b, Some(&right), false)?);
    bounded([a, b].concat())
}

fn take(call: &Reading<'_>) -> Option<InputShape> {
    let (input, indices) = (call.input()?, call.operand("indices", 1)?);
    let Some(axis) = call.axis("axis") else { return Some(indices) };
    let at = index(axis, input.len())?;
    bounded([input.get(..at)?, indices.as_slice(), input.get(at + 1..)?].concat())
}

fn moveaxis(input: &InputShape, source: &[i64], destination: &[i64]) -> Option<InputShape> {
    let rank = input.len();
    if source.len() != destination.len() {
        return None;
    }
    let source = source.iter().map(|&axis| index(axis, rank)).collect::<Option<Vec<_>>>()?;
    let mut moved: Vec<(usize, usize)> = destination
        .iter()
        .map(|&axis| index(axis, rank))
        .zip(&source)
        .map(|(to, &from)| Some((to?, from)))
        .collect::<Option<_>>()?;
    moved.sort_unstable();
    let mut order: Vec<usize> = (0..rank).filter(|axis| !source.contains(axis)).collect();
    for (to, from) in moved {
        (to <= order.len()).then(|| order.insert(to, from))?;
    }
    order.into_iter().map(|axis| input.get(axis).copied()).collect()
}

/// Borders: one for all, a pair for all, or a pair for each axis.
fn pad(input: &InputShape, width: &Value) -> Option<InputShape> {
    let pairs: Vec<usize> = match width {
        Value::Array(items) if items.iter().all(Value::is_array) => items
            .iter()
            .map(|pair| sizes(pair)?.into_iter().try_fold(0_usize, usize::checked_add))
            .collect::<Option<_>>()?,
        Value::Array(_) => {
            vec![sizes(width)?.into_iter().try_fold(0_usize, usize::checked_add)?; input.len()]
        }
        one => vec![size(one)?.checked_mul(2)?; input.len()],
    };
    let pairs = if pairs.len() == 1 { vec![*pairs.first()?; input.len()] } else { pairs };
    if pairs.len() != input.len() {
        return None;
    }
    let grown = |(size, border): (&Option<usize>, &usize)| size.and_then(|size| size.checked_add(*border));
    Some(input.iter().zip(&pairs).map(grown).collect())
}

/// Channels to blocks of positions, and back.
fn blocks(operation: &str, call: &Reading<'_>, input: &InputShape) -> Option<InputShape> {
    let block = call.setting("block_size").and_then(size).filter(|&block| block > 0)?;
    let [batch, a, b, c] = *input.as_slice() else { return None };
    let is_first = is_first(call);
    let (channels, height, width) = if is_first { (a, b, c) } else { (c, a, b) };
    let area = block.checked_mul(block)?;
    let is_growing = operation == "DepthToSpace";
    let scaled = |size: Option<usize>, by: usize, grows: bool| {
        size.and_then(|size| if grows { size.checked_mul(by) } else { size.checked_div(by) })
    };
    let channels = scaled(channels, area, !is_growing);
    let (height, width) = (scaled(height, block, is_growing), scaled(width, block, is_growing));
    Some(if is_first { vec![batch, channels, height, width] } else { vec![batch, height, width, channels] })
}

/// A list of sizes among the arguments, some of which may be computed.
pub(super) fn argument_target(argument: &Argument) -> Option<Vec<Target>> {
    match argument {
        Argument::Constant(value) => target(value),
        Argument::List(items) => items
            .iter()
            .map(|item| match item {
                Argument::Constant(value) => target(value)?.first().copied(),
                Argument::Tensor(_) => Some(Target::Open),
                Argument::List(_) | Argument::Fields(_) => None,
            })
            .collect(),
        Argument::Tensor(_) | Argument::Fields(_) => None,
    }
}
