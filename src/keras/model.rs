//! Serialized Keras objects to a tree of layers.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::tensor::Shape;

use super::error::{CustomLayer, ErrorKind};
use super::features;
use super::graph::{Graph, entries, join};
use super::infer::output_shape;
use super::json::{Config, InputShape, input_shape, missing, text};
use super::layers::{
    InputShapes, Projection, Spec, cell_of, grouped_query, is_stateless, multi_head, own_variables,
    variable_dtype,
};
use super::outputs;
use super::tree::{Groups, Node, NodeId, StepKind, Tree, Wiring};

/// Fields of a configuration that hold the configurations of other layers.
const NESTED_FIELDS: [&str; 8] =
    ["layers", "layer", "backward_layer", "cell", "cells", "input_layers", "output_layers", "build_config"];

/// The tree of a serialized model, and its root.
///
/// # Errors
/// When the object is no Functional or Sequential model of Keras 3, or does not tell its variables.
pub(super) fn read(object: &Value) -> Result<(Tree, NodeId), ErrorKind> {
    let class = text(object, "class_name").ok_or_else(|| missing("", "class_name"))?;
    let module = text(object, "module");
    let is_keras_2 = object.get("module").is_none() || module.is_some_and(is_keras_2_module);
    if is_keras_2 {
        let looks_like_keras = object.get("config").is_some();
        return Err(if looks_like_keras { ErrorKind::Keras2 } else { missing("", "config") });
    }
    let has_layers = object.pointer("/config/layers").is_some();
    let mut builder = Builder::default();
    let root = match model_kind(object) {
        Some(kind) if has_layers => builder.model(kind, object, "", &InputShapes::default())?,
        _ if has_layers => {
            let custom = CustomLayer { layer: String::new(), class: class.to_owned() };
            return Err(ErrorKind::CustomClasses { layers: vec![custom] });
        }
        _ => return Err(ErrorKind::Subclassed { class: class.to_owned() }),
    };
    if !builder.custom.is_empty() {
        return Err(ErrorKind::CustomClasses { layers: builder.custom });
    }
    features::propagate(&mut builder.tree, root);
    outputs::propagate(&mut builder.tree, root);
    Ok((builder.tree, root))
}

fn is_keras_2_module(module: &str) -> bool {
    module.starts_with("keras.src.engine")
        || module.starts_with("keras.engine")
        || module.starts_with("tf_keras")
}

#[derive(Clone, Copy, PartialEq)]
enum ModelKind {
    Functional,
    Sequential,
}

/// Which kind of model an object of Keras itself is.
fn model_kind(object: &Value) -> Option<ModelKind> {
    let module = text(object, "module")?;
    if module != "keras" && !module.starts_with("keras.src.models") && !module.starts_with("keras.models") {
        return None;
    }
    match text(object, "class_name")? {
        "Functional" | "Model" => Some(ModelKind::Functional),
        "Sequential" => Some(ModelKind::Sequential),
        _ => None,
    }
}

fn is_operation(object: &Value) -> bool {
    text(object, "module")
        .is_some_and(|module| module.starts_with("keras.src.ops") || module.starts_with("keras.ops"))
}

#[derive(Default)]
struct Builder {
    tree: Tree,
    /// Layers of classes that are not Keras' own.
    custom: Vec<CustomLayer>,
    /// Layers that the file says are one and the same, by `shared_object_id`. `to_json` does not say it of a
    /// layer in two nested models: Keras reads two layers back from that, and so they are two here. What is
    /// written for them also loads into the original model, which takes the values of the first.
    shared: HashMap<u64, NodeId>,
}

impl Builder {
    fn add(&mut self, name: &str, class: &str, config: Value) -> NodeId {
        self.tree.nodes.push(Node {
            name: name.to_owned(),
            class: class.to_owned(),
            config,
            own: Vec::new(),
            children: Vec::new(),
            graph: None,
            features: None,
            outputs: None,
        });
        self.tree.nodes.len() - 1
    }

    /// A layer or model inside the one at `parent`. `name` overrides the one in its configuration.
    fn layer(
        &mut self,
        object: &Value,
        parent: &str,
        name: Option<&str>,
        hint: &InputShapes,
    ) -> Result<NodeId, ErrorKind> {
        let class = text(object, "class_name").ok_or_else(|| missing(parent, "class_name"))?;
        let own_name = object.pointer("/config/name").and_then(Value::as_str);
        let name = name.or(own_name).ok_or_else(|| missing(parent, "name"))?;
        if name.is_empty() || name.contains('/') || name.contains('\0') {
            return Err(ErrorKind::LayerName { name: name.to_owned() });
        }
        let path = join(parent, name);
        let shared = object.get("shared_object_id").and_then(Value::as_u64);
        if let Some(&node) = shared.and_then(|id| self.shared.get(&id)) {
            return Ok(node);
        }
        let node = match model_kind(object) {
            Some(kind) => {
                if object.pointer("/config/layers").is_none() {
                    return Err(ErrorKind::Subclassed { class: class.to_owned() });
                }
                let node = self.model(kind, object, &path, hint)?;
                if let Some(node) = self.tree.nodes.get_mut(node) {
                    node.name = name.to_owned();
                }
                node
            }
            None => self.plain_layer(object, class, name, &path, hint)?,
        };
        if let Some(id) = shared {
            self.shared.insert(id, node);
        }
        Ok(node)
    }

    fn plain_layer(
        &mut self,
        object: &Value,
        class: &str,
        name: &str,
        path: &str,
        hint: &InputShapes,
    ) -> Result<NodeId, ErrorKind> {
        let is_builtin = text(object, "module")
            .is_some_and(|module| module == "keras.layers" || module.starts_with("keras.src.layers"));
        if !is_builtin {
            let registered = text(object, "registered_name").unwrap_or(class);
            self.custom.push(CustomLayer { layer: path.to_owned(), class: registered.to_owned() });
            return Ok(self.add(name, class, Value::Null));
        }
        // The public name of this one class differs from its own.
        let class = if class == "GroupQueryAttention" { "GroupedQueryAttention" } else { class };
        let config = Config::of(object, path)?;
        let inputs = InputShapes::read(object, hint);
        let node = self.add(name, class, stripped(object.get("config")));
        let mut children = Vec::new();
        let mut own = Vec::new();
        if let Some((cell_class, cell_name)) = cell_of(class) {
            let cell_path = join(path, cell_name);
            let cell = self.add(cell_name, cell_class, Value::Null);
            let cell_config = config.named(&cell_path);
            let specs = own_variables(cell_class, cell_config, &without_time(&inputs, path)?)?;
            if let Some(cell) = self.tree.nodes.get_mut(cell) {
                cell.own = specs.unwrap_or_else(Vec::new);
            }
            children.push(("cell".to_owned(), cell));
        } else {
            match class {
                "MultiHeadAttention" | "GroupedQueryAttention" => {
                    let projections = if class == "MultiHeadAttention" {
                        multi_head(config, &inputs)?
                    } else {
                        grouped_query(config, &inputs)?
                    };
                    for projection in projections {
                        children
                            .push((projection.attribute.to_owned(), self.projection(projection, config)?));
                    }
                }
                "RNN" => {
                    let cell = self.inner(config, "cell", None, &without_time(&inputs, path)?)?;
                    children.push(("cell".to_owned(), cell));
                }
                "Bidirectional" => children = self.bidirectional(config, &inputs)?,
                "TimeDistributed" => {
                    let layer = self.inner(config, "layer", None, &without_time(&inputs, path)?)?;
                    children.push(("layer".to_owned(), layer));
                }
                "Wrapper" | "SpectralNormalization" => {
                    let layer = self.inner(config, "layer", None, &inputs)?;
                    if class == "SpectralNormalization" {
                        own = self.spectral(layer, path)?;
                    }
                    children.push(("layer".to_owned(), layer));
                }
                "StackedRNNCells" => children = self.container(config, "cells", &inputs)?,
                "Pipeline" => children = self.container(config, "layers", &inputs)?,
                _ if is_stateless(class) => {}
                _ => match own_variables(class, config, &inputs)? {
                    Some(specs) => own = specs,
                    None => {
                        self.custom.push(CustomLayer { layer: path.to_owned(), class: class.to_owned() });
                    }
                },
            }
        }
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.own = own;
            node.children = children;
        }
        Ok(node)
    }

    /// A layer in a field of a wrapper's configuration.
    fn inner(
        &mut self,
        config: Config<'_>,
        field: &str,
        name: Option<&str>,
        hint: &InputShapes,
    ) -> Result<NodeId, ErrorKind> {
        self.layer(config.need(field)?, config.layer, name, hint)
    }

    /// The two directions. Keras walks them by attribute name: backward first.
    fn bidirectional(
        &mut self,
        config: Config<'_>,
        inputs: &InputShapes,
    ) -> Result<Vec<(String, NodeId)>, ErrorKind> {
        let layer = config.need("layer")?;
        let name = layer.pointer("/config/name").and_then(Value::as_str);
        let name = name.ok_or_else(|| missing(config.layer, "layer.config.name"))?;
        let base = name.strip_prefix("forward_").unwrap_or(name);
        let forward = self.layer(layer, config.layer, Some(&format!("forward_{base}")), inputs)?;
        let backward = match config.get("backward_layer") {
            Some(backward) => self.layer(backward, config.layer, None, inputs)?,
            None => {
                let base = name.strip_prefix("backward_").unwrap_or(base);
                self.layer(layer, config.layer, Some(&format!("backward_{base}")), inputs)?
            }
        };
        Ok(vec![("backward_layer".to_owned(), backward), ("forward_layer".to_owned(), forward)])
    }

    /// The layers in a list.
    fn container(
        &mut self,
        config: Config<'_>,
        field: &str,
        inputs: &InputShapes,
    ) -> Result<Vec<(String, NodeId)>, ErrorKind> {
        let Value::Array(objects) = config.need(field)? else {
            return Err(config.wrong(field, "a list of layers"));
        };
        let mut groups = Groups::default();
        let mut children = Vec::with_capacity(objects.len());
        for object in objects {
            let node = self.layer(object, config.layer, None, inputs)?;
            children.push((format!("{field}/{}", groups.next(&self.class(node))), node));
        }
        Ok(children)
    }

    /// The copy of the wrapped kernel, and the vector of the power iteration.
    fn spectral(&self, layer: NodeId, path: &str) -> Result<Vec<Spec>, ErrorKind> {
        let kernel =
            self.tree.nodes.get(layer).and_then(|node| {
                node.own.iter().find(|spec| spec.name == "kernel" || spec.name == "embeddings")
            });
        let Some(kernel) = kernel else {
            return Err(ErrorKind::MissingField { layer: path.into(), field: "layer.kernel".into() });
        };
        let last = kernel.shape.sizes().last().copied().unwrap_or(1);
        let shape = Shape::new([1, last])
            .map_err(|source| ErrorKind::VariableShape { layer: path.into(), source })?;
        Ok(vec![
            Spec { name: "kernel", ..kernel.clone() },
            Spec { name: "vector_u", shape, dtype: kernel.dtype, trainable: false },
        ])
    }

    fn projection(&mut self, projection: Projection, config: Config<'_>) -> Result<NodeId, ErrorKind> {
        let Projection { name, kernel, bias, .. } = projection;
        let dtype = variable_dtype(config)?;
        let spec = |name, sizes: Vec<usize>| -> Result<Spec, ErrorKind> {
            let shape = Shape::new(sizes)
                .map_err(|source| ErrorKind::VariableShape { layer: config.layer.into(), source })?;
            Ok(Spec { name, shape, dtype, trainable: true })
        };
        let mut own = vec![spec("kernel", kernel)?];
        if let Some(bias) = bias {
            own.push(spec("bias", bias)?);
        }
        let node = self.add(name, "EinsumDense", Value::Null);
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.own = own;
        }
        Ok(node)
    }

    fn class(&self, node: NodeId) -> String {
        self.tree.nodes.get(node).map_or_else(String::new, |node| node.class.clone())
    }

    fn model(
        &mut self,
        kind: ModelKind,
        object: &Value,
        path: &str,
        hint: &InputShapes,
    ) -> Result<NodeId, ErrorKind> {
        let config = Config::of(object, path)?;
        let name = config.text("name")?.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path));
        let class = if kind == ModelKind::Functional { "Functional" } else { "Sequential" };
        let node = self.add(name, class, stripped(object.get("config")));
        let (children, wiring) = match kind {
            ModelKind::Functional => self.functional(config)?,
            ModelKind::Sequential => self.sequential(config, &InputShapes::read(object, hint))?,
        };
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.children = children;
            node.graph = Some(wiring);
        }
        Ok(node)
    }

    fn functional(&mut self, config: Config<'_>) -> Result<(Vec<(String, NodeId)>, Wiring), ErrorKind> {
        let graph = Graph::read(config)?;
        let order = graph.order(config.layer)?;
        let entries = entries(config)?;
        let mut kinds: Vec<StepKind> = entries.iter().map(|_| StepKind::Input(None)).collect();
        let mut groups = Groups::default();
        let mut children = Vec::new();
        for &step in &order.steps {
            let (Some(entry), Some(kind)) = (entries.get(step), kinds.get_mut(step)) else { continue };
            let class = text(entry, "class_name").ok_or_else(|| missing(config.layer, "class_name"))?;
            if is_operation(entry) {
                let settings = entry.get("config").cloned().unwrap_or(Value::Null);
                *kind = StepKind::Operation(class.to_owned(), settings);
                continue;
            }
            if class == "InputLayer" {
                groups.next(class);
                *kind = StepKind::Input(batch_shape(entry).map(|shape| shape.len()));
                continue;
            }
            let shapes: Option<Vec<InputShape>> =
                graph.reads((step, 0)).iter().map(|tensor| tensor.shape.clone()).collect();
            // A call with a tensor of unknown shape gives no hint at all: shapes are told apart by position.
            let hint = shapes.map_or_else(InputShapes::default, InputShapes::of);
            let name = graph.steps.get(step).map(|step| step.name.as_str());
            let node = self.layer(entry, config.layer, name, &hint)?;
            *kind = StepKind::Layer(node);
            children.push((format!("layers/{}", groups.next(&self.class(node))), node));
        }
        Ok((children, Wiring { graph, order, kinds }))
    }

    fn sequential(
        &mut self,
        config: Config<'_>,
        inputs: &InputShapes,
    ) -> Result<(Vec<(String, NodeId)>, Wiring), ErrorKind> {
        let mut shape: Option<InputShape> =
            config.get("build_input_shape").and_then(input_shape).or_else(|| {
                let first = inputs.first(config.layer);
                first.ok().cloned()
            });
        let mut groups = Groups::default();
        let (mut children, mut kinds) = (Vec::new(), Vec::new());
        let mut links: Vec<(String, Option<InputShape>)> = Vec::new();
        for entry in entries(config)? {
            let class = text(entry, "class_name").ok_or_else(|| missing(config.layer, "class_name"))?;
            if class == "InputLayer" {
                shape = batch_shape(entry).or(shape);
                continue;
            }
            if links.is_empty() {
                // The chain starts with an input even where the configuration leaves it out.
                links.push((String::new(), None));
                kinds.push(StepKind::Input(shape.as_ref().map(Vec::len)));
            }
            let hint = InputShapes::of(shape.clone());
            let own = InputShapes::read(entry, &hint);
            let node = self.layer(entry, config.layer, None, &hint)?;
            let name = self.tree.nodes.get(node).map_or_else(String::new, |node| node.name.clone());
            let input = if own == InputShapes::default() { None } else { own.first(&name).ok().cloned() };
            children.push((format!("layers/{}", groups.next(&self.class(node))), node));
            kinds.push(StepKind::Layer(node));
            let layer_config = Config::of(entry, &name)?;
            shape = match &input {
                Some(input) if model_kind(entry).is_none() => output_shape(class, layer_config, input),
                _ => None,
            };
            links.push((name, input));
        }
        let graph = Graph::chain(links);
        let order = graph.order(config.layer)?;
        Ok((children, Wiring { graph, order, kinds }))
    }
}

/// The shape of an input layer. Keras 2 called it `batch_input_shape`, and Keras 3 still reads that.
fn batch_shape(entry: &Value) -> Option<InputShape> {
    let config = entry.get("config")?;
    config.get("batch_shape").or_else(|| config.get("batch_input_shape")).and_then(input_shape)
}

/// The shapes of one time step.
fn without_time(inputs: &InputShapes, layer: &str) -> Result<InputShapes, ErrorKind> {
    let mut shape = inputs.first(layer)?.clone();
    if shape.len() > 1 {
        shape.remove(1);
    }
    Ok(InputShapes::of([shape]))
}

/// A configuration without the layers in it: those are layers of their own here.
fn stripped(config: Option<&Value>) -> Value {
    let Some(Value::Object(fields)) = config else { return Value::Null };
    let kept: Map<String, Value> = fields
        .iter()
        .filter(|(field, _)| !NESTED_FIELDS.contains(&field.as_str()))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}
