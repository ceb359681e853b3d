//! The files of a checkpoint that is a folder, or has an index: each mapped once.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::lazy::Bytes;
use crate::tensor::Printable;

/// Why a file that a checkpoint names cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A name that could lead out of the checkpoint's folder.
    #[error(
        "it names the file {:?}, which is no plain name; only files of the checkpoint's own folder are read",
        Printable(name).to_string()
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The file is not there.
    #[error("it names the file `{}`, which is missing; get it again, or the whole folder", Printable(name))]
    Missing {
        /// The name.
        name: String,
    },
    /// A folder, a pipe or a device.
    #[error("it names `{}`, which is no file", Printable(name))]
    NotAFile {
        /// The name.
        name: String,
    },
    /// The operating system refused.
    #[error("it names the file `{}`, which cannot be opened: {reason}", Printable(name))]
    Open {
        /// The name.
        name: String,
        /// What it said.
        reason: io::Error,
    },
}

/// Bytes of a file name. File systems stop at 255.
const MAX_NAME: usize = 255;

/// The files of one folder.
pub(super) struct Files {
    folder: PathBuf,
    mapped: HashMap<String, Bytes>,
    paths: Vec<PathBuf>,
}

impl Files {
    /// None yet.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), mapped: HashMap::new(), paths: Vec::new() }
    }

    /// Maps a file by its plain name; one that was mapped before is the same map.
    ///
    /// No separator gets through, so no name leads out of the folder. A symbolic link inside of it is
    /// followed: whoever unpacked the folder made it, and the caches of the Hugging Face Hub consist of
    /// links into a folder of blobs.
    pub(super) fn map(&mut self, name: &str) -> Result<Bytes, FileError> {
        if !is_plain(name) {
            return Err(FileError::Name { name: name.to_owned() });
        }
        if let Some(bytes) = self.mapped.get(name) {
            return Ok(bytes.clone());
        }
        let path = self.folder.join(name);
        let failed = |reason: io::Error| match reason.kind() {
            io::ErrorKind::NotFound => FileError::Missing { name: name.to_owned() },
            _ => FileError::Open { name: name.to_owned(), reason },
        };
        // Opening a pipe would wait for its writer.
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(FileError::NotAFile { name: name.to_owned() });
        }
        let bytes = Bytes::map(&path).map_err(failed)?;
        self.mapped.insert(name.to_owned(), bytes.clone());
        self.paths.push(path);
        Ok(bytes)
    }

    /// Where a file of that name lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The files that were mapped.
    pub(super) fn into_paths(self) -> Vec<PathBuf> {
        self.paths
    }
}

/// Whether a name is that of a file in the folder itself, on every operating system: no separators, no drive
/// letters or streams (`:`), nothing that stands for a folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names() {
        for name in ["model-00001-of-00002.safetensors", "__0_0.distcp", "..a", ".metadata", "ü"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", "/a", "a/b", "../a", "..\\a", "C:a", "a\0", "a:b", &"a".repeat(256)] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
