//! `.keras` archives: a zip of `config.json` and `model.weights.h5`, or a folder with the same.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::lazy::Bytes;

use super::archive_check;
use super::error::ErrorKind;
use super::hdf5::decodable;
use super::json::MAX_CONFIG_BYTES;

/// The first bytes of a zip file that has members.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// The name of the weights in an archive.
pub(super) const WEIGHTS: &str = "model.weights.h5";

/// The name of the weights in an archive that was written without h5py.
const OTHER_WEIGHTS: &str = "model.weights.npz";

/// The name of the configuration in an archive.
pub(super) const CONFIG: &str = "config.json";

/// The name of the file in an archive that tells who wrote it.
pub(super) const METADATA: &str = "metadata.json";

/// The folder in an archive for what is no variable: vocabularies.
const ASSETS: &str = "assets";

/// The most other members of an archive. Each lookup layer has one.
const MAX_MEMBERS: usize = 100_000;

/// How deep the folders of assets nest: as deep as models.
const MAX_FOLDER_DEPTH: usize = 64;

/// The longest weights that are inflated into memory. Keras stores them, and stored ones are mapped.
const MAX_INFLATED_BYTES: u64 = 16 << 30;

/// An archive whose directory has been read.
pub(super) enum Archive {
    /// Zipped.
    Zip {
        /// The directory.
        zip: Box<ZipArchive<Cursor<Shared>>>,
        /// The whole file.
        bytes: Bytes,
    },
    /// Unzipped (`save(zipped=False)`).
    Folder(PathBuf),
}

/// `Bytes` for a library that reads from what it owns.
#[derive(Clone)]
pub(super) struct Shared(Bytes);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Archive {
    /// Reads the directory.
    pub(super) fn open(bytes: Bytes) -> Result<Self, ErrorKind> {
        let zip = Box::new(ZipArchive::new(Cursor::new(Shared(bytes.clone())))?);
        archive_check::check(&bytes, zip.central_directory_start(), zip.offset())?;
        Ok(Self::Zip { zip, bytes })
    }

    /// Opens an unzipped one.
    pub(super) fn open_folder(path: &Path) -> Result<Self, ErrorKind> {
        if path.join(CONFIG).is_file() {
            return Ok(Self::Folder(path.to_owned()));
        }
        Err(ErrorKind::NoMember { member: CONFIG })
    }

    /// The text of `config.json`.
    pub(super) fn config(&mut self) -> Result<Bytes, ErrorKind> {
        self.member(CONFIG, CONFIG, MAX_CONFIG_BYTES)
    }

    /// The HDF5 file with the weights.
    pub(super) fn weights(&mut self) -> Result<Bytes, ErrorKind> {
        self.member(WEIGHTS, WEIGHTS, MAX_INFLATED_BYTES)
    }

    /// The names of the other members, in their order: all of an archive; of a folder, which may hold anything,
    /// what Keras puts there.
    pub(super) fn others(&self) -> Result<Vec<String>, ErrorKind> {
        let names: Vec<String> = match self {
            Self::Zip { zip, .. } => {
                zip.file_names().map(|name| name.map(|name| name.into_owned())).collect::<Result<_, _>>()?
            }
            Self::Folder(folder) => {
                let mut names = Vec::new();
                if folder.join(METADATA).is_file() {
                    names.push(METADATA.to_owned());
                }
                if folder.join(ASSETS).is_dir() {
                    list(folder, ASSETS, 0, &mut names)?;
                }
                names
            }
        };
        if names.len() > MAX_MEMBERS {
            return Err(ErrorKind::TooMany { what: "members of the archive", limit: MAX_MEMBERS });
        }
        // A folder's own entry has no bytes.
        Ok(names
            .into_iter()
            .filter(|name| name != CONFIG && name != WEIGHTS && !name.ends_with('/'))
            .collect())
    }

    /// One of them, inflated to at most so many bytes.
    pub(super) fn other(&mut self, name: &str, limit: u64) -> Result<Bytes, ErrorKind> {
        self.member(name, "the other members", limit)
    }

    /// The files of a folder.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, ErrorKind> {
        let Self::Folder(folder) = self else { return Ok(Vec::new()) };
        let names = [CONFIG, WEIGHTS].map(str::to_owned).into_iter().chain(self.others()?);
        Ok(names.map(|name| folder.join(name)).collect())
    }

    /// A member: a range of the archive where it is stored.
    fn member(&mut self, name: &str, part: &'static str, limit: u64) -> Result<Bytes, ErrorKind> {
        let too_large = |bytes| ErrorKind::TooLarge { part, bytes, limit };
        let (zip, bytes) = match self {
            Self::Zip { zip, bytes } => (zip, bytes),
            Self::Folder(folder) => {
                let path = folder.join(name);
                if !path.is_file() {
                    return Err(ErrorKind::NoMember { member: part });
                }
                let bytes = Bytes::map(&path)?;
                let size = bytes.len() as u64;
                return if size > limit { Err(too_large(size)) } else { Ok(bytes) };
            }
        };
        let Some(index) = zip.index_for_name(name) else {
            if zip.index_for_name(OTHER_WEIGHTS).is_some() {
                return Err(ErrorKind::NpzWeights);
            }
            return Err(ErrorKind::NoMember { member: part });
        };
        let file = zip.by_index(index)?;
        let size = file.size();
        let is_stored = file.compression() == zip::CompressionMethod::Stored;
        if size > limit && !is_stored {
            return Err(too_large(size));
        }
        let truncated = || ErrorKind::Truncated { at: name.to_owned() };
        if is_stored {
            let start = file.data_start().and_then(|start| usize::try_from(start).ok());
            let start = start.ok_or_else(truncated)?;
            let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
            let range = start..end.ok_or_else(truncated)?;
            let member = bytes.slice(range).ok_or_else(truncated)?;
            let mut crc = flate2::Crc::new();
            crc.update(member.as_slice());
            if crc.sum() != file.crc32() {
                return Err(ErrorKind::Checksum { member: name.to_owned() });
            }
            return Ok(member);
        }
        let limit = limit.min(decodable(bytes.len() as u64));
        if size > limit {
            return Err(ErrorKind::TooLarge { part, bytes: size, limit });
        }
        let mut inflated = Vec::new();
        file.take(limit).read_to_end(&mut inflated)?;
        if u64::try_from(inflated.len()) != Ok(size) {
            return Err(truncated());
        }
        Ok(Bytes::held(inflated))
    }
}

/// Adds the names of all files below a folder, in the order of their names.
fn list(root: &Path, below: &str, depth: usize, names: &mut Vec<String>) -> Result<(), ErrorKind> {
    if depth > MAX_FOLDER_DEPTH {
        return Err(ErrorKind::TooMany { what: "levels of folders", limit: MAX_FOLDER_DEPTH });
    }
    let mut entries = std::fs::read_dir(root.join(below))?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{below}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            list(root, &name, depth + 1, names)?;
        } else {
            names.push(name);
        }
        if names.len() > MAX_MEMBERS {
            return Err(ErrorKind::TooMany { what: "files in the folder", limit: MAX_MEMBERS });
        }
    }
    Ok(())
}
