//! How the bytes of a storage are made that no file holds as they are. A recipe is checked when it is made,
//! and carried out when its values are needed, by the thread that needs them.

mod accumulate;
mod assemble;
mod block_diagonal;
mod compressed;
mod coo;
mod densify;
mod dequantize;
mod formula;
mod indices;
mod inflate;
mod kinds;
mod memory;
mod resolve;
#[cfg(test)]
mod tests;
mod tiling;
mod unpack;

pub use assemble::{Assemble, AssembleError, Part};
pub use block_diagonal::BlockDiagonal;
pub use compressed::{CompressedLayout, DensifyCompressed};
pub use coo::DensifyCoo;
pub use densify::DensifyError;
pub use dequantize::{Dequantize, DequantizeError, QuantizationParameters};
pub use formula::{
    AbsoluteMaxima, Blockwise, Formula, FormulaError, LowRank, LowRankScale, Masked, Mxfp4, NestedMaxima,
    Scaled, SpectralNorm, WeightNorm,
};
pub use inflate::Inflate;
pub use kinds::Recipe;
pub use resolve::{Resolve, ResolveError};
pub use tiling::TilingError;
pub use unpack::Unpack;
