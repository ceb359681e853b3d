//! The variables that each class of layer owns itself: names, shapes, order.
//!
//! The order is that of the `vars` group: trainable ones first, each kind in the order of creation in the
//! layer's `build` (Keras' `layers/`), with the fixed lists of `Dense`, `EinsumDense` and `Embedding`.

use serde_json::Value;

use crate::keras::error::ErrorKind;
use crate::keras::json::{Config, text};
use crate::tensor::{Dtype, Shape};

use super::einsum;
use super::shapes::{InputShapes, open_size};

/// A variable that a layer owns.
#[derive(Debug, Clone)]
pub(in crate::keras) struct Spec {
    /// Its name.
    pub(in crate::keras) name: &'static str,
    /// Its shape.
    pub(in crate::keras) shape: Shape,
    /// Its element type.
    pub(in crate::keras) dtype: Dtype,
    /// Whether it is created trainable.
    pub(in crate::keras) trainable: bool,
}

/// The variables under construction.
struct Specs<'a> {
    layer: &'a str,
    dtype: Dtype,
    list: Vec<Spec>,
}

impl Specs<'_> {
    fn push(&mut self, name: &'static str, sizes: Vec<usize>, trainable: bool) -> Result<(), ErrorKind> {
        let shape = Shape::new(sizes)
            .map_err(|source| ErrorKind::VariableShape { layer: self.layer.into(), source })?;
        self.list.push(Spec { name, shape, dtype: self.dtype, trainable });
        Ok(())
    }

    fn weight(&mut self, name: &'static str, sizes: Vec<usize>) -> Result<(), ErrorKind> {
        self.push(name, sizes, true)
    }

    fn weight_if(&mut self, exists: bool, name: &'static str, sizes: Vec<usize>) -> Result<(), ErrorKind> {
        if exists { self.weight(name, sizes) } else { Ok(()) }
    }

    fn statistic(&mut self, name: &'static str, sizes: Vec<usize>) -> Result<(), ErrorKind> {
        self.push(name, sizes, false)
    }
}

/// The variables of a layer of that class, or `None` when the class is none that owns variables.
pub(in crate::keras) fn own_variables(
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<Option<Vec<Spec>>, ErrorKind> {
    let layer = config.layer;
    let last = || inputs.size(-1, layer);
    let mut specs = Specs { layer, dtype: variable_dtype(config)?, list: Vec::new() };
    match class {
        "Dense" => {
            let units = config.size("units")?;
            specs.weight("kernel", vec![last()?, units])?;
            specs.weight_if(config.flag("use_bias", true)?, "bias", vec![units])?;
        }
        "EinsumDense" => {
            let (kernel, bias) = einsum::shapes(config, inputs)?;
            specs.weight("kernel", kernel)?;
            if let Some(bias) = bias {
                specs.weight("bias", bias)?;
            }
        }
        "Embedding" | "ReversibleEmbedding" => {
            let (rows, columns) = (config.size("input_dim")?, config.size("output_dim")?);
            specs.weight("embeddings", vec![rows, columns])?;
            let is_untied = class == "ReversibleEmbedding" && !config.flag("tie_weights", true)?;
            specs.weight_if(is_untied, "reverse_embeddings", vec![columns, rows])?;
        }
        "PReLU" => {
            let shape = inputs.first(layer)?;
            let shared = config.axes("shared_axes")?.unwrap_or_default();
            let sizes = shape.iter().enumerate().skip(1).map(|(axis, size)| {
                let is_shared = shared.iter().any(|&other| usize::try_from(other) == Ok(axis));
                if is_shared { Some(1) } else { *size }
            });
            let sizes = sizes.collect::<Option<Vec<_>>>().ok_or_else(|| open_size(layer, shape))?;
            specs.weight("alpha", sizes)?;
        }
        "Attention" => {
            specs.weight_if(config.flag("use_scale", false)?, "scale", vec![])?;
            let is_concat = config.text("score_mode")? == Some("concat");
            specs.weight_if(is_concat, "concat_score_weight", vec![])?;
        }
        "AdditiveAttention" => {
            if config.flag("use_scale", true)? {
                specs.weight("scale", vec![last()?])?;
            }
        }
        "STFTSpectrogram" => stft(&mut specs, config)?,
        "LSTMCell" | "GRUCell" | "SimpleRNNCell" => recurrent(&mut specs, class, config, inputs)?,
        "ConvLSTM1DCell" | "ConvLSTM2DCell" | "ConvLSTM3DCell" => {
            convolution(&mut specs, class, config, inputs)?;
        }
        _ if class.contains("Conv") => {
            if !convolution(&mut specs, class, config, inputs)? {
                return Ok(None);
            }
        }
        _ => {
            if !normalization(&mut specs, class, config, inputs)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(specs.list))
}

/// `BatchNormalization` and its relatives.
fn normalization(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<bool, ErrorKind> {
    let layer = config.layer;
    let sizes = |default: i64, sorted: bool| -> Result<Vec<usize>, ErrorKind> {
        let mut axes = config.axes("axis")?.unwrap_or_else(|| vec![default]);
        if sorted {
            axes.sort_unstable();
        }
        axes.iter().map(|&axis| inputs.size(axis, layer)).collect()
    };
    let scale = config.flag("scale", true);
    let center = config.flag("center", true);
    match class {
        "BatchNormalization" => {
            let shape = sizes(-1, false)?;
            specs.weight_if(scale?, "gamma", shape.clone())?;
            specs.weight_if(center?, "beta", shape.clone())?;
            specs.statistic("moving_mean", shape.clone())?;
            specs.statistic("moving_variance", shape.clone())?;
            if config.flag("renorm", false)? {
                specs.statistic("moving_stddev", shape.clone())?;
                specs.statistic("renorm_mean", shape.clone())?;
                specs.statistic("renorm_stddev", shape)?;
            }
        }
        "LayerNormalization" => {
            let shape = sizes(-1, true)?;
            let is_rms = config.flag("rms_scaling", false)?;
            specs.weight_if(scale? || is_rms, "gamma", shape.clone())?;
            specs.weight_if(center? && !is_rms, "beta", shape)?;
        }
        "GroupNormalization" => {
            let shape = sizes(-1, false)?;
            specs.weight_if(scale?, "gamma", shape.clone())?;
            specs.weight_if(center?, "beta", shape)?;
        }
        "RMSNormalization" => specs.weight("scale", sizes(-1, true)?)?,
        "Normalization" => {
            if config.get("mean").is_some() {
                return Ok(true);
            }
            // `axis: null` means no axis at all here, and the sizes are those of the kept axes in order.
            let rank = i64::try_from(inputs.first(layer)?.len()).unwrap_or(i64::MAX);
            let mut axes = config.axes("axis")?.unwrap_or_default();
            axes.iter_mut().filter(|axis| **axis < 0).for_each(|axis| *axis = axis.saturating_add(rank));
            axes.sort_unstable();
            let shape = axes.iter().map(|&axis| inputs.size(axis, layer)).collect::<Result<Vec<_>, _>>()?;
            specs.statistic("mean", shape.clone())?;
            specs.statistic("variance", shape)?;
            specs.statistic("count", vec![])?;
            if let Some(count) = specs.list.last_mut() {
                count.dtype = Dtype::I32;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Every convolution, and the cells of the convolutional LSTMs.
fn convolution(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
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
            specs.weight("kernel", kernel)?;
            specs.weight_if(with_bias, "bias", vec![times(channels, multiplier)?])?;
        }
        "SeparableConv" => {
            let multiplier = config.size_or("depth_multiplier", 1)?;
            let filters = config.size("filters")?;
            kernel.extend([channels, multiplier]);
            let mut pointwise = vec![1; rank];
            pointwise.extend([times(channels, multiplier)?, filters]);
            specs.weight("depthwise_kernel", kernel)?;
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

/// The cells of the recurrent layers.
fn recurrent(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<(), ErrorKind> {
    let units = config.size("units")?;
    let gates = match class {
        "LSTMCell" => 4,
        "GRUCell" => 3,
        _ => 1,
    };
    let width = units.checked_mul(gates).ok_or_else(|| config.wrong("units", "a smaller size"))?;
    specs.weight("kernel", vec![inputs.size(-1, config.layer)?, width])?;
    specs.weight("recurrent_kernel", vec![units, width])?;
    // With `reset_after` the GRU adds the recurrent bias inside the reset, so it keeps two.
    let has_two = class == "GRUCell" && config.flag("reset_after", true)?;
    let bias = if has_two { vec![2, width] } else { vec![width] };
    specs.weight_if(config.flag("use_bias", true)?, "bias", bias)
}

fn stft(specs: &mut Specs<'_>, config: Config<'_>) -> Result<(), ErrorKind> {
    let frame = config.size("frame_length")?;
    let fft = match config.get("fft_length") {
        Some(_) => config.size("fft_length")?,
        None => frame.checked_next_power_of_two().ok_or_else(|| config.wrong("frame_length", "a size"))?,
    };
    let shape = vec![frame, 1, fft / 2 + 1];
    let mode = config.text("mode")?;
    specs.weight_if(mode != Some("imag"), "real_kernel", shape.clone())?;
    specs.weight_if(mode != Some("real"), "imag_kernel", shape)
}

/// The cell that a recurrent layer makes from its own configuration: class and layer name.
pub(in crate::keras) fn cell_of(class: &str) -> Option<(&'static str, &'static str)> {
    Some(match class {
        "LSTM" => ("LSTMCell", "lstm_cell"),
        "GRU" => ("GRUCell", "gru_cell"),
        "SimpleRNN" => ("SimpleRNNCell", "simple_rnn_cell"),
        "ConvLSTM1D" => ("ConvLSTM1DCell", "conv_lstm_cell"),
        "ConvLSTM2D" => ("ConvLSTM2DCell", "conv_lstm_cell"),
        "ConvLSTM3D" => ("ConvLSTM3DCell", "conv_lstm_cell"),
        _ => return None,
    })
}

/// The element type of a layer's variables, by its dtype policy.
pub(in crate::keras) fn variable_dtype(config: Config<'_>) -> Result<Dtype, ErrorKind> {
    if let Some(quantization) = config.get("quantization_config") {
        let policy = text(quantization, "class_name").unwrap_or("quantization_config").to_owned();
        return Err(ErrorKind::Quantized { layer: config.layer.into(), policy });
    }
    let Some(policy) = config.get("dtype") else { return Ok(Dtype::F32) };
    let unsupported =
        |policy: &str| ErrorKind::DtypePolicy { layer: config.layer.into(), policy: policy.into() };
    let name = match policy {
        Value::String(name) => name.as_str(),
        Value::Object(_) => match text(policy, "class_name") {
            Some("DTypePolicy" | "FloatDTypePolicy") => policy
                .pointer("/config/name")
                .and_then(Value::as_str)
                .ok_or_else(|| unsupported("unnamed"))?,
            Some(class) if is_quantized(class) => {
                return Err(ErrorKind::Quantized { layer: config.layer.into(), policy: class.into() });
            }
            class => return Err(unsupported(class.unwrap_or("unnamed"))),
        },
        _ => return Err(config.wrong("dtype", "a dtype policy")),
    };
    match name {
        "mixed_float16" | "mixed_bfloat16" => Ok(Dtype::F32),
        _ if name.contains("_from_") => {
            Err(ErrorKind::Quantized { layer: config.layer.into(), policy: name.into() })
        }
        _ => Dtype::from_name(name).ok_or_else(|| unsupported(name)),
    }
}

fn is_quantized(class: &str) -> bool {
    class.starts_with("Quantized")
        || matches!(class, "Int4DTypePolicy" | "GPTQDTypePolicy" | "AWQDTypePolicy")
}

/// The names of the variables of a layer of that class when only their number is known (in a template):
/// `None` for each that the number does not settle.
pub(in crate::keras) fn variable_names(class: &str, count: usize) -> Vec<Option<&'static str>> {
    let prefix = |names: &[&'static str], optional: usize| -> Vec<Option<&'static str>> {
        if (names.len() - optional..=names.len()).contains(&count) {
            names.iter().take(count).copied().map(Some).collect()
        } else {
            vec![None; count]
        }
    };
    match class {
        "Dense" | "EinsumDense" | "Conv1D" | "Conv2D" | "Conv3D" | "Conv1DTranspose" | "Conv2DTranspose"
        | "Conv3DTranspose" | "DepthwiseConv1D" | "DepthwiseConv2D" => prefix(&["kernel", "bias"], 1),
        "SeparableConv1D" | "SeparableConv2D" => prefix(&["depthwise_kernel", "pointwise_kernel", "bias"], 1),
        "Embedding" => prefix(&["embeddings"], 0),
        "ReversibleEmbedding" => prefix(&["embeddings", "reverse_embeddings"], 1),
        "LSTMCell" | "GRUCell" | "SimpleRNNCell" | "ConvLSTM1DCell" | "ConvLSTM2DCell" | "ConvLSTM3DCell"
        | "ConvLSTMCell" => prefix(&["kernel", "recurrent_kernel", "bias"], 1),
        "PReLU" => prefix(&["alpha"], 0),
        "RMSNormalization" | "AdditiveAttention" => prefix(&["scale"], 0),
        "SpectralNormalization" => prefix(&["kernel", "vector_u"], 0),
        "Normalization" => prefix(&["mean", "variance", "count"], 0),
        "STFTSpectrogram" => prefix(&["real_kernel", "imag_kernel"], 0),
        "LayerNormalization" | "GroupNormalization" => prefix(&["gamma", "beta"], 0),
        "BatchNormalization" => {
            let statistics =
                ["moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"];
            // Two to four with optional gamma and beta; five to seven with the statistics of `renorm`.
            let (own, kept) = match count {
                2..=4 => (count - 2, 2),
                5..=7 => (count - 5, 5),
                _ => return vec![None; count],
            };
            let own = match own {
                2 => vec![Some("gamma"), Some("beta")],
                other => vec![None; other],
            };
            own.into_iter().chain(statistics.into_iter().take(kept).map(Some)).collect()
        }
        _ => vec![None; count],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(class: &str, names: &[&str]) {
        let found = variable_names(class, names.len());
        let found: Vec<&str> = found.into_iter().map(|name| name.unwrap_or("?")).collect();
        assert_eq!(found, names, "{class}");
    }

    #[test]
    fn names_by_count() {
        check("Dense", &["kernel"]);
        check("Conv2D", &["kernel", "bias"]);
        check("Conv2D", &["?", "?", "?"]);
        check("BatchNormalization", &["moving_mean", "moving_variance"]);
        check("BatchNormalization", &["?", "moving_mean", "moving_variance"]);
        check("BatchNormalization", &["gamma", "beta", "moving_mean", "moving_variance"]);
        check("LayerNormalization", &["?"]);
        check("Attention", &["?"]);
        check("MyLayer", &["?", "?"]);
    }
}
