//! Reading what of a mapped file is not in the page cache, before it is touched.
//!
//! A touched page that is not there is read while its thread waits, and with it those around it, as many as the system
//! reads ahead: often no more than 128 KiB. Who reads megabytes at a time is given them faster (0.7 of the time). Where
//! the system reads megabytes ahead by itself, they need not be copied for that.

#[cfg_attr(target_os = "linux", path = "paging/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "paging/elsewhere.rs")]
mod system;

use std::cell::OnceCell;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use super::{Bytes, Mapped, Owner};
use system::{ask_for, is_resident, open_again, read_at, reads_far_ahead, touch};

/// Bytes of a file that one call asks for: the system may leave out what is beyond its own limit, which is rarely less.
const ASKED_AT_A_TIME: usize = 128 << 10;

impl Bytes {
    /// Tells the system that a range of a mapped file will be needed soon. It begins to read it, and does not wait for that.
    pub(crate) fn will_need(&self, range: Range<usize>) {
        let Some(part) = self.slice(range) else { return };
        let Owner::Mapped(mapped) = &part.owner else { return };
        for start in part.range.clone().step_by(ASKED_AT_A_TIME) {
            let len = ASKED_AT_A_TIME.min(part.range.end - start);
            ask_for(mapped, start..start + len);
        }
    }
}

/// Who reads mapped files. It has one of them open at a time.
#[derive(Default)]
pub(crate) struct PageReader {
    open: Option<Open>,
    buffer: Vec<u8>,
}

/// A mapped file opened again.
struct Open {
    mapped: Arc<Mapped>,
    file: File,
    /// Whether the system reads far ahead of it, if that was asked already.
    reads_far_ahead: OnceCell<bool>,
}

impl PageReader {
    /// Whether the page of a byte is in memory: of a mapped file, in the page cache. Where the system does not tell, that
    /// it is.
    pub(crate) fn is_resident(&mut self, bytes: &Bytes, at: usize) -> bool {
        let offset = (bytes.range.start as u64).saturating_add(at as u64);
        at >= bytes.len() || self.open(bytes).is_none_or(|open| is_resident(&open.file, offset))
    }

    /// Has the system read a range of a mapped file into memory, and returns when it is there. What cannot be read is left
    /// to whoever needs it. Takes as much memory as the range.
    pub(crate) fn fetch(&mut self, bytes: &Bytes, range: Range<usize>) {
        let Some(part) = bytes.slice(range) else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(open) = self.open(&part)
            && !(*open.reads_far_ahead.get_or_init(|| reads_far_ahead(&open.file))
                && touch(&open.mapped, part.range.clone()))
        {
            buffer.resize(buffer.len().max(part.len()), 0);
            let mut read = 0;
            while read < part.len() {
                match read_at(&open.file, &mut buffer[read..part.len()], (part.range.start + read) as u64) {
                    Ok(more @ 1..) => read += more,
                    Ok(0) | Err(_) => break,
                }
            }
        }
        self.buffer = buffer;
    }

    /// The file that bytes are mapped from, if they are, and if it can be opened again. Should another have taken its
    /// place, that is read in vain.
    fn open(&mut self, bytes: &Bytes) -> Option<&Open> {
        let Owner::Mapped(mapped) = &bytes.owner else { return None };
        if self.open.as_ref().is_none_or(|open| !Arc::ptr_eq(&open.mapped, mapped)) {
            let open = |file| Open { mapped: Arc::clone(mapped), file, reads_far_ahead: OnceCell::new() };
            self.open = open_again(mapped).map(open);
        }
        self.open.as_ref()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    /// A mapped file of these bytes, put out of the page cache as far as the system does that.
    pub(crate) fn evicted(path: &Path, bytes: &[u8]) -> Bytes {
        std::fs::write(path, bytes).unwrap();
        let file = File::open(path).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        Bytes::map(path).unwrap()
    }

    /// Something is true of files that are not in the page cache, if this file system lets any be put out of it: one in
    /// memory does not, and others leave some in it.
    pub(crate) fn check_cold(folder: &Path, bytes: &[u8], is_true: impl Fn(&Bytes) -> bool) {
        const TRIES: usize = 30;
        let path = folder.join("cold");
        let is_out = |file: &Bytes| !PageReader::default().is_resident(file, 0);
        let any = |is_true: &dyn Fn(&Bytes) -> bool| (0..TRIES).any(|_| is_true(&evicted(&path, bytes)));
        assert!(!any(&is_out) || any(&is_true));
    }

    #[test]
    fn what_is_read_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = PageReader::default();
        let bytes = vec![5; 3 * ASKED_AT_A_TIME + 7];
        let files: Vec<Bytes> =
            ["a", "b"].iter().map(|name| evicted(&folder.path().join(name), &bytes)).collect();
        for file in &files {
            let part = file.slice(9..bytes.len() - 1).unwrap();
            // Whatever the system does by itself.
            for far_ahead in [false, true] {
                let open = reader.open(&part).unwrap();
                let _ = open.reads_far_ahead.set(far_ahead);
                reader.fetch(&part, 0..part.len());
                reader.open = None;
            }
            let places = [0, ASKED_AT_A_TIME, part.len() - 1, part.len(), usize::MAX];
            assert!(places.into_iter().all(|at| reader.is_resident(&part, at)));
            part.will_need(0..part.len());
            assert_eq!(part.as_slice(), &bytes[9..bytes.len() - 1]);
        }
        let held = Bytes::held(bytes);
        reader.fetch(&held, 0..9);
        held.will_need(0..9);
        assert!(reader.is_resident(&held, 0) && reader.is_resident(&held, usize::MAX));
        // Not there, any more or at all.
        let gone = folder.path().join("gone");
        let file = evicted(&gone, &[1; 99]);
        std::fs::remove_file(&gone).unwrap();
        let outside = [0..100, 98..100];
        outside.into_iter().for_each(|range| reader.fetch(&file, range.clone()));
        reader.fetch(&file, 0..99);
        assert!(reader.is_resident(&file, 3));
    }
}
