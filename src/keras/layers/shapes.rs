//! The shapes that a layer was built with.

use std::fmt;

use crate::keras::error::ErrorKind;
use crate::keras::inferred::Inferred;
use crate::keras::json::{InputShape, Value, input_shape, setting};

/// The input shapes of a layer, in the order of its arguments, each with the argument's name when that is
/// told (`query_shape`).
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::keras) struct InputShapes(Vec<(Option<String>, Inferred)>);

impl InputShapes {
    /// From the shapes of the tensors that the graph passes.
    pub(in crate::keras) fn of(shapes: impl IntoIterator<Item = Inferred>) -> Self {
        Self(shapes.into_iter().map(|shape| (None, shape)).collect())
    }

    /// From the shapes of named arguments.
    pub(in crate::keras) fn named(shapes: impl IntoIterator<Item = (&'static str, Inferred)>) -> Self {
        Self(shapes.into_iter().map(|(name, shape)| (Some(name.to_owned()), shape)).collect())
    }

    /// From the `build_config` of a serialized layer; empty where it has none. Keras 2 builds attention layers
    /// from the shapes in their configuration; its `build_config` tells the first input's only.
    pub(in crate::keras) fn read(object: &Value, class: &str) -> Self {
        if class == "MultiHeadAttention" && setting(object, "query_shape").is_some() {
            let shape = |name: &'static str| Some((name, Ok(input_shape(object.get("config")?.get(name)?)?)));
            return Self::named(["query_shape", "value_shape", "key_shape"].into_iter().filter_map(shape));
        }
        let mut shapes = Self::default();
        let Some(build) = object.get("build_config") else { return shapes };
        if let Some(Value::Object(named)) = build.get("shapes_dict") {
            for (name, value) in named.iter() {
                shapes.0.extend(input_shape(value).map(|shape| (Some(name.to_owned()), Ok(shape))));
            }
        } else if let Some(value) = build.get("input_shape") {
            shapes.collect(value);
        }
        let is_attention = matches!(class, "MultiHeadAttention" | "GroupedQueryAttention");
        if is_attention && shapes.0.len() < 2 { Self::default() } else { shapes }
    }

    /// Whether there is none.
    pub(in crate::keras) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The shapes of several inputs, where none has a name.
    pub(in crate::keras) fn unnamed(&self) -> Option<Vec<&Inferred>> {
        self.0.iter().map(|(name, shape)| name.is_none().then_some(shape)).collect()
    }

    /// Shapes nested one level: several inputs, as a list or by name.
    fn collect(&mut self, value: &Value) {
        match (input_shape(value), value) {
            (Some(shape), _) => self.0.push((None, Ok(shape))),
            (None, Value::Array(items)) => {
                self.0.extend(items.iter().filter_map(input_shape).map(|shape| (None, Ok(shape))));
            }
            (None, Value::Object(named)) => self.0.extend(
                named
                    .iter()
                    .filter_map(|(name, value)| Some((Some(name.to_owned()), Ok(input_shape(value)?)))),
            ),
            (None, _) => {}
        }
    }

    /// The first input's shape.
    pub(in crate::keras) fn first(&self, layer: &str) -> Result<&InputShape, ErrorKind> {
        let first = self.0.first().ok_or_else(|| not_built(layer))?;
        known(&first.1, layer)
    }

    /// The shape of the argument of that name, or of that position where there are no names.
    pub(in crate::keras) fn argument(
        &self,
        name: &str,
        position: usize,
        layer: &str,
    ) -> Result<Option<&InputShape>, ErrorKind> {
        let has_names = self.0.iter().any(|(name, _)| name.is_some());
        let found = if has_names {
            self.0.iter().find(|(other, _)| other.as_deref() == Some(name))
        } else {
            self.0.get(position)
        };
        found.map(|(_, shape)| known(shape, layer)).transpose()
    }

    /// The first input's size on an axis (negative from the end).
    pub(in crate::keras) fn size(&self, axis: i64, layer: &str) -> Result<usize, ErrorKind> {
        let shape = self.first(layer)?;
        size_at(shape, axis).ok_or_else(|| open_size(layer, shape))
    }

    /// The shapes of one time step: without axis 1.
    pub(in crate::keras) fn without_time(&self) -> Self {
        let step = |shape: &Inferred| {
            let mut shape = shape.clone();
            if let Ok(sizes) = &mut shape
                && sizes.len() > 1
            {
                sizes.remove(1);
            }
            shape
        };
        Self(self.0.first().map(|(_, shape)| (None, step(shape))).into_iter().collect())
    }
}

fn known<'a>(shape: &'a Inferred, layer: &str) -> Result<&'a InputShape, ErrorKind> {
    shape.as_ref().map_err(|hidden| {
        if hidden.is_unbuilt() {
            return not_built(layer);
        }
        let (by, class) = (hidden.by.to_string(), hidden.class.to_string());
        ErrorKind::HiddenShape { layer: layer.into(), by, class }
    })
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

/// The error about a layer whose variables depend on a size that is not fixed.
pub(in crate::keras) fn open_size(layer: &str, shape: &[Option<usize>]) -> ErrorKind {
    ErrorKind::OpenSize { layer: layer.into(), shape: ShapeText(shape).to_string() }
}

/// A shape in messages: `[?, 8, ?]`.
struct ShapeText<'a>(&'a [Option<usize>]);

impl fmt::Display for ShapeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: &Option<usize>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        write!(f, "[{}]", self.0.iter().map(size).collect::<Vec<_>>().join(", "))
    }
}
