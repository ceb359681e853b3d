//! The calls of a Functional model's layers, as its configuration has them: `inbound_nodes`.
//!
//! Keras 3 writes `{"args": [...], "kwargs": {...}}` with tensors as `__keras_tensor__` objects. Keras 2 writes
//! the first argument as `[layer, call, result, kwargs]`, or a list or dictionary of those, and every other
//! argument in `kwargs`, with tensors as `[layer, call, result]` (`functional.py` and `node.py` of Keras 2.15).
//! Keras 3 reads both.

use crate::map;

use super::error::ErrorKind;
use super::graph::Tensor;
use super::json::{Fields, Value, input_shape, missing, setting, size, text, wrong};

/// What Keras 2 writes in the place of a layer's name before a constant.
const CONSTANT: &str = "_CONSTANT_VALUE";

/// One call of a layer or operation.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The tensors that it reads: those of the arguments in order, dictionaries by key.
    pub(super) reads: Vec<Tensor>,
    /// What it is called with.
    pub(super) arguments: Arguments,
}

impl Call {
    /// A call on one tensor.
    pub(super) fn on(tensor: Tensor) -> Self {
        let arguments = Arguments { positional: vec![Argument::Tensor(0)], named: Vec::new() };
        Self { reads: vec![tensor], arguments }
    }
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    positional: Vec<Argument>,
    named: Vec<(String, Argument)>,
}

/// An argument.
#[derive(Debug)]
pub(super) enum Argument {
    /// One of the tensors that the call reads, by its index there.
    Tensor(usize),
    /// A list that holds tensors.
    List(Vec<Argument>),
    /// A dictionary that holds tensors, by key.
    Fields(Vec<(String, Argument)>),
    /// Anything without tensors.
    Constant(Value),
}

impl Arguments {
    /// The argument at a position, or of that name.
    pub(super) fn get(&self, name: &str, position: usize) -> Option<&Argument> {
        self.positional.get(position).or_else(|| self.named(name))
    }

    /// The argument of that name.
    pub(super) fn named(&self, name: &str) -> Option<&Argument> {
        self.named.iter().find(|(other, _)| other == name).map(|(_, argument)| argument)
    }

    /// The first argument: layers name theirs differently.
    pub(super) fn first(&self) -> Option<&Argument> {
        self.positional.first().or_else(|| self.named.first().map(|(_, argument)| argument))
    }

    /// All arguments without a name.
    pub(super) fn positional(&self) -> &[Argument] {
        &self.positional
    }

    /// Whether a flag of that name is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.named(name), Some(Argument::Constant(Value::Bool(true))))
    }
}

impl Argument {
    /// The indices of the tensors in it.
    pub(super) fn tensors(&self) -> Vec<usize> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect(&self, found: &mut Vec<usize>) {
        match self {
            Self::Tensor(at) => found.push(*at),
            Self::List(items) => items.iter().for_each(|item| item.collect(found)),
            Self::Fields(fields) => fields.iter().for_each(|(_, item)| item.collect(found)),
            Self::Constant(_) => {}
        }
    }

    fn has_tensors(&self) -> bool {
        !matches!(self, Self::Constant(_))
    }
}

/// Reads references to the layers of one model.
pub(super) struct Reader<'a> {
    /// The model, from the root.
    pub(super) model: &'a str,
    /// Its layers' positions.
    pub(super) by_name: map::Map<&'a str, usize>,
}

impl Reader<'_> {
    /// One entry of `inbound_nodes`.
    pub(super) fn call(&self, node: &Value) -> Result<Call, ErrorKind> {
        let mut call = Call::default();
        match node {
            Value::Array(_) => self.legacy(node, &mut call)?,
            _ => {
                if let Some(Value::Array(items)) = node.get("args") {
                    for item in items.iter() {
                        let argument = self.argument(item, &mut call.reads, &Self::keras_tensor)?;
                        call.arguments.positional.push(argument);
                    }
                }
                if let Some(Value::Object(fields)) = node.get("kwargs") {
                    call.arguments.named = self.fields(fields, &mut call.reads, &Self::keras_tensor)?;
                }
            }
        }
        Ok(call)
    }

    /// A node of Keras 2. Its `kwargs` are repeated behind each tensor of the first argument, and Keras takes
    /// the last ones.
    fn legacy(&self, node: &Value, call: &mut Call) -> Result<(), ErrorKind> {
        let mut kwargs = None;
        let mut first = self.legacy_first(node, &mut call.reads, &mut kwargs)?;
        // A list of one tensor is that tensor.
        if let Argument::List(items) = &mut first
            && items.len() == 1
            && let Some(only) = items.pop()
        {
            first = only;
        }
        call.arguments.positional.push(first);
        if let Some(fields) = kwargs {
            call.arguments.named = self.fields(fields, &mut call.reads, &Self::legacy_tensor)?;
        }
        Ok(())
    }

    fn legacy_first<'v>(
        &self,
        value: &'v Value,
        reads: &mut Vec<Tensor>,
        kwargs: &mut Option<&'v Fields>,
    ) -> Result<Argument, ErrorKind> {
        match value {
            Value::Array(items) if is_reference(items) => {
                if let Some(Value::Object(fields)) = items.get(3) {
                    *kwargs = Some(fields);
                }
                if items.first().and_then(Value::as_str) == Some(CONSTANT) {
                    return Ok(Argument::Constant(items.get(2).cloned().unwrap_or(Value::Null)));
                }
                let history = items.get(..3).unwrap_or(items);
                reads.push(self.tensor(history, "inbound_nodes")?);
                Ok(Argument::Tensor(reads.len() - 1))
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.legacy_first(item, reads, kwargs));
                Ok(Argument::List(items.collect::<Result<_, _>>()?))
            }
            Value::Object(fields) => {
                let fields = sorted(fields)
                    .into_iter()
                    .map(|(key, item)| Ok((key.to_owned(), self.legacy_first(item, reads, kwargs)?)));
                Ok(Argument::Fields(fields.collect::<Result<_, ErrorKind>>()?))
            }
            _ => Err(wrong(self.model, "inbound_nodes", "lists of [name, call, result, arguments]")),
        }
    }

    fn argument(
        &self,
        value: &Value,
        reads: &mut Vec<Tensor>,
        tensor: &TensorReader<Self>,
    ) -> Result<Argument, ErrorKind> {
        if let Some(tensor) = tensor(self, value)? {
            reads.push(tensor);
            return Ok(Argument::Tensor(reads.len() - 1));
        }
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.argument(item, reads, tensor));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                let has_tensors = items.iter().any(Argument::has_tensors);
                Ok(if has_tensors { Argument::List(items) } else { Argument::Constant(value.clone()) })
            }
            Value::Object(fields) => {
                let fields = self.fields(fields, reads, tensor)?;
                let has_tensors = fields.iter().any(|(_, item)| item.has_tensors());
                Ok(if has_tensors { Argument::Fields(fields) } else { Argument::Constant(value.clone()) })
            }
            _ => Ok(Argument::Constant(value.clone())),
        }
    }

    fn fields(
        &self,
        fields: &Fields,
        reads: &mut Vec<Tensor>,
        tensor: &TensorReader<Self>,
    ) -> Result<Vec<(String, Argument)>, ErrorKind> {
        let field = |(key, item): (&str, &Value)| Ok((key.to_owned(), self.argument(item, reads, tensor)?));
        sorted(fields).into_iter().map(field).collect()
    }

    fn keras_tensor(&self, value: &Value) -> Result<Option<Tensor>, ErrorKind> {
        if text(value, "class_name") != Some("__keras_tensor__") {
            return Ok(None);
        }
        let history = setting(value, "keras_history").and_then(Value::as_array);
        let history = history.ok_or_else(|| missing(self.model, "keras_history"))?;
        let mut tensor = self.tensor(history, "keras_history")?;
        tensor.shape = setting(value, "shape").and_then(input_shape);
        Ok(Some(tensor))
    }

    /// Keras 2 takes every list of three or four that starts with a text for a tensor.
    fn legacy_tensor(&self, value: &Value) -> Result<Option<Tensor>, ErrorKind> {
        match value {
            Value::Array(items) if is_reference(items) && items.get(1).is_some_and(Value::is_number) => {
                let history = items.get(..3).unwrap_or(items);
                self.tensor(history, "inbound_nodes").map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The leaves `[name, call, result]` of `input_layers` and `output_layers`.
    pub(super) fn leaves(
        &self,
        value: &Value,
        field: &str,
        found: &mut Vec<Tensor>,
    ) -> Result<(), ErrorKind> {
        match value {
            Value::Array(items) if items.len() == 3 && items.iter().take(1).all(Value::is_string) => {
                found.push(self.tensor(items, field)?);
                Ok(())
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.leaves(item, field, found)),
            Value::Object(fields) => {
                sorted(fields).into_iter().try_for_each(|(_, item)| self.leaves(item, field, found))
            }
            _ => Err(wrong(self.model, field, "lists of [name, call, result]")),
        }
    }

    fn tensor(&self, history: &[Value], field: &str) -> Result<Tensor, ErrorKind> {
        let malformed = || wrong(self.model, field, "[name, call, result]");
        let [Value::String(name), call, result] = history else { return Err(malformed()) };
        let (call, result) = (size(call).ok_or_else(malformed)?, size(result).ok_or_else(malformed)?);
        let step = self.by_name.get(&**name).copied().ok_or_else(|| ErrorKind::UnknownCall {
            model: self.model.into(),
            layer: name.to_string(),
            node: call,
        })?;
        Ok(Tensor { step, call, result, shape: None })
    }
}

/// How one generation writes a tensor; `None` for what is none.
type TensorReader<R> = dyn Fn(&R, &Value) -> Result<Option<Tensor>, ErrorKind>;

fn is_reference(items: &[Value]) -> bool {
    (3..=4).contains(&items.len()) && items.first().is_some_and(Value::is_string)
}

fn sorted(fields: &Fields) -> Vec<(&str, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|&(key, _)| key);
    fields
}
