//! Weight normalization: `torch.nn.utils.weight_norm` and `torch.nn.utils.parametrizations.weight_norm`.
//!
//! ```text
//! w = v · (g / ‖v‖)       ‖v‖ over all axes but the one that g has; over all where g is a single number
//! ```
//!
//! `g` keeps the axis with its size and has a 1 for each other, so its shape tells which one was kept (`dim`). For
//! the first axis, the default, the values are those of torch 2.15's `_weight_norm` on x86 with AVX2 or more, bit for
//! bit: squares are added in the lanes of a 32-byte register, and the lanes in halves. For other axes torch's sum
//! depends on its threads; here it is added in `float64` and rounded once.

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

use super::FormulaError;
use super::numbers::{Real, check_float, load, wider};

/// `w = v · (g / ‖v‖)`.
#[derive(Debug)]
pub struct WeightNorm {
    g: LazyTensor,
    v: LazyTensor,
    /// The axis that is kept, or none.
    dim: Option<usize>,
}

impl WeightNorm {
    /// The magnitudes and the directions.
    ///
    /// # Errors
    /// When `g` is not one number, and not of the shape of `v` with all sizes but one replaced by 1.
    pub fn new(g: LazyTensor, v: LazyTensor) -> Result<Self, FormulaError> {
        check_float("g", &g)?;
        check_float("v", &v)?;
        let (magnitudes, directions) = (g.view.shape().sizes(), v.view.shape().sizes());
        let mut pairs = magnitudes.iter().zip(directions);
        let fits = magnitudes.is_empty()
            || magnitudes.len() == directions.len() && pairs.all(|(&g, &v)| g == 1 || g == v);
        let kept: Vec<usize> =
            magnitudes.iter().enumerate().filter(|&(_, &size)| size != 1).map(|(axis, _)| axis).collect();
        let dim = match kept.as_slice() {
            _ if !fits => Err(()),
            &[axis] => Ok(Some(axis)),
            [] if magnitudes.is_empty() => Ok(None),
            // The axis that is kept has one index, so the norm is of all values. The first is told apart for the sum.
            [] if directions.first() == Some(&1) => Ok(Some(0)),
            [] if directions.contains(&1) => Ok(None),
            _ => Err(()),
        };
        let Ok(dim) = dim else {
            let expected = format!(
                "one axis of the shape {} of `v` is needed, with a 1 for each other, or a single number",
                v.view.shape()
            );
            return Err(FormulaError::Shape { role: "g", shape: g.view.shape().clone(), expected });
        };
        Ok(Self { g, v, dim })
    }

    pub(super) fn shape(&self) -> &Shape {
        self.v.view.shape()
    }

    pub(super) fn dtype(&self) -> Dtype {
        wider([&self.g, &self.v])
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.g, &self.v]
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let magnitudes = load::<T>(&self.g)?;
        let mut values = load::<T>(&self.v)?;
        let sizes = self.shape().sizes();
        if self.dim == Some(0) {
            let row: usize = sizes.iter().skip(1).product();
            for (row, &g) in values.chunks_exact_mut(row.max(1)).zip(&magnitudes) {
                let factor = g / norm(row);
                row.iter_mut().for_each(|value| *value = *value * factor);
            }
            return Ok(values);
        }
        let axis = self.dim.map_or(1, |dim| sizes.get(dim).copied().unwrap_or(1));
        let inner: usize =
            self.dim.map_or_else(|| values.len(), |dim| sizes.iter().skip(dim + 1).product()).max(1);
        let mut sums = vec![0.0; axis];
        for rows in values.chunks_exact(inner.saturating_mul(axis).max(1)) {
            for (row, sum) in rows.chunks_exact(inner).zip(&mut sums) {
                *sum += row.iter().map(|value| value.wide() * value.wide()).sum::<f64>();
            }
        }
        let norms = sums.into_iter().map(|sum| T::nearest(sum.sqrt()));
        let factors: Vec<T> = magnitudes.into_iter().zip(norms).map(|(g, norm)| g / norm).collect();
        for rows in values.chunks_exact_mut(inner.saturating_mul(axis).max(1)) {
            for (row, &factor) in rows.chunks_exact_mut(inner).zip(&factors) {
                row.iter_mut().for_each(|value| *value = *value * factor);
            }
        }
        Ok(values)
    }
}

/// The norm of a row as torch adds it.
fn norm<T: Real>(row: &[T]) -> T {
    let mut chunks = row.chunks(T::LANES);
    let mut lanes: Vec<T> = chunks.next().unwrap_or(&[]).iter().map(|&value| value * value).collect();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane = *lane + value * value);
    }
    if lanes.len() < T::LANES {
        // Less than a register is added in a row.
        return lanes.into_iter().reduce(|sum, lane| sum + lane).unwrap_or_default().root();
    }
    let mut width = lanes.len() / 2;
    while width > 0 {
        let (low, high) = lanes.split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = *low + *high);
        width /= 2;
    }
    lanes.first().copied().unwrap_or_default().root()
}
