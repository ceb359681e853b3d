//! The names of variables, where a file does not tell them, and where Keras 2 has others.

use super::convolution::DEPTHWISE_KERNEL;

/// The name that Keras 3 has for a variable of a layer of that class.
pub(in crate::keras) fn current_name<'a>(class: &str, name: &'a str) -> &'a str {
    let is_depthwise = matches!(class, "DepthwiseConv1D" | "DepthwiseConv2D");
    if is_depthwise && name == DEPTHWISE_KERNEL { "kernel" } else { name }
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
        // The first is a copy of the wrapped layer's `kernel` or `embeddings`.
        "SpectralNormalization" if count == 2 => vec![None, Some("vector_u")],
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
        check("SpectralNormalization", &["?", "vector_u"]);
        check("Attention", &["?"]);
        check("MyLayer", &["?", "?"]);
    }
}
