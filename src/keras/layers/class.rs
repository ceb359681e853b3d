//! Names of classes.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::keras::architecture::Generation;

/// The name that Keras gives the group of a class: `Conv2DTranspose` → `conv2d_transpose`.
///
/// As `to_snake_case` in Keras' `naming.py`: non-word characters go; `_` before a capital followed by small
/// letters (but not at the start); `_` between a small letter and a capital; all small.
pub(in crate::keras) fn snake(class: &str) -> String {
    let word: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut first = Vec::with_capacity(word.len() * 2);
    let mut at = 0;
    // `(.)([A-Z][a-z]+)` → `\1_\2`, leftmost first, without overlap.
    while at < word.len() {
        let is_start = word.get(at + 1).is_some_and(char::is_ascii_uppercase)
            && word.get(at + 2).is_some_and(char::is_ascii_lowercase);
        first.push(word[at]);
        at += 1;
        if is_start {
            first.push('_');
            first.push(word[at]);
            at += 1;
            while word.get(at).is_some_and(char::is_ascii_lowercase) {
                first.push(word[at]);
                at += 1;
            }
        }
    }
    // `([a-z])([A-Z])` → `\1_\2`.
    let mut name = String::with_capacity(first.len() + 4);
    for (at, c) in first.iter().enumerate() {
        let before_is_small =
            at.checked_sub(1).and_then(|at| first.get(at)).is_some_and(char::is_ascii_lowercase);
        if before_is_small && c.is_ascii_uppercase() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// The classes of `keras.layers` that own no variables and hold no layers that do.
const STATELESS: &[&str] = &[
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AlphaDropout",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "CLAHE",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Discretization",
    "Dot",
    "Dropout",
    "ELU",
    "Equalization",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "InputLayer",
    "IntegerLookup",
    "Lambda",
    "LeakyReLU",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "Multiply",
    "Permute",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
];

/// Whether a class of Keras has no variables.
pub(in crate::keras) fn is_stateless(class: &str) -> bool {
    STATELESS.binary_search(&class).is_ok() || STATELESS_KERAS_2.contains(&class)
}

/// The classes that only Keras 2 has and that own no variables: a layer, and what it makes of TensorFlow's
/// functions (`tf_op_layer.py`).
const STATELESS_KERAS_2: &[&str] = &[
    "AddLoss",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
    "ThresholdedReLU",
];

/// The classes that only Keras 2 has and that own variables.
const STATEFUL_KERAS_2: &[&str] = &["LocallyConnected1D", "LocallyConnected2D", "SyncBatchNormalization"];

/// Other names of classes, under which configurations may have them.
const ALIASES: &[(&str, &str)] = &[
    ("AvgPool1D", "AveragePooling1D"),
    ("AvgPool2D", "AveragePooling2D"),
    ("AvgPool3D", "AveragePooling3D"),
    ("BatchNormalizationV1", "BatchNormalization"),
    ("BatchNormalizationV2", "BatchNormalization"),
    ("Convolution1D", "Conv1D"),
    ("Convolution1DTranspose", "Conv1DTranspose"),
    ("Convolution2D", "Conv2D"),
    ("Convolution2DTranspose", "Conv2DTranspose"),
    ("Convolution3D", "Conv3D"),
    ("Convolution3DTranspose", "Conv3DTranspose"),
    ("GlobalAvgPool1D", "GlobalAveragePooling1D"),
    ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
    ("GlobalAvgPool3D", "GlobalAveragePooling3D"),
    ("GlobalMaxPool1D", "GlobalMaxPooling1D"),
    ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
    ("GlobalMaxPool3D", "GlobalMaxPooling3D"),
    ("GroupQueryAttention", "GroupedQueryAttention"),
    ("MaxPool1D", "MaxPooling1D"),
    ("MaxPool2D", "MaxPooling2D"),
    ("MaxPool3D", "MaxPooling3D"),
    ("SeparableConvolution1D", "SeparableConv1D"),
    ("SeparableConvolution2D", "SeparableConv2D"),
];

/// A class by its own name, which its group is named after: Keras has some classes under several.
#[must_use]
pub fn canonical_class(class: &str) -> &str {
    match ALIASES.binary_search_by_key(&class, |&(alias, _)| alias) {
        Ok(at) => ALIASES.get(at).map_or(class, |&(_, own)| own),
        Err(_) => class,
    }
}

/// The layers that models of `keras.applications` bring along: ConvNeXt and InceptionResNetV2.
const OF_APPLICATIONS: &[&str] = &["CustomScaleLayer", "LayerScale"];

/// Whether a class is one that a model of `keras.applications` brings along.
pub(in crate::keras) fn is_of_applications(class: &str) -> bool {
    OF_APPLICATIONS.contains(&class)
}

/// Whether that generation of Keras has a layer of that class, whose variables are known.
pub(in crate::keras) fn is_builtin(class: &str, generation: Generation) -> bool {
    let is_of_keras_2 = || STATELESS_KERAS_2.contains(&class) || STATEFUL_KERAS_2.contains(&class);
    match generation {
        Generation::Keras2 if is_of_keras_2() => true,
        _ => STATEFUL.binary_search(&class).is_ok() || STATELESS.binary_search(&class).is_ok(),
    }
}

/// The classes of `keras.layers` and `keras` that own variables or hold layers.
const STATEFUL: &[&str] = &[
    "AdditiveAttention",
    "Attention",
    "BatchNormalization",
    "Bidirectional",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "ConvLSTMCell",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "EinsumDense",
    "Embedding",
    "Functional",
    "GRU",
    "GRUCell",
    "GroupNormalization",
    "GroupedQueryAttention",
    "LSTM",
    "LSTMCell",
    "LayerNormalization",
    "MultiHeadAttention",
    "Normalization",
    "PReLU",
    "Pipeline",
    "RMSNormalization",
    "RNN",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "Sequential",
    "SimpleRNN",
    "SimpleRNNCell",
    "SpectralNormalization",
    "StackedRNNCells",
    "TimeDistributed",
    "Wrapper",
];

/// The class that a group's name (or a name that Keras gave by itself) was made from: `conv2d_3` → `Conv2D`.
/// `None` for the names of custom classes.
pub(in crate::keras) fn class_of_group(name: &str) -> Option<&'static str> {
    static CLASSES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
        STATEFUL.iter().chain(STATELESS).chain(STATEFUL_KERAS_2).map(|&class| (snake(class), class)).collect()
    });
    let numbered = name
        .rsplit_once('_')
        .filter(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    CLASSES.get(name).or_else(|| CLASSES.get(numbered?.0)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(class: &str, group: &str) {
        assert_eq!(snake(class), group);
    }

    #[test]
    fn group_names() {
        check("PReLU", "p_re_lu");
        check("ReLU", "re_lu");
        check("LeakyReLU", "leaky_re_lu");
        check("ELU", "elu");
        check("LSTM", "lstm");
        check("GRUCell", "gru_cell");
        check("ConvLSTM2D", "conv_lstm2d");
        check("Conv2DTranspose", "conv2d_transpose");
        check("MaxPooling2D", "max_pooling2d");
        check("SimpleRNNCell", "simple_rnn_cell");
        check("StackedRNNCells", "stacked_rnn_cells");
        check("RMSNormalization", "rms_normalization");
        check("STFTSpectrogram", "stft_spectrogram");
        check("TFSMLayer", "tfsm_layer");
        check("GroupedQueryAttention", "grouped_query_attention");
        check("My_HTTPLayer2D", "my_http_layer2d");
        check("düseBlock", "düse_block");
        check("", "");
    }

    #[test]
    fn classes_of_groups() {
        assert_eq!(class_of_group("conv2d_13"), Some("Conv2D"));
        assert_eq!(class_of_group("p_re_lu"), Some("PReLU"));
        assert_eq!(class_of_group("conv2d_transpose"), Some("Conv2DTranspose"));
        assert_eq!(class_of_group("my_block_1"), None);
        assert_eq!(class_of_group("dense_"), None);
    }

    #[test]
    fn tables_are_sorted() {
        assert!(STATELESS.is_sorted() && STATEFUL.is_sorted() && ALIASES.is_sorted());
        assert!(is_stateless("ReLU") && is_stateless("Activation") && !is_stateless("Dense"));
    }
}
