//! Zip archives of stored members (APPNOTE 6.3.9, sections named at each structure). The members' places are
//! known first, so that they can be filled in place and in parallel; the headers come last, when the checksums
//! are known.
//!
//! ```text
//! header, padding, member | header, padding, member | … | directory | end
//! ```

use std::ops::Range;

use super::Error;

/// A member.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Bytes.
    pub(super) len: u64,
    /// The checksum, where it is known already.
    pub(super) crc: Option<u32>,
}

/// An archive in the making.
#[derive(Debug, Default)]
pub(super) struct Archive {
    entries: Vec<Placed>,
    /// Where the next member's header goes, and in the end the directory.
    end: u64,
}

#[derive(Debug)]
struct Placed {
    entry: Entry,
    header: u64,
    /// Bytes of the alignment field.
    padding: usize,
    data: u64,
}

/// A local header without name and fields (4.3.7), a header of the directory (4.3.12).
const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: u64 = 46;
/// The end of the directory (4.3.16), and with 64 bits (4.3.14, 4.3.15).
const END_BYTES: u64 = 22;
const END_64_BYTES: u64 = 56 + 20;
/// What stands for a number that does not fit (4.4.8).
const MAX_32: u64 = u32::MAX as u64;
const MAX_16: u64 = u16::MAX as u64;
/// The field of sizes and offsets of 64 bits (4.5.3).
const ZIP64: u16 = 0x0001;
/// The field that makes a member start on a boundary (Android's `zipalign`, which readers skip): identifier,
/// length, boundary, zeros.
const ALIGNMENT: u16 = 0xD935;
const ALIGNMENT_BYTES: u64 = 6;
/// 1980-01-01, the first date there is: the same inputs make the same bytes.
const DATE: u16 = 1 << 5 | 1;
/// The name is UTF-8 (4.4.4).
const UTF_8: u16 = 1 << 11;
/// `-rw-r--r--`, in the upper half of the attributes as Unix has them.
const MODE: u32 = 0o100_644 << 16;

impl Archive {
    /// Adds a member whose bytes start on a boundary, and tells where they start.
    pub(super) fn push(&mut self, entry: Entry, boundary: u64) -> Result<u64, Error> {
        if entry.name.len() as u64 > MAX_16 {
            return Err(Error::MemberName { name: entry.name });
        }
        let header = self.end;
        let bare = header + LOCAL_BYTES + entry.name.len() as u64 + local_zip64(&entry).len() as u64;
        let data = if bare.is_multiple_of(boundary) {
            bare
        } else {
            (bare + ALIGNMENT_BYTES).next_multiple_of(boundary)
        };
        // Less than the boundary and its field.
        let padding = (data - bare) as usize;
        self.end = data + entry.len;
        self.entries.push(Placed { entry, header, padding, data });
        Ok(data)
    }

    /// Bytes of the whole archive.
    pub(super) fn file_len(&self) -> u64 {
        let directory = self.entries.iter().map(|placed| {
            CENTRAL_BYTES + placed.entry.name.len() as u64 + central_zip64(placed).len() as u64
        });
        let directory = directory.sum();
        let end = if self.needs_zip64(directory) { END_64_BYTES } else { 0 };
        self.end + directory + end + END_BYTES
    }

    /// Everything but the members' bytes, each piece with its offset. `sum` tells the checksum of a range of the
    /// file.
    pub(super) fn headers(
        &self,
        sum: impl Fn(Range<u64>) -> Result<u32, Error>,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let mut pieces = Vec::with_capacity(self.entries.len() + 1);
        let mut directory = Vec::new();
        for placed in &self.entries {
            let Placed { entry, header, padding, data } = placed;
            let crc = entry.crc.map_or_else(|| sum(*data..data + entry.len), Ok)?;
            let mut fields = local_zip64(entry);
            let length = (fields.len() + padding) as u16;
            if *padding > 0 {
                fields.extend(ALIGNMENT.to_le_bytes());
                fields.extend((*padding as u16 - 4).to_le_bytes());
                fields.extend((super::hdf5::PAGE_BYTES as u16).to_le_bytes());
                fields.resize(usize::from(length), 0);
            }
            let mut local = b"PK\x03\x04".to_vec();
            push_common(&mut local, entry, crc, !local_zip64(entry).is_empty(), length);
            local.extend(entry.name.bytes());
            local.extend(fields);
            pieces.push((*header, local));

            let fields = central_zip64(placed);
            // Made by Unix, for the version that the reader needs.
            let needed = if fields.is_empty() { 10 } else { 45 };
            directory.extend(b"PK\x01\x02");
            directory.extend([needed, 3]);
            push_common(&mut directory, entry, crc, !fields.is_empty(), fields.len() as u16);
            // No comment, disk 0, no internal attributes.
            directory.extend([0; 6]);
            directory.extend(MODE.to_le_bytes());
            directory.extend((header.min(&MAX_32).to_owned() as u32).to_le_bytes());
            directory.extend(entry.name.bytes());
            directory.extend(fields);
        }
        let size = directory.len() as u64;
        let count = self.entries.len() as u64;
        if self.needs_zip64(size) {
            let end = self.end + size;
            directory.extend(b"PK\x06\x06");
            directory.extend(44_u64.to_le_bytes());
            directory.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            [count, count, size, self.end].iter().for_each(|number| directory.extend(number.to_le_bytes()));
            directory.extend(b"PK\x06\x07\0\0\0\0");
            directory.extend(end.to_le_bytes());
            directory.extend(1_u32.to_le_bytes());
        }
        directory.extend(b"PK\x05\x06\0\0\0\0");
        [count, count].iter().for_each(|&number| directory.extend((number.min(MAX_16) as u16).to_le_bytes()));
        [size, self.end]
            .iter()
            .for_each(|&number| directory.extend((number.min(MAX_32) as u32).to_le_bytes()));
        directory.extend([0; 2]);
        pieces.push((self.end, directory));
        Ok(pieces)
    }

    /// Whether the end of the directory needs 64 bits.
    fn needs_zip64(&self, directory: u64) -> bool {
        self.entries.len() as u64 >= MAX_16 || directory >= MAX_32 || self.end >= MAX_32
    }
}

/// What both kinds of header hold after their signature: from the version that is needed to the length of the
/// fields.
fn push_common(bytes: &mut Vec<u8>, entry: &Entry, crc: u32, zip64: bool, fields: u16) {
    let needed: u16 = if zip64 { 45 } else { 10 };
    let flags = if entry.name.is_ascii() { 0 } else { UTF_8 };
    // Stored, at midnight.
    [needed, flags, 0, 0, DATE].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(crc.to_le_bytes());
    let len = (entry.len.min(MAX_32) as u32).to_le_bytes();
    bytes.extend(len);
    bytes.extend(len);
    bytes.extend((entry.name.len() as u16).to_le_bytes());
    bytes.extend(fields.to_le_bytes());
}

/// The field of both sizes, where they need it.
fn local_zip64(entry: &Entry) -> Vec<u8> {
    if entry.len < MAX_32 { Vec::new() } else { zip64(&[entry.len, entry.len]) }
}

/// The field of what of sizes and offset needs it.
fn central_zip64(placed: &Placed) -> Vec<u8> {
    let mut numbers = Vec::new();
    if placed.entry.len >= MAX_32 {
        numbers.extend([placed.entry.len, placed.entry.len]);
    }
    if placed.header >= MAX_32 {
        numbers.push(placed.header);
    }
    if numbers.is_empty() { Vec::new() } else { zip64(&numbers) }
}

fn zip64(numbers: &[u64]) -> Vec<u8> {
    let mut field = ZIP64.to_le_bytes().to_vec();
    field.extend((8 * numbers.len() as u16).to_le_bytes());
    numbers.iter().for_each(|number| field.extend(number.to_le_bytes()));
    field
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};

    use super::*;

    fn entry(name: &str, len: u64) -> Entry {
        Entry { name: name.to_owned(), len, crc: None }
    }

    /// A sparse archive of members of these sizes, read back by another reader.
    fn check(members: &[(&str, u64)]) {
        let mut archive = Archive::default();
        let places: Vec<u64> =
            members.iter().map(|&(name, len)| archive.push(entry(name, len), 4096).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(archive.file_len()).unwrap();
        for (offset, bytes) in archive.headers(|range| Ok((range.end - range.start) as u32)).unwrap() {
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.write_all(&bytes).unwrap();
        }
        assert_eq!(file.metadata().unwrap().len(), archive.file_len());
        let mut zip = zip::ZipArchive::new(file).unwrap();
        assert_eq!(zip.len(), members.len());
        for (at, (&(name, len), place)) in members.iter().zip(places).enumerate() {
            let member = zip.by_index_raw(at).unwrap();
            assert_eq!(
                (member.name().unwrap().as_ref(), member.size(), member.crc32()),
                (name, len, len as u32)
            );
            assert_eq!((member.data_start(), place % 4096), (Some(place), 0));
        }
    }

    #[test]
    fn small_and_large() {
        check(&[("metadata.json", 25), ("w\u{f6}rter.txt", 0), ("model.weights.h5", 70_000)]);
        check(&[("a", 1), ("b", u64::from(u32::MAX) - 1), ("c", 9)]);
        check(&[("a", 1), ("b", 5 << 30), ("assets/c", 9), ("d", 6 << 30)]);
        let names: Vec<String> = (0..70_000).map(|at| format!("assets/{at}")).collect();
        let mut archive = Archive::default();
        for name in &names {
            archive.push(entry(name, 0), 1).unwrap();
        }
        let pieces = archive.headers(|_| Ok(0)).unwrap();
        let last = pieces.last().unwrap();
        assert_eq!(last.0 + last.1.len() as u64, archive.file_len());
        assert_eq!(&last.1[last.1.len() - 42..][..4], b"PK\x06\x07");
    }

    #[test]
    fn name_too_long() {
        let outcome = Archive::default().push(entry(&"n".repeat(65_536), 1), 1);
        assert!(matches!(outcome, Err(Error::MemberName { .. })));
    }
}
