//! The kinds of recipe.

use super::{DensifyCompressed, DensifyCoo, Dequantize, Inflate, Resolve};
use crate::lazy::LoadError;

/// A way to make the bytes of a storage.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recipe {
    /// A compressed record of an archive.
    Inflate(Inflate),
    /// Quantized integers as floats.
    Dequantize(Dequantize),
    /// A sparse tensor of coordinates and values as a dense one.
    DensifyCoo(DensifyCoo),
    /// A sparse tensor with compressed rows or columns as a dense one.
    DensifyCompressed(DensifyCompressed),
    /// A view whose bits `conj` and `neg` are carried out.
    Resolve(Resolve),
}

impl Recipe {
    /// Bytes that it makes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Inflate(inflate) => inflate.byte_len,
            Self::Dequantize(dequantize) => dequantize.byte_len(),
            Self::DensifyCoo(densify) => densify.byte_len(),
            Self::DensifyCompressed(densify) => densify.byte_len(),
            Self::Resolve(resolve) => resolve.byte_len(),
        }
    }

    /// Makes them.
    ///
    /// # Errors
    /// When the sources turn out to be damaged.
    pub fn compute(&self) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::Inflate(inflate) => inflate.compute(),
            Self::Dequantize(dequantize) => dequantize.compute(),
            Self::DensifyCoo(densify) => densify.compute(),
            Self::DensifyCompressed(densify) => densify.compute(),
            Self::Resolve(resolve) => resolve.compute(),
        }
    }
}
