//! The shapes of every call of a model, in the order in which the calls follow each other.

use crate::map::Map;
use std::borrow::Cow;

use crate::keras::calls::{Argument, Call};
use crate::keras::features::MAX_CALLS;
use crate::keras::graph::{Tensor, join};
use crate::keras::inferred::{Hidden, Inferred};
use crate::keras::json::{Config, Fields, InputShape, Value};
use crate::keras::layers::InputShapes;
use crate::keras::tree::{NodeId, StepKind, Tree, Wiring};

use super::reading::Reading;
use super::{ops, plain, recurrent};

/// Follows the shapes through a model: fills in those of the tensors that its graphs read, and tells the input
/// shapes that each layer is built with. A layer's own `build_config` comes first, then its first call.
pub(in crate::keras) fn run(tree: &mut Tree, root: NodeId) -> Map<NodeId, InputShapes> {
    let mut run =
        Run { tree, built: Map::default(), made: Map::default(), read: Vec::new(), calls: 0, layers: 0 };
    run.build(root, InputShapes::default());
    let Run { built, read, .. } = run;
    for ((model, (step, call)), shapes) in read {
        let graph = tree.nodes.get_mut(model).and_then(|node| node.graph.as_mut());
        let call = graph.and_then(|wiring| wiring.graph.steps.get_mut(step)?.calls.get_mut(call));
        for (tensor, shape) in call.into_iter().flat_map(|call| &mut call.reads).zip(shapes) {
            tensor.shape = Result::ok(shape);
        }
    }
    built
}

/// A call of a model, by the step and the call's number.
type CallId = (usize, usize);

/// Layers that are asked for their results before the rest counts as unknown: a model has one for each call, and
/// wrappers that share layers could ask for the same ones without end.
const MAX_LAYERS: usize = 4 * MAX_CALLS;

struct Run<'a> {
    tree: &'a Tree,
    /// What each layer is built with.
    built: Map<NodeId, InputShapes>,
    /// What each model makes of inputs that it was called on.
    made: Map<(NodeId, Vec<Inferred>), Vec<Inferred>>,
    /// What each call reads, where the models are built.
    read: Vec<((NodeId, CallId), Vec<Inferred>)>,
    /// Calls followed so far.
    calls: usize,
    /// Layers that were asked for their results, also inside one another.
    layers: usize,
}

impl Run<'_> {
    /// Builds a layer with the shapes of its first call, and the layers inside it.
    fn build(&mut self, id: NodeId, called_on: InputShapes) {
        let tree = self.tree;
        let Some(node) = tree.nodes.get(id) else { return };
        if self.built.contains_key(&id) {
            return;
        }
        let inputs = if node.built.is_empty() { called_on } else { node.built.clone() };
        if node.graph.is_none() && node.children.is_empty() {
            self.built.insert(id, inputs);
            return;
        }
        self.built.insert(id, inputs.clone());
        if node.graph.is_some() {
            let given = inputs.unnamed().unwrap_or_default();
            let input = |(at, declared): (usize, Option<InputShape>)| match (declared, given.get(at)) {
                (Some(shape), _) => Ok(shape),
                (None, Some(&given)) => given.clone(),
                (None, None) => Err(Hidden::unbuilt()),
            };
            let inputs: Vec<Inferred> = tree.declared_inputs(id).into_iter().enumerate().map(input).collect();
            self.evaluate(id, inputs, true);
            return;
        }
        match node.class.as_str() {
            "RNN" | "TimeDistributed" => self.build_all(id, &inputs.without_time()),
            "Bidirectional" | "Wrapper" | "SpectralNormalization" => self.build_all(id, &inputs),
            "StackedRNNCells" | "Pipeline" => {
                let mut inputs = inputs;
                for &(_, child) in &node.children {
                    self.build(child, inputs.clone());
                    let read = inputs.unnamed().and_then(|shapes| shapes.first().copied().cloned());
                    let read = read.unwrap_or_else(|| Err(self.hidden(id)));
                    inputs = InputShapes::of(self.on(child, read).into_iter().take(1));
                }
            }
            // The cell that a layer makes itself is told by the layer's own input.
            _ => self.build_all(id, &InputShapes::default()),
        }
    }

    fn build_all(&mut self, id: NodeId, inputs: &InputShapes) {
        let tree = self.tree;
        for &(_, child) in tree.nodes.get(id).into_iter().flat_map(|node| &node.children) {
            self.build(child, inputs.clone());
        }
    }

    fn hidden(&self, id: NodeId) -> Hidden {
        self.tree
            .nodes
            .get(id)
            .map_or_else(|| Hidden::new("", ""), |node| Hidden::new(&node.place, &node.class))
    }

    /// What a model makes of its inputs. Where it `builds`, the shapes that the configuration itself tells come
    /// first, and the layers inside are built.
    fn evaluate(&mut self, id: NodeId, inputs: Vec<Inferred>, builds: bool) -> Vec<Inferred> {
        let tree = self.tree;
        let wiring = tree.nodes.get(id).and_then(|node| node.graph.as_ref());
        let Some(Wiring { graph, order, kinds }) = wiring else { return Vec::new() };
        let key = (id, inputs);
        if let Some(made) = self.made.get(&key).filter(|_| !builds) {
            return made.clone();
        }
        if self.calls > MAX_CALLS && !builds {
            let hidden = Hidden::new(&self.hidden(id).by, "a model that is called too often");
            return graph.outputs.iter().map(|_| Err(hidden.clone())).collect();
        }
        let place = tree.nodes.get(id).map_or("", |node| &node.place);
        let mut known: Map<CallId, Vec<Inferred>> = Map::default();
        for (tensor, shape) in graph.inputs.iter().zip(&key.1) {
            let results = known.entry((tensor.step, tensor.call)).or_default();
            while results.len() <= tensor.result && results.len() < graph.inputs.len() {
                results.push(shape.clone());
            }
            if let Some(result) = results.get_mut(tensor.result) {
                *result = shape.clone();
            }
        }
        let mut first_reads: Map<usize, (usize, InputShapes)> = Map::default();
        for &at in &order.calls {
            if known.contains_key(&at) {
                continue;
            }
            // The calls of a model that is built are as many as its configuration lists.
            self.calls += usize::from(!builds);
            let Some(call) = graph.call(at) else { continue };
            let name = graph.steps.get(at.0).map_or("", |step| &step.name);
            let mut shapes: Vec<Inferred> =
                call.reads.iter().map(|tensor| look_up(&known, tensor, builds)).collect();
            let made = match kinds.get(at.0) {
                Some(StepKind::Layer(node)) => {
                    if builds {
                        if at.1 == 0 {
                            self.told(*node, call, &mut shapes);
                        }
                        let first = first_reads.get(&at.0).is_none_or(|&(call, _)| at.1 < call);
                        if first {
                            first_reads.insert(at.0, (at.1, built_with(tree, *node, call, &shapes)));
                        }
                    }
                    self.layer(*node, call, &shapes)
                }
                Some(StepKind::Operation(class, config)) => {
                    let path = join(place, name);
                    let reading = Config::new(config, &path).ok().map(|config| Reading {
                        class,
                        config,
                        arguments: &call.arguments,
                        shapes: &shapes,
                        generation: tree.generation,
                    });
                    told_or_hidden(reading.and_then(|reading| ops::results(&reading)), &shapes, &path, class)
                }
                Some(StepKind::Input(Some(shape))) => vec![Ok(shape.clone())],
                Some(StepKind::Input(None)) | None => {
                    vec![Err(Hidden::new(&join(place, name), "InputLayer"))]
                }
            };
            if builds {
                self.read.push(((id, at), shapes));
            }
            known.insert(at, made);
        }
        if builds {
            for step in &order.steps {
                if let (Some(StepKind::Layer(node)), Some((_, shapes))) =
                    (kinds.get(*step), first_reads.remove(step))
                {
                    self.build(*node, shapes);
                }
            }
        }
        let outputs: Vec<Inferred> =
            graph.outputs.iter().map(|tensor| look_up(&known, tensor, builds)).collect();
        self.made.insert(key, outputs.clone());
        outputs
    }

    /// Where what a layer reads is hidden, its `build_config` tells it.
    fn told(&self, node: NodeId, call: &Call, shapes: &mut [Inferred]) {
        if shapes.iter().all(Result::is_ok) {
            return;
        }
        let built = self.tree.nodes.get(node).and_then(|node| node.built.unnamed()).unwrap_or_default();
        let tensors = call.arguments.first().map_or_else(Vec::new, Argument::tensors);
        if built.len() != tensors.len() {
            return;
        }
        for (at, told) in tensors.into_iter().zip(built) {
            if let Some(shape) = shapes.get_mut(at).filter(|shape| shape.is_err()) {
                *shape = told.clone();
            }
        }
    }

    /// What a layer makes of one tensor.
    fn on(&mut self, id: NodeId, shape: Inferred) -> Vec<Inferred> {
        let tensor = Tensor { step: 0, call: 0, result: 0, shape: None };
        self.layer(id, &Call::on(tensor), &[shape])
    }

    /// What a layer makes of what it is called on.
    fn layer(&mut self, id: NodeId, call: &Call, shapes: &[Inferred]) -> Vec<Inferred> {
        let tree = self.tree;
        let Some(node) = tree.nodes.get(id) else { return Vec::new() };
        self.layers += 1;
        if self.layers > MAX_LAYERS {
            return vec![Err(self.hidden(id))];
        }
        if node.graph.is_some() {
            let tensors = call.arguments.first().map_or_else(Vec::new, Argument::tensors);
            let inputs = tensors.into_iter().filter_map(|at| shapes.get(at).cloned()).collect();
            return self.evaluate(id, inputs, false);
        }
        // A layer without a configuration has none to be wrong.
        let empty = Value::Object(Fields::default());
        let config = if node.config.is_null() { &empty } else { &node.config };
        let Ok(config) = Config::new(config, &node.place) else { return vec![Err(self.hidden(id))] };
        let reading = Reading {
            class: &node.class,
            config,
            arguments: &call.arguments,
            shapes,
            generation: tree.generation,
        };
        let made = match node.class.as_str() {
            "TimeDistributed" | "Wrapper" | "SpectralNormalization" | "Bidirectional" | "Pipeline" => {
                let input = reading.input().cloned();
                input.and_then(|input| self.wrapper(id, &reading, &input))
            }
            "RNN" => self.recurrent(id, &reading),
            "LSTMCell" | "GRUCell" | "SimpleRNNCell" | "StackedRNNCells" => {
                let made = self.cell(id).zip(reading.input());
                made.map(|((size, _), input)| vec![vec![input.first().copied().flatten(), Some(size)]])
            }
            _ => plain::results(&reading),
        };
        told_or_hidden(made, shapes, &node.place, &function(&reading))
    }

    /// What a layer around others makes.
    fn wrapper(&mut self, id: NodeId, reading: &Reading<'_>, input: &InputShape) -> Option<Vec<InputShape>> {
        let children = &self.tree.nodes.get(id)?.children;
        let known = |made: Vec<Inferred>| made.into_iter().map(Result::ok).collect::<Option<Vec<_>>>();
        match reading.class {
            "Bidirectional" => {
                let child = |name: &str| children.iter().find(|(group, _)| group == name).map(|c| c.1);
                let forward = known(self.on(child("forward_layer")?, Ok(input.clone())))?;
                let backward = known(self.on(child("backward_layer")?, Ok(input.clone())))?;
                recurrent::merged(reading.config, &forward, &backward)
            }
            "TimeDistributed" => {
                let mut step = input.clone();
                let time = (step.len() > 1).then(|| step.remove(1))?;
                let made = known(self.on(children.first()?.1, Ok(step)))?;
                let with_time = |mut shape: InputShape| {
                    (!shape.is_empty()).then(|| shape.insert(1, time))?;
                    Some(shape)
                };
                made.into_iter().map(with_time).collect()
            }
            _ => {
                let mut made = vec![input.clone()];
                for &(_, child) in children {
                    made = known(self.on(child, Ok(made.into_iter().next()?)))?;
                }
                Some(made)
            }
        }
    }

    fn recurrent(&mut self, id: NodeId, reading: &Reading<'_>) -> Option<Vec<InputShape>> {
        let (output, states) = self.cell(self.tree.nodes.get(id)?.children.first()?.1)?;
        recurrent::sequence(reading.config, reading.input()?, output, &states)
    }

    /// The size of a cell's output, and those of its states.
    fn cell(&mut self, id: NodeId) -> Option<(usize, Vec<usize>)> {
        let tree = self.tree;
        let node = tree.nodes.get(id)?;
        self.layers += 1;
        if self.layers > MAX_LAYERS {
            return None;
        }
        if node.class == "StackedRNNCells" {
            let cells = node.children.iter().map(|&(_, cell)| self.cell(cell));
            let cells = cells.collect::<Option<Vec<_>>>()?;
            let output = cells.last()?.0;
            return Some((output, cells.into_iter().flat_map(|(_, states)| states).collect()));
        }
        let units = Config::new(&node.config, &node.place).ok()?.size("units").ok()?;
        Some((units, vec![units; if node.class == "LSTMCell" { 2 } else { 1 }]))
    }
}

/// What hides a shape, as errors name it: the class, or the function that a layer of Keras 2 calls.
fn function<'a>(reading: &Reading<'a>) -> Cow<'a, str> {
    if reading.class != "TFOpLambda" {
        return Cow::Borrowed(reading.class);
    }
    match reading.config.text("function") {
        Ok(Some(function)) => Cow::Owned(format!("tf.{function}")),
        _ => Cow::Borrowed(reading.class),
    }
}

/// Shapes as they are told, or else what hides them: what is read, or the layer itself.
fn told_or_hidden(
    made: Option<Vec<InputShape>>,
    read: &[Inferred],
    place: &str,
    class: &str,
) -> Vec<Inferred> {
    match made {
        Some(shapes) => shapes.into_iter().map(Ok).collect(),
        None => {
            let before = read.iter().find_map(|shape| shape.as_ref().err());
            vec![Err(before.cloned().unwrap_or_else(|| Hidden::new(place, class)))]
        }
    }
}

/// The shape of a tensor. What the configuration tells of it comes first, where the model is built (it may be
/// called on other shapes later): the Keras that wrote it may have inferred another shape than this. Keras ignores
/// it on reading, so hand-written configurations may have `[]` there.
fn look_up(known: &Map<CallId, Vec<Inferred>>, tensor: &Tensor, builds: bool) -> Inferred {
    let inferred = inferred(known, tensor);
    let Some(told) = tensor.shape.as_ref().filter(|shape| builds && !shape.is_empty()) else {
        return inferred;
    };
    match inferred {
        Ok(shape) if shape.len() == told.len() => {
            Ok(told.iter().zip(shape).map(|(told, size)| told.or(size)).collect())
        }
        _ => Ok(told.clone()),
    }
}

/// The shape of a tensor by what is made. A hidden layer's results are hidden all together.
fn inferred(known: &Map<CallId, Vec<Inferred>>, tensor: &Tensor) -> Inferred {
    let results = known.get(&(tensor.step, tensor.call)).map_or(&[][..], Vec::as_slice);
    match results.get(tensor.result) {
        Some(shape) => shape.clone(),
        None => match results.first() {
            Some(Err(hidden)) => Err(hidden.clone()),
            _ => Err(Hidden::new("a call", "a result that it does not have")),
        },
    }
}

/// The shapes that a layer is built with by a call: those of the named arguments of an attention layer, of all
/// tensors in the first argument of the others.
fn built_with(tree: &Tree, node: NodeId, call: &Call, shapes: &[Inferred]) -> InputShapes {
    let tensors = |argument: Option<&Argument>| {
        let tensors = argument.map_or_else(Vec::new, Argument::tensors);
        tensors.into_iter().filter_map(|at| shapes.get(at).cloned()).collect::<Vec<_>>()
    };
    if matches!(tree.class(node), "MultiHeadAttention" | "GroupedQueryAttention") {
        let arguments = [("query", "query_shape"), ("value", "value_shape"), ("key", "key_shape")];
        let named = arguments.into_iter().enumerate().filter_map(|(at, (argument, name))| {
            Some((name, tensors(call.arguments.get(argument, at)).into_iter().next()?))
        });
        return InputShapes::named(named);
    }
    InputShapes::of(tensors(call.arguments.first()))
}
