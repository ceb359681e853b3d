//! Global heap collections (specification III.E): where variable-length strings lie.

use super::message::pad8;

/// The least size of a collection in the C library (`H5HG_MINSIZE`); one that holds a longer string is as
/// long as that needs.
const COLLECTION_BYTES: usize = 4096;
/// Signature, version, reserved, collection size.
const COLLECTION_HEADER_BYTES: usize = 16;
/// Index, reference count, reserved, object size.
const OBJECT_HEADER_BYTES: usize = 16;

/// The place of a string: its collection's distance from the start of the heap, and its index therein.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeapReference {
    pub(super) collection: usize,
    pub(super) index: u16,
}

/// Collections one after the other. The last one is open until [`finish`](Self::finish).
#[derive(Debug, Default)]
pub(super) struct GlobalHeap {
    bytes: Vec<u8>,
    /// Start and size of the open collection.
    open: Option<(usize, usize)>,
    objects: u16,
}

impl GlobalHeap {
    /// Stores an object.
    pub(super) fn insert(&mut self, object: &[u8]) -> HeapReference {
        let needed = OBJECT_HEADER_BYTES + pad8(object.len());
        let start = match self.open {
            // A collection of the least size holds at most 255 objects, so the index cannot overflow.
            Some((start, size)) if self.bytes.len() + needed <= start + size => start,
            _ => self.begin(needed),
        };
        self.objects += 1;
        self.bytes.extend_from_slice(&self.objects.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 6]);
        self.bytes.extend_from_slice(&(object.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(object);
        self.bytes.resize(pad8(self.bytes.len()), 0);
        HeapReference { collection: start, index: self.objects }
    }

    /// The bytes of all collections.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.bytes
    }

    fn begin(&mut self, needed: usize) -> usize {
        self.close();
        let start = self.bytes.len();
        let size = COLLECTION_BYTES.max(COLLECTION_HEADER_BYTES + needed);
        self.bytes.extend(b"GCOL\x01\0\0\0");
        self.bytes.extend((size as u64).to_le_bytes());
        self.open = Some((start, size));
        self.objects = 0;
        start
    }

    /// Ends the open collection with object 0, the free space; a rest too small for its header stays bare.
    fn close(&mut self) {
        if let Some((start, size)) = self.open.take() {
            let free = start + size - self.bytes.len();
            if free >= OBJECT_HEADER_BYTES {
                self.bytes.extend([0; 8]);
                self.bytes.extend((free as u64).to_le_bytes());
            }
            self.bytes.resize(start + size, 0);
        }
    }
}
