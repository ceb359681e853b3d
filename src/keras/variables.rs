//! The variables of every layer of a tree, from the shapes that it was built with.

use crate::map::Map;

use super::architecture::{Generation, KernelAxes};
use super::error::ErrorKind;
use super::graph::join;
use super::json::{Config, Value};
use super::layers::{
    InputShapes, Policy, Projection, Rules, Spec, Specs, cell_of, grouped_query, is_stateless, kernel_axes,
    last_names, multi_head, own_variables,
};
use super::tree::{Node, NodeId, Tree};

/// Fills in the variables, and adds the layers that attention layers make themselves.
///
/// # Errors
/// When a layer's variables depend on a shape that is not known, or its configuration is one that Keras would
/// refuse.
pub(super) fn fill(tree: &mut Tree, shapes: &Map<NodeId, InputShapes>) -> Result<(), ErrorKind> {
    let none = InputShapes::default();
    for id in 0..tree.nodes.len() {
        let Some(node) = tree.nodes.get(id) else { continue };
        // A cell is filled in with the layer that makes it.
        if node.graph.is_some() || node.config.is_null() || is_stateless(&node.class) {
            continue;
        }
        let inputs = shapes.get(&id).unwrap_or(&none);
        let config = Config::new(&node.config, &node.place)?;
        let is_unbuilt = tree.generation == Generation::Keras3 && node.built.is_empty();
        let rules = Rules { generation: tree.generation, is_made: false, is_unbuilt };
        if let Some((cell, name)) = cell_of(&node.class) {
            let path = join(&node.place, name);
            let specs = own_variables(
                cell,
                config.named(&path),
                &inputs.without_time(),
                Rules { is_made: true, ..rules },
            )?;
            let child = node.children.first().map(|&(_, child)| child);
            if let Some(cell) = child.and_then(|child| tree.nodes.get_mut(child)) {
                cell.own = specs.unwrap_or_else(Vec::new);
            }
            continue;
        }
        let projections = match node.class.as_str() {
            "MultiHeadAttention" => Some(multi_head(config, inputs, tree.generation)?),
            "GroupedQueryAttention" => Some(grouped_query(config, inputs)?),
            _ => None,
        };
        if let Some(projections) = projections {
            let place = node.place.clone();
            let made: Vec<_> =
                projections.into_iter().map(|made| projection(made, config)).collect::<Result<_, _>>()?;
            for (attribute, name, own, kernel_axes) in made {
                let child = tree.nodes.len();
                tree.nodes.push(Node {
                    name: name.to_owned(),
                    place: join(&place, name),
                    class: "EinsumDense".to_owned(),
                    config: Value::Null,
                    built: InputShapes::default(),
                    own,
                    kernel_axes: Some(kernel_axes),
                    children: Vec::new(),
                    graph: None,
                    features: None,
                    outputs: None,
                });
                if let Some(node) = tree.nodes.get_mut(id) {
                    node.children.push((attribute.to_owned(), child));
                }
            }
            continue;
        }
        let own = own_variables(&node.class, config, inputs, rules)?.unwrap_or_else(Vec::new);
        let kernel_axes = if node.class == "EinsumDense" { Some(kernel_axes(config)?) } else { None };
        if let Some(node) = tree.nodes.get_mut(id) {
            node.own = own;
            node.kernel_axes = kernel_axes;
        }
    }
    for id in 0..tree.nodes.len() {
        let own = match tree.nodes.get(id) {
            Some(node) if node.class == "SpectralNormalization" => spectral(tree, node)?,
            _ => continue,
        };
        if let Some(node) = tree.nodes.get_mut(id) {
            node.own = own;
        }
    }
    Ok(())
}

type Made = (&'static str, &'static str, Vec<Spec>, KernelAxes);

fn projection(projection: Projection, config: Config<'_>) -> Result<Made, ErrorKind> {
    let kernel_axes = projection.kernel_axes();
    let Projection { attribute, name, kernel, bias } = projection;
    let path = join(config.layer, name);
    let policy = Policy::read(config, last_names(&path, 2))?;
    let mut specs = Specs::new(config.layer, policy.dtype);
    specs.weight("kernel", kernel)?;
    if let Some(bias) = bias {
        specs.weight("bias", bias)?;
    }
    if let Some(history) = policy.float8(config.layer)? {
        specs.float8(history)?;
    }
    Ok((attribute, name, specs.finish(), kernel_axes))
}

/// The copy of the wrapped kernel, and the vector of the power iteration.
fn spectral(tree: &Tree, node: &Node) -> Result<Vec<Spec>, ErrorKind> {
    let layer = node.children.first().and_then(|&(_, child)| tree.nodes.get(child));
    let kernel = layer
        .and_then(|layer| layer.own.iter().find(|spec| spec.name == "kernel" || spec.name == "embeddings"));
    let Some(kernel) = kernel else {
        return Err(ErrorKind::MissingField { layer: node.place.clone(), field: "layer.kernel".into() });
    };
    let last = kernel.shape.sizes().last().copied().unwrap_or(1);
    let mut specs = Specs::new(&node.place, kernel.dtype);
    specs.weight(kernel.name, kernel.shape.sizes().to_vec())?;
    specs.statistic("vector_u", vec![1, last])?;
    Ok(specs.finish())
}
