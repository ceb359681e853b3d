//! What TensorFlow's functions make, which are layers in a model of Keras 2 (`tf_op_layer.py`). The first
//! argument is what the layer is called on; all others have their names.

use crate::keras::calls::Argument;
use crate::keras::json::{Fields, InputShape, Value, size, text};

use super::arithmetic::{self, Target, broadcast_all, concatenate, index, reduce, stack, with_size};
use super::ops::{self, argument_target, sizes};
use super::reading::Reading;
use super::slices;

/// Functions that are operations of `keras.ops` under other names, by the last part of their name.
const SAME: &[(&str, &str)] = &[
    ("abs", "Absolute"),
    ("acos", "Arccos"),
    ("asin", "Arcsin"),
    ("atan", "Arctan"),
    ("cast", "Cast"),
    ("ceil", "Ceil"),
    ("clip_by_value", "Clip"),
    ("cos", "Cos"),
    ("cosh", "Cosh"),
    ("dropout", "Identity"),
    ("elu", "Elu"),
    ("erf", "Erf"),
    ("exp", "Exp"),
    ("expm1", "Expm1"),
    ("floor", "Floor"),
    ("gelu", "Gelu"),
    ("identity", "Identity"),
    ("is_finite", "Isfinite"),
    ("is_inf", "Isinf"),
    ("is_nan", "Isnan"),
    ("l2_normalize", "Normalize"),
    ("leaky_relu", "LeakyRelu"),
    ("local_response_normalization", "Identity"),
    ("log", "Log"),
    ("log1p", "Log1p"),
    ("log_sigmoid", "LogSigmoid"),
    ("log_softmax", "LogSoftmax"),
    ("logical_not", "LogicalNot"),
    ("neg", "Negative"),
    ("negative", "Negative"),
    ("ones_like", "OnesLike"),
    ("reciprocal", "Reciprocal"),
    ("relu", "Relu"),
    ("relu6", "Relu6"),
    ("reverse", "Flip"),
    ("roll", "Roll"),
    ("round", "Round"),
    ("rsqrt", "Rsqrt"),
    ("selu", "Selu"),
    ("sigmoid", "Sigmoid"),
    ("sign", "Sign"),
    ("silu", "Silu"),
    ("sin", "Sin"),
    ("sinh", "Sinh"),
    ("softmax", "Softmax"),
    ("softplus", "Softplus"),
    ("softsign", "Softsign"),
    ("sort", "Sort"),
    ("sqrt", "Sqrt"),
    ("square", "Square"),
    ("stop_gradient", "StopGradient"),
    ("swish", "Silu"),
    ("tan", "Tan"),
    ("tanh", "Tanh"),
    ("zeros_like", "ZerosLike"),
];

/// Functions whose operands are broadcast, by the last part of their name.
const BROADCAST: &[&str] = &[
    "add",
    "atan2",
    "bias_add",
    "divide",
    "divide_no_nan",
    "eq",
    "equal",
    "floordiv",
    "floormod",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "multiply_no_nan",
    "ne",
    "not_equal",
    "pow",
    "realdiv",
    "squared_difference",
    "subtract",
    "truediv",
    "where",
];

/// Functions that take axes away, by the last part of their name.
const REDUCTIONS: &[&str] = &[
    "count_nonzero",
    "euclidean_norm",
    "norm",
    "reduce_all",
    "reduce_any",
    "reduce_euclidean_norm",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
];

/// The shapes of the results of a layer that is a function of TensorFlow.
pub(super) fn results(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    match call.class {
        "SlicingOpLambda" => {
            let index = call.arguments.named("slice_spec")?;
            Some(vec![slices::output(call.input()?, index)?])
        }
        "TensorFlowOpLayer" => node(call),
        _ => function(call.config.text("function").ok()??, call),
    }
}

fn function(name: &str, call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_known =
        ["math", "nn", "compat.v1", "linalg", "image", "__operators__", "compat.v1.math", "compat.v1.nn"]
            .iter()
            .any(|module| name.strip_suffix(last).and_then(|rest| rest.strip_suffix('.')) == Some(module));
    if !is_known && last != name {
        return None;
    }
    if let Ok(at) = SAME.binary_search_by_key(&last, |&(name, _)| name) {
        return ops::function(SAME.get(at)?.1, call);
    }
    let one = |shape: Option<InputShape>| shape.map(|shape| vec![shape]);
    if BROADCAST.binary_search(&last).is_ok() {
        let operands = operands(call)?;
        // With a condition alone it tells the places of what is true.
        return if last == "where" && operands.len() < 3 { None } else { one(broadcast_all(&operands)) };
    }
    if REDUCTIONS.binary_search(&last).is_ok() {
        let keeps = call.is_set("keepdims") || call.is_set("keep_dims");
        let is_computed = call.is_computed("axis");
        return one((!is_computed).then(|| reduce(call.input()?, axes(call).as_deref(), keeps))?);
    }
    match last {
        "split" => split(call),
        "unstack" => ops::function("Unstack", call),
        "moments" => ops::function("Moments", call),
        "top_k" => ops::function("TopK", call),
        _ => one(output(last, call)),
    }
}

fn axes(call: &Reading<'_>) -> Option<Vec<i64>> {
    call.axes("axis").or_else(|| call.axes("reduction_indices"))
}

/// The first argument and all named ones that are tensors or numbers.
fn operands(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let named = ["x", "y", "b", "bias", "value"].iter().filter_map(|name| call.arguments.named(name));
    let first = call.arguments.first().into_iter();
    let all = first.chain(named.filter(|argument| !is_nothing(argument)));
    all.map(|argument| call.shape_of(argument)).collect()
}

fn is_nothing(argument: &Argument) -> bool {
    matches!(argument, Argument::Constant(Value::Null))
}

/// The functions with one result.
fn output(name: &str, call: &Reading<'_>) -> Option<InputShape> {
    match name {
        "add_n" | "accumulate_n" => call.input().cloned(),
        "concat" => concatenate(&call.inputs()?, call.axis("axis")?),
        "stack" => stack(&call.inputs()?, call.axis("axis").unwrap_or(0)),
        "reshape" => arithmetic::reshape(call.input()?, &argument_target(call.arguments.named("shape")?)?),
        "broadcast_to" => {
            let target = argument_target(call.arguments.named("shape")?)?;
            let fixed = |size| match size {
                Target::Size(size) => Some(size),
                Target::Rest | Target::Open => None,
            };
            Some(target.into_iter().map(fixed).collect())
        }
        "transpose" => {
            if call.is_computed("perm") {
                return None;
            }
            arithmetic::transpose(call.input()?, call.axes("perm").as_deref())
        }
        "expand_dims" => arithmetic::expand(call.input()?, &axes(call).or_else(|| call.axes("dim"))?),
        "squeeze" => {
            let axes = axes(call).or_else(|| call.axes("squeeze_dims")).filter(|axes| !axes.is_empty());
            arithmetic::squeeze(call.input()?, axes.as_deref())
        }
        "matmul" => {
            let swapped = |shape: InputShape, swaps: bool| {
                let mut shape = shape;
                if let [.., a, b] = shape.as_mut_slice()
                    && swaps
                {
                    std::mem::swap(a, b);
                }
                shape
            };
            let a = call.input()?.clone();
            let b = call.shape_of(call.arguments.named("b")?)?;
            let is_set = |names: [&str; 2]| names.iter().any(|name| call.is_set(name));
            let a = swapped(a, is_set(["transpose_a", "adjoint_a"]));
            arithmetic::matmul(&a, &swapped(b, is_set(["transpose_b", "adjoint_b"])))
        }
        "tile" => arithmetic::tile(call.input()?, &sizes(call.setting("multiples")?)?),
        "pad" => pad(call),
        "argmax" | "argmin" => {
            let axis = call.axis("axis").or_else(|| call.axis("dimension")).unwrap_or(0);
            reduce(call.input()?, Some(&[axis]), false)
        }
        "gather" => gather(call),
        "one_hot" => {
            let depth = call.setting("depth").and_then(size);
            let axis = call.axis("axis").unwrap_or(-1);
            with_size(&arithmetic::expand(call.input()?, &[axis])?, axis, depth)
        }
        "cumsum" | "cumprod" => call.input().cloned(),
        "resize" | "resize_bilinear" | "resize_nearest_neighbor" | "resize_bicubic" => resize(call),
        "max_pool" | "max_pool1d" | "max_pool2d" | "max_pool3d" | "avg_pool" | "avg_pool1d"
        | "avg_pool2d" | "avg_pool3d" => pool(call),
        "depth_to_space" => ops::function("DepthToSpace", call)?.pop(),
        "space_to_depth" => ops::function("SpaceToDepth", call)?.pop(),
        "repeat" => ops::function("Repeat", call)?.pop(),
        "shape" | "shape_v2" => Some(vec![Some(call.input()?.len())]),
        "size" | "rank" => Some(vec![]),
        _ => None,
    }
}

fn resize(call: &Reading<'_>) -> Option<InputShape> {
    if call.is_set("preserve_aspect_ratio") {
        return None;
    }
    let input = call.input()?;
    let target = argument_target(call.arguments.named("size")?)?;
    let [height, width] = target.as_slice() else { return None };
    let fixed = |size: &Target| match size {
        Target::Size(size) => Some(*size),
        Target::Rest | Target::Open => None,
    };
    with_size(&with_size(input, -2, fixed(width))?, -3, fixed(height))
}

fn pool(call: &Reading<'_>) -> Option<InputShape> {
    let format = call.setting("data_format").and_then(Value::as_str);
    if format.is_some_and(|format| format.starts_with("NC")) {
        return None;
    }
    let (pool, strides) = (sizes(call.setting("ksize")?)?, sizes(call.setting("strides")?)?);
    let padding = call.setting("padding")?.as_str()?;
    super::spatial::pooled_last(call.input()?, &pool, &strides, padding.eq_ignore_ascii_case("valid"))
}

fn split(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    /// More results than any call has: each is a tensor of the graph.
    const MAX_RESULTS: usize = 4096;
    let input = call.input()?;
    let axis = call.axis("axis").unwrap_or(0);
    let length = input.get(index(axis, input.len())?).copied().flatten();
    let parts: Vec<Option<usize>> = match call.setting("num_or_size_splits")? {
        Value::Array(items) => items.iter().map(|item| Some(size(item))).collect::<Option<_>>()?,
        count => {
            let count = size(count).filter(|&count| count <= MAX_RESULTS)?;
            vec![length.and_then(|length| length.checked_div(count)); count]
        }
    };
    parts.into_iter().map(|part| with_size(input, axis, part)).collect()
}

fn pad(call: &Reading<'_>) -> Option<InputShape> {
    let input = call.input()?;
    let Value::Array(pairs) = call.setting("paddings")? else { return None };
    if pairs.len() != input.len() {
        return None;
    }
    let grown = |(size, pair): (&Option<usize>, &Value)| {
        let border = sizes(pair)?.into_iter().try_fold(0_usize, usize::checked_add)?;
        Some(size.and_then(|size| size.checked_add(border)))
    };
    input.iter().zip(pairs.iter()).map(grown).collect()
}

fn gather(call: &Reading<'_>) -> Option<InputShape> {
    let input = call.input()?;
    let indices = call.shape_of(call.arguments.named("indices")?)?;
    let batch = call.axis("batch_dims").unwrap_or(0);
    if batch != 0 {
        return None;
    }
    let axis = index(call.axis("axis").unwrap_or(0), input.len())?;
    arithmetic::bounded([input.get(..axis)?, indices.as_slice(), input.get(axis + 1..)?].concat())
}

/// A node of a TensorFlow graph, as Keras 2 before 2.4 wrote it: only those that keep the shape are known, by
/// the name of the operation in `node_def`.
fn node(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    const ELEMENTWISE: [&str; 14] = [
        "AddV2", "Add", "Mul", "Sub", "RealDiv", "Maximum", "Minimum", "Relu", "Sigmoid", "Tanh", "Exp",
        "Sqrt", "Square", "Cast",
    ];
    let operation = match call.config.get("node_def")? {
        Value::String(definition) => {
            let parsed: serde_json::Value = serde_json::from_str(definition).ok()?;
            parsed.get("op")?.as_str()?.to_owned()
        }
        definition => text(definition, "op")?.to_owned(),
    };
    let constants = call.config.get("constants").and_then(Value::as_object);
    let constants =
        constants.into_iter().flat_map(Fields::iter).map(|(_, value)| arithmetic::constant_shape(value));
    let inputs = call.inputs()?.into_iter().cloned().map(Some);
    let operands = inputs.chain(constants).collect::<Option<Vec<_>>>()?;
    ELEMENTWISE.contains(&operation.as_str()).then(|| broadcast_all(&operands).map(|shape| vec![shape]))?
}
