//! What kind of file it is, by its first bytes (formats/pytorch.md section 0). The name says nothing.

mod folder;

use std::path::Path;

use crate::lazy::Bytes;

use super::error::{ErrorKind, NotACheckpoint, UnsupportedForm};
use super::form::Form;
use super::legacy::is_legacy;
use super::zip::{Archive, is_zip};

pub use folder::FolderError;
pub(super) use folder::{Folder, folder, is_rank, one_shard};

/// The forms that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// A zip archive; which kind, its records tell.
    Zip,
    /// A legacy stream.
    Legacy,
    /// A tar file.
    Tar,
    /// A safetensors file.
    Safetensors,
    /// The index of shards.
    Index,
}

/// Where the name of the tar format stands.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

/// Recognises a file, or says what it is instead.
pub(super) fn file(path: &Path, bytes: &Bytes) -> Result<Sniffed, ErrorKind> {
    let bytes = bytes.as_slice();
    let unsupported = |form| Err(ErrorKind::Unsupported(form));
    let not = |what| Err(ErrorKind::NotACheckpoint(what));
    if path.file_name().is_some_and(|name| name == ".metadata")
        || path.extension().is_some_and(|extension| extension == "distcp")
    {
        return not(NotACheckpoint::DcpPart);
    }
    if bytes.is_empty() {
        return not(NotACheckpoint::Empty);
    }
    // First: the length of its header may begin as any other file does.
    if starts_with_header(bytes) {
        return Ok(Sniffed::Safetensors);
    }
    if is_zip(bytes) {
        return Ok(Sniffed::Zip);
    }
    if bytes.get(TAR_MAGIC) == Some(b"ustar") {
        return Ok(Sniffed::Tar);
    }
    if is_legacy(bytes) {
        return Ok(Sniffed::Legacy);
    }
    if matches!(bytes, [0x80, 2..=5, ..]) {
        return unsupported(UnsupportedForm::Pickle);
    }
    if bytes.starts_with(b"PYTORCH1") {
        return unsupported(UnsupportedForm::Preview);
    }
    if is_safetensors(path, bytes) {
        return Ok(Sniffed::Safetensors);
    }
    let text = bytes.trim_ascii_start();
    let starts =
        |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if bytes.starts_with(b"PK\x05\x06") {
        return Err(super::ZipError::Empty.into());
    }
    not(if bytes.starts_with(b"\x1f\x8b") {
        NotACheckpoint::Gzip
    } else if starts(b"<!doctype") || starts(b"<html") || starts(b"<?xml") {
        NotACheckpoint::Html
    } else if starts(b"version https://git-lfs") {
        NotACheckpoint::GitLfsPointer
    } else if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        NotACheckpoint::Hdf5
    } else if bytes.starts_with(b"\x93NUMPY") {
        NotACheckpoint::Numpy
    } else if bytes.starts_with(b"GGUF") {
        NotACheckpoint::Gguf
    } else if starts(b"{") {
        return if contains(text, b"\"weight_map\"") {
            Ok(Sniffed::Index)
        } else {
            unsupported(UnsupportedForm::Json)
        };
    } else {
        NotACheckpoint::Unknown { start: bytes.get(..8).unwrap_or(bytes).to_vec() }
    })
}

/// A length of less than 4 GiB (far beyond any header that is read), then the JSON of an object with a key.
fn starts_with_header(bytes: &[u8]) -> bool {
    bytes.get(4..10) == Some(b"\0\0\0\0{\"")
}

/// A length, then JSON; a file that only has the name is one too, and its reader says what is wrong.
fn is_safetensors(path: &Path, bytes: &[u8]) -> bool {
    matches!(bytes.get(8..10), Some([b'{', _] | [b' ', b' ' | b'{']))
        || path.extension().is_some_and(|extension| extension == "safetensors")
            && bytes.first() != Some(&b'v')
            && bytes.first() != Some(&b'<')
}

/// Bytes of a JSON file that are searched for the word that tells an index.
const MAX_SEARCHED: usize = 1 << 20;

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    let head = bytes.get(..MAX_SEARCHED).unwrap_or(bytes);
    head.windows(word.len()).any(|window| window == word)
}

/// Tells what wrote an archive by its entries (formats/pytorch.md section 0).
pub(super) fn archive(archive: &Archive) -> Result<Form, ErrorKind> {
    let is_folder = |before: &str| before.strip_suffix('/').is_some_and(|folder| !folder.contains('/'));
    let has = |wanted: &str| {
        archive
            .names()
            .filter_map(|name| name.strip_suffix(wanted))
            .any(|before| before.is_empty() || is_folder(before))
    };
    let has_at_root = |wanted: &str| archive.names().any(|name| name == wanted);
    if has("archive_format") {
        Ok(Form::Export)
    } else if has_at_root("serialized_exported_program.json") {
        Ok(Form::OldExport)
    } else if has("constants.pkl") {
        Ok(Form::TorchScript)
    } else if has("model.json") {
        Ok(Form::TorchScriptJson)
    } else if has_at_root("model.weights.h5") {
        Err(ErrorKind::NotACheckpoint(NotACheckpoint::KerasArchive))
    } else if archive.names().all(|name| name.ends_with(".npy")) {
        Err(ErrorKind::NotACheckpoint(NotACheckpoint::Numpy))
    } else {
        Ok(Form::Zip)
    }
}
