//! Pruning: `torch.nn.utils.prune`. The values are torch's, bit for bit.

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

use super::FormulaError;
use super::numbers::{Real, check_float, is_number, load, wider};

/// `w = weight · mask`.
#[derive(Debug)]
pub struct Masked {
    weight: LazyTensor,
    mask: LazyTensor,
}

impl Masked {
    /// The weight and what is kept of it.
    ///
    /// # Errors
    /// When the shapes are not equal.
    pub fn new(weight: LazyTensor, mask: LazyTensor) -> Result<Self, FormulaError> {
        check_float("weight", &weight)?;
        if !is_number(mask.dtype) {
            return Err(FormulaError::Type { role: "mask", dtype: mask.dtype, expected: "numbers" });
        }
        if weight.view.shape() != mask.view.shape() {
            let expected = format!("the weight's shape {} is needed", weight.view.shape());
            return Err(FormulaError::Shape { role: "mask", shape: mask.view.shape().clone(), expected });
        }
        Ok(Self { weight, mask })
    }

    pub(super) fn shape(&self) -> &Shape {
        self.weight.view.shape()
    }

    pub(super) fn dtype(&self) -> Dtype {
        // The mask takes the weight's type.
        wider([&self.weight])
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.weight, &self.mask]
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let mask = load::<T>(&self.mask)?;
        let mut values = load::<T>(&self.weight)?;
        values.iter_mut().zip(mask).for_each(|(value, mask)| *value = *value * mask);
        Ok(values)
    }
}
