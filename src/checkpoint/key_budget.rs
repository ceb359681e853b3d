//! What the keys of one checkpoint may take, where a small file can claim many long ones.

use super::error::ErrorKind;

/// Entries of one checkpoint, with those of the dictionaries and modules in it. Sharing can multiply them to
/// any number; the largest published checkpoints have 100 000, and each takes about 500 bytes of memory.
pub(super) const MAX_ENTRIES: usize = 1 << 18;

/// Bytes of all keys together, and of the path segments that were walked for them: 128 for each of the most
/// entries there may be.
const MAX_KEY_BYTES: usize = MAX_ENTRIES * 128;

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
        self.take_entries(1)?;
        self.take_bytes(bytes)
    }

    /// Takes entries.
    pub(super) fn take_entries(&mut self, entries: usize) -> Result<(), ErrorKind> {
        let left = self.entries.checked_sub(entries);
        self.entries = left.ok_or(ErrorKind::TooManyEntries { limit: MAX_ENTRIES })?;
        Ok(())
    }

    /// Takes bytes of a key.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ErrorKind::KeysTooLong { limit: MAX_KEY_BYTES })?;
        Ok(())
    }
}
