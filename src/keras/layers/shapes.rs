//! The shapes that a layer was built with.

use serde_json::Value;

use crate::keras::error::ErrorKind;
use crate::keras::json::{InputShape, input_shape};

/// The input shapes of a layer, in the order of its arguments, each with the argument's name when the
/// `build_config` tells it (`query_shape`).
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::keras) struct InputShapes(Vec<(Option<String>, InputShape)>);

impl InputShapes {
    /// From the shapes of the tensors that the graph passes.
    pub(in crate::keras) fn of(shapes: impl IntoIterator<Item = InputShape>) -> Self {
        Self(shapes.into_iter().map(|shape| (None, shape)).collect())
    }

    /// From the `build_config` of a serialized layer; where it has none, `hint`.
    pub(in crate::keras) fn read(object: &Value, hint: &Self) -> Self {
        let Some(build) = object.get("build_config") else { return hint.clone() };
        let mut shapes = Self::default();
        if let Some(Value::Object(named)) = build.get("shapes_dict") {
            for (name, value) in named {
                shapes.0.extend(input_shape(value).map(|shape| (Some(name.clone()), shape)));
            }
        } else if let Some(value) = build.get("input_shape") {
            shapes.collect(value);
        }
        if shapes.0.is_empty() { hint.clone() } else { shapes }
    }

    /// Shapes nested one level: several inputs, as a list or by name.
    fn collect(&mut self, value: &Value) {
        match (input_shape(value), value) {
            (Some(shape), _) => self.0.push((None, shape)),
            (None, Value::Array(items)) => {
                self.0.extend(items.iter().filter_map(input_shape).map(|shape| (None, shape)));
            }
            (None, Value::Object(named)) => self.0.extend(
                named.iter().filter_map(|(name, value)| Some((Some(name.clone()), input_shape(value)?))),
            ),
            (None, _) => {}
        }
    }

    /// The first input's shape.
    pub(in crate::keras) fn first(&self, layer: &str) -> Result<&InputShape, ErrorKind> {
        let first = self.0.first().ok_or_else(|| not_built(layer))?;
        Ok(&first.1)
    }

    /// The shape of the argument of that name, or of that position where there are no names.
    pub(in crate::keras) fn argument(&self, name: &str, position: usize) -> Option<&InputShape> {
        let named = self.0.iter().any(|(name, _)| name.is_some());
        if named {
            self.0.iter().find(|(other, _)| other.as_deref() == Some(name)).map(|(_, shape)| shape)
        } else {
            self.0.get(position).map(|(_, shape)| shape)
        }
    }

    /// The first input's size on an axis (negative from the end).
    pub(in crate::keras) fn size(&self, axis: i64, layer: &str) -> Result<usize, ErrorKind> {
        let shape = self.first(layer)?;
        size_at(shape, axis).ok_or_else(|| not_built(layer))
    }
}

/// The size on an axis (negative from the end), when it is fixed.
pub(in crate::keras) fn size_at(shape: &[Option<usize>], axis: i64) -> Option<usize> {
    let rank = i64::try_from(shape.len()).ok()?;
    let axis = usize::try_from(if axis < 0 { axis.checked_add(rank)? } else { axis }).ok()?;
    shape.get(axis).copied().flatten()
}

/// The error about a layer whose sizes are not known.
pub(in crate::keras) fn not_built(layer: &str) -> ErrorKind {
    ErrorKind::NotBuilt { layer: layer.into() }
}
