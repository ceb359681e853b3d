//! Tensors that have not been read: views of ranges of a mapped file, or of values that are computed when they
//! are needed (an inflated record, a dequantized tensor).
//!
//! ```text
//! LazyTensor = dtype + view + byte order + Storage
//! Storage    = bytes of the file | a recipe that makes bytes
//! ```

mod bytes;
mod checksum;
mod error;
mod recipe;
mod statistics;
mod storage;
pub mod survey;
mod tensor;
mod tiles;

pub use bytes::Bytes;
pub(crate) use bytes::PageReader;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use bytes::{check_cold, evicted};
pub use checksum::{Checksummed, Damage, damaged};
pub use error::LoadError;
// How values are computed is not for users: the checkpoint's reader and the plan say it.
#[doc(hidden)]
pub use recipe::{
    AbsoluteMaxima, Assemble, BlockDiagonal, Blockwise, CompressedLayout, DensifyCompressed, DensifyCoo,
    Dequantize, Formula, Inflate, LowRank, LowRankScale, Masked, Mxfp4, NestedMaxima, Part,
    QuantizationParameters, Recipe, Resolve, Scaled, SpectralNorm, Unpack, WeightNorm,
};
pub use recipe::{AssembleError, DensifyError, DequantizeError, FormulaError, ResolveError, TilingError};
pub use statistics::{NonFinite, Statistics};
pub use storage::{Computed, Storage};
pub use tensor::LazyTensor;
