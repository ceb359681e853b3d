//! What the entries of one checkpoint may take, with their keys: a small file can claim many, and long ones,
//! since dictionaries, lists and texts can be shared.

use super::error::ErrorKind;
use super::pickle::Pickle;
use super::read::RawTensor;

/// Bytes of memory that the values of the pickles and all that is made of their entries may take together: a small
/// hostile file has to be refused within 256 MiB, and the program takes some itself. Room for 130 000 tensors.
const MIN_MEMORY: usize = 192 << 20;

/// Bytes of pickle for which [`MIN_MEMORY`] is enough: 40 000 tensors, which take 200 bytes each, under two names.
const MIN_PICKLE: usize = 8 << 20;

/// Bytes of memory for each byte of pickle beyond [`MIN_PICKLE`]. A tensor of its own takes 200 bytes of pickle, for
/// which there are 6400: 1000 for the values and 1300 for each name that the tensor has.
const MEMORY_PER_BYTE: usize = 32;

/// Bytes that an entry takes, from when it is looked at to when the tensors are made.
const ENTRY: usize = 512;

/// Bytes that a tensor takes that is made, with its place in a report.
const TENSOR: usize = 640;

/// Bytes that a recipe takes for a tensor that is computed, with its parameters and the report's words on it.
const RECIPE: usize = 1024;

/// Copies of a key: among those of the entries (whose text has up to twice the room), in the tensor, and for messages or
/// in a report.
const KEY_COPIES: usize = 3;

/// Bytes of all keys together, and of the path segments that were walked for them: it takes time to walk them.
/// 300 for each of a hundred thousand tensors.
const MAX_KEY_BYTES: usize = 32 << 20;

/// What may still be taken.
pub(super) struct KeyBudget {
    /// Bytes of pickle read.
    pickled: usize,
    /// Bytes of memory taken.
    taken: usize,
    /// Bytes of keys that may still be walked.
    bytes: usize,
}

impl KeyBudget {
    /// The budget of what a pickle holds.
    pub(super) const fn of(pickle: &Pickle<'_>) -> Self {
        Self::of_text(pickle.byte_len(), pickle.memory())
    }

    /// The budget of what a text of so many bytes holds, which took so many bytes of memory.
    pub(super) const fn of_text(bytes: usize, memory: usize) -> Self {
        Self { pickled: bytes, taken: memory, bytes: MAX_KEY_BYTES }
    }

    /// Adds what another pickle of the checkpoint pays for, and takes what it takes.
    pub(super) const fn add(&mut self, pickle: &Pickle<'_>) {
        self.pickled = self.pickled.saturating_add(pickle.byte_len());
        self.taken = self.taken.saturating_add(pickle.memory());
    }

    /// Takes one entry, and the bytes of its key.
    pub(super) fn take_entry(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.take_entries(1)?;
        self.take_bytes(bytes)
    }

    /// Takes entries.
    pub(super) fn take_entries(&mut self, entries: usize) -> Result<(), ErrorKind> {
        self.take_memory(entries.saturating_mul(ENTRY))
    }

    /// Takes the tensors that one entry became: several, where one is kept in parts.
    pub(super) fn take_tensors(&mut self, tensors: &[RawTensor]) -> Result<(), ErrorKind> {
        tensors.iter().try_for_each(|raw| {
            let recipe = if raw.tensor.storage.ready().is_some() { 0 } else { RECIPE };
            let key = raw.key.len().saturating_mul(KEY_COPIES);
            self.take_memory(key.saturating_add(TENSOR + recipe))
        })
    }

    /// Takes bytes of a key.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ErrorKind::KeysTooLong { limit: MAX_KEY_BYTES })?;
        Ok(())
    }

    /// The most entries that are worth looking at at once.
    pub(super) const fn most_entries(&self) -> usize {
        self.limit() / ENTRY
    }

    const fn limit(&self) -> usize {
        let beyond = self.pickled.saturating_sub(MIN_PICKLE);
        MIN_MEMORY.saturating_add(beyond.saturating_mul(MEMORY_PER_BYTE))
    }

    fn take_memory(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.taken = self.taken.saturating_add(bytes);
        let limit = self.limit();
        if self.taken > limit { Err(ErrorKind::TooManyEntries { limit }) } else { Ok(()) }
    }
}
