//! Spectral normalization: `torch.nn.utils.spectral_norm` and `torch.nn.utils.parametrizations.spectral_norm`, in
//! evaluation mode.
//!
//! ```text
//! w = weight / σ       σ = u · (W v)       W: the weight as a matrix, axis `dim` first, the others in order
//! ```
//!
//! torch adds σ in `float32`, in an order that depends on the machine; here it is added in `float64` and rounded
//! once, so the values may differ from torch's in the last bits, all by one factor.

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

use super::FormulaError;
use super::numbers::{Real, check_float, load, wider};

/// How near `u` is to the direction of `W v`, from 0 to 1, along an axis that the vectors were made along: torch makes
/// `u` of `v` in each step of training, after which the weight changes by one step.
const ALIGNED: f64 = 0.9;
/// What is too far from it for the axis that was taken, where another is aligned.
const ASTRAY: f64 = 0.7;

/// `w = weight / (u · W v)`.
#[derive(Debug)]
pub struct SpectralNorm {
    weight: LazyTensor,
    u: LazyTensor,
    v: LazyTensor,
    dim: usize,
    /// The axes that the lengths of the vectors fit.
    fitting: Vec<usize>,
}

impl SpectralNorm {
    /// The weight and its two singular vectors. `dim` is the axis that `u` belongs to: torch's default is 1 for
    /// transposed convolutions and 0 for all else. The lengths tell it too; `dim` decides where they fit several
    /// axes.
    ///
    /// # Errors
    /// When `u` and `v` do not fit the weight, or fit several axes and `dim` does not say which.
    pub fn new(
        weight: LazyTensor,
        u: LazyTensor,
        v: LazyTensor,
        dim: Option<usize>,
    ) -> Result<Self, FormulaError> {
        for (role, tensor) in [("weight", &weight), ("u", &u), ("v", &v)] {
            check_float(role, tensor)?;
        }
        let shape = weight.view.shape();
        let (rows, columns) = (u.view.shape(), v.view.shape());
        let fits = |&axis: &usize| {
            let size = shape.sizes().get(axis).copied().unwrap_or(0);
            rows.sizes() == [size]
                && columns.rank() == 1
                && size.checked_mul(columns.numel()) == Some(shape.numel())
        };
        let fitting: Vec<usize> = (0..shape.rank()).filter(fits).collect();
        let dim = match (fitting.as_slice(), dim) {
            ([], _) => {
                let expected = format!(
                    "the length of an axis of the weight's shape {shape} is needed, and as many values in `v`, whose \
                     shape is {columns}, as the other axes have"
                );
                return Err(FormulaError::Shape { role: "u", shape: rows.clone(), expected });
            }
            (fitting, Some(dim)) if fitting.contains(&dim) => dim,
            (_, Some(dim)) if shape.sizes().get(dim).is_some_and(|&size| size > 1) && fitting.len() > 1 => {
                let expected = format!("the length of axis {dim} of the weight's shape {shape} is needed");
                return Err(FormulaError::Shape { role: "u", shape: rows.clone(), expected });
            }
            (&[only], _) => only,
            (&[first, second, ..], _) => {
                let (length, shape) = (rows.numel(), shape.clone());
                return Err(FormulaError::Dim { length, first, second, shape });
            }
        };
        Ok(Self { weight, u, v, dim, fitting })
    }

    /// The axis that `u` belongs to.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// Another axis than `dim` that the vectors were made along, as their values show: `u` has the direction of `W v`
    /// there, and not along `dim`. Reads values only where the lengths fit several axes.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn made_along_another(&self) -> Result<Option<usize>, LoadError> {
        if self.fitting.len() < 2 {
            return Ok(None);
        }
        let (u, v) = (load::<f64>(&self.u)?, load::<f64>(&self.v)?);
        let weight = load::<f64>(&self.weight)?;
        let alignment = |axis: usize| {
            let products = self.matrix_by(&weight, &v, axis);
            let inner: f64 = u.iter().zip(&products).map(|(u, product)| u * product).sum();
            let norm = |vector: &[f64]| vector.iter().map(|value| value * value).sum::<f64>().sqrt();
            (inner / (norm(&u) * norm(&products))).abs()
        };
        if alignment(self.dim) >= ASTRAY {
            return Ok(None);
        }
        Ok(self
            .fitting
            .iter()
            .copied()
            .filter(|&axis| axis != self.dim)
            .find(|&axis| alignment(axis) >= ALIGNED))
    }

    /// `W v`, with `W` the weight as a matrix, this axis first.
    fn matrix_by(&self, weight: &[f64], v: &[f64], axis: usize) -> Vec<f64> {
        let sizes = self.shape().sizes();
        let size = sizes.get(axis).copied().unwrap_or(1);
        let inner = sizes.iter().skip(axis + 1).product::<usize>().max(1);
        let mut products = vec![0.0; size];
        for (rows, v) in weight.chunks_exact(inner.saturating_mul(size).max(1)).zip(v.chunks_exact(inner)) {
            for (row, product) in rows.chunks_exact(inner).zip(&mut products) {
                *product += row.iter().zip(v).map(|(value, v)| value * v).sum::<f64>();
            }
        }
        products
    }

    pub(super) fn shape(&self) -> &Shape {
        self.weight.view.shape()
    }

    pub(super) fn dtype(&self) -> Dtype {
        wider(self.sources())
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.weight, &self.u, &self.v]
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let (u, v) = (load::<T>(&self.u)?, load::<T>(&self.v)?);
        let mut values = load::<T>(&self.weight)?;
        let sizes = self.shape().sizes();
        let axis = sizes.get(self.dim).copied().unwrap_or(1);
        let inner: usize = sizes.iter().skip(self.dim + 1).product();
        let mut sigma = 0.0;
        // Element (outer, axis, inner) of the weight is element (axis, outer · inner) of the matrix.
        let rows = values.chunks_exact(inner.saturating_mul(axis).max(1)).zip(v.chunks_exact(inner.max(1)));
        for (rows, v) in rows {
            for (row, u) in rows.chunks_exact(inner.max(1)).zip(&u) {
                let product: f64 = row.iter().zip(v).map(|(value, v)| value.wide() * v.wide()).sum();
                sigma += u.wide() * product;
            }
        }
        let sigma = T::nearest(sigma);
        values.iter_mut().for_each(|value| *value = *value / sigma);
        Ok(values)
    }
}
