//! Output shapes of the layers of a Sequential model, whose configuration tells the input shapes of some
//! layers only. An axis of unknown size stays unknown.

use crate::tensor::MAX_RANK;

use super::json::{Config, InputShape};

/// The classes whose output has the shape of their input.
pub(super) fn keeps_shape(class: &str) -> bool {
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
            | "UnitNormalization"
    )
}

/// The shape of a layer's output, or `None` when it is not known.
pub(super) fn output_shape(class: &str, config: Config<'_>, input: &InputShape) -> Option<InputShape> {
    if keeps_shape(class) {
        return Some(input.clone());
    }
    let (batch, rest) = input.split_first()?;
    match class {
        "Dense" => {
            let mut shape = input.clone();
            *shape.last_mut()? = Some(config.size("units").ok()?);
            Some(shape)
        }
        "Flatten" => Some(vec![*batch, product(rest)]),
        "Reshape" => reshape(input, &target_shape(config)?),
        "Permute" => {
            let order = config.axes("dims").ok()??;
            let size = |axis: &i64| input.get(usize::try_from(*axis).ok()?).copied();
            let rest: Option<Vec<_>> = order.iter().map(size).collect();
            Some([vec![*batch], rest?].concat())
        }
        "RepeatVector" => Some(vec![*batch, Some(config.size("n").ok()?), *rest.first()?]),
        "Embedding" => {
            let mut shape = input.clone();
            shape.push(Some(config.size("output_dim").ok()?));
            (shape.len() <= MAX_RANK).then_some(shape)
        }
        "LSTM" | "GRU" | "SimpleRNN" => {
            let units = Some(config.size("units").ok()?);
            let keeps_time = config.flag("return_sequences", false).ok()?;
            Some(if keeps_time { vec![*batch, *rest.first()?, units] } else { vec![*batch, units] })
        }
        _ => spatial(class, config, input),
    }
}

/// Convolutions, pooling, padding, cropping and upsampling: each acts on the spatial axes alone.
fn spatial(class: &str, config: Config<'_>, input: &InputShape) -> Option<InputShape> {
    let rank = input.len().checked_sub(2).filter(|&rank| rank > 0)?;
    let is_first = config.text("data_format").ok()? == Some("channels_first");
    let (batch, channels) = (*input.first()?, *if is_first { input.get(1)? } else { input.last()? });
    let sizes = if is_first { input.get(2..)? } else { input.get(1..=rank)? };
    let per_axis = |field: &str| -> Option<Vec<usize>> { config.sizes(field, rank).ok() };
    let per_axis_or = |field: &str, default: usize| match config.get(field) {
        None => Some(vec![default; rank]),
        Some(_) => per_axis(field),
    };
    let padding = config.text("padding").ok().flatten().unwrap_or("valid");
    let window = |kernel: Vec<usize>, strides: Vec<usize>, dilation: Vec<usize>| -> InputShape {
        let axis = |axis: usize| -> Option<usize> {
            let (size, stride) = ((*sizes.get(axis)?)?, *strides.get(axis)?);
            if padding == "valid" {
                let reach = kernel.get(axis)?.checked_sub(1)?.checked_mul(*dilation.get(axis)?)?;
                size.checked_sub(reach)?.checked_sub(1)?.checked_div(stride)?.checked_add(1)
            } else {
                (stride > 0).then(|| size.div_ceil(stride))
            }
        };
        (0..rank).map(axis).collect()
    };
    let (channels, sizes): (Option<usize>, InputShape) = match class {
        "Conv1D" | "Conv2D" | "Conv3D" | "SeparableConv1D" | "SeparableConv2D" => (
            Some(config.size("filters").ok()?),
            window(per_axis("kernel_size")?, per_axis_or("strides", 1)?, per_axis_or("dilation_rate", 1)?),
        ),
        "DepthwiseConv1D" | "DepthwiseConv2D" => {
            let multiplier = config.size_or("depth_multiplier", 1).ok()?;
            (
                channels.and_then(|channels| channels.checked_mul(multiplier)),
                window(
                    per_axis("kernel_size")?,
                    per_axis_or("strides", 1)?,
                    per_axis_or("dilation_rate", 1)?,
                ),
            )
        }
        "Conv1DTranspose" | "Conv2DTranspose" | "Conv3DTranspose" => {
            let (kernel, strides) = (per_axis("kernel_size")?, per_axis_or("strides", 1)?);
            let is_plain = config.get("output_padding").is_none()
                && per_axis_or("dilation_rate", 1)?.iter().all(|&dilation| dilation == 1);
            let axis = |((size, kernel), stride): ((&Option<usize>, &usize), &usize)| -> Option<usize> {
                let grown = (*size)?.checked_mul(*stride)?;
                let overlap = if padding == "valid" { kernel.saturating_sub(*stride) } else { 0 };
                grown.checked_add(overlap).filter(|_| is_plain)
            };
            (Some(config.size("filters").ok()?), sizes.iter().zip(&kernel).zip(&strides).map(axis).collect())
        }
        _ if class.starts_with("Global") => {
            if !config.flag("keepdims", false).ok()? {
                return Some(vec![batch, channels]);
            }
            (channels, vec![Some(1); rank])
        }
        _ if class.starts_with("MaxPooling") || class.starts_with("AveragePooling") => {
            let pool = per_axis("pool_size")?;
            let strides = if config.get("strides").is_some() { per_axis("strides")? } else { pool.clone() };
            (channels, window(pool, strides, vec![1; rank]))
        }
        _ if class.starts_with("UpSampling") => {
            let factors = per_axis("size")?;
            let grow = |(size, factor): (&Option<usize>, &usize)| (*size)?.checked_mul(*factor);
            (channels, sizes.iter().zip(&factors).map(grow).collect())
        }
        _ if class.starts_with("ZeroPadding") || class.starts_with("Cropping") => {
            let is_padding = class.starts_with("ZeroPadding");
            let borders = borders(config, if is_padding { "padding" } else { "cropping" }, rank)?;
            let change = |(size, border): (&Option<usize>, &usize)| {
                if is_padding { (*size)?.checked_add(*border) } else { (*size)?.checked_sub(*border) }
            };
            (channels, sizes.iter().zip(&borders).map(change).collect())
        }
        _ => return None,
    };
    let mut shape = vec![batch];
    if is_first {
        shape.push(channels);
        shape.extend(sizes);
    } else {
        shape.extend(sizes);
        shape.push(channels);
    }
    Some(shape)
}

/// The sum of both borders per axis; written as `1`, `[1, 2]` or `[[1, 2], [3, 4]]`.
fn borders(config: Config<'_>, field: &str, rank: usize) -> Option<Vec<usize>> {
    use super::json::size;
    use serde_json::Value;

    let value = config.get(field)?;
    let pair = |value: &Value| match value {
        Value::Array(items) => items.iter().map(size).try_fold(0_usize, |sum, size| sum.checked_add(size?)),
        one => size(one).and_then(|size| size.checked_mul(2)),
    };
    match value {
        Value::Array(items) if rank == 1 && items.iter().all(Value::is_number) => Some(vec![pair(value)?]),
        Value::Array(items) => items.iter().map(pair).collect::<Option<Vec<_>>>().filter(|v| v.len() == rank),
        one => Some(vec![pair(one)?; rank]),
    }
}

/// The `target_shape` of a Reshape, without the batch; `None` on the axis that takes the rest (-1).
pub(super) fn target_shape(config: Config<'_>) -> Option<Vec<Option<usize>>> {
    let items = config.axes("target_shape").ok()??;
    let known = |size: i64| if size < 0 { Some(None) } else { usize::try_from(size).ok().map(Some) };
    items.into_iter().map(known).collect::<Option<Vec<_>>>().filter(|items| items.len() < MAX_RANK)
}

fn reshape(input: &InputShape, target: &[Option<usize>]) -> Option<InputShape> {
    let (batch, rest) = input.split_first()?;
    let known = target.iter().flatten().try_fold(1_usize, |product, &size| product.checked_mul(size))?;
    let open = product(rest).and_then(|total| total.checked_div(known));
    Some(std::iter::once(*batch).chain(target.iter().map(|size| size.or(open))).collect())
}

/// The product of sizes, when all are fixed.
pub(super) fn product(sizes: &[Option<usize>]) -> Option<usize> {
    sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(class: &str, config: &Value, input: &[usize], expected: Option<&[usize]>) {
        let object = json!({ "config": config });
        let input = std::iter::once(None).chain(input.iter().copied().map(Some)).collect();
        let expected = expected
            .map(|sizes| std::iter::once(None).chain(sizes.iter().copied().map(Some)).collect::<Vec<_>>());
        assert_eq!(output_shape(class, Config::of(&object, "x").unwrap(), &input), expected, "{class}");
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
