//! Texts to values.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::value::{Fields, Value};
use crate::map::Set;

/// Texts of at most so many bytes are kept once, however often they come: names of fields, classes and layers.
const SHARED_BYTES: usize = 64;

/// Reads JSON as Python's `json.dumps` writes it: numbers that are not finite, as of
/// `ops.pad(x, …, constant_values=-inf)`, stand there as `NaN`, `Infinity` and `-Infinity`, which JSON has not. They
/// become null.
pub(in crate::keras) fn from_python(text: &[u8]) -> Result<Value, serde_json::Error> {
    read(text).or_else(|error| finite(text).map_or(Err(error), |finite| read(&finite)))
}

fn read(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut file = serde_json::Deserializer::from_slice(text);
    let value = ValueReader(&mut Reader::default()).deserialize(&mut file)?;
    file.end()?;
    Ok(value)
}

/// The text with null in place of what is not finite; `None` where all is.
fn finite(text: &[u8]) -> Option<Vec<u8>> {
    const LITERALS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let (mut finite, mut rest) = (Vec::with_capacity(text.len()), text);
    let (mut is_string, mut is_escaped, mut is_changed) = (false, false, false);
    while let Some((&byte, after)) = rest.split_first() {
        let literal = LITERALS.iter().find(|literal| !is_string && rest.starts_with(literal));
        if let Some(literal) = literal {
            finite.extend_from_slice(b"null");
            rest = rest.get(literal.len()..).unwrap_or_default();
            is_changed = true;
            continue;
        }
        is_string ^= byte == b'"' && !is_escaped;
        is_escaped = is_string && byte == b'\\' && !is_escaped;
        finite.push(byte);
        rest = after;
    }
    is_changed.then_some(finite)
}

/// What is common to all values of a text.
#[derive(Default)]
struct Reader {
    texts: Set<Arc<str>>,
    /// Fields and items of the objects and lists that are open, those of the innermost last.
    fields: Vec<(Arc<str>, Value)>,
    items: Vec<Value>,
}

impl Reader {
    fn text(&mut self, text: &str) -> Arc<str> {
        if text.len() > SHARED_BYTES {
            return text.into();
        }
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }
}

/// Reads a value. How deep these nest is bounded by the JSON reader.
struct ValueReader<'r>(&'r mut Reader);

/// Reads the name of a field.
struct NameReader<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for NameReader<'_> {
    type Value = Arc<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameReader<'_> {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Arc<str>, E> {
        Ok(self.0.text(name))
    }
}

impl<'de> DeserializeSeed<'de> for ValueReader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueReader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(self.0.text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let first = self.0.items.len();
        while let Some(item) = list.next_element_seed(ValueReader(self.0))? {
            self.0.items.push(item);
        }
        Ok(Value::Array(self.0.items.drain(first..).collect()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let first = self.0.fields.len();
        while let Some(name) = object.next_key_seed(NameReader(self.0))? {
            let value = object.next_value_seed(ValueReader(self.0))?;
            self.0.fields.push((name, value));
        }
        Ok(Value::Object(Fields::take(&mut self.0.fields, first)))
    }
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_are_not_finite() {
        let check = |text: &str, expected: Value| {
            assert_eq!(from_python(text.as_bytes()).unwrap(), expected, "{text}");
        };
        check(r#"{"a": [-Infinity, Infinity, NaN], "b": 7}"#, json!({"a": [null, null, null], "b": 7}));
        check(
            r#"{"NaN": "-Infinity \" NaN \\", "x": NaN}"#,
            json!({"NaN": "-Infinity \" NaN \\", "x": null}),
        );
        check(r#"["Infinity"]"#, json!(["Infinity"]));
        for broken in ["[Infinit]", "[NaN", "-Infinity7", "{\"a\": Infinity,}"] {
            assert!(from_python(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    /// Texts of values: names come again in an object, few and many.
    fn texts() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            any::<u64>().prop_map(|value| value.to_string()),
            (-1e9..1e9_f64).prop_map(|value| format!("{value:e}")),
            ".{0,80}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        ];
        leaf.prop_recursive(4, 64, 24, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..24);
            let name = (0..40_u8).prop_map(|name| format!("\"n{name}\""));
            let object = prop::collection::vec((name, inner), 0..40);
            let field = |(name, value): &(String, String)| format!("{name}: {value}");
            prop_oneof![
                list.prop_map(|items| format!("[{}]", items.join(", "))),
                object.prop_map(move |fields| {
                    format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// It reads what `serde_json` reads, and refuses what that refuses.
        #[test]
        fn as_serde_json(text in texts(), cut in 0..400_usize) {
            let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
            let found = from_python(text.as_bytes()).unwrap();
            prop_assert_eq!(found.to_string(), expected.to_string());
            prop_assert_eq!(&found, &Value::from(expected));
            let cut = text.as_bytes().get(..cut).unwrap_or(text.as_bytes());
            let expected = serde_json::from_slice::<serde_json::Value>(cut).map_err(|error| error.to_string());
            let found = from_python(cut).map_err(|error| error.to_string());
            prop_assert_eq!(found, expected.map(Value::from));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(from_python(deep(100).as_bytes()).is_ok());
        let error = from_python(deep(1000).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("recursion limit exceeded"), "{error}");
    }
}
