//! What a library that looks members up by name does not notice: two of one name, and a member whose own header
//! says another name than the directory (APPNOTE 4.3.7 and 4.3.12). Readers differ in which they take.

use std::collections::HashSet;

use crate::lazy::Bytes;

use super::error::ErrorKind;

/// The signature of an entry of the directory.
const ENTRY: &[u8] = b"PK\x01\x02";

/// The bytes of an entry before its name.
const ENTRY_BYTES: usize = 46;

/// The signature of a member's own header.
const HEADER: &[u8] = b"PK\x03\x04";

/// The bytes of a member's own header before its name.
const HEADER_BYTES: usize = 30;

/// The value of a 32-bit field whose value is in the extra field of zip64.
const IN_EXTRA: u32 = u32::MAX;

/// Walks the directory, which starts there, of an archive that begins after `offset` other bytes.
pub(super) fn check(bytes: &Bytes, start: u64, offset: u64) -> Result<(), ErrorKind> {
    let mut rest = usize::try_from(start).ok().and_then(|start| bytes.as_slice().get(start..)).unwrap_or(&[]);
    let mut names = HashSet::new();
    while rest.starts_with(ENTRY) {
        let entry = Entry::read(rest).ok_or(ErrorKind::ArchiveEntry { member: String::new() })?;
        let member = || String::from_utf8_lossy(entry.name).into_owned();
        if !names.insert(entry.name) {
            return Err(ErrorKind::ArchiveTwice { member: member() });
        }
        let at = entry.header.checked_add(offset).and_then(|at| usize::try_from(at).ok());
        let header = at.and_then(|at| bytes.as_slice().get(at..));
        let name = header.filter(|header| header.starts_with(HEADER)).and_then(|header| {
            let length = usize::from(short(header, 26)?);
            header.get(HEADER_BYTES..)?.get(..length)
        });
        if name != Some(entry.name) {
            return Err(ErrorKind::ArchiveEntry { member: member() });
        }
        rest = entry.rest;
    }
    Ok(())
}

/// An entry of the directory.
struct Entry<'a> {
    name: &'a [u8],
    /// Where the member's own header is.
    header: u64,
    /// What follows.
    rest: &'a [u8],
}

impl<'a> Entry<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (name, extra, comment) =
            (usize::from(short(bytes, 28)?), usize::from(short(bytes, 30)?), usize::from(short(bytes, 32)?));
        let (sizes, header) = ([long(bytes, 24)?, long(bytes, 20)?], long(bytes, 42)?);
        let (name, rest) = bytes.get(ENTRY_BYTES..)?.split_at_checked(name)?;
        let (extra, rest) = rest.split_at_checked(extra)?;
        let header = if header == IN_EXTRA { in_extra(extra, sizes)? } else { header.into() };
        Some(Self { name, header, rest: rest.get(comment..)? })
    }
}

/// The place of a header in the extra field of zip64, which holds what the entry itself has no room for: both
/// sizes, then the place.
fn in_extra(mut extra: &[u8], sizes: [u32; 2]) -> Option<u64> {
    /// The identifier of the extra field.
    const ZIP64: u16 = 1;
    loop {
        let (id, length) = (short(extra, 0)?, usize::from(short(extra, 2)?));
        let field = extra.get(4..)?.get(..length)?;
        if id == ZIP64 {
            let before = sizes.iter().filter(|&&size| size == IN_EXTRA).count();
            return Some(u64::from_le_bytes(*field.get(8 * before..)?.first_chunk()?));
        }
        extra = extra.get(4 + length..)?;
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
