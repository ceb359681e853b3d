//! Whole numbers with a scale: `w = (q − z) · s`, in `float32`, with one scale for all or one for each index of an
//! axis.
//!
//! bitsandbytes' `Int8Params` are of this kind: `w = q · SCB · 0.007874016`, the constant being 1/127 in `float32`.

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

use super::FormulaError;
use super::numbers::{Real, check_float, is_number, load, wider};

/// `w = (q − z) · s`, and times a constant.
#[derive(Debug)]
pub struct Scaled {
    weight: LazyTensor,
    scale: LazyTensor,
    zero_point: Option<LazyTensor>,
    dim: usize,
    times: Option<f32>,
}

impl Scaled {
    /// The whole numbers, their scale, and what is subtracted before. A vector of scales or zero points belongs to
    /// axis `dim`; a tensor with as many axes as the weight has a 1 for each axis that it does not have.
    ///
    /// # Errors
    /// When the weight is not of whole numbers, or the others do not fit it.
    pub fn new(
        weight: LazyTensor,
        scale: LazyTensor,
        zero_point: Option<LazyTensor>,
        dim: usize,
        times: Option<f32>,
    ) -> Result<Self, FormulaError> {
        let dtype = weight.dtype;
        if !is_number(dtype) || dtype.is_float() || dtype == Dtype::Bool {
            let expected = "whole numbers or floats of 8 bits";
            return Err(FormulaError::Type { role: "weight", dtype, expected });
        }
        check_float("scale", &scale)?;
        if let Some(zero) = zero_point.as_ref().filter(|zero| !is_number(zero.dtype)) {
            return Err(FormulaError::Type { role: "zero_point", dtype: zero.dtype, expected: "numbers" });
        }
        let scaled = Self { weight, scale, zero_point, dim, times };
        scaled.strides("scale", &scaled.scale)?;
        if let Some(zero) = &scaled.zero_point {
            scaled.strides("zero_point", zero)?;
        }
        Ok(scaled)
    }

    /// For each axis of the weight, how far one step is in a tensor that is spread over it.
    fn strides(&self, role: &'static str, tensor: &LazyTensor) -> Result<Vec<usize>, FormulaError> {
        let sizes = self.shape().sizes();
        let own = tensor.view.shape();
        if own.numel() == 1 {
            return Ok(vec![0; sizes.len()]);
        }
        let mut strides = vec![0; sizes.len()];
        match own.sizes() {
            &[length] if sizes.get(self.dim) == Some(&length) => {
                if let Some(stride) = strides.get_mut(self.dim) {
                    *stride = 1;
                }
                return Ok(strides);
            }
            spread if spread.len() == sizes.len() => {
                let steps = own.contiguous_strides();
                let mut fits = true;
                for ((stride, step), (&size, &whole)) in
                    strides.iter_mut().zip(steps).zip(spread.iter().zip(sizes))
                {
                    *stride = if size == 1 { 0 } else { step };
                    fits &= size == 1 || size == whole;
                }
                if fits {
                    return Ok(strides);
                }
            }
            _ => {}
        }
        let expected = format!(
            "one value, as many as axis {} has, or a shape that repeats to the weight's {} is needed",
            self.dim,
            self.shape()
        );
        Err(FormulaError::Shape { role, shape: own.clone(), expected })
    }

    pub(super) fn shape(&self) -> &Shape {
        self.weight.view.shape()
    }

    pub(super) fn dtype(&self) -> Dtype {
        wider([&self.scale])
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        [Some(&self.weight), Some(&self.scale), self.zero_point.as_ref()].into_iter().flatten().collect()
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let mut values = load::<T>(&self.weight)?;
        let sizes = self.shape().sizes().to_vec();
        if let Some(zero) = &self.zero_point {
            let (zeros, strides) = (load::<T>(zero)?, self.strides("zero_point", zero)?);
            each(&mut values, &sizes, &strides, |value, at| {
                *value = *value - zeros.get(at).copied().unwrap_or_default();
            });
        }
        let (scales, strides) = (load::<T>(&self.scale)?, self.strides("scale", &self.scale)?);
        let times = self.times.map(|times| T::nearest(times.into()));
        each(&mut values, &sizes, &strides, |value, at| {
            *value = *value * scales.get(at).copied().unwrap_or_default();
            if let Some(times) = times {
                *value = *value * times;
            }
        });
        Ok(values)
    }
}

/// Calls with every value, and the place in what is spread over it.
fn each<T>(values: &mut [T], sizes: &[usize], strides: &[usize], mut call: impl FnMut(&mut T, usize)) {
    let mut index = vec![0; sizes.len()];
    let mut at = 0;
    for value in values {
        call(value, at);
        for ((index, &size), &stride) in index.iter_mut().zip(sizes).zip(strides).rev() {
            *index += 1;
            at += stride;
            if *index < size {
                break;
            }
            at -= stride * size;
            *index = 0;
        }
    }
}
