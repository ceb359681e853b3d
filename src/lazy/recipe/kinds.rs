//! The kinds of recipe.

use super::{Assemble, Inflate};
use crate::lazy::LoadError;

/// A way to make the bytes of a storage.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recipe {
    /// A compressed record of an archive.
    Inflate(Inflate),
    /// A tensor in several parts.
    Assemble(Assemble),
}

impl Recipe {
    /// Bytes that it makes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Inflate(inflate) => inflate.byte_len,
            Self::Assemble(assemble) => assemble.byte_len(),
        }
    }

    /// Makes them.
    ///
    /// # Errors
    /// When the sources turn out to be damaged.
    pub fn compute(&self) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::Inflate(inflate) => inflate.compute(),
            Self::Assemble(assemble) => assemble.compute(),
        }
    }
}
