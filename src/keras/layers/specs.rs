//! Variables under construction.

use crate::keras::error::ErrorKind;
use crate::tensor::{Dtype, Shape};

/// A variable that a layer owns.
#[derive(Debug, Clone)]
pub(in crate::keras) struct Spec {
    /// Its name.
    pub(in crate::keras) name: &'static str,
    /// Its shape.
    pub(in crate::keras) shape: Shape,
    /// Its element type.
    pub(in crate::keras) dtype: Dtype,
    /// Whether it is created trainable.
    pub(in crate::keras) trainable: bool,
    /// The value that Keras gives it, when it is one of Keras' own bookkeeping that no checkpoint has.
    pub(in crate::keras) initial: Option<f64>,
}

/// The variables of a layer, in order.
pub(in crate::keras) struct Specs<'a> {
    layer: &'a str,
    /// The element type of those to come.
    pub(super) dtype: Dtype,
    pub(super) list: Vec<Spec>,
}

impl<'a> Specs<'a> {
    /// None yet; those to come have that element type.
    pub(in crate::keras) fn new(layer: &'a str, dtype: Dtype) -> Self {
        Self { layer, dtype, list: Vec::new() }
    }

    /// All of them.
    pub(in crate::keras) fn finish(self) -> Vec<Spec> {
        self.list
    }

    fn push(&mut self, name: &'static str, sizes: Vec<usize>, trainable: bool) -> Result<(), ErrorKind> {
        let shape = Shape::new(sizes)
            .map_err(|source| ErrorKind::VariableShape { layer: self.layer.into(), source })?;
        self.list.push(Spec { name, shape, dtype: self.dtype, trainable, initial: None });
        Ok(())
    }

    /// A trainable variable.
    pub(in crate::keras) fn weight(
        &mut self,
        name: &'static str,
        sizes: Vec<usize>,
    ) -> Result<(), ErrorKind> {
        self.push(name, sizes, true)
    }

    /// A trainable variable that a switch may turn off.
    pub(super) fn weight_if(
        &mut self,
        exists: bool,
        name: &'static str,
        sizes: Vec<usize>,
    ) -> Result<(), ErrorKind> {
        if exists { self.weight(name, sizes) } else { Ok(()) }
    }

    /// A variable that is not trained.
    pub(in crate::keras) fn statistic(
        &mut self,
        name: &'static str,
        sizes: Vec<usize>,
    ) -> Result<(), ErrorKind> {
        self.push(name, sizes, false)
    }

    /// What float8 training keeps besides the kernel and bias, which stay as they are: a scale and the last
    /// maxima for the inputs, the kernel and the gradient, always in float32 (`_float8_build` in Keras'
    /// `dense.py`).
    pub(in crate::keras) fn float8(&mut self, history: usize) -> Result<(), ErrorKind> {
        self.dtype = Dtype::F32;
        for (scale, maxima) in [
            ("inputs_scale", "inputs_amax_history"),
            ("kernel_scale", "kernel_amax_history"),
            ("outputs_grad_scale", "outputs_grad_amax_history"),
        ] {
            for (name, sizes, initial) in [(scale, vec![], 1.0), (maxima, vec![history], 0.0)] {
                self.weight(name, sizes)?;
                if let Some(spec) = self.list.last_mut() {
                    spec.initial = Some(initial);
                }
            }
        }
        Ok(())
    }
}
