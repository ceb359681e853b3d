//! The projections inside the attention layers.

use crate::keras::architecture::{Generation, KernelAxes};
use crate::keras::error::ErrorKind;
use crate::keras::json::Config;

use super::shapes::{InputShapes, not_built, open_size, size_at};

/// A projection: an `EinsumDense` that the layer makes itself, so that no configuration lists it.
pub(in crate::keras) struct Projection {
    /// The attribute that holds it, which is its group.
    pub(in crate::keras) attribute: &'static str,
    /// Its layer name.
    pub(in crate::keras) name: &'static str,
    /// The kernel's shape.
    pub(in crate::keras) kernel: Vec<usize>,
    /// The bias's shape, when there is one.
    pub(in crate::keras) bias: Option<Vec<usize>>,
}

impl Projection {
    /// How it reads its kernel: the output projection contracts the heads, the others make them.
    pub(in crate::keras) fn kernel_axes(&self) -> KernelAxes {
        projection_axes(self.name, self.kernel.len())
    }
}

/// How the projection of that name reads a kernel of that rank.
pub(in crate::keras) fn projection_axes(name: &str, rank: usize) -> KernelAxes {
    let contracted = if name == "attention_output" { 2 } else { 1 };
    KernelAxes {
        input: (0..contracted).collect(),
        output: (contracted..rank).collect(),
        has_plain_bias: true,
    }
}

/// The projections of `MultiHeadAttention` in the order in which `.weights.h5` walks their attributes: by
/// name, `_…` last; in Keras 2 backwards. Keras 2 has no properties for them, so their groups are `_…_dense`.
pub(in crate::keras) fn multi_head(
    config: Config<'_>,
    inputs: &InputShapes,
    generation: Generation,
) -> Result<Vec<Projection>, ErrorKind> {
    let heads = config.size("num_heads")?;
    let key_size = config.size("key_dim")?;
    let value_size = config.size_or("value_dim", key_size)?;
    let sizes = Inputs::read(config, inputs)?;
    let output = match config.shape("output_shape")? {
        Some(shape) if !shape.is_empty() => {
            shape.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| not_built(config.layer))?
        }
        _ => vec![sizes.query],
    };
    let with_bias = config.flag("use_bias", true)?;
    let head = |attribute, name, input, size| Projection {
        attribute,
        name,
        kernel: vec![input, heads, size],
        bias: with_bias.then(|| vec![heads, size]),
    };
    let mut projections = vec![
        head("key_dense", "key", sizes.key, key_size),
        Projection {
            attribute: "output_dense",
            name: "attention_output",
            kernel: [heads, value_size].into_iter().chain(output.iter().copied()).collect(),
            bias: with_bias.then_some(output),
        },
        head("query_dense", "query", sizes.query, key_size),
        head("value_dense", "value", sizes.value, value_size),
    ];
    if generation == Generation::Keras2 {
        for projection in &mut projections {
            projection.attribute = match projection.attribute {
                "key_dense" => "_key_dense",
                "output_dense" => "_output_dense",
                "query_dense" => "_query_dense",
                _ => "_value_dense",
            };
        }
        projections.reverse();
    } else if config.flag("use_gate", false)? {
        projections.push(head("_gate_dense", "gate", sizes.query, value_size));
    }
    Ok(projections)
}

/// The projections of `GroupedQueryAttention`, in the same order.
pub(in crate::keras) fn grouped_query(
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<Vec<Projection>, ErrorKind> {
    let size = config.size("head_dim")?;
    let query_heads = config.size("num_query_heads")?;
    let heads = config.size("num_key_value_heads")?;
    let sizes = Inputs::read(config, inputs)?;
    let with_bias = config.flag("use_bias", true)?;
    let head = |attribute, name, input, heads| Projection {
        attribute,
        name,
        kernel: vec![input, heads, size],
        bias: with_bias.then(|| vec![heads, size]),
    };
    let mut projections = Vec::new();
    if config.flag("use_gate", false)? {
        projections.push(head("_gate_dense", "gate", sizes.query, query_heads));
    }
    projections.extend([
        head("_key_dense", "key", sizes.key, heads),
        Projection {
            attribute: "_output_dense",
            name: "attention_output",
            kernel: vec![query_heads, size, sizes.query],
            bias: with_bias.then(|| vec![sizes.query]),
        },
        head("_query_dense", "query", sizes.query, query_heads),
        head("_value_dense", "value", sizes.value, heads),
    ]);
    Ok(projections)
}

/// The feature sizes of the three inputs.
struct Inputs {
    query: usize,
    key: usize,
    value: usize,
}

impl Inputs {
    fn read(config: Config<'_>, inputs: &InputShapes) -> Result<Self, ErrorKind> {
        let layer = config.layer;
        let features = |name: &str, position: usize| -> Result<Option<usize>, ErrorKind> {
            let Some(shape) = inputs.argument(name, position, layer)? else { return Ok(None) };
            size_at(shape, -1).map(Some).ok_or_else(|| open_size(layer, shape))
        };
        let query = features("query_shape", 0)?.ok_or_else(|| not_built(layer))?;
        let value = features("value_shape", 1)?.ok_or_else(|| not_built(layer))?;
        Ok(Self { query, key: features("key_shape", 2)?.unwrap_or(value), value })
    }
}
