//! What a Keras file is, by its first bytes.

use super::error::ErrorKind;
use super::{archive, hdf5};

/// The mark that some editors put before UTF-8.
pub(super) const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Archive,
    Hdf5,
}

/// Whether the signature of HDF5 is not at the beginning, but at one of the other places where it may be: 512
/// bytes on, or a power of two times that.
fn has_user_block(bytes: &[u8]) -> bool {
    let places = std::iter::successors(Some(512_usize), |place| place.checked_mul(2));
    places.map_while(|place| bytes.get(place..)).any(|rest| rest.starts_with(hdf5::MAGIC))
}

/// Tells the kinds of file apart.
pub(super) fn sniff(bytes: &[u8]) -> Result<Content, ErrorKind> {
    if bytes.starts_with(hdf5::MAGIC) {
        return Ok(Content::Hdf5);
    }
    if bytes.starts_with(archive::MAGIC) {
        return Ok(Content::Archive);
    }
    let text = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes).trim_ascii_start();
    let found = match text.first() {
        Some(b'{' | b'"') => return Ok(Content::Json),
        None => "empty",
        Some(b'<') => "HTML or XML",
        Some(_) if has_user_block(bytes) => "HDF5 behind a user block, which Keras never writes",
        Some(_) if text.starts_with(b"version https://git-lfs") => "a git-lfs pointer: run `git lfs pull`",
        Some(_) => "other content",
    };
    Err(ErrorKind::NotKeras { found })
}
