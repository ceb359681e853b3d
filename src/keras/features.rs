//! How the features that a layer reads were ordered by what stands before it: who flattened a feature map,
//! and which layers may stand between.
//!
//! PyTorch keeps channels first, so flattening the same map gives another order of features there. Everything
//! that this module does not know to keep an order makes it unknown; nothing is guessed.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::architecture::FeatureOrder;
use super::infer::{keeps_shape, product, target_shape};
use super::json::{Config, InputShape};
use super::tree::{NodeId, StepKind, Tree, Wiring};

/// Calls that are followed before the rest counts as unknown. A model that calls a nested model twice at
/// each of thirty levels would take hours; `NASNetLarge` has some two thousand calls.
pub(super) const MAX_CALLS: usize = 1_000_000;

/// What is known about a tensor.
#[derive(Debug, Clone, PartialEq)]
enum Order {
    /// Its channels (last axis, or axis 1) are plain; flattening it does what the mark says.
    Channels(Flattening),
    /// A map was flattened.
    Flattened(Vec<usize>),
    /// Not known, and why.
    Unknown(String),
}

/// What flattening a tensor means in PyTorch.
#[derive(Debug, Clone, PartialEq)]
enum Flattening {
    /// The same: PyTorch has these axes in the same order (features, sequences of embeddings).
    Same,
    /// A feature map, channels last.
    LastToFirst,
    /// A feature map, channels first as in PyTorch.
    First,
    /// Not known, and why.
    Unclear(String),
}

/// Fills in the `features` of every layer below a model.
pub(super) fn propagate(tree: &mut Tree, root: NodeId) {
    let mut propagation = Propagation { orders: HashMap::new(), calls: 0 };
    propagation.model(tree, root, &[]);
    for (id, order) in propagation.orders {
        if let Some(node) = tree.nodes.get_mut(id) {
            node.features = Some(match order {
                Order::Channels(_) => FeatureOrder::Plain,
                Order::Flattened(sizes) => FeatureOrder::Flattened(sizes),
                Order::Unknown(reason) => FeatureOrder::Unknown(reason),
            });
        }
    }
}

struct Propagation {
    orders: HashMap<NodeId, Order>,
    calls: usize,
}

impl Propagation {
    /// Follows a model's graph from the orders of its inputs (those of input layers where there are none).
    fn model(&mut self, tree: &Tree, id: NodeId, inputs: &[Order]) -> Vec<Order> {
        let Some(Wiring { graph, order, kinds }) = tree.nodes.get(id).and_then(|node| node.graph.as_ref())
        else {
            return Vec::new();
        };
        let mut known: HashMap<(usize, usize), Vec<Order>> = HashMap::new();
        for (input, order) in graph.inputs.iter().zip(inputs) {
            known.insert((input.step, input.call), vec![order.clone()]);
        }
        // What the readers of a tensor say of its shape.
        let reads = graph.steps.iter().flat_map(|step| step.calls.iter().flatten());
        let sizes: HashMap<(usize, usize), &InputShape> =
            reads.filter_map(|read| Some(((read.step, read.call), read.shape.as_ref()?))).collect();
        for &call in &order.calls {
            if known.contains_key(&call) {
                continue;
            }
            self.calls += 1;
            let read = graph.reads(call);
            let orders: Vec<Order> = read.iter().map(|tensor| look_up(&known, tensor)).collect();
            let shapes: Vec<Option<&InputShape>> = read.iter().map(|tensor| tensor.shape.as_ref()).collect();
            let name = graph.steps.get(call.0).map_or("", |step| step.name.as_str());
            let made = match kinds.get(call.0) {
                Some(StepKind::Input(rank)) => vec![of_input(*rank)],
                Some(StepKind::Layer(node)) => {
                    self.layer(tree, *node, &orders, &shapes, sizes.get(&call).copied())
                }
                Some(StepKind::Operation(class, config)) => {
                    let object = json!({ "config": config });
                    vec![operation(class, &object, name, &orders, &shapes, sizes.get(&call).copied())]
                }
                None => vec![Order::Unknown(name.to_owned())],
            };
            known.insert(call, made);
        }
        graph.outputs.iter().map(|tensor| look_up(&known, tensor)).collect()
    }

    fn layer(
        &mut self,
        tree: &Tree,
        id: NodeId,
        inputs: &[Order],
        shapes: &[Option<&InputShape>],
        output: Option<&InputShape>,
    ) -> Vec<Order> {
        let Some(node) = tree.nodes.get(id) else { return Vec::new() };
        let read = all_of(inputs, &node.name);
        self.record(tree, id, &read);
        if node.graph.is_some() {
            if self.calls > MAX_CALLS {
                return vec![Order::Unknown(format!("the model `{}` is called too often", node.name))];
            }
            return self.model(tree, id, inputs);
        }
        let object = json!({ "config": node.config });
        vec![of_layer(&node.class, &object, &node.name, inputs, shapes, output)]
    }

    /// Notes what a layer reads, and so the layers inside it that read it first.
    fn record(&mut self, tree: &Tree, id: NodeId, order: &Order) {
        let Some(node) = tree.nodes.get(id) else { return };
        let is_other = |known: &Order| match (known, order) {
            (Order::Channels(_), Order::Channels(_)) => false,
            _ => known != order,
        };
        let order = if self.orders.get(&id).is_some_and(is_other) {
            Order::Unknown(format!("`{}` is called on features of different orders", node.name))
        } else {
            order.clone()
        };
        if node.graph.is_none() {
            // What an attention layer's output projection reads, the layer itself made.
            for (_, child) in node.children.iter().filter(|(group, _)| !group.ends_with("output_dense")) {
                self.record(tree, *child, &order);
            }
        }
        self.orders.insert(id, order);
    }
}

fn look_up(known: &HashMap<(usize, usize), Vec<Order>>, tensor: &super::graph::Tensor) -> Order {
    let made = known.get(&(tensor.step, tensor.call));
    // A layer with several results gives all of them one order.
    let order = made.and_then(|orders| orders.get(tensor.result).or_else(|| orders.first()));
    order.cloned().unwrap_or_else(|| Order::Unknown("the graph".to_owned()))
}

fn of_input(rank: Option<usize>) -> Order {
    Order::Channels(match rank {
        Some(0..=2) => Flattening::Same,
        Some(3) => Flattening::Unclear("an input of rank 3 may be a sequence or a map".to_owned()),
        Some(_) => Flattening::LastToFirst,
        None => Flattening::Unclear("an input of unknown rank".to_owned()),
    })
}

/// The order of several inputs taken together.
fn all_of(inputs: &[Order], name: &str) -> Order {
    let mut orders = inputs.iter();
    let Some(first) = orders.next() else { return Order::Channels(Flattening::Same) };
    orders.fold(first.clone(), |all, order| merge(all, order, name))
}

fn merge(a: Order, b: &Order, name: &str) -> Order {
    use Flattening::{Same, Unclear};
    match (a, b) {
        (a, b) if a == *b => a,
        (Order::Unknown(reason), _) => Order::Unknown(reason),
        (_, Order::Unknown(reason)) => Order::Unknown(reason.clone()),
        // A gate of one value per channel scales a map.
        (Order::Channels(Same), Order::Channels(kind)) => Order::Channels(kind.clone()),
        (Order::Channels(kind), Order::Channels(Same)) => Order::Channels(kind),
        (Order::Channels(_), Order::Channels(_)) => Order::Channels(Unclear(format!("`{name}`"))),
        _ => Order::Unknown(format!("`{name}` mixes features of different orders")),
    }
}

/// What a layer makes of its inputs.
fn of_layer(
    class: &str,
    object: &Value,
    name: &str,
    inputs: &[Order],
    shapes: &[Option<&InputShape>],
    output: Option<&InputShape>,
) -> Order {
    let unknown = || Order::Unknown(format!("`{name}`"));
    let Ok(config) = Config::of(object, name) else { return unknown() };
    let input = all_of(inputs, name);
    let shape = shapes.first().copied().flatten();
    match class {
        _ if keeps_shape(class) => input,
        "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" => input,
        "Concatenate" => concatenate(input, name),
        "Flatten" => flatten(input, shape, is_channels_first(config), name),
        "Reshape" => reshape(input, shape, target_shape(config).as_deref(), name),
        "Permute" => permute(input, config, name),
        "Embedding"
        | "ReversibleEmbedding"
        | "LSTM"
        | "GRU"
        | "SimpleRNN"
        | "RNN"
        | "Bidirectional"
        | "MultiHeadAttention"
        | "GroupedQueryAttention"
        | "Attention"
        | "AdditiveAttention" => Order::Channels(Flattening::Same),
        "Dense" | "EinsumDense" => match input {
            Order::Channels(Flattening::Same) => input,
            Order::Channels(_) if shape.is_none_or(|shape| shape.len() > 2) => {
                Order::Channels(Flattening::Unclear(format!("`{name}` acts on a map")))
            }
            _ => Order::Channels(Flattening::Same),
        },
        _ if class.starts_with("Global") => match input {
            Order::Channels(_) => Order::Channels(Flattening::Same),
            other => other,
        },
        "SpectralNormalization" => match input {
            Order::Channels(_) => {
                Order::Channels(Flattening::Unclear(format!("`{name}` wraps another layer")))
            }
            _ => unknown(),
        },
        _ if class.contains("Conv") => Order::Channels(if is_channels_first(config) {
            Flattening::First
        } else {
            Flattening::LastToFirst
        }),
        _ if is_local(class) => match input {
            Order::Channels(Flattening::Same) if shape.is_none_or(|shape| shape.len() > 2) => {
                Order::Channels(Flattening::Unclear(format!("`{name}` acts on a sequence")))
            }
            other => other,
        },
        _ => local(input, shape, output, name),
    }
}

/// What a function makes that is known not to reorder channels, if only it keeps them on the last axis.
fn local(input: Order, shape: Option<&InputShape>, output: Option<&InputShape>, name: &str) -> Order {
    let last = |shape: Option<&InputShape>| shape.and_then(|shape| *shape.last()?);
    match input {
        Order::Channels(Flattening::Same) => input,
        Order::Channels(_) if last(shape).is_some() && last(shape) == last(output) => {
            let is_vector = output.is_some_and(|output| output.len() == 2);
            let unclear = || Flattening::Unclear(format!("`{name}` made"));
            Order::Channels(if is_vector { Flattening::Same } else { unclear() })
        }
        _ => Order::Unknown(format!("`{name}`")),
    }
}

/// Layers that act on each channel of a map alone.
pub(super) fn is_local(class: &str) -> bool {
    [
        "MaxPooling",
        "AveragePooling",
        "Adaptive",
        "UpSampling",
        "ZeroPadding",
        "Cropping",
        "Random",
        "CenterCrop",
    ]
    .iter()
    .any(|prefix| class.starts_with(prefix))
        || class == "Resizing"
}

pub(super) fn is_channels_first(config: Config<'_>) -> bool {
    matches!(config.text("data_format"), Ok(Some("channels_first")))
}

fn concatenate(input: Order, name: &str) -> Order {
    match input {
        Order::Flattened(_) => Order::Unknown(format!("`{name}` joins flattened features")),
        other => other,
    }
}

/// Row-major flattening of all but the batch. With `transposes` (channels-first flattening) axis 1 is moved
/// to the end before.
fn flatten(input: Order, shape: Option<&InputShape>, transposes: bool, name: &str) -> Order {
    let Order::Channels(kind) = input else { return input };
    let Some(rest) = shape.and_then(|shape| shape.get(1..)) else {
        return match kind {
            Flattening::Same => Order::Channels(kind),
            _ => Order::Unknown(format!("`{name}` flattens a map of unknown size")),
        };
    };
    if rest.len() < 2 {
        return Order::Channels(Flattening::Same);
    }
    // The channels' place: first or last of the axes that are flattened.
    let channels = if kind == Flattening::First { 0 } else { rest.len() - 1 };
    let is_one = |(axis, size): (usize, &Option<usize>)| axis == channels || *size == Some(1);
    if rest.iter().enumerate().all(is_one) {
        return Order::Channels(Flattening::Same);
    }
    let sizes = |axes: &[Option<usize>]| axes.iter().copied().collect::<Option<Vec<usize>>>();
    let flattened = match (kind, transposes) {
        (Flattening::Same, false) | (Flattening::First, false) => return Order::Channels(Flattening::Same),
        (Flattening::LastToFirst, false) => sizes(rest),
        (Flattening::First, true) => sizes(rest).map(|mut sizes| {
            sizes.rotate_left(1);
            sizes
        }),
        (Flattening::Unclear(reason), _) => {
            return Order::Unknown(format!("`{name}` flattens what {reason}"));
        }
        (_, true) => {
            return Order::Unknown(format!("`{name}` flattens channels-last features as channels-first"));
        }
    };
    match flattened {
        Some(sizes) => Order::Flattened(sizes),
        None => Order::Unknown(format!("`{name}` flattens a map of unknown size")),
    }
}

fn reshape(input: Order, shape: Option<&InputShape>, target: Option<&[Option<usize>]>, name: &str) -> Order {
    let unknown = || Order::Unknown(format!("`{name}` reshapes features"));
    let Some(target) = target else { return unknown() };
    let (last, outer) = match target.split_last() {
        None => return unknown(),
        Some((last, outer)) => (last, outer),
    };
    if outer.is_empty() {
        return flatten(input, shape, false, name);
    }
    let Order::Channels(kind) = input else { return unknown() };
    let channels = shape.and_then(|shape| *shape.last()?);
    let keeps_channels =
        channels.is_some() && (*last == channels || last.is_none() && is_rest(shape, target));
    let is_vector = shape.is_some_and(|shape| shape.len() == 2);
    let has_positions = !outer.iter().all(|size| *size == Some(1));
    match kind {
        Flattening::Same if is_vector && has_positions => {
            Order::Channels(Flattening::Unclear(format!("`{name}` makes a map of features")))
        }
        Flattening::Same => Order::Channels(Flattening::Same),
        Flattening::LastToFirst | Flattening::Unclear(_) if keeps_channels => {
            Order::Channels(Flattening::Unclear(format!("`{name}` reshapes a map")))
        }
        _ => unknown(),
    }
}

/// Whether the open axis (-1) of the target takes exactly the channels.
fn is_rest(shape: Option<&InputShape>, target: &[Option<usize>]) -> bool {
    let Some((_, positions)) = shape.and_then(|shape| shape.get(1..)?.split_last()) else { return false };
    let outer = target.split_last().map_or(&[][..], |(_, outer)| outer);
    product(positions).is_some() && product(positions) == product(outer)
}

fn permute(input: Order, config: Config<'_>, name: &str) -> Order {
    let unknown = || Order::Unknown(format!("`{name}` moves the features to another axis"));
    let Order::Channels(kind) = input else { return unknown() };
    let Ok(Some(axes)) = config.axes("dims") else { return unknown() };
    let rank = i64::try_from(axes.len()).unwrap_or(i64::MAX);
    let last_to_first: Vec<i64> = std::iter::once(rank).chain(1..rank).collect();
    let first_to_last: Vec<i64> = (2..=rank).chain(std::iter::once(1)).collect();
    match kind {
        Flattening::LastToFirst if axes == last_to_first => Order::Channels(Flattening::First),
        Flattening::First if axes == first_to_last => Order::Channels(Flattening::LastToFirst),
        _ if axes.last() == Some(&rank) => {
            Order::Channels(Flattening::Unclear(format!("`{name}` permutes the axes")))
        }
        _ => unknown(),
    }
}

/// Operations of `keras.ops` that act on each element alone, or combine elements in the same place.
pub(super) const ELEMENTWISE: &[&str] = &[
    "Abs",
    "Absolute",
    "Add",
    "Cast",
    "Celu",
    "Clip",
    "Cos",
    "Divide",
    "Elu",
    "Erf",
    "Exp",
    "Expm1",
    "Gelu",
    "HardSigmoid",
    "HardSilu",
    "HardSwish",
    "HardTanh",
    "Identity",
    "LeakyRelu",
    "Log",
    "Log1p",
    "LogSigmoid",
    "Maximum",
    "Minimum",
    "Multiply",
    "Negative",
    "Power",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Round",
    "Rsqrt",
    "Selu",
    "Sigmoid",
    "Silu",
    "Sin",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "StopGradient",
    "Subtract",
    "Swish",
    "Tanh",
    "TrueDivide",
    "Where",
];

/// Operations that leave the order of the channels alone where the channels' axis keeps its size.
pub(super) const LOCAL: &[&str] =
    &["AveragePool", "GetItem", "Max", "MaxPool", "Mean", "Min", "Pad", "Resize", "Squeeze", "Sum"];

fn operation(
    class: &str,
    object: &Value,
    name: &str,
    inputs: &[Order],
    shapes: &[Option<&InputShape>],
    output: Option<&InputShape>,
) -> Order {
    let input = all_of(inputs, name);
    if ELEMENTWISE.contains(&class) {
        return input;
    }
    match (class, Config::of(object, name)) {
        ("Concatenate", _) => concatenate(input, name),
        ("Reshape", Ok(config)) => {
            let target = reshape_target(config);
            reshape(input, shapes.first().copied().flatten(), target.as_deref(), name)
        }
        _ if LOCAL.contains(&class) => local(input, shapes.first().copied().flatten(), output, name),
        _ => match input {
            Order::Channels(Flattening::Same) => input,
            _ => Order::Unknown(format!("`{name}` ({class})")),
        },
    }
}

/// The target of `ops.reshape`, which counts the batch, without the batch.
pub(super) fn reshape_target(config: Config<'_>) -> Option<Vec<Option<usize>>> {
    let size = |&size: &i64| if size < 0 { Some(None) } else { usize::try_from(size).ok().map(Some) };
    config.axes("newshape").ok().flatten()?.iter().skip(1).map(size).collect()
}
