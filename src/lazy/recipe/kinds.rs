//! The kinds of recipe.

use super::{
    Assemble, BlockDiagonal, DensifyCompressed, DensifyCoo, Dequantize, Formula, Inflate, Resolve, Unpack,
};
use crate::lazy::{LazyTensor, LoadError};

/// A way to make the bytes of a storage.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recipe {
    /// A compressed record of an archive.
    Inflate(Inflate),
    /// Numbers of four bits, two in a byte.
    Unpack(Unpack),
    /// These bytes, and how often they were asked for.
    #[cfg(test)]
    Counted(Vec<u8>, std::sync::Arc<std::sync::atomic::AtomicUsize>),
    /// Quantized integers as floats.
    Dequantize(Dequantize),
    /// A sparse tensor of coordinates and values as a dense one.
    DensifyCoo(DensifyCoo),
    /// A sparse tensor with compressed rows or columns as a dense one.
    DensifyCompressed(DensifyCompressed),
    /// A view whose bits `conj` and `neg` are carried out.
    Resolve(Resolve),
    /// A tensor in several parts.
    Assemble(Assemble),
    /// Values of several tensors.
    Formula(Formula),
    /// A weight of groups as a dense one.
    BlockDiagonal(BlockDiagonal),
}

impl Recipe {
    /// Bytes that it makes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Inflate(inflate) => inflate.byte_len,
            Self::Unpack(unpack) => unpack.byte_len(),
            #[cfg(test)]
            Self::Counted(bytes, _) => bytes.len(),
            Self::Dequantize(dequantize) => dequantize.byte_len(),
            Self::DensifyCoo(densify) => densify.byte_len(),
            Self::DensifyCompressed(densify) => densify.byte_len(),
            Self::Resolve(resolve) => resolve.byte_len(),
            Self::Assemble(assemble) => assemble.byte_len(),
            Self::Formula(formula) => formula.byte_len(),
            Self::BlockDiagonal(dense) => dense.byte_len(),
        }
    }

    /// What was done to the values, for people: `dequantized from int8, a scale for each index of axis 0`.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Inflate(_) => "inflated".to_owned(),
            Self::Unpack(_) => "unpacked".to_owned(),
            #[cfg(test)]
            Self::Counted(..) => "counted".to_owned(),
            Self::Dequantize(dequantize) => dequantize.description(),
            Self::DensifyCoo(_) => "sparse (coo)".to_owned(),
            Self::DensifyCompressed(densify) => format!("sparse ({})", densify.layout_name()),
            Self::Resolve(resolve) => resolve.description().to_owned(),
            Self::Assemble(assemble) => format!("in {} parts", assemble.parts()),
            Self::Formula(formula) => formula.description().to_owned(),
            Self::BlockDiagonal(_) => "block_diagonal".to_owned(),
        }
    }

    /// The tensors that the bytes are made of; those of a compressed record are made of no tensor.
    #[must_use]
    pub fn sources(&self) -> Vec<&LazyTensor> {
        match self {
            Self::Inflate(_) => Vec::new(),
            Self::Unpack(unpack) => unpack.sources(),
            #[cfg(test)]
            Self::Counted(..) => Vec::new(),
            Self::Dequantize(dequantize) => dequantize.sources(),
            Self::DensifyCoo(densify) => densify.sources(),
            Self::DensifyCompressed(densify) => densify.sources(),
            Self::Resolve(resolve) => resolve.sources(),
            Self::Assemble(assemble) => assemble.sources(),
            Self::Formula(formula) => formula.sources(),
            Self::BlockDiagonal(dense) => dense.sources(),
        }
    }

    /// Calls `visit` with every tensor whose values it makes other ones of, one by one or several of one. A dense
    /// tensor has others than the sparse one.
    pub fn each_source(&self, visit: &mut dyn FnMut(&LazyTensor)) {
        if !matches!(self, Self::DensifyCoo(_) | Self::DensifyCompressed(_)) {
            self.sources().into_iter().for_each(visit);
        }
    }

    /// Makes them.
    ///
    /// # Errors
    /// When the sources turn out to be damaged.
    pub fn compute(&self) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::Inflate(inflate) => inflate.compute(),
            Self::Unpack(unpack) => unpack.compute(),
            #[cfg(test)]
            Self::Counted(bytes, times) => {
                times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(bytes.clone())
            }
            Self::Dequantize(dequantize) => dequantize.compute(),
            Self::DensifyCoo(densify) => densify.compute(),
            Self::DensifyCompressed(densify) => densify.compute(),
            Self::Resolve(resolve) => resolve.compute(),
            Self::Assemble(assemble) => assemble.compute(),
            Self::Formula(formula) => formula.compute(),
            Self::BlockDiagonal(dense) => dense.compute(),
        }
    }
}
