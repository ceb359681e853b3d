//! What the tensors of one checkpoint may repeat of the bytes that it stores, all together and in every form.

use crate::lazy::{LazyTensor, Recipe, Storage};
use crate::map::Set;
use crate::tensor::StateDictKey;

use super::error::ErrorKind;
use super::read::RawTensor;

/// Bytes that tensors may have beyond those that are stored, whatever is stored: expanded buffers (attention masks,
/// positions) of small models. A mask of 8192 by 8192 floats has 256 MiB.
const FREE_REPEATED_BYTES: usize = 1 << 30;

/// Such bytes for each byte that is stored: reading all values (hashes, statistics, conversion) takes time for all
/// of them. Modules share their weights with a few dozen others at most, and a mask for each layer is as much.
const MAX_REPEATED_RATIO: usize = 64;

/// Refuses tensors that repeat elements (`expand`) or share storages so often that a small file claims terabytes.
pub(super) fn check(tensors: &[RawTensor]) -> Result<(), ErrorKind> {
    let mut sum = Sum::default();
    for raw in tensors {
        sum.add(&raw.tensor);
    }
    let limit = sum.stored.saturating_mul(MAX_REPEATED_RATIO).saturating_add(FREE_REPEATED_BYTES);
    let bytes = sum.viewed.saturating_sub(sum.available);
    match tensors.iter().max_by_key(|raw| raw.tensor.byte_len()) {
        Some(largest) if bytes > limit => {
            Err(ErrorKind::Repeated { key: StateDictKey::new(largest.key.as_str()), bytes, limit })
        }
        _ => Ok(()),
    }
}

/// Sums over all tensors and the sources of those that are computed.
#[derive(Default)]
struct Sum {
    seen: Set<usize>,
    /// Bytes of the tensors, each for itself.
    viewed: usize,
    /// Bytes of their storages, each once, when inflated.
    available: usize,
    /// Bytes of their storages as they stand in the file.
    stored: usize,
}

impl Sum {
    /// Sources are no deeper than the parts of a tensor whose bits are resolved.
    fn add(&mut self, tensor: &LazyTensor) {
        let (place, stored) = match &tensor.storage {
            Storage::Ready(bytes) => (bytes.as_slice().as_ptr().addr(), bytes.len()),
            Storage::Checksummed(record) => (record.bytes.as_slice().as_ptr().addr(), record.bytes.len()),
            computed @ Storage::Computed(_) => {
                let mut has_sources = false;
                if let Some(recipe) = computed.recipe() {
                    recipe.each_source(&mut |source| {
                        has_sources = true;
                        self.add(source);
                    });
                }
                if has_sources {
                    return;
                }
                let stored = match computed.recipe() {
                    Some(Recipe::Inflate(inflate)) => inflate.compressed.len(),
                    _ => 0,
                };
                (computed.computed_id().unwrap_or_default(), stored)
            }
        };
        self.viewed = self.viewed.saturating_add(tensor.byte_len());
        // Empty storages start where others do.
        if tensor.storage.byte_len() > 0 && self.seen.insert(place) {
            self.available = self.available.saturating_add(tensor.storage.byte_len());
            self.stored = self.stored.saturating_add(stored);
        }
    }
}
