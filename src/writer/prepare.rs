//! A file that is laid out down to its bytes, but for the elements of its datasets.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::keras::file_layout::{Body, Content, Member, OutputFile};
use crate::lazy::Bytes;

use super::archive::{Archive, Entry};
use super::hdf5::{self, Encoded, Extent};
use super::outlet::write_at;
use super::write::hands;
use super::{Error, Progress, WriteOptions, checksum};

/// Tells the type and the shape of a dataset.
type Extents<'e, 'a> = &'e dyn Fn(Content) -> Option<Extent<'a>>;

/// A file that is laid out.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) path: PathBuf,
    /// Bytes of the file.
    pub(super) len: u64,
    /// What is known of it, each piece with its offset.
    pub(super) pieces: Vec<(u64, Bytes)>,
    /// Its datasets, each with the offset of its elements.
    pub(super) datasets: Vec<(Content, u64)>,
    archive: Option<Archive>,
}

impl Prepared {
    /// Lays out a file that goes with the output at `path`.
    pub(super) fn new(file: OutputFile, path: &Path, extents: Extents<'_, '_>) -> Result<Self, Error> {
        let path = file.name.map_or_else(|| path.to_owned(), |name| path.with_file_name(name));
        let mut prepared = Self { path, len: 0, pieces: Vec::new(), datasets: Vec::new(), archive: None };
        match file.body {
            Body::Hdf5(tree) => {
                let encoded = hdf5::encode(&tree, extents)?;
                prepared.len = encoded.len;
                prepared.put(encoded, 0);
            }
            Body::Text(text) => {
                prepared.len = text.len() as u64;
                prepared.pieces.push((0, Bytes::held(text.into_bytes())));
            }
            Body::Archive(members) => prepared.put_members(members, extents)?,
        }
        Ok(prepared)
    }

    fn put(&mut self, encoded: Encoded, at: u64) {
        self.pieces.push((at, Bytes::held(encoded.structure)));
        self.datasets.extend(encoded.datasets.into_iter().map(|(content, offset)| (content, at + offset)));
    }

    fn put_members(&mut self, members: Vec<(String, Member)>, extents: Extents<'_, '_>) -> Result<(), Error> {
        let mut archive = Archive::default();
        for (name, member) in members {
            match member {
                Member::Bytes(bytes) => {
                    let crc = Some(checksum::of(bytes.as_slice()));
                    let at = archive.push(Entry { name, len: bytes.len() as u64, crc }, 1)?;
                    self.pieces.push((at, bytes));
                }
                Member::Hdf5(tree) => {
                    let encoded = hdf5::encode(&tree, extents)?;
                    let entry = Entry { name, len: encoded.len, crc: None };
                    let at = archive.push(entry, hdf5::PAGE_BYTES)?;
                    self.put(encoded, at);
                }
            }
        }
        self.len = archive.file_len();
        self.archive = Some(archive);
        Ok(())
    }

    /// Writes what is known.
    pub(super) fn put_structure(&self, file: &File) -> Result<(), Error> {
        let io_error = |source| Error::Io { path: self.path.clone(), source };
        self.pieces.iter().try_for_each(|(at, bytes)| write_at(file, bytes.as_slice(), *at)).map_err(io_error)
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
