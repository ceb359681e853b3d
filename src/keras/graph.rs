//! The graph of a Functional model: its calls, and the order of its layers (`map_graph` in Keras'
//! `ops/function.py`).

use crate::map::{Map, Set};

use super::calls::{Call, Reader};
use super::error::ErrorKind;
use super::json::{Config, InputShape, Value, missing, setting, text, wrong};

/// The graph of a model. A Sequential model has one too: a chain.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Layers and operations, in the order of the configuration.
    pub(super) steps: Vec<Step>,
    /// The declared inputs.
    pub(super) inputs: Vec<Tensor>,
    /// The outputs, flattened.
    pub(super) outputs: Vec<Tensor>,
}

/// A layer or operation of the graph.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name, unique in the model.
    pub(super) name: String,
    /// Its calls.
    pub(super) calls: Vec<Call>,
}

/// A tensor: which call of which step made it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    /// The step.
    pub(super) step: usize,
    /// The call.
    pub(super) call: usize,
    /// Which of the call's results.
    pub(super) result: usize,
    /// Its shape, where the configuration tells it or it is inferred.
    pub(super) shape: Option<InputShape>,
}

/// The layers and calls of a graph in Keras' order.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The steps, inputs first, by falling depth.
    pub(super) steps: Vec<usize>,
    /// The calls (step, call), each after those that it reads from.
    pub(super) calls: Vec<(usize, usize)>,
}

impl Graph {
    /// Reads the graph of a Functional model's configuration. `is_born` tells the entries that Keras 3 makes a
    /// Functional model of.
    pub(super) fn read(config: Config<'_>, is_born: &dyn Fn(&Value) -> bool) -> Result<Self, ErrorKind> {
        let entries = entries(config)?;
        let mut by_name = Map::with_capacity_and_hasher(entries.len(), Default::default());
        for (at, entry) in entries.iter().enumerate() {
            let name = text(entry, "name")
                .or_else(|| setting(entry, "name").and_then(Value::as_str))
                .ok_or_else(|| missing(config.layer, "layers[].name"))?;
            if by_name.insert(name, at).is_some() {
                return Err(ErrorKind::DuplicatePath { path: join(config.layer, name) });
            }
        }
        let mut names = vec![""; entries.len()];
        for (&name, &at) in &by_name {
            if let Some(slot) = names.get_mut(at) {
                *slot = name;
            }
        }
        let reader = Reader { model: config.layer, by_name };
        let mut steps = Vec::with_capacity(entries.len());
        for (entry, name) in entries.iter().zip(names) {
            let nodes = match entry.get("inbound_nodes") {
                None | Some(Value::Null) => &[][..],
                Some(Value::Array(nodes)) => nodes,
                Some(_) => return Err(wrong(&join(config.layer, name), "inbound_nodes", "a list")),
            };
            let calls = nodes.iter().map(|node| reader.call(node)).collect::<Result<_, _>>()?;
            steps.push(Step { name: name.to_owned(), calls });
        }
        let mut inputs = Vec::new();
        let mut outputs = Vec::new();
        reader.leaves(config.need("input_layers")?, "input_layers", &mut inputs)?;
        reader.leaves(config.need("output_layers")?, "output_layers", &mut outputs)?;
        let born = entries.iter().map(is_born).collect::<Vec<_>>();
        let mut graph = Self { steps, inputs, outputs };
        graph.number_calls(config.layer, &born)?;
        Ok(graph)
    }

    /// A chain of steps, each reading the one before.
    pub(super) fn chain(names: Vec<String>) -> Self {
        let last = names.len().saturating_sub(1);
        let tensor = |step: usize| Tensor { step, call: 0, result: 0, shape: None };
        let outputs = if names.is_empty() { vec![] } else { vec![tensor(last)] };
        let inputs = if names.is_empty() { vec![] } else { vec![tensor(0)] };
        let steps = names.into_iter().enumerate().map(|(at, name)| {
            let call = at.checked_sub(1).map_or_else(Call::default, |before| Call::on(tensor(before)));
            Step { name, calls: vec![call] }
        });
        Self { steps: steps.collect(), inputs, outputs }
    }

    /// Makes every call index one of the step's calls. A nested model is born with a call of its own, so Keras 2
    /// counts its calls from one. So does Keras 3 where it tells the inputs and outputs of the model, and nowhere else
    /// (`functional.py`, `get_config` and `get_tensor`); from zero one is taken away there as in Python, which makes
    /// the last call of it. An input layer is never called, and has one call that reads nothing.
    fn number_calls(&mut self, model: &str, born: &[bool]) -> Result<(), ErrorKind> {
        for step in &mut self.steps {
            if step.calls.is_empty() {
                step.calls.push(Call::default());
            }
        }
        let counts: Vec<usize> = self.steps.iter().map(|step| step.calls.len()).collect();
        for tensor in self.inputs.iter_mut().chain(&mut self.outputs) {
            if born.get(tensor.step) == Some(&true) {
                let last = counts.get(tensor.step).map_or(0, |count| count.saturating_sub(1));
                tensor.call = tensor.call.checked_sub(1).unwrap_or(last);
            }
        }
        let mut from_one = Set::default();
        for tensor in self.tensors_mut() {
            if counts.get(tensor.step).is_some_and(|&count| tensor.call >= count) {
                from_one.insert(tensor.step);
            }
        }
        let names: Vec<String> = self.steps.iter().map(|step| step.name.clone()).collect();
        for tensor in self.tensors_mut() {
            let node = tensor.call;
            if from_one.contains(&tensor.step) {
                tensor.call = tensor.call.saturating_sub(1);
            }
            // Keras 3.0 counts the calls in other models too; of one call there is no doubt.
            if counts.get(tensor.step) == Some(&1) {
                tensor.call = 0;
            }
            if counts.get(tensor.step).is_none_or(|&count| tensor.call >= count) {
                let layer = names.get(tensor.step).cloned().unwrap_or_else(String::new);
                return Err(ErrorKind::UnknownCall { model: model.into(), layer, node });
            }
        }
        Ok(())
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        let calls = self.steps.iter_mut().flat_map(|step| &mut step.calls);
        calls.flat_map(|call| &mut call.reads).chain(self.inputs.iter_mut()).chain(self.outputs.iter_mut())
    }

    /// A call of a step.
    pub(super) fn call(&self, (step, call): (usize, usize)) -> Option<&Call> {
        self.steps.get(step)?.calls.get(call)
    }

    /// What a call reads.
    pub(super) fn reads(&self, call: (usize, usize)) -> &[Tensor] {
        self.call(call).map_or(&[], |call| &call.reads)
    }

    /// What all calls read.
    pub(super) fn all_reads(&self) -> impl Iterator<Item = &Tensor> {
        self.steps.iter().flat_map(|step| &step.calls).flat_map(|call| &call.reads)
    }

    /// Keras' order: depth first from the outputs, then by falling distance from them.
    pub(super) fn order(&self, model: &str) -> Result<Order, ErrorKind> {
        let key = |tensor: &Tensor| (tensor.step, tensor.call);
        let cuts: Set<_> = self
            .inputs
            .iter()
            .filter(|tensor| !self.reads(key(tensor)).is_empty())
            .map(|tensor| (tensor.step, tensor.call, tensor.result))
            .collect();
        let is_cut = |tensor: &Tensor| cuts.contains(&(tensor.step, tensor.call, tensor.result));
        let mut first_seen: Map<usize, usize> = Map::default();
        let mut finished = Set::default();
        let mut open = Set::default();
        let mut calls = Vec::new();
        let mut stack: Vec<((usize, usize), usize)> = Vec::new();
        for output in &self.outputs {
            let mut next = Some(output);
            loop {
                if let Some(tensor) = next.take() {
                    let node = key(tensor);
                    if open.contains(&node) {
                        let layer = self.steps.get(node.0).map_or("", |step| &step.name).to_owned();
                        return Err(ErrorKind::Cycle { model: model.into(), layer });
                    }
                    if is_cut(tensor) {
                        finished.insert(node);
                    }
                    if !finished.contains(&node) {
                        let seen = first_seen.len();
                        first_seen.entry(node.0).or_insert(seen);
                        open.insert(node);
                        stack.push((node, 0));
                    }
                }
                let Some((node, at)) = stack.last_mut() else { break };
                if let Some(tensor) = self.reads(*node).get(*at) {
                    *at += 1;
                    next = Some(tensor);
                } else {
                    let node = *node;
                    stack.pop();
                    open.remove(&node);
                    finished.insert(node);
                    calls.push(node);
                }
            }
        }

        let mut call_depth: Map<(usize, usize), usize> = Map::default();
        let mut depth: Map<usize, usize> = Map::default();
        let in_graph: Set<_> = calls.iter().copied().collect();
        for &node in calls.iter().rev() {
            let of_call = call_depth.get(&node).copied().unwrap_or(0);
            let of_step = depth.get(&node.0).copied().unwrap_or(0);
            let deeper = of_call.max(of_step);
            call_depth.insert(node, deeper);
            depth.insert(node.0, deeper);
            for tensor in self.reads(node).iter().filter(|tensor| in_graph.contains(&key(tensor))) {
                let parent = call_depth.entry(key(tensor)).or_insert(0);
                *parent = (*parent).max(deeper + 1);
            }
        }
        // Unused inputs stand at depth 0, before everything else there, in the order of declaration.
        let mut steps: Vec<(usize, usize, usize)> = Vec::with_capacity(depth.len());
        for input in &self.inputs {
            let is_input = self.reads(key(input)).is_empty();
            if is_input && !depth.contains_key(&input.step) {
                depth.insert(input.step, 0);
                steps.push((0, 0, input.step));
            }
        }
        for (&step, &seen) in &first_seen {
            steps.push((depth.get(&step).copied().unwrap_or(0), seen + 1, step));
        }
        steps.sort_by_key(|&(depth, seen, _)| (std::cmp::Reverse(depth), seen));
        Ok(Order { steps: steps.into_iter().map(|(_, _, step)| step).collect(), calls })
    }
}

/// The serialized layers of a model.
pub(super) fn entries<'a>(config: Config<'a>) -> Result<&'a [Value], ErrorKind> {
    match config.need("layers")? {
        Value::Array(entries) => Ok(entries),
        _ => Err(config.wrong("layers", "a list")),
    }
}

/// A path with a name behind.
pub(super) fn join(path: &str, name: &str) -> String {
    let mut joined = String::with_capacity(path.len() + 1 + name.len());
    joined.push_str(path);
    extend(&mut joined, name);
    joined
}

/// Puts a name behind a path.
pub(super) fn extend(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(name);
}

#[cfg(test)]
mod tests {
    use crate::keras::json::json;

    use super::*;

    /// A graph from `name: parents` pairs; `in` reads nothing.
    fn check(layers: &[(&str, &[&str])], output: &str, expected: &[&str]) {
        let entry = |(name, reads): &(&str, &[&str])| {
            let args: Vec<Value> = reads
                .iter()
                .map(|read| {
                    json!({"class_name": "__keras_tensor__",
                           "config": {"shape": [null, 3], "keras_history": [read, 0, 0]}})
                })
                .collect();
            let nodes = if args.is_empty() { json!([]) } else { json!([{"args": [args], "kwargs": {}}]) };
            json!({"name": name, "inbound_nodes": nodes})
        };
        let entries: Vec<Value> = layers.iter().map(entry).collect();
        let object = json!({"config": {
            "layers": entries, "input_layers": ["in", 0, 0], "output_layers": [[output, 0, 0]]}});
        let graph = Graph::read(Config::of(&object, "").unwrap(), &|_| false).unwrap();
        let order = graph.order("").unwrap();
        let names: Vec<&str> = order.steps.iter().map(|&step| graph.steps[step].name.as_str()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn order_of_branches() {
        let layers: &[(&str, &[&str])] = &[("in", &[]), ("p", &["in"]), ("q1", &["in"]), ("q2", &["q1"])];
        let with = |reads: &'static [&'static str]| [layers, &[("cat", reads)]].concat();
        check(&with(&["p", "q2"]), "cat", &["in", "q1", "p", "q2", "cat"]);
        check(&with(&["q2", "p"]), "cat", &["in", "q1", "q2", "p", "cat"]);
    }

    /// A nested model that is called twice: outputs count its calls from one in Keras 3, other calls from zero; in
    /// Keras 2 both from one.
    #[test]
    fn calls_of_a_nested_model() {
        let check = |is_born: bool, reads: usize, output: usize, expected: (usize, usize)| {
            let tensor = |name: &str, call: usize| {
                json!({"class_name": "__keras_tensor__",
                       "config": {"shape": [null, 3], "keras_history": [name, call, 0]}})
            };
            let node = |name: &str, call: usize| json!({"args": [tensor(name, call)], "kwargs": {}});
            let object = json!({"config": {
                "layers": [
                    {"name": "in", "inbound_nodes": []},
                    {"name": "model", "inbound_nodes": [node("in", 0), node("in", 0)]},
                    {"name": "after", "inbound_nodes": [node("model", reads)]},
                ],
                "input_layers": ["in", 0, 0],
                "output_layers": {"a": ["after", 0, 0], "b": ["model", output, 0]}}});
            let born = |entry: &Value| is_born && entry.get("name") == Some(&json!("model"));
            let graph = Graph::read(Config::of(&object, "").unwrap(), &born).unwrap();
            let found = (graph.reads((2, 0))[0].call, graph.outputs[1].call);
            assert_eq!(found, expected, "{is_born} {reads} {output}");
        };
        for (reads, output, expected) in
            [(0, 1, (0, 0)), (0, 2, (0, 1)), (1, 1, (1, 0)), (1, 2, (1, 1)), (1, 0, (1, 1))]
        {
            check(true, reads, output, expected);
        }
        for (reads, output, expected) in [(1, 2, (0, 1)), (2, 1, (1, 0)), (2, 2, (1, 1))] {
            check(false, reads, output, expected);
        }
    }

    #[test]
    fn a_cycle_is_an_error() {
        let tensor = |name: &str| json!({"class_name": "__keras_tensor__", "config": {"shape": [], "keras_history": [name, 0, 0]}});
        let object = json!({"config": {
            "layers": [{"name": "a", "inbound_nodes": [{"args": [tensor("b")]}]},
                       {"name": "b", "inbound_nodes": [{"args": [tensor("a")]}]}],
            "input_layers": [], "output_layers": ["a", 0, 0]}});
        let graph = Graph::read(Config::of(&object, "").unwrap(), &|_| false).unwrap();
        assert!(matches!(graph.order(""), Err(ErrorKind::Cycle { .. })));
    }
}
