//! Low-rank adaptation (LoRA), as PEFT merges it.
//!
//! ```text
//! w = weight + (B A) · s       s = α / r, or α / √r
//! ```
//!
//! `A` is (r, in, …) and `B` (out, r, 1 …): of a convolution, `A` has its kernel and `B` is a 1×1 one. PEFT multiplies
//! in the weight's type, in an order that depends on the machine; here each element of `B A` is added in `float64` and
//! rounded once, so the values may differ from PEFT's in the last bits.

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape};

use super::FormulaError;
use super::numbers::{Real, check_float, load, wider};

/// `w = weight + (B A) · s`.
#[derive(Debug)]
pub struct LowRank {
    weight: LazyTensor,
    a: LazyTensor,
    b: LazyTensor,
    scale: LowRankScale,
}

/// How much of the product is added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowRankScale {
    /// `lora_alpha`.
    pub alpha: f64,
    /// `use_rslora`: it is divided by the root of the rank.
    pub by_root: bool,
    /// `fan_in_fan_out`: the weight is (in, out).
    pub transposed: bool,
}

impl LowRank {
    /// The weight, and the two factors of what is added to it. The rank is the first size of `a`.
    ///
    /// # Errors
    /// When the shapes do not go together.
    pub fn new(
        weight: LazyTensor,
        a: LazyTensor,
        b: LazyTensor,
        scale: LowRankScale,
    ) -> Result<Self, FormulaError> {
        for (role, tensor) in [("weight", &weight), ("a", &a), ("b", &b)] {
            check_float(role, tensor)?;
        }
        let shape = weight.view.shape();
        let sizes = shape.sizes();
        let (output, input) = match sizes {
            &[input, output] if scale.transposed => (output, vec![input]),
            &[output, ref input @ ..] if !scale.transposed => (output, input.to_vec()),
            _ => (0, Vec::new()),
        };
        let rank = match a.view.shape().sizes() {
            [rank, rest @ ..] if *rank > 0 && rest == input.as_slice() && !rest.is_empty() => *rank,
            _ => {
                let (first, rest) = if scale.transposed { ("transposed ", "") } else { ("", "") };
                let expected = format!("(rank, in …) of the {first}weight's shape {shape} is needed{rest}");
                return Err(FormulaError::Shape { role: "a", shape: a.view.shape().clone(), expected });
            }
        };
        let fits = match b.view.shape().sizes() {
            [first, second, rest @ ..] => {
                *first == output && *second == rank && rest.iter().all(|&size| size == 1)
            }
            _ => false,
        };
        if !fits {
            let expected =
                format!("({output}, {rank}) is needed: the outputs of the weight and the rank of `a`");
            return Err(FormulaError::Shape { role: "b", shape: b.view.shape().clone(), expected });
        }
        Ok(Self { weight, a, b, scale })
    }

    /// The rank.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.a.view.shape().sizes().first().copied().unwrap_or(1)
    }

    pub(super) fn shape(&self) -> &Shape {
        self.weight.view.shape()
    }

    pub(super) fn dtype(&self) -> Dtype {
        wider(self.sources())
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.weight, &self.a, &self.b]
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let (a, b) = (load::<T>(&self.a)?, load::<T>(&self.b)?);
        let mut values = load::<T>(&self.weight)?;
        let rank = self.rank();
        let divisor = if self.scale.by_root { (rank as f64).sqrt() } else { rank as f64 };
        let scale = T::nearest(self.scale.alpha / divisor);
        let columns = a.len() / rank.max(1);
        let outputs = b.len() / rank.max(1);
        let mut sums = vec![0.0; columns];
        for (output, factors) in b.chunks_exact(rank.max(1)).enumerate() {
            sums.fill(0.0);
            for (row, factor) in a.chunks_exact(columns.max(1)).zip(factors) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor.wide() * value.wide());
            }
            let add = |(value, sum): (&mut T, &f64)| *value = *value + T::nearest(*sum) * scale;
            if self.scale.transposed {
                values.iter_mut().skip(output).step_by(outputs.max(1)).zip(&sums).for_each(add);
            } else {
                values.iter_mut().skip(output * columns).zip(&sums).for_each(add);
            }
        }
        Ok(values)
    }
}
