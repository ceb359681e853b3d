//! Memory that costs the next process what memory costs, and no more.
//!
//! The host of a virtual machine takes back pages that are free for a while, and a file of a GiB that is put out of the page
//! cache makes many free. The first to touch one again waits for the host: 3.5 seconds a GiB instead of 0.45 have been
//! seen, on whichever contestant it falls.

#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::MmapMut;

use super::machine;

/// Bytes that are touched: all that a contestant takes, with the page cache of a GiB that it reads and one that it
/// writes.
const TOUCHED: u64 = 3 << 30;

/// Bytes of the smallest page.
const PAGE: usize = 4096;

/// Touches as much free memory as a contestant takes, and gives it back: the next one gets the same pages. No more than
/// half of what is free, so that no file is put out of the page cache.
pub(super) fn settle() {
    let free = machine::free_memory().unwrap_or(0);
    let Ok(bytes) = usize::try_from(TOUCHED.min(free / 2)) else { return };
    // Where there is no such memory, nothing is settled.
    let Ok(mut memory) = MmapMut::map_anon(bytes.max(PAGE)) else { return };
    // Large pages: the page cache of large files takes pages from there.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(Advice::HugePage);
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
}
