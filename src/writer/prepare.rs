//! A file that is laid out down to its bytes, but for the elements of its datasets.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::keras::file_layout::{Body, Content, Member, OutputFile};

use super::archive::{Archive, Entry};
use super::outlet::write_at;
use super::values::Values;
use super::write::hands;
use super::{Error, Progress, WriteOptions, checksum, hdf5};

/// A file that is laid out.
pub(super) struct Prepared<'a> {
    pub(super) path: PathBuf,
    /// Bytes of the file.
    pub(super) len: u64,
    /// What is known of it, each piece with its offset.
    pub(super) pieces: Vec<(u64, Cow<'a, [u8]>)>,
    /// Its datasets, each with the offset of its elements.
    pub(super) datasets: Vec<(Content, u64)>,
    archive: Option<Archive>,
}

impl<'a> Prepared<'a> {
    /// Lays out a file that goes with the output at `path`.
    pub(super) fn new(file: &'a OutputFile, path: &Path, values: &Values<'_>) -> Result<Self, Error> {
        let path = file.name.as_ref().map_or_else(|| path.to_owned(), |name| path.with_file_name(name));
        let mut prepared = Self { path, len: 0, pieces: Vec::new(), datasets: Vec::new(), archive: None };
        match &file.body {
            Body::Hdf5(tree) => {
                let encoded = hdf5::encode(tree, &|content| values.extent(content))?;
                prepared.len = encoded.len;
                prepared.put(encoded, 0);
            }
            Body::Text(text) => {
                prepared.len = text.len() as u64;
                prepared.pieces.push((0, Cow::Borrowed(text.as_bytes())));
            }
            Body::Archive(members) => prepared.put_members(members, values)?,
        }
        Ok(prepared)
    }

    fn put(&mut self, encoded: hdf5::Encoded, at: u64) {
        self.pieces.push((at, Cow::Owned(encoded.structure)));
        self.datasets.extend(encoded.datasets.into_iter().map(|(content, offset)| (content, at + offset)));
    }

    fn put_members(&mut self, members: &'a [(String, Member)], values: &Values<'_>) -> Result<(), Error> {
        let mut archive = Archive::default();
        for (name, member) in members {
            match member {
                Member::Bytes(bytes) => {
                    let bytes = bytes.as_slice();
                    let entry =
                        Entry { name: name.clone(), len: bytes.len() as u64, crc: Some(checksum::of(bytes)) };
                    let at = archive.push(entry, 1)?;
                    self.pieces.push((at, Cow::Borrowed(bytes)));
                }
                Member::Hdf5(tree) => {
                    let encoded = hdf5::encode(tree, &|content| values.extent(content))?;
                    let entry = Entry { name: name.clone(), len: encoded.len, crc: None };
                    let at = archive.push(entry, hdf5::PAGE_BYTES)?;
                    self.put(encoded, at);
                }
            }
        }
        self.len = archive.file_len();
        self.archive = Some(archive);
        Ok(())
    }

    /// Writes what is known only when the datasets are filled: an archive's checksums.
    pub(super) fn finish(
        &self,
        file: &File,
        options: &WriteOptions,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let io_error = |source| Error::Io { path: self.path.clone(), source };
        let sum = |range| checksum::of_file(file, &self.path, range, hands(options, progress), progress);
        for (offset, bytes) in archive.headers(sum)? {
            write_at(file, &bytes, offset).map_err(io_error)?;
        }
        Ok(())
    }
}
