//! The layers of a model as a tree (of shared leaves), and the walk that lists them in the order of
//! `.weights.h5` (Keras' `saving_lib.py`).

use crate::map::{Map, Set};
use std::borrow::Cow;
use std::path::Path;

use crate::tensor::VariablePath;

use super::architecture::{
    Architecture, FeatureOrder, Generation, KernelAxes, Layer, Origin, Variable, Weightless,
};
use super::carried::Carried;
use super::error::ErrorKind;
use super::graph::{Graph, Order, extend, join};
use super::json::{InputShape, Value};
use super::layers::{InputShapes, Spec, current_name, snake};

/// The index of a node in its [`Tree`].
pub(super) type NodeId = usize;

/// Every layer and model of an architecture, each once however often it is used.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// The generation of Keras that wrote the configuration.
    pub(super) generation: Generation,
}

/// A layer or model.
#[derive(Debug)]
pub(super) struct Node {
    /// The layer's name.
    pub(super) name: String,
    /// Where the configuration has it first, as layer names from the root.
    pub(super) place: String,
    /// The class.
    pub(super) class: String,
    /// The configuration, without those of the layers inside.
    pub(super) config: Value,
    /// The shapes that it was built with, by its `build_config`.
    pub(super) built: InputShapes,
    /// The variables of its own.
    pub(super) own: Vec<Spec>,
    /// How it reads its kernel, when it is an `EinsumDense`.
    pub(super) kernel_axes: Option<KernelAxes>,
    /// The layers inside, in the order of the walk, each with its group below this one's.
    pub(super) children: Vec<(String, NodeId)>,
    /// How the layers inside are connected, when it is a model.
    pub(super) graph: Option<Wiring>,
    /// How its input's features are ordered.
    pub(super) features: Option<FeatureOrder>,
    /// What becomes of its output's features.
    pub(super) outputs: Option<FeatureOrder>,
}

/// The graph of a model, with the layers that its steps stand for.
#[derive(Debug)]
pub(super) struct Wiring {
    /// The graph.
    pub(super) graph: Graph,
    /// Its order.
    pub(super) order: Order,
    /// What each step is.
    pub(super) kinds: Vec<StepKind>,
}

/// What a step of a graph is.
#[derive(Debug)]
pub(super) enum StepKind {
    /// A layer.
    Layer(NodeId),
    /// An input of that shape (with the batch), where it is known.
    Input(Option<InputShape>),
    /// An operation of `keras.ops`: its class and configuration.
    Operation(String, Value),
}

/// Counts the classes in a container, for the names of its groups.
#[derive(Default)]
pub(super) struct Groups {
    /// The name of each class that was met.
    names: Map<String, String>,
    /// How many groups have each name: two classes may have one.
    counts: Map<String, usize>,
}

impl Groups {
    /// The next group's name for a class: `dense`, `dense_1`, …
    pub(super) fn next(&mut self, class: &str) -> String {
        if !self.names.contains_key(class) {
            let name = snake(class);
            self.counts.entry(name.clone()).or_insert(0);
            self.names.insert(class.to_owned(), name);
        }
        let name = self.names.get(class).map_or("", String::as_str);
        let Some(count) = self.counts.get_mut(name) else { return name.to_owned() };
        *count += 1;
        if *count == 1 { name.to_owned() } else { format!("{name}_{}", *count - 1) }
    }
}

impl Tree {
    pub(super) fn class(&self, node: NodeId) -> &str {
        self.nodes.get(node).map_or("", |node| &node.class)
    }

    /// The shapes that a model declares for its inputs, in their order; none for a layer.
    pub(super) fn declared_inputs(&self, node: NodeId) -> Vec<Option<InputShape>> {
        let graph = self.nodes.get(node).and_then(|node| node.graph.as_ref());
        let Some(Wiring { graph, kinds, .. }) = graph else { return Vec::new() };
        let declared = |step: usize| match kinds.get(step) {
            Some(StepKind::Input(shape)) => shape.clone(),
            _ => None,
        };
        graph.inputs.iter().map(|input| declared(input.step)).collect()
    }

    /// The tree as an architecture: each layer at the first place where the walk meets it.
    pub(super) fn into_architecture(
        self,
        root: NodeId,
        path: &Path,
        origin: Origin,
    ) -> Result<Architecture, ErrorKind> {
        let variables = self.nodes.iter().map(|node| node.own.len()).sum();
        let mut walk = Walk {
            places: Map::default(),
            layers: Vec::with_capacity(self.nodes.len()),
            variables: Vec::with_capacity(variables),
            weightless: Vec::new(),
            nodes: self.nodes,
            holds: Map::default(),
        };
        walk.visit(root, &mut String::new(), &mut String::new());
        let Walk { layers, variables, weightless, .. } = walk;
        check_unique(&variables)?;
        Ok(Architecture {
            path: path.to_owned(),
            origin,
            generation: self.generation,
            layers,
            variables,
            weightless,
            legacy: None,
            carried: Carried::default(),
        })
    }
}

/// Refuses two variables with one path.
fn check_unique(variables: &[Variable]) -> Result<(), ErrorKind> {
    let mut paths = Set::with_capacity_and_hasher(variables.len(), Default::default());
    match variables.iter().find(|variable| !paths.insert(variable.path.as_str())) {
        Some(again) => Err(ErrorKind::DuplicatePath { path: again.path.as_str().to_owned() }),
        None => Ok(()),
    }
}

struct Walk {
    nodes: Vec<Node>,
    /// Where each node was met first, as an index into `layers`; none for layers that are not listed.
    places: Map<NodeId, Option<usize>>,
    layers: Vec<Layer>,
    variables: Vec<Variable>,
    weightless: Vec<Weightless>,
    holds: Map<NodeId, bool>,
}

impl Walk {
    /// Lists a layer and those inside, and tells which of [`Architecture::layers`] it is, when it holds variables.
    /// The recursion is as deep as the configuration nests, which the JSON reader bounds.
    fn visit(&mut self, id: NodeId, path: &mut String, group: &mut String) -> Option<usize> {
        if let Some(&place) = self.places.get(&id) {
            if let Some(layer) = place.and_then(|place| self.layers.get_mut(place)) {
                let is_new = layer.path != *path && !layer.aliases.contains(path);
                if is_new {
                    layer.aliases.push(path.clone());
                }
            }
            return place;
        }
        let is_listed = self.holds_variables(id);
        self.places.insert(id, is_listed.then_some(self.layers.len()));
        self.operations(id, path);
        let node = self.nodes.get_mut(id)?;
        let class = std::mem::take(&mut node.class);
        if !is_listed {
            // A model of such layers has a configuration of no interest.
            if node.graph.is_none() {
                let config = std::mem::take(&mut node.config);
                self.weightless.push(Weightless { path: path.clone(), class, config });
            }
            self.below(id, path, group);
            return None;
        }
        let (layer, first) = (self.layers.len(), self.variables.len());
        for (index, spec) in std::mem::take(&mut node.own).into_iter().enumerate() {
            self.variables.push(Variable {
                path: VariablePath::new(join(path, spec.name)),
                layer,
                name: Cow::Borrowed(current_name(&class, spec.name)),
                index,
                shape: spec.shape,
                dtype: spec.dtype,
                trainable: spec.trainable,
                initial: spec.initial,
                value: None,
            });
        }
        self.layers.push(Layer {
            path: path.clone(),
            name: if path.is_empty() { String::new() } else { node.name.clone() },
            aliases: Vec::new(),
            class: Some(class),
            class_from_name: false,
            kernel_axes: node.kernel_axes.take(),
            variables: first..self.variables.len(),
            group: group.clone(),
            inside: Vec::new(),
            config: Some(std::mem::take(&mut node.config)),
            features: node.features.take().unwrap_or(FeatureOrder::Plain),
            outputs: node.outputs.take().unwrap_or(FeatureOrder::Plain),
        });
        let inside = self.below(id, path, group);
        if let Some(layer) = self.layers.get_mut(layer) {
            layer.inside = inside;
        }
        Some(layer)
    }

    /// Lists the operations of a model's graph.
    fn operations(&mut self, id: NodeId, path: &str) {
        let graph = self.nodes.get(id).and_then(|node| node.graph.as_ref());
        let Some(Wiring { graph, kinds, .. }) = graph else { return };
        let found = graph.steps.iter().zip(kinds).filter_map(|(step, kind)| match kind {
            StepKind::Operation(class, config) => {
                let path = join(path, &step.name);
                Some(Weightless { path, class: class.clone(), config: config.clone() })
            }
            StepKind::Layer(_) | StepKind::Input(_) => None,
        });
        self.weightless.extend(found);
    }

    /// Lists the layers inside one, and tells which they are.
    fn below(&mut self, id: NodeId, path: &mut String, group: &mut String) -> Vec<usize> {
        let children =
            self.nodes.get_mut(id).map_or_else(Vec::new, |node| std::mem::take(&mut node.children));
        let (path_end, group_end) = (path.len(), group.len());
        let mut inside = Vec::new();
        for (below, child) in children {
            extend(path, self.nodes.get(child).map_or("", |node| &node.name));
            extend(group, &below);
            inside.extend(self.visit(child, path, group));
            path.truncate(path_end);
            group.truncate(group_end);
        }
        inside
    }

    /// Whether a layer, or one inside it, has variables.
    fn holds_variables(&mut self, id: NodeId) -> bool {
        if let Some(&holds) = self.holds.get(&id) {
            return holds;
        }
        let Some(node) = self.nodes.get(id) else { return false };
        let mut holds = !node.own.is_empty();
        let children: Vec<NodeId> = node.children.iter().map(|&(_, child)| child).collect();
        for child in children {
            holds |= self.holds_variables(child);
        }
        self.holds.insert(id, holds);
        holds
    }
}
