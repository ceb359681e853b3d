//! What layers and operations of each class act on: elements, channels, maps.

use super::json::Config;

/// Layers that act on each channel of a map alone.
pub(super) fn is_local(class: &str) -> bool {
    [
        "MaxPooling",
        "AveragePooling",
        "Adaptive",
        "UpSampling",
        "ZeroPadding",
        "Cropping",
        "Random",
        "CenterCrop",
    ]
    .iter()
    .any(|prefix| class.starts_with(prefix))
        || class == "Resizing"
}

/// The convolutions, which make a map with channels where their `data_format` says.
pub(super) fn is_convolution(class: &str) -> bool {
    matches!(
        class,
        "Conv1D"
            | "Conv2D"
            | "Conv3D"
            | "Conv1DTranspose"
            | "Conv2DTranspose"
            | "Conv3DTranspose"
            | "DepthwiseConv1D"
            | "DepthwiseConv2D"
            | "SeparableConv1D"
            | "SeparableConv2D"
    )
}

pub(super) fn is_channels_first(config: Config<'_>) -> bool {
    matches!(config.text("data_format"), Ok(Some("channels_first")))
}

/// Whether a normalization is one of the features at each position, which `nn.LayerNorm` wants last.
pub(super) fn normalizes_last(config: Config<'_>, rank: Option<usize>) -> bool {
    let last = rank.and_then(|rank| i64::try_from(rank.checked_sub(1)?).ok());
    match config.axes("axis").ok().flatten().as_deref() {
        None | Some([-1]) => true,
        Some([axis]) => Some(*axis) == last,
        Some(_) => false,
    }
}

/// Operations of `keras.ops` that act on each element alone, or combine elements in the same place.
pub(super) const ELEMENTWISE: &[&str] = &[
    "Abs",
    "Absolute",
    "Add",
    "Cast",
    "Celu",
    "Clip",
    "Cos",
    "Divide",
    "Elu",
    "Erf",
    "Exp",
    "Expm1",
    "Gelu",
    "HardSigmoid",
    "HardSilu",
    "HardSwish",
    "HardTanh",
    "Identity",
    "LeakyRelu",
    "Log",
    "Log1p",
    "LogSigmoid",
    "Maximum",
    "Minimum",
    "Multiply",
    "Negative",
    "Power",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Round",
    "Rsqrt",
    "Selu",
    "Sigmoid",
    "Silu",
    "Sin",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "StopGradient",
    "Subtract",
    "Swish",
    "Tanh",
    "TrueDivide",
    "Where",
];

/// Operations that leave the order of the channels alone where the channels' axis keeps its size.
pub(super) const LOCAL: &[&str] =
    &["AveragePool", "GetItem", "Max", "MaxPool", "Mean", "Min", "Pad", "Resize", "Squeeze", "Sum"];

/// The target of `ops.reshape`, which counts the batch, without the batch.
pub(super) fn reshape_target(config: Config<'_>) -> Option<Vec<Option<usize>>> {
    let size = |&size: &i64| if size < 0 { Some(None) } else { usize::try_from(size).ok().map(Some) };
    config.axes("newshape").ok().flatten()?.iter().skip(1).map(size).collect()
}
