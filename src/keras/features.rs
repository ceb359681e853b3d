//! How the features that a layer reads were ordered by what stands before it: who flattened a feature map,
//! and which layers may stand between.
//!
//! PyTorch keeps channels first, so flattening the same map gives another order of features there. Everything
//! that this module does not know to keep an order makes it unknown; nothing is guessed.

use crate::map::Map;

use super::architecture::FeatureOrder;
use super::flattening::{Order, Reader, all_of, of_input};
use super::json::InputShape;
use super::tree::{NodeId, StepKind, Tree, Wiring};

/// Calls that are followed before the rest counts as unknown. A model that calls a nested model twice at
/// each of thirty levels would take hours; `NASNetLarge`, with some two thousand calls, fits in fifty times.
pub(super) const MAX_CALLS: usize = 100_000;

/// Fills in the `features` of every layer below a model.
pub(super) fn propagate(tree: &mut Tree, root: NodeId) {
    let mut propagation = Propagation { orders: Map::default(), calls: 0 };
    propagation.model(tree, root, &[]);
    for (id, order) in propagation.orders {
        if let Some(node) = tree.nodes.get_mut(id) {
            node.features = Some(match order {
                Order::Channels(_) => FeatureOrder::Plain,
                Order::Flattened(sizes) => FeatureOrder::Flattened(sizes),
                Order::Mixed(reason) => FeatureOrder::Mixed(reason),
                Order::Unknown(reason) => FeatureOrder::Unknown(reason),
            });
        }
    }
}

struct Propagation {
    orders: Map<NodeId, Order>,
    calls: usize,
}

impl Propagation {
    /// Follows a model's graph from the orders of its inputs (those of input layers where there are none).
    fn model(&mut self, tree: &Tree, id: NodeId, inputs: &[Order]) -> Vec<Order> {
        let Some(Wiring { graph, order, kinds }) = tree.nodes.get(id).and_then(|node| node.graph.as_ref())
        else {
            return Vec::new();
        };
        let mut known: Map<(usize, usize), Vec<Order>> = Map::default();
        for (input, order) in graph.inputs.iter().zip(inputs) {
            known.insert((input.step, input.call), vec![order.clone()]);
        }
        // What the readers of a tensor say of its shape.
        let sizes: Map<(usize, usize), &InputShape> = graph
            .all_reads()
            .filter_map(|read| Some(((read.step, read.call), read.shape.as_ref()?)))
            .collect();
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
                Some(StepKind::Input(shape)) => vec![of_input(shape.as_ref().map(Vec::len))],
                Some(StepKind::Layer(node)) => {
                    self.layer(tree, *node, &orders, &shapes, sizes.get(&call).copied())
                }
                Some(StepKind::Operation(class, config)) => {
                    let shape = shapes.first().copied().flatten();
                    let reader = Reader { class, config, name, shape, output: sizes.get(&call).copied() };
                    vec![reader.operation(&orders)]
                }
                None => vec![Order::Unknown(format!("the output of `{name}`"))],
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
                return vec![Order::Unknown(format!(
                    "the output of `{}`, which is called too often",
                    node.name
                ))];
            }
            return self.model(tree, id, inputs);
        }
        let shape = shapes.first().copied().flatten();
        let reader = Reader { class: &node.class, config: &node.config, name: &node.name, shape, output };
        if node.class == "TimeDistributed"
            && let Some((_, child)) = node.children.first()
        {
            let steps = reader.steps(inputs);
            let Some(layer) = tree.nodes.get(*child) else { return Vec::new() };
            if layer.graph.is_none() {
                return vec![reader.each_step(&layer.class, &layer.config, &steps)];
            }
            let made = self.layer(tree, *child, &steps, &[], None);
            return made.into_iter().map(|order| reader.of_steps(order, &steps)).collect();
        }
        vec![reader.layer(inputs)]
    }

    /// Notes what a layer reads, and so the layers inside it that read it first.
    fn record(&mut self, tree: &Tree, id: NodeId, order: &Order) {
        let Some(node) = tree.nodes.get(id) else { return };
        let order = match self.orders.get(&id) {
            None => order.clone(),
            // What is known already is known of the layers inside too. Layers that share others would ask
            // without end.
            Some(Order::Unknown(_) | Order::Mixed(_)) => return,
            Some(Order::Channels(_)) if matches!(order, Order::Channels(_)) => return,
            Some(known) if known == order => return,
            Some(_) if matches!(order, Order::Unknown(_)) => order.clone(),
            Some(_) => {
                Order::Mixed(format!("what `{}` is called on, features of different orders", node.name))
            }
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

fn look_up(known: &Map<(usize, usize), Vec<Order>>, tensor: &super::graph::Tensor) -> Order {
    let made = known.get(&(tensor.step, tensor.call));
    // A layer with several results gives all of them one order.
    let order = made.and_then(|orders| orders.get(tensor.result).or_else(|| orders.first()));
    order.cloned().unwrap_or_else(|| Order::Unknown("a tensor that the graph does not tell".to_owned()))
}
