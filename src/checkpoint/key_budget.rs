//! What the keys of one checkpoint may take, where a small file can claim many long ones.

use super::error::ErrorKind;

/// Tensors of one checkpoint. Modules that are shared can multiply to any number; the largest models have a
/// hundred thousand.
const MAX_ENTRIES: usize = 1 << 20;

/// Bytes of all keys together, and of the path segments that were walked for them: 64 for each of the most
/// entries there may be.
const MAX_KEY_BYTES: usize = MAX_ENTRIES * 64;

/// What may still be taken.
pub(super) struct KeyBudget {
    entries: usize,
    bytes: usize,
}

impl KeyBudget {
    /// The whole budget.
    pub(super) const fn new() -> Self {
        Self { entries: MAX_ENTRIES, bytes: MAX_KEY_BYTES }
    }

    /// Takes one entry, and the bytes of its key.
    pub(super) fn take_entry(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.entries = self.entries.checked_sub(1).ok_or(ErrorKind::TooManyEntries { limit: MAX_ENTRIES })?;
        self.take_bytes(bytes)
    }

    /// Takes bytes of a key.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ErrorKind::KeysTooLong { limit: MAX_KEY_BYTES })?;
        Ok(())
    }
}
