//! What layers make that hold no other layers (`compute_output_shape` of each class in Keras' `layers/`).

use crate::keras::json::{Config, InputShape, Value, input_shape};
use crate::keras::layers::einsum_output;
use crate::tensor::MAX_RANK;

use super::arithmetic::{self, Target, bounded, broadcast, concatenate, index, product, with_size};
use super::reading::Reading;
use super::{attention, preprocessing, recurrent, spatial, tf_ops};

/// The classes whose output has the shape of their input.
pub(in crate::keras) fn keeps_shape(class: &str) -> bool {
    matches!(
        class,
        "Activation"
            | "ActivityRegularization"
            | "AlphaDropout"
            | "BatchNormalization"
            | "Dropout"
            | "ELU"
            | "GaussianDropout"
            | "GaussianNoise"
            | "GroupNormalization"
            | "Identity"
            | "LayerNormalization"
            | "LayerScale"
            | "LeakyReLU"
            | "Masking"
            | "Normalization"
            | "PReLU"
            | "RMSNormalization"
            | "ReLU"
            | "Rescaling"
            | "Softmax"
            | "SpatialDropout1D"
            | "SpatialDropout2D"
            | "SpatialDropout3D"
            | "SyncBatchNormalization"
            | "ThresholdedReLU"
            | "UnitNormalization"
    )
}

/// The shapes of a layer's results, or `None` when they are not known.
pub(super) fn results(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let one = |shape: Option<InputShape>| shape.map(|shape| vec![shape]);
    match call.class {
        class if keeps_shape(class) || preprocessing::keeps_shape(class) => one(call.input().cloned()),
        "MultiHeadAttention" | "GroupedQueryAttention" => attention::projected(call),
        "Attention" | "AdditiveAttention" => attention::plain(call),
        "LSTM" | "GRU" | "SimpleRNN" => recurrent::units(call),
        class if class.starts_with("ConvLSTM") => recurrent::convolutional(call),
        "TFOpLambda" | "SlicingOpLambda" | "TensorFlowOpLayer" => tf_ops::results(call),
        _ => one(output(call)),
    }
}

/// The shape of the one result of a layer.
fn output(call: &Reading<'_>) -> Option<InputShape> {
    let config = call.config;
    match call.class {
        "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" | "CustomScaleLayer" => {
            merge(&call.inputs()?)
        }
        "Concatenate" => concatenate(&call.inputs()?, config.axes("axis").ok()?.map_or(Some(-1), only)?),
        "Dot" => dot(call),
        "EinsumDense" => bounded(einsum_output(config, call.input()?, call.generation)?),
        "Dense" => with_size(call.input()?, -1, Some(config.size("units").ok()?)),
        "Embedding" | "ReversibleEmbedding" => embedding(call),
        "Lambda" => {
            let rest = config.get("output_shape").and_then(input_shape)?;
            Some([&[call.input()?.first().copied().flatten()], rest.as_slice()].concat())
        }
        _ => {
            let input = call.input()?;
            let (batch, rest) = input.split_first()?;
            match call.class {
                "Flatten" => Some(vec![*batch, product(rest)]),
                "Reshape" => reshape(input, &target_shape(config)?),
                "Permute" => {
                    let order = config.axes("dims").ok()??;
                    let axes: Vec<i64> = std::iter::once(0).chain(order).collect();
                    arithmetic::transpose(input, Some(&axes))
                }
                "RepeatVector" => Some(vec![*batch, Some(config.size("n").ok()?), *rest.first()?]),
                _ => preprocessing::output(call, input)
                    .or_else(|| spatial::output(call.class, config, input, call.generation)),
            }
        }
    }
}

fn only(axes: Vec<i64>) -> Option<i64> {
    match axes.as_slice() {
        [axis] => Some(*axis),
        _ => None,
    }
}

/// Tensors combined in the same place. Ranks may differ: then the shorter ones have their axes at the end,
/// behind the batch (`base_merge.py`).
fn merge(inputs: &[&InputShape]) -> Option<InputShape> {
    let (first, others) = inputs.split_first()?;
    let (&batch, rest) = first.split_first()?;
    let (mut batch, mut merged) = (batch, rest.to_vec());
    for shape in others {
        let (&other, rest) = shape.split_first()?;
        batch = batch.or(other);
        merged = broadcast(&merged, rest);
    }
    Some([&[batch], merged.as_slice()].concat())
}

/// The dot product along one axis of each.
fn dot(call: &Reading<'_>) -> Option<InputShape> {
    let inputs = call.inputs()?;
    let [a, b] = inputs.as_slice() else { return None };
    let axes = call.config.axes("axes").ok()??;
    let (a_axis, b_axis) = match axes.as_slice() {
        [axis] => (*axis, *axis),
        [a, b] => (*a, *b),
        _ => return None,
    };
    let (mut left, mut right) = ((*a).clone(), (*b).clone());
    left.remove(index(a_axis, a.len())?);
    right.remove(index(b_axis, b.len())?);
    let joined = [left.as_slice(), right.get(1..)?].concat();
    bounded(if joined.len() == 1 { vec![*joined.first()?, Some(1)] } else { joined })
}

/// A vector for each number, or backwards: a score for each number, of a vector.
fn embedding(call: &Reading<'_>) -> Option<InputShape> {
    let input = call.input()?;
    if call.class == "ReversibleEmbedding" && call.arguments.flag("reverse") {
        return with_size(input, -1, Some(call.config.size("input_dim").ok()?));
    }
    let mut shape = input.clone();
    shape.push(Some(call.config.size("output_dim").ok()?));
    bounded(shape)
}

/// The `target_shape` of a Reshape, without the batch; `None` on the axis that takes the rest (-1).
pub(in crate::keras) fn target_shape(config: Config<'_>) -> Option<Vec<Option<usize>>> {
    let items = match config.get("target_shape")? {
        Value::Array(items) => items.iter().map(Value::as_i64).collect::<Option<Vec<_>>>()?,
        one => vec![one.as_i64()?],
    };
    let known = |size: i64| if size < 0 { Some(None) } else { usize::try_from(size).ok().map(Some) };
    items.into_iter().map(known).collect::<Option<Vec<_>>>().filter(|items| items.len() < MAX_RANK)
}

fn reshape(input: &InputShape, target: &[Option<usize>]) -> Option<InputShape> {
    let (batch, rest) = input.split_first()?;
    let target: Vec<Target> = target.iter().map(|size| size.map_or(Target::Rest, Target::Size)).collect();
    let rest = arithmetic::reshape(&rest.to_vec(), &target)?;
    Some([&[*batch], rest.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use crate::keras::architecture::Generation;
    use crate::keras::calls::Call;
    use crate::keras::graph::Tensor;

    use super::*;

    fn check(class: &str, config: &Value, input: &[usize], expected: Option<&[usize]>) {
        let object = json!({ "config": config });
        let batched = |sizes: &[usize]| {
            std::iter::once(None).chain(sizes.iter().copied().map(Some)).collect::<Vec<_>>()
        };
        let call = Call::on(Tensor { step: 0, call: 0, result: 0, shape: None });
        let reading = Reading {
            class,
            config: Config::of(&object, "x").unwrap(),
            arguments: &call.arguments,
            shapes: &[Ok(batched(input))],
            generation: Generation::Keras3,
        };
        assert_eq!(results(&reading), expected.map(|sizes| vec![batched(sizes)]), "{class}");
    }

    #[test]
    fn shapes() {
        let conv = json!({"filters": 4, "kernel_size": [3, 2], "strides": [2, 1], "padding": "valid"});
        check("Conv2D", &conv, &[11, 7, 3], Some(&[5, 6, 4]));
        let conv = json!({"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same",
                          "data_format": "channels_first"});
        check("Conv2D", &conv, &[3, 11, 7], Some(&[4, 6, 4]));
        check("MaxPooling2D", &json!({"pool_size": [2, 3], "strides": null}), &[11, 7, 3], Some(&[5, 2, 3]));
        check("Flatten", &json!({}), &[5, 7, 3], Some(&[105]));
        check("Reshape", &json!({"target_shape": [5, -1]}), &[5, 7, 3], Some(&[5, 21]));
        check("ZeroPadding2D", &json!({"padding": [[1, 2], [3, 4]]}), &[5, 7, 3], Some(&[8, 14, 3]));
        check("ZeroPadding1D", &json!({"padding": [1, 2]}), &[5, 3], Some(&[8, 3]));
        check("Cropping2D", &json!({"cropping": 1}), &[5, 7, 3], Some(&[3, 5, 3]));
        check(
            "Conv2DTranspose",
            &json!({"filters": 2, "kernel_size": 3, "strides": 2}),
            &[5, 7, 3],
            Some(&[11, 15, 2]),
        );
        check("GlobalMaxPooling2D", &json!({"keepdims": true}), &[5, 7, 3], Some(&[1, 1, 3]));
        check("Permute", &json!({"dims": [3, 1, 2]}), &[5, 7, 3], Some(&[3, 5, 7]));
        check("Lambda", &json!({}), &[5, 7, 3], None);
    }
}
