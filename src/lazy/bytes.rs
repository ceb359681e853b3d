//! Files mapped into memory, and ranges of them.

mod paging;

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

pub(crate) use paging::PageReader;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use paging::tests::{check_cold, evicted};

/// Bytes that are cheap to clone and to narrow: a range of a memory-mapped file, or of a buffer that had to
/// be made (an inflated record).
#[derive(Clone)]
pub struct Bytes {
    owner: Owner,
    range: Range<usize>,
}

#[derive(Clone)]
enum Owner {
    Mapped(Arc<Mapped>),
    Held(Arc<Vec<u8>>),
}

/// A mapped file.
struct Mapped {
    map: Mmap,
    path: PathBuf,
}

impl Bytes {
    /// Maps a whole file.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn map(path: &Path) -> std::io::Result<Self> {
        // Opening a pipe would wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            let reason = "it is a folder, a pipe or a device, not a file; save what it holds to a file first";
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, reason));
        }
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::held(Vec::new()));
        }
        // SAFETY: the map is private and read-only. Another process that truncates the file while it is
        // mapped raises SIGBUS, which ends this process without output (the writer's target is a temporary
        // sibling until the end); one that changes it changes values, as it would for any reader.
        #[expect(unsafe_code, reason = "memory-mapping is what this module is for")]
        let map = unsafe { Mmap::map(&file)? };
        let range = 0..map.len();
        Ok(Self { owner: Owner::Mapped(Arc::new(Mapped { map, path: path.to_owned() })), range })
    }

    /// Bytes held in memory. They are not copied.
    #[must_use]
    pub fn held(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { owner: Owner::Held(Arc::new(bytes)), range }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        let whole: &[u8] = match &self.owner {
            Owner::Mapped(mapped) => &mapped.map,
            Owner::Held(bytes) => bytes,
        };
        &whole[self.range.clone()]
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.range.end - self.range.start
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of these bytes, or `None` when the range reaches past them.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        (range.start <= range.end && range.end <= self.len()).then(|| Self {
            owner: self.owner.clone(),
            range: self.range.start + range.start..self.range.start + range.end,
        })
    }

    /// A range of these bytes taken as elements of `size` bytes, as far as there are so many.
    pub(crate) fn elements(&self, range: &Range<usize>, size: usize) -> Option<Self> {
        let place = |element: usize| element.saturating_mul(size).min(self.len());
        self.slice(place(range.start)..place(range.end))
    }

    /// Whether they are a range of a mapped file (and not a copy held in memory).
    #[must_use]
    pub const fn is_mapped(&self) -> bool {
        matches!(self.owner, Owner::Mapped(_))
    }
}

/// As the range alone: the bytes themselves may be gigabytes.
impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let owner = if self.is_mapped() { "mapped" } else { "held" };
        write!(f, "Bytes({owner}, {:?})", self.range)
    }
}
