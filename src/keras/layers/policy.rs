//! Dtype policies: the element type of a layer's variables, and whether they are quantized.

use crate::keras::error::ErrorKind;
use crate::keras::json::{Config, Value, setting, size, text};
use crate::tensor::Dtype;

/// The maxima that float8 training remembers where the policy does not say.
const AMAX_HISTORY: usize = 1024;

/// A layer's dtype policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keras) struct Policy {
    /// The element type of the variables, as long as they are not quantized.
    pub(in crate::keras) dtype: Dtype,
    /// What layers that can be quantized are; the others take no notice of it.
    pub(in crate::keras) quantization: Quantization,
}

/// How the variables of a layer are quantized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keras) enum Quantization {
    /// They are not.
    None,
    /// For training in float8: they are not, but there are others beside them, with so many maxima.
    Float8 { history: usize },
    /// To integers, by the policy of that name.
    Integers(String),
}

impl Policy {
    /// The policy of a layer. A `quantization_config` beside it says only how `quantize` would work.
    ///
    /// `path` is the layer's `path` in Keras when it builds the configuration again: its name, or, of what a layer makes
    /// itself, the two names.
    pub(in crate::keras) fn read(config: Config<'_>, path: &str) -> Result<Self, ErrorKind> {
        let Some(policy) = config.get("dtype") else { return Ok(Self::plain(Dtype::F32)) };
        match text(policy, "class_name") {
            Some("DTypePolicyMap") => Self::of_map(config, policy, path),
            _ => Self::of(config, policy),
        }
    }

    /// The policy that a `DTypePolicyMap` (`dtype_policy_map.py`) has for a path: that of the key that equals it, that of
    /// the one that matches it as a regular expression, or the default. Which part of a path must match is not the same
    /// in all versions, so a key that could match and would change something is refused.
    fn of_map(config: Config<'_>, map: &Value, path: &str) -> Result<Self, ErrorKind> {
        let default = match setting(map, "default_policy") {
            None | Some(Value::Null) => Self::plain(Dtype::F32),
            Some(policy) => Self::of(config, policy)?,
        };
        let keys = match setting(map, "policy_map") {
            Some(Value::Object(keys)) => keys,
            None | Some(Value::Null) => return Ok(default),
            Some(_) => return Err(config.wrong("dtype", "a dtype policy")),
        };
        if let Some(policy) = keys.get(path) {
            return Self::of(config, policy);
        }
        for (key, policy) in keys.iter() {
            let is_plain =
                key.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '/'));
            if (!is_plain || path.contains(key)) && Self::of(config, policy)? != default {
                let policy = format!("DTypePolicyMap with the pattern {key}");
                return Err(ErrorKind::DtypePolicy { layer: config.layer.into(), policy });
            }
        }
        Ok(default)
    }

    /// A policy that is no map of others.
    fn of(config: Config<'_>, policy: &Value) -> Result<Self, ErrorKind> {
        let unsupported =
            |policy: &str| ErrorKind::DtypePolicy { layer: config.layer.into(), policy: policy.into() };
        let field = |name: &str| setting(policy, name);
        let (source, quantization) = match policy {
            // `int8_from_mixed_bfloat16`.
            Value::String(name) => match name.split_once("_from_") {
                Some(("float8", source)) => (source, Quantization::Float8 { history: AMAX_HISTORY }),
                Some((_, source)) => (source, Quantization::Integers(name.to_string())),
                None => (&**name, Quantization::None),
            },
            Value::Object(_) => match text(policy, "class_name") {
                // Keras 2 called it `Policy`.
                Some("DTypePolicy" | "FloatDTypePolicy" | "Policy") => {
                    let name = match field("name") {
                        // That of Keras' settings, as where a layer has none.
                        Some(Value::Null) => Some("float32"),
                        name => name.and_then(Value::as_str),
                    };
                    (name.ok_or_else(|| unsupported("unnamed"))?, Quantization::None)
                }
                Some(class) if is_quantized(class) => {
                    let source = field("source_name").and_then(Value::as_str).unwrap_or("float32");
                    let mode = field("mode").and_then(Value::as_str);
                    let quantization = if class == "QuantizedFloat8DTypePolicy" || mode == Some("float8") {
                        let history = field("amax_history_length").and_then(size);
                        Quantization::Float8 { history: history.unwrap_or(AMAX_HISTORY) }
                    } else {
                        let mode = mode.map_or_else(String::new, |mode| format!(" {mode}"));
                        Quantization::Integers(format!("{class}{mode}"))
                    };
                    (source, quantization)
                }
                class => return Err(unsupported(class.unwrap_or("unnamed"))),
            },
            _ => return Err(config.wrong("dtype", "a dtype policy")),
        };
        let dtype = match source {
            "mixed_float16" | "mixed_bfloat16" => Dtype::F32,
            _ => Dtype::from_name(source).ok_or_else(|| unsupported(source))?,
        };
        Ok(Self { dtype, quantization })
    }

    fn plain(dtype: Dtype) -> Self {
        Self { dtype, quantization: Quantization::None }
    }

    /// For a layer of a class that `quantize` knows: how many maxima float8 training keeps, if the layer has
    /// that policy.
    ///
    /// # Errors
    /// When it is quantized to integers, which no float checkpoint tells.
    pub(in crate::keras) fn float8(&self, layer: &str) -> Result<Option<usize>, ErrorKind> {
        match &self.quantization {
            Quantization::None => Ok(None),
            Quantization::Float8 { history } => Ok(Some(*history)),
            Quantization::Integers(policy) => {
                Err(ErrorKind::Quantized { layer: layer.to_owned(), policy: policy.clone() })
            }
        }
    }
}

fn is_quantized(class: &str) -> bool {
    class.starts_with("Quantized")
        || matches!(class, "Int4DTypePolicy" | "GPTQDTypePolicy" | "AWQDTypePolicy")
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    fn check(dtype: &Value, expected: (Dtype, Quantization)) {
        let object = json!({"config": {"dtype": dtype}});
        let found = Policy::read(Config::of(&object, "a/x").unwrap(), "x").unwrap();
        assert_eq!((found.dtype, found.quantization), expected, "{dtype}");
    }

    #[test]
    fn policies() {
        let policy = |class: &str, config: Value| json!({"class_name": class, "config": config});
        let float8 = |history| Quantization::Float8 { history };
        check(&Value::Null, (Dtype::F32, Quantization::None));
        check(&json!("mixed_bfloat16"), (Dtype::F32, Quantization::None));
        check(&policy("Policy", json!({"name": "float16"})), (Dtype::F16, Quantization::None));
        check(&json!("float8_from_bfloat16"), (Dtype::Bf16, float8(1024)));
        let config = json!({"mode": "float8", "source_name": "float32", "amax_history_length": 7});
        check(&policy("QuantizedFloat8DTypePolicy", config), (Dtype::F32, float8(7)));
        let config = json!({"mode": "int8", "source_name": "mixed_float16"});
        let integers = |name: &str| Quantization::Integers(name.to_owned());
        check(&policy("QuantizedDTypePolicy", config), (Dtype::F32, integers("QuantizedDTypePolicy int8")));
        check(&json!("int4_from_float32"), (Dtype::F32, integers("int4_from_float32")));
    }

    #[test]
    fn maps() {
        let named = |name: &str| json!({"class_name": "DTypePolicy", "config": {"name": name}});
        let map = |default: Value, keys: Value| json!({"class_name": "DTypePolicyMap", "config": {"default_policy": default, "policy_map": keys}});
        let check_map = |default: Value, keys: Value, expected| {
            check(&map(default, keys), (expected, Quantization::None))
        };
        check_map(json!("bfloat16"), json!({}), Dtype::Bf16);
        check_map(named("float16"), Value::Null, Dtype::F16);
        check_map(json!("float32"), json!({"x": named("float16")}), Dtype::F16);
        check_map(Value::Null, json!({"y": named("float16"), "xy": named("float16")}), Dtype::F32);
        // That changes nothing.
        check_map(json!("float32"), json!({".*": named("mixed_float16")}), Dtype::F32);
        let refused = |default: Value, keys: Value| {
            let object = json!({"config": {"dtype": map(default, keys)}});
            Policy::read(Config::of(&object, "a/long").unwrap(), "long").unwrap_err()
        };
        for keys in
            [json!({"l.*": named("float16")}), json!({"on": named("float16")}), json!({"": named("float16")})]
        {
            let error = refused(json!("float32"), keys);
            assert!(matches!(error, ErrorKind::DtypePolicy { .. }), "{error}");
        }
        let nested = refused(map(Value::Null, json!({})), json!({}));
        assert!(matches!(nested, ErrorKind::DtypePolicy { .. }), "{nested}");
        let integers = Policy::read(
            Config::of(&json!({"config": {"dtype": map(json!("int8_from_float32"), json!({}))}}), "x")
                .unwrap(),
            "x",
        );
        assert!(integers.unwrap().float8("x").is_err());
    }
}
