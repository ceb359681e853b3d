//! The kinds of recipe.

use super::{Inflate, Unpack};
use crate::lazy::LoadError;

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
}

impl Recipe {
    /// Bytes that it makes.
    #[must_use]
    pub const fn byte_len(&self) -> usize {
        match self {
            Self::Inflate(inflate) => inflate.byte_len,
            Self::Unpack(unpack) => unpack.byte_len(),
            #[cfg(test)]
            Self::Counted(bytes, _) => bytes.len(),
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
        }
    }
}
