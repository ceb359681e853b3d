//! A call of a layer or operation, as the functions that tell its output shapes see it.

use crate::keras::architecture::Generation;
use crate::keras::calls::{Argument, Arguments};
use crate::keras::inferred::Inferred;
use crate::keras::json::{Config, InputShape, Value};

use super::arithmetic::constant_shape;

/// A layer or operation with what it is called with.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The class.
    pub(super) class: &'a str,
    /// The configuration.
    pub(super) config: Config<'a>,
    /// The arguments.
    pub(super) arguments: &'a Arguments,
    /// The shapes of the tensors that the call reads.
    pub(super) shapes: &'a [Inferred],
    /// The generation of Keras.
    pub(super) generation: Generation,
}

impl<'a> Reading<'a> {
    /// The shape of the first tensor.
    pub(super) fn input(&self) -> Option<&'a InputShape> {
        self.shape(*self.arguments.first()?.tensors().first()?)
    }

    /// The shapes of all tensors in the first argument.
    pub(super) fn inputs(&self) -> Option<Vec<&'a InputShape>> {
        let tensors = self.arguments.first()?.tensors();
        tensors.into_iter().map(|at| self.shape(at)).collect()
    }

    /// The shape of one of the tensors that are read.
    pub(super) fn shape(&self, at: usize) -> Option<&'a InputShape> {
        self.shapes.get(at)?.as_ref().ok()
    }

    /// The shape of an argument: a tensor or a constant.
    pub(super) fn shape_of(&self, argument: &Argument) -> Option<InputShape> {
        match argument {
            Argument::Tensor(at) => self.shape(*at).cloned(),
            Argument::Constant(value) => constant_shape(value),
            Argument::List(items) => {
                // A list of tensors of one shape is stacked.
                let shapes = items.iter().map(|item| self.shape_of(item)).collect::<Option<Vec<_>>>()?;
                let first = shapes.first()?;
                let is_one = shapes.iter().all(|shape| shape == first);
                is_one.then(|| [&[Some(shapes.len())], first.as_slice()].concat())
            }
            Argument::Fields(_) => None,
        }
    }

    /// The shape of the argument of that name or at that position.
    pub(super) fn operand(&self, name: &str, position: usize) -> Option<InputShape> {
        self.shape_of(self.arguments.get(name, position)?)
    }

    /// A setting of an operation: from the configuration (Keras 3), or an argument (Keras 2, and what Keras 3
    /// passes). A null counts as absent.
    pub(super) fn setting(&self, name: &str) -> Option<&'a Value> {
        self.config.get(name).or_else(|| match self.arguments.named(name)? {
            Argument::Constant(value) if !value.is_null() => Some(value),
            _ => None,
        })
    }

    /// Whether a setting is there that is no constant.
    pub(super) fn is_computed(&self, name: &str) -> bool {
        matches!(
            self.arguments.named(name),
            Some(Argument::Tensor(_) | Argument::List(_) | Argument::Fields(_))
        )
    }

    /// A flag among the settings.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.setting(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// An axis among the settings.
    pub(super) fn axis(&self, name: &str) -> Option<i64> {
        self.setting(name).and_then(Value::as_i64)
    }

    /// The axes among the settings: one or a list; `None` when the setting is absent.
    pub(super) fn axes(&self, name: &str) -> Option<Vec<i64>> {
        match self.setting(name)? {
            Value::Array(items) => items.iter().map(Value::as_i64).collect(),
            one => one.as_i64().map(|axis| vec![axis]),
        }
    }
}
