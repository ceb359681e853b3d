//! What a checkpoint may claim beyond the bytes that it has.

use crate::checkpoint::pickle::TensorError;
use crate::lazy::Storage;
use crate::map::Set;

/// Bytes that a tensor may have when its view repeats elements of a smaller storage (`expand`), or when it is
/// made dense: the file does not pay for them, and a few bytes can claim terabytes. The largest layers of
/// known models stay below it.
pub(in crate::checkpoint) const MAX_EXPANDED_BYTES: usize = 4 << 30;

/// Dense bytes for each byte of the file's storages that all sparse tensors may have together. Sparser
/// weights than one in a thousand are no layer's.
const MAX_DENSE_RATIO: usize = 1024;

/// Dense bytes that need no bytes of the file, for small and empty sparse tensors.
const FREE_DENSE_BYTES: usize = 64 << 20;

/// How often the bytes of the storages may be read on opening, to check indices: tensors may share them.
const MAX_CHECKED_RATIO: usize = 4;

/// Bytes of indices that may be read on opening whatever the file holds.
const FREE_CHECKED_BYTES: usize = 64 << 20;

/// Tensors that all nested tensors may have together. Each costs memory, and few bytes can name many.
const MAX_PARTS: usize = 1 << 16;

/// Refuses one view of `bytes` over a storage, when it repeats elements beyond [`MAX_EXPANDED_BYTES`]. What all
/// views may have together is checked when all are there (`repeated.rs`).
pub(in crate::checkpoint) const fn check_expanded(storage: usize, bytes: usize) -> Result<(), TensorError> {
    if bytes > storage && bytes > MAX_EXPANDED_BYTES {
        return Err(TensorError::Expanded { storage, bytes, limit: MAX_EXPANDED_BYTES });
    }
    Ok(())
}

/// Sums over one checkpoint.
#[derive(Default)]
pub(in crate::checkpoint) struct Budget {
    /// Where they start in memory: one checkpoint may have several archives.
    seen: Set<usize>,
    /// Bytes of the storages seen, as they stand in the file.
    stored: usize,
    dense: usize,
    checked: usize,
    parts: usize,
}

impl Budget {
    /// Counts a storage, once. Bytes that must be inflated are not in the file.
    pub(super) fn storage(&mut self, storage: &Storage) {
        if let Some(bytes) = storage.ready()
            && !bytes.is_empty()
            && self.seen.insert(bytes.as_slice().as_ptr().addr())
        {
            self.stored = self.stored.saturating_add(bytes.len());
        }
    }

    /// A sparse tensor that has `bytes` when dense.
    pub(super) fn densify(&mut self, bytes: usize) -> Result<(), TensorError> {
        let one = MAX_EXPANDED_BYTES.max(self.stored);
        if bytes > one {
            return Err(TensorError::Dense { bytes, limit: one });
        }
        self.dense = self.dense.saturating_add(bytes);
        let all = self.stored.saturating_mul(MAX_DENSE_RATIO).saturating_add(FREE_DENSE_BYTES);
        if self.dense > all { Err(TensorError::Dense { bytes: self.dense, limit: all }) } else { Ok(()) }
    }

    /// `bytes` that are read on opening.
    pub(super) fn check(&mut self, bytes: usize) -> Result<(), TensorError> {
        self.checked = self.checked.saturating_add(bytes);
        let limit = self.stored.saturating_mul(MAX_CHECKED_RATIO).saturating_add(FREE_CHECKED_BYTES);
        if self.checked > limit { Err(TensorError::Checked { limit }) } else { Ok(()) }
    }

    /// The parts of a nested tensor.
    pub(super) fn parts(&mut self, parts: usize) -> Result<(), TensorError> {
        self.parts = self.parts.saturating_add(parts);
        if self.parts > MAX_PARTS { Err(TensorError::Parts { limit: MAX_PARTS }) } else { Ok(()) }
    }
}
