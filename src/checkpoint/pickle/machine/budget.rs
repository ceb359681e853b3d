//! How much memory a pickle may take.

use super::{Kind, Machine, Value};
use crate::checkpoint::pickle::value::{Dict, Object, ValueId};

/// Bytes that the values of any pickle may take: a hostile file has to be refused within 256 MiB.
const MIN_MEMORY: usize = 136 << 20;

/// Bytes of values for each byte of a large pickle. A state_dict takes 5, the metadata of a distributed checkpoint
/// 12; without the budget the worst is an empty dictionary, which takes one byte of pickle and ninety of memory.
const MEMORY_PER_BYTE: usize = 16;

/// Bytes that the allocator adds to what it is asked for.
pub(super) const ALLOCATION: usize = 16;

/// Bytes of an item of a dictionary that is copied, and of its place in the dictionary's map, with the room that
/// both keep for more.
pub(super) const ITEM: usize = 40;

/// Bytes of a key's class, with the room that the map of classes keeps for more.
pub(super) const CLASS: usize = 96;

/// Bytes of an entry for a value whose class is known.
pub(super) const KNOWN_CLASS: usize = 24;

/// Bytes of a memo entry that is not next to the others.
pub(super) const FAR_MEMO: usize = 16;

impl Machine<'_> {
    /// Takes memory for what was made of the bytes that were read so far.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Kind> {
        self.charged = self.charged.saturating_add(bytes);
        if self.charged <= MIN_MEMORY {
            return Ok(());
        }
        let limit = self.position.saturating_mul(MEMORY_PER_BYTE).max(MIN_MEMORY);
        if self.charged > limit { Err(Kind::TooMuchMemory { limit }) } else { Ok(()) }
    }
}

/// Bytes that a value takes in the arena and behind it, when it is made.
pub(super) fn memory(value: &Value<'_>) -> usize {
    let behind = match value {
        Value::Tuple(elements) if elements.is_empty() => 0,
        // As if all lay behind, though few lie in the value itself.
        Value::Tuple(elements) => ALLOCATION + elements.len() * size_of::<ValueId>(),
        Value::List(elements) | Value::Set(elements) | Value::FrozenSet(elements) => {
            elements.len() * size_of::<ValueId>()
        }
        Value::Dict(_) => ALLOCATION + size_of::<Dict>(),
        Value::Object(_) => ALLOCATION + size_of::<Object>(),
        Value::None
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Long(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::RawText(_)
        | Value::Bytes(_)
        | Value::Global { .. }
        | Value::Persistent(_) => 0,
    };
    // The value, and its place on the stack.
    size_of::<Value<'_>>() + size_of::<ValueId>() + behind
}
