//! How the features that a layer makes are ordered for what reads them: who unflattens them into a feature
//! map, and which layers may stand between. The mirror image of [`super::features`], followed from the
//! outputs of the model to its inputs.
//!
//! PyTorch's `x.view(-1, c, h, w)` reads the same features channels first that Keras' `Reshape((h, w, c))`
//! reads channels last. Whether the axes of a Reshape are those of a map at all, its readers tell: a
//! convolution reads a map, a recurrent layer a sequence. What nothing tells is unknown; nothing is guessed.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::architecture::FeatureOrder;
use super::features::MAX_CALLS;
use super::graph::Tensor;
use super::infer::{keeps_shape, product, target_shape};
use super::json::{Config, InputShape};
use super::locality::{ELEMENTWISE, LOCAL, is_channels_first, is_convolution, is_local, reshape_target};
use super::tree::{NodeId, StepKind, Tree, Wiring};

/// What the readers of a tensor say of it.
#[derive(Debug, Clone, PartialEq)]
enum Use {
    /// Nothing.
    Open,
    /// PyTorch has its axes in the same order.
    Same,
    /// It is a feature map, channels last; PyTorch has the channels first.
    Map,
    /// Its features stay as they are, but whether its axes are those of a map is not clear.
    Unclear(String),
    /// Its features (on the last axis; the others are 1) become a map of these sizes, channels last.
    Split(Vec<usize>),
    /// Its features, one axis of several, become several axes. PyTorch splits those of a sequence in the same
    /// order, but those of a map (`PixelShuffle`) in another one.
    Divided(String),
    /// What becomes of its features is not known.
    Unknown(String),
}

/// Results of a call, by their place, with what their readers say.
type Results = BTreeMap<usize, Use>;

/// Fills in the `outputs` of every layer below a model.
pub(super) fn propagate(tree: &mut Tree, root: NodeId) {
    let mut propagation = Propagation { orders: HashMap::new(), calls: 0 };
    propagation.model(tree, root, &Results::new());
    for (id, order) in propagation.orders {
        if let Some(node) = tree.nodes.get_mut(id) {
            node.outputs = Some(order);
        }
    }
}

struct Propagation {
    orders: HashMap<NodeId, FeatureOrder>,
    calls: usize,
}

impl Propagation {
    /// Follows a model's graph backwards from the uses of its outputs to those of its inputs.
    fn model(&mut self, tree: &Tree, id: NodeId, outputs: &Results) -> Vec<Use> {
        let Some(Wiring { graph, order, kinds }) = tree.nodes.get(id).and_then(|node| node.graph.as_ref())
        else {
            return Vec::new();
        };
        let name = |step: usize| graph.steps.get(step).map_or("", |step| step.name.as_str());
        let mut known: HashMap<(usize, usize), Results> = HashMap::new();
        let add = |known: &mut HashMap<(usize, usize), Results>, tensor: &Tensor, usage: Use| {
            let usage = of_shape(usage, tensor.shape.as_ref());
            let results = known.entry((tensor.step, tensor.call)).or_default();
            let so_far = results.remove(&tensor.result).unwrap_or(Use::Open);
            results.insert(tensor.result, merge(so_far, usage, name(tensor.step)));
        };
        for (at, tensor) in graph.outputs.iter().enumerate() {
            add(&mut known, tensor, outputs.get(&at).cloned().unwrap_or(Use::Open));
        }
        let sizes: HashMap<(usize, usize), &InputShape> = graph
            .all_reads()
            .filter_map(|read| Some(((read.step, read.call), read.shape.as_ref()?)))
            .collect();
        for &call in order.calls.iter().rev() {
            self.calls += 1;
            let results = known.get(&call).cloned().unwrap_or_default();
            let read = graph.reads(call);
            let output = sizes.get(&call).copied();
            let uses = match kinds.get(call.0) {
                Some(StepKind::Layer(node)) => self.layer(tree, *node, &results, read, output),
                Some(StepKind::Operation(class, config)) => {
                    let made = all_of(&results, name(call.0));
                    let usage = |tensor: &Tensor| {
                        operation(class, config, name(call.0), &made, tensor.shape.as_ref(), output)
                    };
                    read.iter().map(usage).collect()
                }
                Some(StepKind::Input(_)) | None => Vec::new(),
            };
            for (tensor, usage) in read.iter().zip(uses) {
                add(&mut known, tensor, usage);
            }
        }
        let of_input = |input: &Tensor| {
            let results = known.get(&(input.step, input.call));
            results.and_then(|results| results.get(&input.result)).cloned().unwrap_or(Use::Open)
        };
        graph.inputs.iter().map(of_input).collect()
    }

    /// What a layer says of each tensor that it reads.
    fn layer(
        &mut self,
        tree: &Tree,
        id: NodeId,
        results: &Results,
        read: &[Tensor],
        output: Option<&InputShape>,
    ) -> Vec<Use> {
        let Some(node) = tree.nodes.get(id) else { return Vec::new() };
        if node.graph.is_some() {
            if self.calls > MAX_CALLS {
                let reason = format!("what reads `{}`, a model that is called too often", node.name);
                return vec![Use::Unknown(reason); read.len()];
            }
            return self.model(tree, id, results);
        }
        let made = all_of(results, &node.name);
        let is_map = read.iter().any(|tensor| tensor.shape.as_ref().is_some_and(|shape| shape.len() > 3));
        self.record(tree, id, &made, is_map);
        let usage = |tensor: &Tensor| {
            of_layer(&node.class, &node.config, &node.name, &made, tensor.shape.as_ref(), output)
        };
        read.iter().map(usage).collect()
    }

    /// Notes what becomes of a layer's features (of a map, or a sequence), which are those of the layer that it
    /// wraps.
    fn record(&mut self, tree: &Tree, id: NodeId, made: &Use, is_map: bool) {
        let Some(node) = tree.nodes.get(id) else { return };
        let order = match made {
            Use::Open | Use::Same | Use::Map | Use::Unclear(_) => FeatureOrder::Plain,
            Use::Split(sizes) => FeatureOrder::Flattened(sizes.clone()),
            Use::Divided(reason) if is_convolution(&node.class) || is_map => {
                FeatureOrder::Unknown(reason.clone())
            }
            Use::Divided(_) => FeatureOrder::Plain,
            Use::Unknown(reason) => FeatureOrder::Unknown(reason.clone()),
        };
        let order = if self.orders.get(&id).is_some_and(|known| *known != order) {
            FeatureOrder::Unknown(format!(
                "the readers of `{}`, which take its features in different orders",
                node.name
            ))
        } else {
            order
        };
        if matches!(node.class.as_str(), "TimeDistributed" | "SpectralNormalization" | "Wrapper") {
            for (_, child) in &node.children {
                self.record(tree, *child, made, is_map);
            }
        }
        self.orders.insert(id, order);
    }
}

/// What is said of all results of a call together.
fn all_of(results: &Results, name: &str) -> Use {
    results.values().fold(Use::Open, |all, usage| merge(all, usage.clone(), name))
}

fn merge(a: Use, b: Use, name: &str) -> Use {
    match (a, b) {
        (Use::Open, other) | (other, Use::Open) => other,
        (a, b) if a == b => a,
        (Use::Unknown(reason), _) | (_, Use::Unknown(reason)) => Use::Unknown(reason),
        (Use::Divided(reason), _) | (_, Use::Divided(reason)) => Use::Divided(reason),
        (Use::Split(_), _) | (_, Use::Split(_)) => Use::Unknown(format!(
            "the readers of `{name}`, which take it both for a map and for features, or for two maps"
        )),
        _ => {
            Use::Unclear(format!("the readers of `{name}`, which take it both for a map and for a sequence"))
        }
    }
}

/// Where all axes but the batch and the last are 1, an order of axes says nothing of the features.
fn of_shape(usage: Use, shape: Option<&InputShape>) -> Use {
    match usage {
        Use::Open | Use::Map | Use::Unclear(_) if shape.is_some_and(is_vector) => Use::Same,
        other => other,
    }
}

fn is_vector(shape: &InputShape) -> bool {
    let between = shape.get(1..shape.len().saturating_sub(1)).unwrap_or(&[]);
    between.iter().all(|size| *size == Some(1))
}

/// The axes of a map, by the layout that the layer computes in.
fn map_of(config: Config<'_>) -> Use {
    if is_channels_first(config) { Use::Same } else { Use::Map }
}

/// What a layer, of whose output `made` is said, says of an input.
fn of_layer(
    class: &str,
    config: &Value,
    name: &str,
    made: &Use,
    shape: Option<&InputShape>,
    output: Option<&InputShape>,
) -> Use {
    let Ok(config) = Config::new(config, name) else { return other(made, shape, output, name) };
    let rank = shape.map_or(0, Vec::len);
    let sequence = || if rank <= 3 { Use::Same } else { Use::Unclear(format!("`{name}`, which reads it")) };
    match class {
        // What acts on each feature alone hands on that the features are split.
        _ if matches!(made, Use::Divided(_)) && (keeps_shape(class) || is_local(class)) => made.clone(),
        "BatchNormalization" if rank > 2 => normalized_axis(config, rank, name),
        "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" => elementwise(made, shape),
        _ if keeps_shape(class) => elementwise(made, shape),
        "Concatenate" => concatenate(made, name),
        "Flatten" => reshape(made, shape, Some(&[None]), name),
        "Reshape" => reshape(made, shape, target_shape(config).as_deref(), name),
        "Permute" => permute(made, config, shape, name),
        // A 1x1 convolution of a map, or features of a sequence.
        "Dense" | "EinsumDense" if rank > 3 => match made {
            Use::Map => Use::Map,
            _ => Use::Unclear(format!("`{name}`, which reads it")),
        },
        "Dense"
        | "EinsumDense"
        | "Embedding"
        | "ReversibleEmbedding"
        | "RepeatVector"
        | "LSTM"
        | "GRU"
        | "SimpleRNN"
        | "RNN"
        | "Bidirectional"
        | "TimeDistributed"
        | "MultiHeadAttention"
        | "GroupedQueryAttention"
        | "Attention"
        | "AdditiveAttention" => sequence(),
        _ if class.starts_with("ConvLSTM") => {
            Use::Unclear(format!("`{name}`, which reads a sequence of maps"))
        }
        _ if class.starts_with("Global") && rank == 3 => {
            Use::Unclear(format!("`{name}`, which reads a sequence or a map"))
        }
        _ if class.starts_with("Global") || is_convolution(class) || is_local(class) => map_of(config),
        "Lambda" if rank > 3 && shape != output => Use::Divided(hidden(name)),
        _ => other(made, shape, output, name),
    }
}

fn hidden(name: &str) -> String {
    format!("what `{name}` makes of a map, which may have its channels split")
}

/// PyTorch normalizes axis 1.
fn normalized_axis(config: Config<'_>, rank: usize, name: &str) -> Use {
    let last = i64::try_from(rank).map_or(-1, |rank| rank - 1);
    match config.axes("axis").ok().flatten().as_deref() {
        None | Some([-1]) => Use::Map,
        Some([1]) => Use::Same,
        Some([axis]) if *axis == last => Use::Map,
        _ => Use::Unclear(format!("`{name}`, which normalizes another axis")),
    }
}

/// The inputs are as the output, if they are not broadcast.
fn elementwise(made: &Use, shape: Option<&InputShape>) -> Use {
    match made {
        Use::Split(_) if shape.is_some_and(|shape| shape.last() == Some(&Some(1))) => Use::Same,
        other => other.clone(),
    }
}

fn concatenate(made: &Use, name: &str) -> Use {
    match made {
        Use::Split(_) => Use::Unknown(format!("`{name}`, which joins features that become a map")),
        other => other.clone(),
    }
}

fn reshape(made: &Use, shape: Option<&InputShape>, target: Option<&[Option<usize>]>, name: &str) -> Use {
    let unknown = || match made {
        Use::Same => Use::Same,
        _ => Use::Unknown(format!("`{name}`, which reshapes features")),
    };
    let (Some(shape), Some(target)) = (shape, target) else { return unknown() };
    let Some(features) = shape.last().copied().flatten() else { return unknown() };
    if !is_vector(shape) {
        return reshape_axes(made, shape, features, target, name);
    }
    let known = target.iter().flatten().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let open = known.and_then(|known| features.checked_div(known));
    let Some(sizes) = target.iter().map(|size| size.or(open)).collect::<Option<Vec<_>>>() else {
        return unknown();
    };
    let fixed: Vec<Option<usize>> = sizes.iter().copied().map(Some).collect();
    let Some((&channels, positions)) = sizes.split_last() else { return unknown() };
    if product(&fixed) != Some(features) {
        return unknown();
    }
    if positions.iter().all(|&size| size == 1) {
        return of_shape(made.clone(), Some(&vec![None, Some(channels)]));
    }
    match made {
        _ if channels == 1 => Use::Same,
        Use::Same => Use::Same,
        Use::Map => Use::Split(sizes),
        Use::Open => Use::Unknown(format!("`{name}`, which makes a map or a sequence")),
        Use::Unclear(reason) => {
            Use::Unknown(format!("`{name}`, which makes a map or a sequence (for {reason})"))
        }
        Use::Divided(_) | Use::Split(_) | Use::Unknown(_) => unknown(),
    }
}

/// A tensor of several axes whose last one may be kept, split or joined with others.
fn reshape_axes(
    made: &Use,
    shape: &InputShape,
    features: usize,
    target: &[Option<usize>],
    name: &str,
) -> Use {
    // Some last axes of the target take exactly the features.
    let keeps = (0..target.len()).any(|at| product(target.get(at..).unwrap_or(&[])) == Some(features));
    // The last axis takes all of the features, alone or with others, unless they are split.
    let last = target.iter().rev().find(|size| **size != Some(1)).copied();
    let splits = match last {
        Some(Some(last)) => last % features.max(1) != 0,
        Some(None) => {
            let known = target.iter().flatten().try_fold(1_usize, |product, &size| product.checked_mul(size));
            let open = shape.get(1..).and_then(product).zip(known);
            let last = open.and_then(|(all, known)| all.checked_div(known));
            last.is_none_or(|last| last % features.max(1) != 0)
        }
        None => false,
    };
    match made {
        Use::Unknown(reason) => Use::Unknown(reason.clone()),
        _ if splits => Use::Divided(format!("`{name}`, which splits the channels")),
        Use::Same | Use::Open | Use::Divided(_) => made.clone(),
        Use::Map | Use::Split(_) if !keeps => Use::Unknown(format!("`{name}`, which reshapes features")),
        Use::Map | Use::Split(_) | Use::Unclear(_) => Use::Unclear(format!("`{name}`, which reshapes it")),
    }
}

fn permute(made: &Use, config: Config<'_>, shape: Option<&InputShape>, name: &str) -> Use {
    let axes = config.axes("dims").ok().flatten().unwrap_or_default();
    let rank = i64::try_from(axes.len()).unwrap_or(i64::MAX);
    let first_to_last: Vec<i64> = (2..=rank).chain(std::iter::once(1)).collect();
    let keeps_last = axes.last() == Some(&rank);
    match made {
        Use::Open | Use::Divided(_) => made.clone(),
        // The map is made channels first, as in PyTorch.
        Use::Map if axes == first_to_last => Use::Same,
        Use::Split(_) | Use::Unknown(_) if shape.is_some_and(is_vector) && keeps_last => made.clone(),
        Use::Split(_) | Use::Unknown(_) => {
            Use::Unknown(format!("`{name}`, which moves the features to another axis"))
        }
        Use::Same | Use::Map | Use::Unclear(_) => Use::Unclear(format!("`{name}`, which permutes the axes")),
    }
}

/// A function of which nothing is known: it may hide a reshape when it makes several axes of one.
fn other(made: &Use, shape: Option<&InputShape>, output: Option<&InputShape>, name: &str) -> Use {
    let last = |shape: Option<&InputShape>| shape.and_then(|shape| shape.last().copied().flatten());
    let between = || Use::Unknown(format!("`{name}`, which stands before the map"));
    match made {
        Use::Split(_) | Use::Unknown(_) => between(),
        Use::Same | Use::Open | Use::Divided(_) => made.clone(),
        Use::Map | Use::Unclear(_) if shape.is_some() && shape == output => made.clone(),
        Use::Map | Use::Unclear(_) if shape.is_none_or(is_vector) && last(shape) != last(output) => between(),
        Use::Map | Use::Unclear(_) => Use::Unclear(format!("`{name}`, which reads it")),
    }
}

fn operation(
    class: &str,
    config: &Value,
    name: &str,
    made: &Use,
    shape: Option<&InputShape>,
    output: Option<&InputShape>,
) -> Use {
    match (class, Config::new(config, name)) {
        _ if ELEMENTWISE.contains(&class) => elementwise(made, shape),
        ("Concatenate", _) => concatenate(made, name),
        ("DepthToSpace", _) => Use::Divided(hidden(name)),
        ("Reshape", Ok(config)) => reshape(made, shape, reshape_target(config).as_deref(), name),
        ("ExpandDims" | "Squeeze", _) if shape.is_some_and(is_vector) && output.is_some_and(is_vector) => {
            made.clone()
        }
        _ if LOCAL.contains(&class) && shape.map(Vec::len) == output.map(Vec::len) => match made {
            Use::Split(_) | Use::Unknown(_) => other(made, shape, output, name),
            _ => made.clone(),
        },
        _ => other(made, shape, output, name),
    }
}
