//! The formulas.

use crate::lazy::{LazyTensor, LoadError, Recipe, Storage};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

use super::numbers::{Real, store};
use super::{Blockwise, LowRank, Masked, Mxfp4, Scaled, SpectralNorm, WeightNorm};

/// How values are computed from several tensors.
#[derive(Debug)]
#[non_exhaustive]
pub enum Formula {
    /// Weight normalization.
    WeightNorm(WeightNorm),
    /// Spectral normalization.
    SpectralNorm(SpectralNorm),
    /// Pruning.
    Masked(Masked),
    /// Low-rank adaptation.
    LowRank(LowRank),
    /// Numbers of four bits with powers of two.
    Mxfp4(Mxfp4),
    /// Whole numbers with a scale.
    Scaled(Scaled),
    /// Numbers of four bits with a table of values.
    Blockwise(Blockwise),
}

impl Formula {
    /// The shape of the values.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        match self {
            Self::WeightNorm(formula) => formula.shape(),
            Self::SpectralNorm(formula) => formula.shape(),
            Self::Masked(formula) => formula.shape(),
            Self::LowRank(formula) => formula.shape(),
            Self::Mxfp4(formula) => formula.shape(),
            Self::Scaled(formula) => formula.shape(),
            Self::Blockwise(formula) => formula.shape(),
        }
    }

    /// The type of the values, `float32` or `float64`.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::WeightNorm(formula) => formula.dtype(),
            Self::SpectralNorm(formula) => formula.dtype(),
            Self::Masked(formula) => formula.dtype(),
            Self::LowRank(formula) => formula.dtype(),
            Self::Scaled(formula) => formula.dtype(),
            Self::Mxfp4(_) | Self::Blockwise(_) => Dtype::F32,
        }
    }

    /// Bytes of the values. While they are computed, about twice as many are held besides the sources' own.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.shape().numel().saturating_mul(self.dtype().size())
    }

    /// The values as a tensor.
    #[must_use]
    pub fn tensor(self) -> LazyTensor {
        LazyTensor {
            dtype: self.dtype(),
            view: Strided::contiguous(self.shape().clone()),
            byte_order: ByteOrder::Little,
            storage: Storage::computed(Recipe::Formula(self)),
        }
    }

    pub(in crate::lazy::recipe) const fn description(&self) -> &'static str {
        match self {
            Self::WeightNorm(_) => "weight_norm",
            Self::SpectralNorm(_) => "spectral_norm",
            Self::Masked(_) => "pruned",
            Self::LowRank(_) => "lora",
            Self::Mxfp4(_) => "mxfp4",
            Self::Scaled(_) | Self::Blockwise(_) => "dequantize",
        }
    }

    pub(in crate::lazy::recipe) fn sources(&self) -> Vec<&LazyTensor> {
        match self {
            Self::WeightNorm(formula) => formula.sources(),
            Self::SpectralNorm(formula) => formula.sources(),
            Self::Masked(formula) => formula.sources(),
            Self::LowRank(formula) => formula.sources(),
            Self::Mxfp4(formula) => formula.sources(),
            Self::Scaled(formula) => formula.sources(),
            Self::Blockwise(formula) => formula.sources(),
        }
    }

    pub(in crate::lazy::recipe) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        match self.dtype() {
            Dtype::F64 => store(self.values::<f64>()?),
            _ => store(self.values::<f32>()?),
        }
    }

    fn values<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        match self {
            Self::WeightNorm(formula) => formula.compute(),
            Self::SpectralNorm(formula) => formula.compute(),
            Self::Masked(formula) => formula.compute(),
            Self::LowRank(formula) => formula.compute(),
            Self::Mxfp4(formula) => formula.compute(),
            Self::Scaled(formula) => formula.compute(),
            Self::Blockwise(formula) => formula.compute(),
        }
    }
}
