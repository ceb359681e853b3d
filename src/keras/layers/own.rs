//! The variables that each class of layer owns itself: names, shapes, order.
//!
//! The order is that of the `vars` group: trainable ones first, each kind in the order of creation in the
//! layer's `build` (Keras' `layers/`), with the fixed lists of `Dense`, `EinsumDense` and `Embedding`.

use crate::keras::architecture::Generation;
use crate::keras::error::ErrorKind;
use crate::keras::json::Config;

use super::policy::Policy;
use super::shapes::{InputShapes, open_size};
use super::specs::{Spec, Specs};
use super::{convolution, einsum, locally_connected, normalization, recurrent};

/// What differs between versions of Keras.
#[derive(Debug, Clone, Copy)]
pub(in crate::keras) struct Rules {
    /// The generation.
    pub(in crate::keras) generation: Generation,
    /// Whether another layer makes this one, as a recurrent layer its cell.
    pub(in crate::keras) is_made: bool,
    /// Whether nothing says that the layer was built before it was saved, so that `LayerNormalization` and
    /// `RMSNormalization` of 3.14 and later would sort its axes yet.
    pub(in crate::keras) is_unbuilt: bool,
}

/// So many of a path's last names.
pub(in crate::keras) fn last_names(path: &str, count: usize) -> &str {
    let at = path.rmatch_indices('/').nth(count.saturating_sub(1));
    at.and_then(|(at, _)| path.get(at..)?.strip_prefix('/')).unwrap_or(path)
}

/// The variables of a layer of that class, or `None` when the class is none that owns variables.
pub(in crate::keras) fn own_variables(
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
    rules: Rules,
) -> Result<Option<Vec<Spec>>, ErrorKind> {
    let layer = config.layer;
    let last = || inputs.size(-1, layer);
    let policy = Policy::read(config, last_names(layer, if rules.is_made { 2 } else { 1 }))?;
    let mut specs = Specs::new(layer, policy.dtype);
    match class {
        "Dense" => {
            let units = config.size("units")?;
            specs.weight("kernel", vec![last()?, units])?;
            specs.weight_if(config.flag("use_bias", true)?, "bias", vec![units])?;
            if let Some(history) = policy.float8(layer)? {
                specs.float8(history)?;
            }
        }
        "EinsumDense" => {
            let (kernel, bias) = einsum::shapes(config, inputs)?;
            specs.weight("kernel", kernel)?;
            if let Some(bias) = bias {
                specs.weight("bias", bias)?;
            }
            if let Some(history) = policy.float8(layer)? {
                specs.float8(history)?;
            }
        }
        "Embedding" | "ReversibleEmbedding" => {
            if policy.float8(layer)?.is_some() {
                // Keras itself refuses this.
                return Err(ErrorKind::Quantized { layer: layer.to_owned(), policy: "float8".to_owned() });
            }
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
        // Keras gives it no name; its attribute is `gamma`.
        "LayerScale" => specs.weight("gamma", vec![config.size("projection_dim")?])?,
        "STFTSpectrogram" => stft(&mut specs, config)?,
        "LocallyConnected1D" | "LocallyConnected2D" => {
            locally_connected::own(&mut specs, class, config, inputs)?
        }
        "LSTMCell" | "GRUCell" | "SimpleRNNCell" => recurrent::own(&mut specs, class, config, inputs)?,
        "ConvLSTM1DCell" | "ConvLSTM2DCell" | "ConvLSTM3DCell" => {
            convolution::own(&mut specs, class, config, inputs, rules.generation)?;
        }
        _ if class.contains("Conv") => {
            if !convolution::own(&mut specs, class, config, inputs, rules.generation)? {
                return Ok(None);
            }
        }
        _ => {
            if !normalization::own(&mut specs, class, config, inputs, rules)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(specs.finish()))
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
