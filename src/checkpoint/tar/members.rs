//! The members of a tar file, as ranges of it. Only what torch's writer made with Python's `tarfile` is read
//! (POSIX.1-2001, `pax`): plain files, with extended headers for sizes and times. A link is never followed; the
//! known crates are made for unpacking, and copy.

use super::TarError;
use crate::lazy::Bytes;
use crate::map::Map;

const BLOCK: usize = 512;

/// Bytes of an extended header: torch's have a time in them.
const MAX_EXTENDED: u64 = 1 << 16;

/// The members of a tar file by name.
pub(super) struct Members(Map<String, Bytes>);

impl Members {
    /// Reads the headers.
    pub(super) fn read(file: &Bytes) -> Result<Self, TarError> {
        let mut members = Map::default();
        let mut offset = 0;
        let mut extended_size = None;
        while let Some(header) = header(file, offset)? {
            let Header { name, kind, size } = header;
            let start = offset + BLOCK;
            let is_extended = matches!(kind, b'x');
            let size = if is_extended { size } else { extended_size.take().unwrap_or(size) };
            let range = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
            let available = file.len().saturating_sub(start);
            let Some(bytes) = range.and_then(|stop| file.slice(start..stop)) else {
                return Err(TarError::Truncated { name, needed: size, available });
            };
            offset = start.saturating_add(bytes.len().next_multiple_of(BLOCK));
            match kind {
                b'0' | 0 => {
                    let name = name.strip_prefix("./").map_or_else(|| name.clone(), ToOwned::to_owned);
                    if members.insert(name.clone(), bytes).is_some() {
                        return Err(TarError::DuplicateMember { name });
                    }
                }
                b'x' => extended_size = extended(&bytes, start, size)?,
                _ => return Err(TarError::NotAFile { name, what: what(kind) }),
            }
        }
        Ok(Self(members))
    }

    /// A member.
    pub(super) fn get(&self, name: &'static str) -> Result<&Bytes, TarError> {
        self.0.get(name).ok_or(TarError::MissingMember { name })
    }
}

struct Header {
    name: String,
    kind: u8,
    size: u64,
}

/// The header at an offset; `None` at the end: of the file, or at an empty block.
fn header(file: &Bytes, offset: usize) -> Result<Option<Header>, TarError> {
    let rest = file.as_slice().get(offset..).unwrap_or(&[]);
    if rest.is_empty() {
        return Ok(None);
    }
    let damaged = |what| TarError::Header { offset, what };
    let Some((block, _)) = rest.split_first_chunk::<BLOCK>() else {
        return Err(damaged("it is truncated"));
    };
    if block.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    let field = |start: usize, length: usize| block.get(start..start + length).unwrap_or(&[]);
    // The checksum counts its own eight bytes as spaces.
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    let own: u64 = field(148, 8).iter().map(|&byte| u64::from(byte)).sum();
    if octal(field(148, 8)) != Some(sum - own + 8 * u64::from(b' ')) {
        return Err(damaged("its checksum is wrong"));
    }
    let size = octal(field(124, 12)).ok_or_else(|| damaged("its size is no octal number"))?;
    let name = field(0, 100);
    let name = name.split(|&byte| byte == 0).next().unwrap_or(name);
    // What a longer name has before it; torch's names are short.
    if !matches!(field(345, 1), [0]) {
        return Err(damaged("its name is longer than those that torch writes"));
    }
    let name = std::str::from_utf8(name).map_err(|_| damaged("its name is not UTF-8"))?.to_owned();
    Ok(Some(Header { name, kind: block.get(156).copied().unwrap_or(0), size }))
}

/// An octal number, which spaces or zero bytes end.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    let digits = std::str::from_utf8(digits.get(..end)?).ok()?;
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, 8).ok() }
}

/// The size that an extended header gives the next member, if it does: lines of `length key=value`.
fn extended(bytes: &Bytes, offset: usize, size: u64) -> Result<Option<u64>, TarError> {
    let damaged = |what| TarError::Header { offset, what };
    if size > MAX_EXTENDED {
        return Err(damaged("the extended header is longer than any that torch writes"));
    }
    let mut found = None;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let wrong = || damaged("the extended header is no list of keys and values");
        let space = rest.iter().position(|&byte| byte == b' ').ok_or_else(wrong)?;
        let length: usize = std::str::from_utf8(rest.get(..space).ok_or_else(wrong)?)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(wrong)?;
        let line = rest.get(space + 1..length).ok_or_else(wrong)?;
        let line = line.strip_suffix(b"\n").ok_or_else(wrong)?;
        let equals = line.iter().position(|&byte| byte == b'=').ok_or_else(wrong)?;
        let (key, value) = (line.get(..equals).ok_or_else(wrong)?, line.get(equals + 1..).unwrap_or(&[]));
        match key {
            b"size" => {
                let value = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                found = Some(value.ok_or_else(wrong)?);
            }
            // Times and owners say nothing about the content.
            b"mtime" | b"atime" | b"ctime" | b"uid" | b"gid" | b"uname" | b"gname" => {}
            _ => return Err(damaged("the extended header has a key that torch never writes")),
        }
        rest = rest.get(length..).unwrap_or(&[]);
    }
    Ok(found)
}

const fn what(kind: u8) -> &'static str {
    match kind {
        b'1' => "a hard link",
        b'2' => "a symbolic link",
        b'3' | b'4' => "a device",
        b'5' => "a folder",
        b'6' => "a pipe",
        _ => "of another kind",
    }
}
