//! Which generation of Keras wrote a configuration.

use super::architecture::Generation;
use super::json::{Value, text};

/// The generation that wrote a serialized model.
///
/// Keras 2 writes `keras_version` beside the model in `to_json()`, and only it has models in the modules
/// `keras.src.engine` and `tf_keras`. A configuration without either (`model_config` of a whole-model `.h5`)
/// still has input layers, whose shape is `batch_input_shape` in Keras 2 and `batch_shape` in Keras 3.
pub(super) fn generation(object: &Value) -> Generation {
    if let Some(version) = text(object, "keras_version") {
        return if version.starts_with("2.") { Generation::Keras2 } else { Generation::Keras3 };
    }
    match text(object, "module") {
        Some(module) if is_of_keras_2(module) => Generation::Keras2,
        Some(module) if module.starts_with("keras.src.models") => Generation::Keras3,
        _ if has_input_of_keras_2(object) == Some(true) => Generation::Keras2,
        _ => Generation::Keras3,
    }
}

fn is_of_keras_2(module: &str) -> bool {
    ["keras.src.engine", "keras.engine", "tf_keras", "tensorflow.python.keras", "tensorflow.keras"]
        .iter()
        .any(|prefix| module.starts_with(prefix))
}

/// What the first input layer (or first layer with an input shape) says.
fn has_input_of_keras_2(object: &Value) -> Option<bool> {
    let config = object.get("config")?;
    if config.get("batch_input_shape").is_some() {
        return Some(true);
    }
    if config.get("batch_shape").is_some() {
        return Some(false);
    }
    config.get("layers")?.as_array()?.iter().find_map(has_input_of_keras_2)
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    fn check(object: &Value, expected: Generation) {
        assert_eq!(generation(object), expected, "{object}");
    }

    #[test]
    fn told_by_what_only_one_writes() {
        let input = |field: &str| json!({"config": {"layers": [{"config": {"layers": [{"config": {field: [null, 3]}}]}}]}});
        check(&json!({"keras_version": "2.15.0"}), Generation::Keras2);
        check(&json!({"keras_version": "3.0.5"}), Generation::Keras3);
        check(&json!({"module": "tf_keras.src.engine.functional"}), Generation::Keras2);
        check(&json!({"module": "keras.src.models.functional"}), Generation::Keras3);
        check(&input("batch_input_shape"), Generation::Keras2);
        check(&input("batch_shape"), Generation::Keras3);
        check(&json!({}), Generation::Keras3);
    }
}
