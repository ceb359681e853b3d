//! Where the elements of a tensor lie.

use std::sync::{Arc, OnceLock};

use super::{Bytes, Checksummed, LoadError, Recipe};

/// A flat buffer of elements, which several tensors may view.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Bytes of a file, or held in memory. Nothing is known about their alignment.
    Ready(Bytes),
    /// A record of an archive that says what its checksum is. It is compared where somebody asks for it:
    /// [`super::damaged`].
    Checksummed(Arc<Checksummed>),
    /// Bytes that are made when they are needed.
    Computed(Arc<Computed>),
}

/// Bytes that are made when they are needed.
#[derive(Debug)]
pub struct Computed {
    recipe: Recipe,
    /// Holds the bytes from the first time on, where several tensors view them.
    kept: Option<OnceLock<Result<Bytes, LoadError>>>,
}

impl Storage {
    /// Bytes that `recipe` makes, for one tensor: they are made again each time that they are loaded, and
    /// nothing holds them in between.
    #[must_use]
    pub fn computed(recipe: Recipe) -> Self {
        Self::Computed(Arc::new(Computed { recipe, kept: None }))
    }

    /// Bytes that `recipe` makes, for several tensors: they are made once and held.
    #[must_use]
    pub fn computed_once(recipe: Recipe) -> Self {
        Self::Computed(Arc::new(Computed { recipe, kept: Some(OnceLock::new()) }))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Ready(bytes) => bytes.len(),
            Self::Checksummed(record) => record.bytes.len(),
            Self::Computed(computed) => computed.recipe.byte_len(),
        }
    }

    /// The bytes. Computing them can take as long as reading a large tensor, and as much memory as
    /// [`Self::byte_len`].
    ///
    /// # Errors
    /// When the sources of computed bytes turn out to be damaged.
    pub fn load(&self) -> Result<Bytes, LoadError> {
        match self {
            Self::Ready(bytes) => Ok(bytes.clone()),
            Self::Checksummed(record) => Ok(record.bytes.clone()),
            Self::Computed(computed) => {
                let compute = || computed.recipe.compute().map(Bytes::held);
                match &computed.kept {
                    Some(kept) => kept.get_or_init(compute).clone(),
                    None => compute(),
                }
            }
        }
    }

    /// Which of the computed storages it is: equal for clones of one storage, for as long as one of them lives.
    /// `None` where the bytes need not be computed.
    #[must_use]
    pub fn computed_id(&self) -> Option<usize> {
        match self {
            Self::Ready(_) | Self::Checksummed(_) => None,
            Self::Computed(computed) => Some(Arc::as_ptr(computed).addr()),
        }
    }

    /// Whether bytes that have to be computed are held from the first time on.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Computed(computed) if computed.kept.is_some())
    }

    /// How the bytes are computed, where they are.
    #[must_use]
    pub fn recipe(&self) -> Option<&Recipe> {
        match self {
            Self::Ready(_) | Self::Checksummed(_) => None,
            Self::Computed(computed) => Some(&computed.recipe),
        }
    }

    /// The bytes where they need not be computed.
    #[must_use]
    pub fn ready(&self) -> Option<&Bytes> {
        match self {
            Self::Ready(bytes) => Some(bytes),
            Self::Checksummed(record) => Some(&record.bytes),
            Self::Computed(_) => None,
        }
    }
}

impl From<Bytes> for Storage {
    fn from(bytes: Bytes) -> Self {
        Self::Ready(bytes)
    }
}
