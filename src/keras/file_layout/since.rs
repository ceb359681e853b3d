//! What configurations of Keras 3 say that older versions of it do not know, and refuse to load.
//!
//! Found by asking 3.0.5, 3.2.0, 3.3.3, 3.4.1, 3.5.0 and every minor version up to 3.15 for the classes of
//! `keras.layers` and `keras.initializers`, the arguments of their constructors, and what their `get_config` writes.

use super::super::json::text;
use super::KerasVersion;
use crate::keras::json::{Fields, Value};

/// Classes, each with the minor version of Keras 3 that brought it.
const CLASSES: &[(u32, &[&str])] = &[
    (2, &["FlaxLayer", "JaxLayer", "MelSpectrogram"]),
    // Of that name; `OrthogonalInitializer` before.
    (4, &["Orthogonal"]),
    (6, &["AutoContrast", "Pipeline", "Solarization"]),
    (7, &["MaxNumBoundingBoxes", "STFT", "STFTSpectrogram"]),
    (
        8,
        &[
            "Equalization",
            "MixUp",
            "RandAugment",
            "RandomColorDegeneration",
            "RandomColorJitter",
            "RandomGrayscale",
            "RandomHue",
            "RandomPosterization",
            "RandomSaturation",
            "RandomSharpness",
            "RandomShear",
        ],
    ),
    (
        9,
        &[
            "AugMix",
            "CutMix",
            "RMSNormalization",
            "RandomErasing",
            "RandomGaussianBlur",
            "RandomInvert",
            "RandomPerspective",
        ],
    ),
    (10, &["RandomElasticTransform"]),
    (12, &["ReversibleEmbedding"]),
    (
        13,
        &[
            "AdaptiveAveragePooling1D",
            "AdaptiveAveragePooling2D",
            "AdaptiveAveragePooling3D",
            "AdaptiveMaxPooling1D",
            "AdaptiveMaxPooling2D",
            "AdaptiveMaxPooling3D",
        ],
    ),
    (14, &["ContrastLimitedAdaptiveHistogramEqualization"]),
];

/// Arguments that every configuration of these classes has, from that minor version of Keras 3 on.
const ARGUMENTS: &[(u32, &str, &[&str])] = &[
    (3, "pad_to_aspect_ratio", &["Resizing"]),
    (4, "seed", &["MultiHeadAttention"]),
    (5, "data_format", &["ZeroPadding1D"]),
    (7, "seed", &["GroupedQueryAttention"]),
    (8, "value_range", &["RandomContrast"]),
    (9, "antialias", &["Resizing"]),
    (13, "quantization_config", &["Dense", "EinsumDense", "Embedding", "ReversibleEmbedding"]),
    (14, "renorm", &["BatchNormalization"]),
    (14, "use_gate", &["GroupedQueryAttention", "MultiHeadAttention"]),
    (14, "oov_method", &["IntegerLookup", "StringLookup"]),
    (15, "sliding_window", &["GroupedQueryAttention", "MultiHeadAttention"]),
    (
        15,
        "input_axes",
        &[
            "GlorotNormal",
            "GlorotUniform",
            "HeNormal",
            "HeUniform",
            "LecunNormal",
            "LecunUniform",
            "VarianceScaling",
        ],
    ),
];

/// The version of Keras 3 that reads the lists of a model's only input and output, which 3.11 and later write.
const LONE_ENDS: u32 = 4;

/// What of a configuration that version does not know, and the minor version of Keras 3 that brought it: the latest.
pub(super) fn unknown_to(config: &Value, version: KerasVersion) -> Option<(u32, String)> {
    let mut found = None;
    visit(config, &mut found);
    found.filter(|&(minor, _)| version.is_before(3, minor))
}

/// The recursion is as deep as the configuration nests, which the JSON reader bounds.
fn visit(value: &Value, found: &mut Option<(u32, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
        Value::Object(fields) => {
            if let (Some(class), Some(Value::Object(config))) =
                (text(value, "class_name"), fields.get("config"))
            {
                object(class, config, found);
            }
            fields.values().for_each(|field| visit(field, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn object(class: &str, config: &Fields, found: &mut Option<(u32, String)>) {
    let mut note = |minor: u32, what: &dyn Fn() -> String| {
        if found.as_ref().is_none_or(|&(latest, _)| minor > latest) {
            *found = Some((minor, what()));
        }
    };
    for (minor, classes) in CLASSES {
        if classes.contains(&class) {
            note(*minor, &|| format!("the class {class}"));
        }
    }
    for (minor, argument, classes) in ARGUMENTS {
        if classes.contains(&class) && config.contains_key(argument) {
            note(*minor, &|| format!("the argument `{argument}` of {class}"));
        }
    }
    let is_lone =
        |ends: &str| config.get(ends).and_then(|ends| ends.as_array()?.first()).is_some_and(Value::is_string);
    if class == "Functional" && (is_lone("input_layers") || is_lone("output_layers")) {
        note(LONE_ENDS, &|| "a model's only input or output".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    fn check(config: &Value, version: &str, expected: Option<&str>) {
        let found = unknown_to(config, version.parse().unwrap()).map(|(_, what)| what);
        assert_eq!(found.as_deref(), expected, "{version}");
    }

    #[test]
    fn what_came_later() {
        let initializer = |config: Value| json!({"class_name": "GlorotUniform", "config": config});
        let dense = |config: Value| json!({"class_name": "Dense", "config": config});
        let newest = dense(
            json!({"quantization_config": null, "kernel_initializer": initializer(json!({"input_axes": null}))}),
        );
        check(&newest, "3.12.0", Some("the argument `input_axes` of GlorotUniform"));
        check(&newest, "3.14", Some("the argument `input_axes` of GlorotUniform"));
        check(&newest, "3.15.0", None);
        check(&newest, "3", None);
        let newer = dense(json!({"quantization_config": null, "kernel_initializer": initializer(json!({}))}));
        check(&newer, "3.12", Some("the argument `quantization_config` of Dense"));
        check(&newer, "3.13", None);
        check(&dense(json!({"units": 3})), "3.0.5", None);
        let norm = json!({"layers": [{"class_name": "RMSNormalization", "config": {}}]});
        check(&norm, "3.8.0", Some("the class RMSNormalization"));
        let model =
            |outputs: Value| json!({"class_name": "Functional", "config": {"output_layers": outputs}});
        check(&model(json!(["add", 0, 0])), "3.3", Some("a model's only input or output"));
        check(&model(json!([["add", 0, 0]])), "3.3", None);
    }
}
