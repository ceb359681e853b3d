//! How much memory the writing of a plan takes.

use std::collections::BTreeMap;

use crate::plan::{Binding, Plan};
use crate::writer::{HELD_TILES, LARGEST_TILE_BYTES};

/// Bytes of a worker's own buffers, at most: tiles as they are read, as they are converted, and as they wait to be written.
pub const WORKER_BYTES: u64 = (HELD_TILES * LARGEST_TILE_BYTES) as u64;

/// How often a computed tensor is held at once while it is computed: what it is computed from, as that is computed in
/// its turn, and itself.
const COPIES: u64 = 3;

/// About how many bytes of memory the writing takes at most with that many threads.
pub(super) fn estimate(plan: &Plan, threads: usize) -> u64 {
    let workers = threads.clamp(1, plan.bindings.len().max(1));
    held(plan, threads).saturating_add(WORKER_BYTES * workers as u64)
}

/// About how many of them are computed values: each worker computes what one variable reads, and what several
/// tensors view is kept.
pub(super) fn held(plan: &Plan, threads: usize) -> u64 {
    let mut kept = BTreeMap::new();
    let mut computed: Vec<u64> = plan.bindings.iter().map(|binding| of_binding(binding, &mut kept)).collect();
    computed.sort_unstable_by(|one, other| other.cmp(one));
    let threads = threads.clamp(1, plan.bindings.len().max(1));
    let held: u64 = computed.iter().take(threads).sum();
    let kept: u64 = kept.values().sum();
    held.saturating_mul(COPIES).saturating_add(kept)
}

/// Bytes that are computed for one variable; what is computed once for several goes to `kept`.
fn of_binding(binding: &Binding, kept: &mut BTreeMap<usize, u64>) -> u64 {
    let mut own = BTreeMap::new();
    for part in binding.parts() {
        let storage = &part.source.storage;
        if let Some(id) = storage.computed_id() {
            let all = if storage.is_kept() { &mut *kept } else { &mut own };
            all.insert(id, storage.byte_len() as u64);
        }
    }
    own.values().sum()
}
