//! The central directory.

use crate::lazy::Bytes;

use super::ZipError;
use super::headers;
use super::names::Names;
use super::record::Record;

/// Whether a file is a zip archive: torch decides by the first four bytes alone.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL_HEADER)
}

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const LOCAL_HEADER_SIZE: u64 = 30;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_SIZE: u64 = 46;
const END: &[u8] = b"PK\x05\x06";
const END_SIZE: u64 = 22;
const END64: &[u8] = b"PK\x06\x06";
const END64_SIZE: u64 = 56;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_SIZE: u64 = 20;
/// An archive's comment has a 16-bit length.
const MAX_COMMENT: u64 = 0xffff;
/// A 32-bit field whose value is in the zip64 extra field.
const IN_ZIP64: u64 = 0xffff_ffff;
const ZIP64_EXTRA: u16 = 1;
/// General flags: bit 0 encrypted, bit 6 strongly, bit 13 with masked headers.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// General flag: sizes and checksum follow the data, and the local header has zeros.
const DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The records of an archive.
#[derive(Debug)]
pub(crate) struct Archive {
    records: Vec<Record>,
    names: Names,
}

/// One entry of the central directory.
struct Entry {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    local_header: u64,
}

impl Archive {
    /// Reads and checks the directory and every local header.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, ZipError> {
        let file = View { bytes: bytes.as_slice(), base: 0 };
        let end = find_end(file)?;
        let entries = read_entries(file, &end)?;
        headers::ask_for(bytes, entries.iter().map(|entry| entry.local_header));
        let ranges = locate(file, &entries, end.directory)?;
        let mut records: Vec<Record> = Vec::with_capacity(entries.len());
        for (entry, range) in entries.into_iter().zip(ranges) {
            let outside = || ZipError::Missing { what: "data of an entry", offset: range.0 };
            let start = usize::try_from(range.0).unwrap_or(usize::MAX);
            let stop = usize::try_from(range.1).unwrap_or(usize::MAX);
            records.push(Record {
                name: entry.name,
                crc: entry.crc,
                is_deflated: entry.method == DEFLATED,
                bytes: bytes.slice(start..stop).ok_or_else(outside)?,
                size: entry.size,
            });
        }
        let names = Names::of(&records)?;
        Ok(Self { records, names })
    }

    /// The whole names of the entries, in the order of the directory.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|record| record.name.as_str())
    }

    /// How many records there are.
    pub(crate) const fn len(&self) -> usize {
        self.records.len()
    }

    /// A record, by name.
    pub(crate) fn get(&self, name: &str) -> Option<(usize, &Record)> {
        let place = self.names.find(&self.records, name)?;
        Some((place, self.records.get(place)?))
    }

    /// Takes the folder of the first entry off every name, as torch does, and drops entries for folders.
    pub(crate) fn strip_folder(mut self) -> Result<Self, ZipError> {
        let first = self.records.first().ok_or(ZipError::Empty)?;
        let folder = first.name.split_once('/').map_or("", |(folder, _)| folder).to_owned();
        for record in &mut self.records {
            let rest = record.name.strip_prefix(&folder).and_then(|rest| rest.strip_prefix('/'));
            let Some(rest) = rest.map(str::len) else {
                return Err(ZipError::OtherFolder { folder, name: std::mem::take(&mut record.name) });
            };
            record.name.drain(..record.name.len() - rest);
        }
        self.records
            .retain(|record| record.size > 0 || !(record.name.is_empty() || record.name.ends_with('/')));
        self.names = Names::of(&self.records)?;
        Ok(self)
    }
}

/// Bytes with checked little-endian reads. Offsets are from the start of the file, less `base`.
#[derive(Clone, Copy)]
struct View<'a> {
    bytes: &'a [u8],
    base: u64,
}

impl<'a> View<'a> {
    fn part(self, what: &'static str, offset: u64, length: u64) -> Result<View<'a>, ZipError> {
        match self.after(offset).and_then(|after| after.get(..usize::try_from(length).ok()?)) {
            Some(bytes) => Ok(View { bytes, base: self.base + offset }),
            None => Err(self.missing(what, offset)),
        }
    }

    fn signed(
        self,
        what: &'static str,
        offset: u64,
        length: u64,
        signature: &[u8],
    ) -> Result<View<'a>, ZipError> {
        let part = self.part(what, offset, length)?;
        if part.bytes.starts_with(signature) { Ok(part) } else { Err(self.missing(what, offset)) }
    }

    fn number<const N: usize>(self, offset: u64) -> Result<[u8; N], ZipError> {
        match self.after(offset).and_then(<[u8]>::first_chunk) {
            Some(bytes) => Ok(*bytes),
            None => Err(self.missing("field", offset)),
        }
    }

    fn after(self, offset: u64) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(offset).ok()?..)
    }

    const fn missing(self, what: &'static str, offset: u64) -> ZipError {
        ZipError::Missing { what, offset: self.base.saturating_add(offset) }
    }

    fn u16(self, offset: u64) -> Result<u16, ZipError> {
        Ok(u16::from_le_bytes(self.number(offset)?))
    }

    fn u32(self, offset: u64) -> Result<u32, ZipError> {
        Ok(u32::from_le_bytes(self.number(offset)?))
    }

    fn u64(self, offset: u64) -> Result<u64, ZipError> {
        Ok(u64::from_le_bytes(self.number(offset)?))
    }

    const fn len(self) -> u64 {
        self.bytes.len() as u64
    }
}

/// What the end records say of the directory.
struct End {
    count: u64,
    directory: u64,
    size: u64,
}

fn find_end(file: View<'_>) -> Result<End, ZipError> {
    let last = file.len().checked_sub(END_SIZE).ok_or(ZipError::Truncated)?;
    let mut position = last;
    let end = loop {
        if let Ok(end) = file.signed("end record", position, END_SIZE, END)
            && position + END_SIZE + u64::from(end.u16(20)?) == file.len()
        {
            break end;
        }
        if position == 0 || last - position == MAX_COMMENT {
            return Err(ZipError::Truncated);
        }
        position -= 1;
    };
    if end.u16(4)? != 0 || end.u16(6)? != 0 || end.u16(8)? != end.u16(10)? {
        return Err(ZipError::Split);
    }
    let mut found =
        End { count: end.u16(10)?.into(), size: end.u32(12)?.into(), directory: end.u32(16)?.into() };
    let mut directory_end = position;
    let locator = position
        .checked_sub(LOCATOR_SIZE)
        .and_then(|offset| file.signed("zip64 locator", offset, LOCATOR_SIZE, LOCATOR).ok());
    if let Some(locator) = locator {
        directory_end = locator.u64(8)?;
        let end64 = file.signed("zip64 end record", directory_end, END64_SIZE, END64)?;
        if end64.u32(16)? != 0 || end64.u32(20)? != 0 {
            return Err(ZipError::Split);
        }
        // Where the 32-bit record has a value of its own, it is the same.
        let wide = End { count: end64.u64(32)?, size: end64.u64(40)?, directory: end64.u64(48)? };
        let same = (found.count == wide.count || found.count == 0xffff)
            && (found.size == wide.size || found.size == IN_ZIP64)
            && (found.directory == wide.directory || found.directory == IN_ZIP64);
        if !same {
            return Err(ZipError::Missing { what: "agreeing zip64 end record", offset: directory_end });
        }
        found = wide;
    }
    let stated_end = found.directory.saturating_add(found.size);
    if stated_end != directory_end {
        return Err(ZipError::EndRecord { directory_end: stated_end, end_record: directory_end });
    }
    if found.count == 0 { Err(ZipError::Empty) } else { Ok(found) }
}

fn read_entries(file: View<'_>, end: &End) -> Result<Vec<Entry>, ZipError> {
    let directory = file.part("central directory", end.directory, end.size)?;
    let mut entries = Vec::new();
    let mut position = 0;
    while position < directory.len() {
        let entry = directory.signed("directory entry", position, ENTRY_SIZE, ENTRY)?;
        let name_length = u64::from(entry.u16(28)?);
        let extra_length = u64::from(entry.u16(30)?);
        let comment_length = u64::from(entry.u16(32)?);
        let name = directory.part("name of an entry", position + ENTRY_SIZE, name_length)?;
        let name = std::str::from_utf8(name.bytes).map_err(|_| ZipError::Name { offset: entry.base })?;
        let extra = directory.part("extra field", position + ENTRY_SIZE + name_length, extra_length)?;
        if entry.u16(34)? != 0 {
            return Err(ZipError::Split);
        }
        let mut read = Entry {
            name: name.to_owned(),
            flags: entry.u16(8)?,
            method: entry.u16(10)?,
            crc: entry.u32(16)?,
            compressed: entry.u32(20)?.into(),
            size: entry.u32(24)?.into(),
            local_header: entry.u32(42)?.into(),
        };
        read_zip64(&mut read, extra)?;
        check_entry(&read)?;
        entries.push(read);
        position += ENTRY_SIZE + name_length + extra_length + comment_length;
    }
    let found = entries.len() as u64;
    if found == end.count { Ok(entries) } else { Err(ZipError::Count { announced: end.count, found }) }
}

/// Takes from the zip64 extra field those values that the entry says are there, in their fixed order.
fn read_zip64(entry: &mut Entry, extra: View<'_>) -> Result<(), ZipError> {
    let wanted: Vec<&mut u64> = [&mut entry.size, &mut entry.compressed, &mut entry.local_header]
        .into_iter()
        .filter(|value| **value == IN_ZIP64)
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut position = 0;
    while position < extra.len() {
        let id = extra.u16(position)?;
        let length = u64::from(extra.u16(position + 2)?);
        if id == ZIP64_EXTRA {
            let values = extra.part("zip64 extra field", position + 4, length)?;
            for (index, value) in wanted.into_iter().enumerate() {
                *value = values.u64(8 * index as u64)?;
            }
            return Ok(());
        }
        position += 4 + length;
    }
    Err(ZipError::Missing { what: "zip64 extra field", offset: extra.base })
}

fn check_entry(entry: &Entry) -> Result<(), ZipError> {
    let name = || entry.name.clone();
    if entry.flags & ENCRYPTED != 0 {
        return Err(ZipError::Encrypted { name: name() });
    }
    match entry.method {
        STORED if entry.size != entry.compressed => Err(ZipError::StoredSize { name: name() }),
        STORED | DEFLATED => Ok(()),
        method => Err(ZipError::Method { name: name(), method }),
    }
}

/// The range of each entry's data, in the order of `entries`: found through the local headers, which must
/// agree with the directory, and without overlaps.
fn locate(file: View<'_>, entries: &[Entry], directory: u64) -> Result<Vec<(u64, u64)>, ZipError> {
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let differs = |field| ZipError::HeaderDiffers { name: entry.name.clone(), field };
        let header = file.signed("local header", entry.local_header, LOCAL_HEADER_SIZE, LOCAL_HEADER)?;
        let name_offset = entry.local_header + LOCAL_HEADER_SIZE;
        let name_length = u64::from(header.u16(26)?);
        let name = file.part("name in a local header", name_offset, name_length)?;
        if name.bytes != entry.name.as_bytes() {
            return Err(differs("name"));
        }
        let flags = header.u16(6)?;
        if flags & ENCRYPTED != 0 {
            return Err(ZipError::Encrypted { name: entry.name.clone() });
        }
        if header.u16(8)? != entry.method {
            return Err(differs("compression method"));
        }
        if flags & DESCRIPTOR == 0 {
            if header.u32(14)? != entry.crc {
                return Err(differs("checksum"));
            }
            let agrees = |local: u32, central| u64::from(local) == central || u64::from(local) == IN_ZIP64;
            if !agrees(header.u32(18)?, entry.compressed) || !agrees(header.u32(22)?, entry.size) {
                return Err(differs("size"));
            }
        }
        let start = name_offset + name_length + u64::from(header.u16(28)?);
        let stop = start.checked_add(entry.compressed).filter(|&stop| stop <= directory);
        ranges.push((start, stop.ok_or_else(|| ZipError::Overlap { name: entry.name.clone() })?));
    }
    let mut order: Vec<(u64, u64, &str)> = entries
        .iter()
        .zip(&ranges)
        .map(|(entry, range)| (entry.local_header, range.1, entry.name.as_str()))
        .collect();
    order.sort_unstable();
    for pair in order.windows(2) {
        if let [(_, stop, name), (next, _, _)] = *pair
            && stop > next
        {
            return Err(ZipError::Overlap { name: name.to_owned() });
        }
    }
    Ok(ranges)
}
