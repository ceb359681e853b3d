//! Which objects of a configuration are of Keras' own classes, and which of the user's that may have the same name.

use super::json::{Value, text};

/// A model of Keras itself.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ModelKind {
    Functional,
    Sequential,
}

/// Which kind of model an object of Keras itself is.
pub(super) fn model_kind(object: &Value) -> Option<ModelKind> {
    const MODULES: [&str; 6] = [
        "keras.src.models",
        "keras.models",
        "keras.src.engine",
        "keras.engine",
        "tf_keras.src.engine",
        "tf_keras.models",
    ];
    let is_known = |module: &str| {
        matches!(module, "keras" | "tf_keras") || MODULES.iter().any(|known| is_in(module, known))
    };
    let kind = match text(object, "class_name")? {
        "Functional" | "Model" => ModelKind::Functional,
        "Sequential" => ModelKind::Sequential,
        _ => return None,
    };
    is_own(object, is_known).then_some(kind)
}

/// Whether an object is of a class of `keras.layers`, as far as it says.
pub(super) fn is_layer(object: &Value) -> bool {
    const MODULES: [&str; 4] = ["keras.layers", "keras.src.layers", "tf_keras.layers", "tf_keras.src.layers"];
    is_own(object, |module| MODULES.iter().any(|known| is_in(module, known)))
}

/// Whether an object is an operation of `keras.ops`, or of `keras.activations`, whose `relu` is one of its own where it
/// has a slope (`activations.py`); `None` where it does not say.
pub(super) fn is_operation(object: &Value) -> Option<bool> {
    const MODULES: [&str; 3] = ["keras.src.ops", "keras.ops", "keras.src.activations"];
    object.get("module")?;
    Some(is_own(object, |module| MODULES.iter().any(|known| is_in(module, known))))
}

/// Whether an object is of a class that a model of `keras.applications` brings along.
pub(super) fn is_of_applications(object: &Value) -> bool {
    const MODULES: [&str; 3] = ["keras.src.applications", "keras.applications", "tf_keras.src.applications"];
    object.get("module").is_some()
        && is_own(object, |module| MODULES.iter().any(|known| is_in(module, known)))
}

/// Whether an object is of a class of a module of Keras' own.
///
/// `serialize_keras_object` (`serialization_lib.py`) gives a class of Keras its module and no `registered_name`, or its
/// own name for one. A class that the user registered has `package>Class` there, and one outside any package the
/// module `null`. `model_config` and Keras before 2.12 have neither: there the class itself is `package>Class`, and
/// one that is not registered cannot be told from Keras' own.
fn is_own(object: &Value, is_known: impl Fn(&str) -> bool) -> bool {
    let registered = text(object, "registered_name");
    let is_registered = registered.is_some_and(|name| text(object, "class_name") != Some(name));
    let is_there = match object.get("module") {
        None => true,
        Some(Value::String(module)) => is_known(module),
        Some(_) => false,
    };
    is_there && !is_registered
}

/// Whether a module is that one, or inside it.
fn is_in(module: &str, known: &str) -> bool {
    module.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    fn check(module: &Value, registered: &Value, expected: bool) {
        let layer = json!({"class_name": "Dense", "module": module, "registered_name": registered});
        assert_eq!(is_layer(&layer), expected, "{layer}");
        let module = module.as_str().map(|module| module.replace("layers", "models"));
        let is_own = registered.as_str() == Some("Dense");
        let registered = if is_own { json!("Sequential") } else { registered.clone() };
        let model = json!({"class_name": "Sequential", "module": module, "registered_name": registered});
        assert_eq!(model_kind(&model) == Some(ModelKind::Sequential), expected, "{model}");
    }

    #[test]
    fn the_users_classes_may_have_names_of_keras() {
        check(&json!("keras.layers"), &Value::Null, true);
        check(&json!("keras.src.layers.core.dense"), &json!("Dense"), true);
        check(&json!("tf_keras.layers"), &Value::Null, true);
        check(&Value::Null, &json!("pk>Dense"), false);
        check(&Value::Null, &json!("Dense"), false);
        check(&Value::Null, &Value::Null, false);
        check(&json!("keras.layers"), &json!("pk>Dense"), false);
        check(&json!("keras.layers"), &json!("Custom"), false);
        check(&json!("keras.layersx"), &Value::Null, false);
        check(&json!("my.keras.layers"), &Value::Null, false);
        assert!(is_layer(&json!({"class_name": "Dense"})));
        assert_eq!(is_operation(&json!({"class_name": "Add"})), None);
        assert_eq!(
            is_operation(&json!({"class_name": "Add", "module": null, "registered_name": "pk>Add"})),
            Some(false)
        );
        assert_eq!(
            is_operation(
                &json!({"class_name": "Add", "module": "keras.src.ops.numpy", "registered_name": "Add"})
            ),
            Some(true)
        );
        let module = "keras.src.activations.activations";
        let relu = json!({"class_name": "ReLU", "module": module, "registered_name": "ReLU"});
        assert_eq!(is_operation(&relu), Some(true));
    }
}
