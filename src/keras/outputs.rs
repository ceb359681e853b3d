//! How the features that a layer makes are ordered for what reads them: who unflattens them into a feature
//! map, and which layers may stand between. The mirror image of [`super::features`], followed from the
//! outputs of the model to its inputs.
//!
//! PyTorch's `x.view(-1, c, h, w)` reads the same features channels first that Keras' `Reshape((h, w, c))`
//! reads channels last. Whether the axes of a Reshape are those of a map at all, its readers tell: a
//! convolution reads a map, a recurrent layer a sequence, whose positions may yet be those of a map. What
//! nothing tells is unknown; nothing is guessed.

use crate::map::Map;
use std::collections::BTreeMap;

use super::architecture::FeatureOrder;
use super::features::MAX_CALLS;
use super::graph::Tensor;
use super::json::InputShape;
use super::locality::is_convolution;
use super::tree::{NodeId, StepKind, Tree, Wiring};
use super::unflattening::{Use, merge, of_layer, of_shape, operation};

/// Results of a call, by their place, with what their readers say.
type Results = BTreeMap<usize, Use>;

/// Fills in the `outputs` of every layer below a model.
pub(super) fn propagate(tree: &mut Tree, root: NodeId) {
    let mut propagation = Propagation { orders: Map::default(), calls: 0 };
    propagation.model(tree, root, &Results::new());
    for (id, order) in propagation.orders {
        if let Some(node) = tree.nodes.get_mut(id) {
            node.outputs = Some(order);
        }
    }
}

struct Propagation {
    orders: Map<NodeId, FeatureOrder>,
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
        let mut known: Map<(usize, usize), Results> = Map::default();
        let add = |known: &mut Map<(usize, usize), Results>, tensor: &Tensor, usage: Use| {
            let usage = of_shape(usage, tensor.shape.as_ref());
            let results = known.entry((tensor.step, tensor.call)).or_default();
            let so_far = results.remove(&tensor.result).unwrap_or(Use::Open);
            results.insert(tensor.result, merge(so_far, usage, name(tensor.step)));
        };
        for (at, tensor) in graph.outputs.iter().enumerate() {
            add(&mut known, tensor, outputs.get(&at).cloned().unwrap_or(Use::Open));
        }
        let sizes: Map<(usize, usize), &InputShape> = graph
            .all_reads()
            .filter_map(|read| Some(((read.step, read.call), read.shape.as_ref()?)))
            .collect();
        let unread = Results::new();
        for &call in order.calls.iter().rev() {
            self.calls += 1;
            let results = known.get(&call).unwrap_or(&unread);
            let read = graph.reads(call);
            let output = sizes.get(&call).copied();
            let uses = match kinds.get(call.0) {
                Some(StepKind::Layer(node)) => self.layer(tree, *node, results, read, output),
                Some(StepKind::Operation(class, config)) => {
                    let made = all_of(results, name(call.0));
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
            Use::Open | Use::Same | Use::Sequence | Use::Map | Use::Unclear(_) => FeatureOrder::Plain,
            Use::Split(sizes) => FeatureOrder::Flattened(sizes.clone()),
            Use::Divided(reason) if is_convolution(&node.class) || is_map => {
                FeatureOrder::Unknown(reason.clone())
            }
            Use::Divided(_) => FeatureOrder::Plain,
            Use::Unknown(reason) => FeatureOrder::Unknown(reason.clone()),
        };
        let order = match self.orders.get(&id) {
            Some(known) if *known != order => {
                let reason =
                    format!("the readers of `{}`, which take its features in different orders", node.name);
                let is_unknown = |order: &FeatureOrder| matches!(order, FeatureOrder::Unknown(_));
                match is_unknown(known) || is_unknown(&order) {
                    true => FeatureOrder::Unknown(reason),
                    false => FeatureOrder::Mixed(reason),
                }
            }
            Some(_) | None => order,
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
