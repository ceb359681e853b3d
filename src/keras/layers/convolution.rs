//! The variables of convolutions.

use crate::keras::architecture::Generation;
use crate::keras::error::ErrorKind;
use crate::keras::json::Config;

use super::shapes::InputShapes;
use super::specs::Specs;

/// The kernel of the depthwise part of a separable convolution; in Keras 2 also that of a depthwise one.
pub(super) const DEPTHWISE_KERNEL: &str = "depthwise_kernel";

/// Every convolution, and the cells of the convolutional LSTMs.
pub(super) fn own(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
    generation: Generation,
) -> Result<bool, ErrorKind> {
    let kind = ["1D", "2D", "3D"].into_iter().zip(1..).find_map(|(mark, rank)| {
        let (kind, rest) = class.split_once(mark)?;
        Some((format!("{kind}{rest}"), rank))
    });
    let Some((kind, rank)) = kind else { return Ok(false) };
    let known = ["Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "ConvLSTMCell"];
    if !known.contains(&kind.as_str()) {
        return Ok(false);
    }
    let is_first = config.text("data_format")? == Some("channels_first");
    let channels = inputs.size(if is_first { 1 } else { -1 }, config.layer)?;
    let mut kernel = config.sizes("kernel_size", rank)?;
    let with_bias = config.flag("use_bias", true)?;
    let too_large = || config.wrong("filters", "a size that fits the layer's other sizes");
    let times = |a: usize, b: usize| a.checked_mul(b).ok_or_else(too_large);
    match kind.as_str() {
        "Conv" => {
            let groups = config.size_or("groups", 1)?;
            let filters = config.size("filters")?;
            let per_group =
                channels.checked_div(groups).ok_or_else(|| config.wrong("groups", "at least 1"))?;
            kernel.extend([per_group, filters]);
            specs.weight("kernel", kernel)?;
            specs.weight_if(with_bias, "bias", vec![filters])?;
        }
        "ConvTranspose" => {
            let filters = config.size("filters")?;
            kernel.extend([filters, channels]);
            specs.weight("kernel", kernel)?;
            specs.weight_if(with_bias, "bias", vec![filters])?;
        }
        "DepthwiseConv" => {
            let multiplier = config.size_or("depth_multiplier", 1)?;
            kernel.extend([channels, multiplier]);
            let is_old = generation == Generation::Keras2;
            specs.weight(if is_old { DEPTHWISE_KERNEL } else { "kernel" }, kernel)?;
            specs.weight_if(with_bias, "bias", vec![times(channels, multiplier)?])?;
        }
        "SeparableConv" => {
            let multiplier = config.size_or("depth_multiplier", 1)?;
            let filters = config.size("filters")?;
            kernel.extend([channels, multiplier]);
            let mut pointwise = vec![1; rank];
            pointwise.extend([times(channels, multiplier)?, filters]);
            specs.weight(DEPTHWISE_KERNEL, kernel)?;
            specs.weight("pointwise_kernel", pointwise)?;
            specs.weight_if(with_bias, "bias", vec![filters])?;
        }
        _ => {
            // A convolutional LSTM: four gates side by side.
            let filters = config.size("filters")?;
            let gates = times(filters, 4)?;
            let mut recurrent = kernel.clone();
            kernel.extend([channels, gates]);
            recurrent.extend([filters, gates]);
            specs.weight("kernel", kernel)?;
            specs.weight("recurrent_kernel", recurrent)?;
            specs.weight_if(with_bias, "bias", vec![gates])?;
        }
    }
    Ok(true)
}
