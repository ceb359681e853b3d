//! Serialized Keras objects to a tree of layers. What their variables are is told by the shapes that flow
//! through the graph ([`super::infer`]).

use crate::map;

use super::architecture::Generation;
use super::error::{CustomLayer, ErrorKind};
use super::generation::generation;
use super::graph::{Graph, entries, join};
use super::json::{Config, InputShape, Value, input_shape, missing, setting, text};
use super::layers::{
    InputShapes, canonical_class, cell_of, is_builtin, is_of_applications, is_operation_class, is_stateless,
};
use super::own_classes::{ModelKind, model_kind};
use super::tree::{Groups, Node, NodeId, StepKind, Tree, Wiring};
use super::{features, infer, outputs, own_classes, renumber, variables};

/// Fields of a configuration that hold the configurations of other layers.
const NESTED_FIELDS: [&str; 8] =
    ["layers", "layer", "backward_layer", "cell", "cells", "input_layers", "output_layers", "build_config"];

/// The tree of a serialized model, and its root.
///
/// # Errors
/// When the object is no Functional or Sequential model of Keras, or does not tell its variables.
pub(super) fn read(object: &Value) -> Result<(Tree, NodeId), ErrorKind> {
    let class = text(object, "class_name").ok_or_else(|| missing("", "class_name"))?;
    if object.get("config").is_none() {
        return Err(missing("", "config"));
    }
    let has_layers = setting(object, "layers").is_some();
    let tree = Tree { nodes: Vec::new(), generation: generation(object) };
    let mut builder = Builder {
        tree,
        custom: Vec::new(),
        shared: map::Map::default(),
        depths: map::Map::default(),
        is_bidirectional: false,
        path_bytes: 0,
    };
    let root = match model_kind(object) {
        Some(kind) if has_layers => builder.model(kind, object, "")?,
        _ if has_layers => {
            let class = text(object, "registered_name").unwrap_or(class).to_owned();
            return Err(ErrorKind::CustomModel { class });
        }
        _ => return Err(ErrorKind::Subclassed { class: class.to_owned() }),
    };
    if !builder.custom.is_empty() {
        return Err(ErrorKind::CustomClasses { layers: builder.custom });
    }
    let mut tree = builder.tree;
    let shapes = infer::run(&mut tree, root);
    variables::fill(&mut tree, &shapes)?;
    if tree.generation == Generation::Keras2 {
        renumber::as_keras_2(&mut tree, root);
    }
    features::propagate(&mut tree, root);
    outputs::propagate(&mut tree, root);
    Ok((tree, root))
}

struct Builder {
    tree: Tree,
    /// Layers of classes that are not Keras' own.
    custom: Vec<CustomLayer>,
    /// Layers that the file says are one and the same, by `shared_object_id`. `to_json` does not say it of a
    /// layer in two nested models: Keras reads two layers back from that, and so they are two here. What is
    /// written for them also loads into the original model, which takes the values of the first.
    shared: map::Map<u64, NodeId>,
    /// For layers that hold others, how deep these nest.
    depths: map::Map<NodeId, usize>,
    /// Whether the layers of a Bidirectional are being read.
    is_bidirectional: bool,
    /// Of all layers so far.
    path_bytes: u64,
}

/// How deep layers hold one another. The JSON reader bounds what stands inside one another; what is shared is told
/// by a number alone.
const MAX_NESTING: usize = 128;

/// Bytes of the paths of all layers, each of which has the names of those around it: a model of a million layers has
/// no more, and without a limit a long name around many layers would take room for each of them.
const MAX_PATH_BYTES: u64 = 64 << 20;

impl Builder {
    fn add(&mut self, name: &str, place: &str, class: &str, object: Option<&Value>) -> NodeId {
        self.tree.nodes.push(Node {
            name: name.to_owned(),
            place: place.to_owned(),
            class: class.to_owned(),
            config: stripped(object.and_then(|object| object.get("config"))),
            built: object.map_or_else(InputShapes::default, |object| InputShapes::read(object, class)),
            own: Vec::new(),
            kernel_axes: None,
            children: Vec::new(),
            graph: None,
            features: None,
            outputs: None,
        });
        self.tree.nodes.len() - 1
    }

    /// Whether an entry of a graph is an operation of `keras.ops`, which is no layer. `model_config` has no
    /// modules; there an operation is told from the layer of the same name by its configuration, which has no
    /// `trainable`.
    fn is_operation(&self, object: &Value, class: &str) -> bool {
        if self.tree.generation == Generation::Keras2 {
            return false;
        }
        own_classes::is_operation(object).unwrap_or_else(|| {
            let is_layer = setting(object, "trainable").is_some();
            is_operation_class(class) && !is_layer
        })
    }

    /// A layer or model inside the one at `parent`. `name` overrides the one in its configuration.
    fn layer(&mut self, object: &Value, parent: &str, name: Option<&str>) -> Result<NodeId, ErrorKind> {
        let class = text(object, "class_name").ok_or_else(|| missing(parent, "class_name"))?;
        let own_name = setting(object, "name").and_then(Value::as_str);
        let name = name.or(own_name).ok_or_else(|| missing(parent, "name"))?;
        // Keras 2 has `/` in the names of what its own functions make.
        let has_slash = name.contains('/') && self.tree.generation == Generation::Keras3;
        if name.is_empty() || has_slash || name.contains('\0') {
            return Err(ErrorKind::LayerName { name: name.to_owned() });
        }
        let path = join(parent, name);
        self.path_bytes = self.path_bytes.saturating_add(path.len() as u64);
        if self.path_bytes > MAX_PATH_BYTES {
            let (part, bytes) = ("the paths of the layers", self.path_bytes);
            return Err(ErrorKind::TooLarge { part, bytes, limit: MAX_PATH_BYTES });
        }
        // Keras 2 writes it at the layer, Keras 3 too.
        let shared = object.get("shared_object_id").and_then(Value::as_u64);
        if let Some(&node) = shared.and_then(|id| self.shared.get(&id)) {
            return Ok(node);
        }
        let node = match model_kind(object) {
            Some(kind) => {
                if setting(object, "layers").is_none() {
                    return Err(ErrorKind::Subclassed { class: class.to_owned() });
                }
                let node = self.model(kind, object, &path)?;
                if let Some(node) = self.tree.nodes.get_mut(node) {
                    node.name = name.to_owned();
                }
                node
            }
            None => self.plain_layer(object, class, name, &path)?,
        };
        let inside = self.tree.nodes.get(node).map_or(&[][..], |node| &node.children);
        let depth = inside.iter().filter_map(|(_, child)| self.depths.get(child)).max();
        let depth = if inside.is_empty() { 0 } else { 1 + depth.copied().unwrap_or(0) };
        if depth > MAX_NESTING {
            return Err(ErrorKind::TooMany { what: "layers that hold one another", limit: MAX_NESTING });
        }
        if depth > 0 {
            self.depths.insert(node, depth);
        }
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
    ) -> Result<NodeId, ErrorKind> {
        let class = canonical_class(class);
        let is_known = own_classes::is_layer(object) && is_builtin(class, self.tree.generation)
            || own_classes::is_of_applications(object) && is_of_applications(class);
        if !is_known {
            let registered = text(object, "registered_name").unwrap_or(class);
            self.custom.push(CustomLayer { layer: path.to_owned(), class: registered.to_owned() });
            return Ok(self.add(name, path, class, None));
        }
        let config = Config::of(object, path)?;
        let node = self.add(name, path, class, Some(object));
        let one = |field: &str, node| vec![(field.to_owned(), node)];
        let children = match class {
            _ if is_stateless(class) => Vec::new(),
            "RNN" => one("cell", self.layer(config.need("cell")?, path, None)?),
            "TimeDistributed" | "Wrapper" | "SpectralNormalization" => {
                one("layer", self.layer(config.need("layer")?, path, None)?)
            }
            "Bidirectional" => self.bidirectional(config)?,
            "StackedRNNCells" => self.container(config, "cells")?,
            "Pipeline" => self.container(config, "layers")?,
            _ => match cell_of(class) {
                Some((class, name)) => one("cell", self.add(name, &join(path, name), class, None)),
                None => Vec::new(),
            },
        };
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.children = children;
        }
        Ok(node)
    }

    /// The two directions. Keras 3 walks them by attribute name: backward first; Keras 2 the other way round.
    /// Keras 2 also puts `forward_` and `backward_` before names that have them already, and before that of a
    /// layer that is given for the way back.
    fn bidirectional(&mut self, config: Config<'_>) -> Result<Vec<(String, NodeId)>, ErrorKind> {
        let layer = config.need("layer")?;
        let name = setting(layer, "name").and_then(Value::as_str);
        let name = name.ok_or_else(|| missing(config.layer, "layer.config.name"))?;
        let is_old = self.tree.generation == Generation::Keras2;
        let named = |direction: &str, name: &str| {
            let name = if is_old { name } else { name.strip_prefix(direction).unwrap_or(name) };
            format!("{direction}{name}")
        };
        let base = if is_old { name } else { name.strip_prefix("forward_").unwrap_or(name) };
        // Keras wants a recurrent layer. One inside another would double all layers with each.
        if std::mem::replace(&mut self.is_bidirectional, true) {
            return Err(config.wrong("layer", "a recurrent layer"));
        }
        let forward = self.layer(layer, config.layer, Some(&named("forward_", name)))?;
        let backward = match config.get("backward_layer") {
            Some(backward) => {
                let given = setting(backward, "name").and_then(Value::as_str).filter(|_| is_old);
                let given = given.map(|name| named("backward_", name));
                self.layer(backward, config.layer, given.as_deref())?
            }
            None => self.layer(layer, config.layer, Some(&named("backward_", base)))?,
        };
        self.is_bidirectional = false;
        let mut children =
            vec![("backward_layer".to_owned(), backward), ("forward_layer".to_owned(), forward)];
        if is_old {
            children.reverse();
        }
        Ok(children)
    }

    /// The layers in a list.
    fn container(&mut self, config: Config<'_>, field: &str) -> Result<Vec<(String, NodeId)>, ErrorKind> {
        let Value::Array(objects) = config.need(field)? else {
            return Err(config.wrong(field, "a list of layers"));
        };
        let mut groups = Groups::default();
        let mut children = Vec::with_capacity(objects.len());
        for object in objects.iter() {
            let node = self.layer(object, config.layer, None)?;
            children.push((join(field, &groups.next(self.tree.class(node))), node));
        }
        Ok(children)
    }

    fn model(&mut self, kind: ModelKind, object: &Value, path: &str) -> Result<NodeId, ErrorKind> {
        let config = Config::of(object, path)?;
        let name = config.text("name")?.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path));
        let class = if kind == ModelKind::Functional { "Functional" } else { "Sequential" };
        let node = self.add(name, path, class, Some(object));
        let (children, wiring) = match kind {
            ModelKind::Functional => self.functional(config)?,
            ModelKind::Sequential => self.sequential(config)?,
        };
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.children = children;
            node.graph = Some(wiring);
        }
        Ok(node)
    }

    fn functional(&mut self, config: Config<'_>) -> Result<(Vec<(String, NodeId)>, Wiring), ErrorKind> {
        let is_new = self.tree.generation == Generation::Keras3;
        let is_born = |entry: &Value| is_new && model_kind(entry) == Some(ModelKind::Functional);
        let graph = Graph::read(config, &is_born)?;
        let order = graph.order(config.layer)?;
        let entries = entries(config)?;
        let mut kinds: Vec<StepKind> = entries.iter().map(|_| StepKind::Input(None)).collect();
        let mut groups = Groups::default();
        let mut children = Vec::new();
        for &step in &order.steps {
            let (Some(entry), Some(kind)) = (entries.get(step), kinds.get_mut(step)) else { continue };
            let class = text(entry, "class_name").ok_or_else(|| missing(config.layer, "class_name"))?;
            if self.is_operation(entry, class) {
                let settings = entry.get("config").cloned().unwrap_or(Value::Null);
                *kind = StepKind::Operation(class.to_owned(), settings);
                continue;
            }
            if class == "InputLayer" && own_classes::is_layer(entry) {
                groups.next(class);
                *kind = StepKind::Input(batch_shape(entry));
                continue;
            }
            let name = graph.steps.get(step).map(|step| step.name.as_str());
            let node = self.layer(entry, config.layer, name)?;
            *kind = StepKind::Layer(node);
            children.push((join("layers", &groups.next(self.tree.class(node))), node));
        }
        Ok((children, Wiring { graph, order, kinds }))
    }

    fn sequential(&mut self, config: Config<'_>) -> Result<(Vec<(String, NodeId)>, Wiring), ErrorKind> {
        let mut shape = config.get("build_input_shape").and_then(input_shape);
        let mut groups = Groups::default();
        // The chain starts with an input even where the configuration leaves it out.
        let (mut children, mut kinds, mut names) = (Vec::new(), Vec::new(), vec![String::new()]);
        for entry in entries(config)? {
            let class = text(entry, "class_name").ok_or_else(|| missing(config.layer, "class_name"))?;
            if kinds.is_empty() {
                shape = batch_shape(entry).or(shape);
            }
            if class == "InputLayer" && own_classes::is_layer(entry) {
                continue;
            }
            let node = self.layer(entry, config.layer, None)?;
            if kinds.is_empty() {
                // A model as the first layer brings its input along.
                shape = shape.or_else(|| self.tree.declared_inputs(node).pop().flatten());
            }
            children.push((join("layers", &groups.next(self.tree.class(node))), node));
            kinds.push(StepKind::Layer(node));
            names.push(self.tree.nodes.get(node).map_or_else(String::new, |node| node.name.clone()));
        }
        kinds.insert(0, StepKind::Input(shape));
        let graph = Graph::chain(names);
        let order = graph.order(config.layer)?;
        Ok((children, Wiring { graph, order, kinds }))
    }
}

/// The shape of an input layer, or of a layer that Keras 2 gave one. Keras 2 called it `batch_input_shape`, and
/// Keras 3 still reads that.
fn batch_shape(entry: &Value) -> Option<InputShape> {
    let config = entry.get("config")?;
    config.get("batch_shape").or_else(|| config.get("batch_input_shape")).and_then(input_shape)
}

/// A configuration without the layers in it: those are layers of their own here.
fn stripped(config: Option<&Value>) -> Value {
    let Some(Value::Object(fields)) = config else { return Value::Null };
    Value::Object(fields.only(|field| !NESTED_FIELDS.contains(&field)))
}
