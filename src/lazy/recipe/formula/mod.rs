//! Values that PyTorch's reparametrizations and quantizers compute from several tensors: what a module's
//! `weight` is when its state_dict holds other tensors in its place.
//!
//! The arithmetic is in `float64` where one of the floating-point tensors is, and in `float32` otherwise; smaller
//! floats become `float32` first.

mod blockwise;
mod error;
mod kinds;
mod low_rank;
mod masked;
mod mxfp4;
mod numbers;
mod scaled;
mod spectral_norm;
mod weight_norm;

pub use blockwise::{AbsoluteMaxima, Blockwise};
pub use error::FormulaError;
pub use kinds::Formula;
pub use low_rank::{LowRank, LowRankScale};
pub use masked::Masked;
pub use mxfp4::Mxfp4;
pub use scaled::Scaled;
pub use spectral_norm::SpectralNorm;
pub use weight_norm::WeightNorm;
