//! Convolutions, pooling, padding, cropping, upsampling and resizing: each acts on the spatial axes alone.

use crate::keras::architecture::Generation;
use crate::keras::json::{Config, InputShape, Value, size};

/// The spatial sizes of a shape, and what stands around them.
struct Map<'a> {
    batch: Option<usize>,
    channels: Option<usize>,
    sizes: &'a [Option<usize>],
    is_first: bool,
    config: Config<'a>,
}

impl<'a> Map<'a> {
    fn of(config: Config<'a>, input: &'a InputShape) -> Option<Self> {
        let rank = input.len().checked_sub(2).filter(|&rank| rank > 0)?;
        let is_first = config.text("data_format").ok()? == Some("channels_first");
        let (channels, sizes) =
            if is_first { (input.get(1)?, input.get(2..)?) } else { (input.last()?, input.get(1..=rank)?) };
        Some(Self { batch: *input.first()?, channels: *channels, sizes, is_first, config })
    }

    fn shape(&self, channels: Option<usize>, sizes: InputShape) -> InputShape {
        let mut shape = vec![self.batch];
        if self.is_first {
            shape.push(channels);
            shape.extend(sizes);
        } else {
            shape.extend(sizes);
            shape.push(channels);
        }
        shape
    }

    fn per_axis(&self, field: &str) -> Option<Vec<usize>> {
        self.config.sizes(field, self.sizes.len()).ok()
    }

    fn per_axis_or(&self, field: &str, default: usize) -> Option<Vec<usize>> {
        match self.config.get(field) {
            None => Some(vec![default; self.sizes.len()]),
            Some(_) => self.per_axis(field),
        }
    }

    /// Each size through a window that moves by strides.
    fn window(&self, kernel: &[usize], strides: &[usize], dilation: &[usize]) -> InputShape {
        let padding = self.config.text("padding").ok().flatten().unwrap_or("valid");
        windows(self.sizes, kernel, strides, dilation, padding.eq_ignore_ascii_case("valid"))
    }

    fn convolved(&self) -> Option<InputShape> {
        Some(self.window(
            &self.per_axis("kernel_size")?,
            &self.per_axis_or("strides", 1)?,
            &self.per_axis_or("dilation_rate", 1)?,
        ))
    }

    /// Each size through a transposed convolution: `compute_conv_transpose_output_shape` of Keras 3,
    /// `deconv_output_length` of Keras 2, which differ where the padding is `same` and the output padding given.
    fn transposed(&self, generation: Generation) -> Option<InputShape> {
        let padding = self.config.text("padding").ok().flatten().unwrap_or("valid");
        let is_valid = padding.eq_ignore_ascii_case("valid");
        let (kernel, strides) = (self.per_axis("kernel_size")?, self.per_axis_or("strides", 1)?);
        let dilation = self.per_axis_or("dilation_rate", 1)?;
        let extra = match self.config.get("output_padding") {
            Some(_) => Some(self.per_axis("output_padding")?),
            None => None,
        };
        let axis = |axis: usize| -> Option<usize> {
            let (size, stride) = ((*self.sizes.get(axis)?)?, *strides.get(axis)?);
            let reach = kernel.get(axis)?.checked_sub(1)?.checked_mul(*dilation.get(axis)?)?;
            let kernel = reach.checked_add(1)?;
            let grown = size.checked_mul(stride)?;
            let Some(extra) = &extra else {
                return if is_valid { grown.checked_add(kernel.saturating_sub(stride)) } else { Some(grown) };
            };
            let spread = size.checked_sub(1)?.checked_mul(stride)?;
            let kept = match (is_valid, generation) {
                (true, _) => kernel,
                (false, Generation::Keras3) => kernel % 2,
                (false, Generation::Keras2) => kernel.checked_sub(kernel / 2 * 2)?,
            };
            spread.checked_add(kept)?.checked_add(*extra.get(axis)?)
        };
        Some((0..self.sizes.len()).map(axis).collect())
    }

    /// The sum of both borders per axis; written as `1`, `[1, 2]` or `[[1, 2], [3, 4]]`.
    fn borders(&self, field: &str, default: usize) -> Option<Vec<usize>> {
        let rank = self.sizes.len();
        let pair = |value: &Value| match value {
            Value::Array(items) => {
                items.iter().map(size).try_fold(0_usize, |sum, size| sum.checked_add(size?))
            }
            one => size(one).and_then(|size| size.checked_mul(2)),
        };
        match self.config.get(field) {
            None => Some(vec![default.checked_mul(2)?; rank]),
            Some(value @ Value::Array(items)) if rank == 1 && items.len() == 2 => Some(vec![pair(value)?]),
            Some(Value::Array(items)) => {
                items.iter().map(pair).collect::<Option<Vec<_>>>().filter(|sums| sums.len() == rank)
            }
            Some(one) => Some(vec![pair(one)?; rank]),
        }
    }
}

/// Each size through a window that moves by strides (`compute_conv_output_shape` in Keras'
/// `operation_utils.py`).
fn windows(
    sizes: &[Option<usize>],
    kernel: &[usize],
    strides: &[usize],
    dilation: &[usize],
    is_valid: bool,
) -> InputShape {
    let axis = |axis: usize| -> Option<usize> {
        let (size, stride) = ((*sizes.get(axis)?)?, *strides.get(axis)?);
        if is_valid {
            let reach = kernel.get(axis)?.checked_sub(1)?.checked_mul(*dilation.get(axis)?)?;
            size.checked_sub(reach)?.checked_sub(1)?.checked_div(stride)?.checked_add(1)
        } else {
            (stride > 0).then(|| size.div_ceil(stride))
        }
    };
    (0..sizes.len()).map(axis).collect()
}

/// What TensorFlow's pooling makes of a map with its channels last.
pub(super) fn pooled_last(
    input: &InputShape,
    pool: &[usize],
    strides: &[usize],
    is_valid: bool,
) -> Option<InputShape> {
    let rank = input.len().checked_sub(2)?;
    let sizes = input.get(1..=rank)?;
    let per_axis = |given: &[usize]| match given {
        [one] => Some(vec![*one; rank]),
        all if all.len() == rank => Some(all.to_vec()),
        all if all.len() == input.len() => all.get(1..=rank).map(<[usize]>::to_vec),
        _ => None,
    };
    let made = windows(sizes, &per_axis(pool)?, &per_axis(strides)?, &vec![1; rank], is_valid);
    Some([&[*input.first()?], made.as_slice(), &[*input.last()?]].concat())
}

/// The shape of what a layer on a map makes.
pub(super) fn output(
    class: &str,
    config: Config<'_>,
    input: &InputShape,
    generation: Generation,
) -> Option<InputShape> {
    let map = Map::of(config, input)?;
    let (channels, sizes): (Option<usize>, InputShape) = match class {
        "Conv1D" | "Conv2D" | "Conv3D" | "SeparableConv1D" | "SeparableConv2D" | "LocallyConnected1D"
        | "LocallyConnected2D" => (Some(config.size("filters").ok()?), map.convolved()?),
        "DepthwiseConv1D" | "DepthwiseConv2D" => {
            let multiplier = config.size_or("depth_multiplier", 1).ok()?;
            (map.channels.and_then(|channels| channels.checked_mul(multiplier)), map.convolved()?)
        }
        "Conv1DTranspose" | "Conv2DTranspose" | "Conv3DTranspose" => {
            (Some(config.size("filters").ok()?), map.transposed(generation)?)
        }
        _ if class.starts_with("Global") => {
            if !config.flag("keepdims", false).ok()? {
                return Some(vec![map.batch, map.channels]);
            }
            (map.channels, vec![Some(1); map.sizes.len()])
        }
        _ if class.starts_with("MaxPooling") || class.starts_with("AveragePooling") => {
            let pool = map.per_axis_or("pool_size", 2)?;
            let strides =
                if config.get("strides").is_some() { map.per_axis("strides")? } else { pool.clone() };
            (map.channels, map.window(&pool, &strides, &vec![1; map.sizes.len()]))
        }
        _ if class.starts_with("Adaptive") => {
            (map.channels, map.per_axis("output_size")?.into_iter().map(Some).collect())
        }
        _ if class.starts_with("UpSampling") => {
            let factors = map.per_axis_or("size", 2)?;
            let grow = |(size, factor): (&Option<usize>, &usize)| (*size)?.checked_mul(*factor);
            (map.channels, map.sizes.iter().zip(&factors).map(grow).collect())
        }
        _ if class.starts_with("ZeroPadding") => {
            let borders = map.borders("padding", 1)?;
            let grow = |(size, border): (&Option<usize>, &usize)| (*size)?.checked_add(*border);
            (map.channels, map.sizes.iter().zip(&borders).map(grow).collect())
        }
        _ if class.starts_with("Cropping") => {
            let borders = map.borders("cropping", if class == "Cropping2D" { 0 } else { 1 })?;
            let shrink = |(size, border): (&Option<usize>, &usize)| (*size)?.checked_sub(*border);
            (map.channels, map.sizes.iter().zip(&borders).map(shrink).collect())
        }
        _ => return None,
    };
    Some(map.shape(channels, sizes))
}

/// What the cell of a convolutional LSTM makes of one step: a convolution.
pub(super) fn convolved(config: Config<'_>, step: &InputShape) -> Option<InputShape> {
    let map = Map::of(config, step)?;
    Some(map.shape(Some(config.size("filters").ok()?), map.convolved()?))
}

/// What an operation of `keras.ops` that pools makes.
pub(super) fn pooled(config: Config<'_>, input: &InputShape) -> Option<InputShape> {
    let map = Map::of(config, input)?;
    let pool = map.per_axis("pool_size")?;
    let strides = if config.get("strides").is_some() { map.per_axis("strides")? } else { pool.clone() };
    Some(map.shape(map.channels, map.window(&pool, &strides, &vec![1; map.sizes.len()])))
}
