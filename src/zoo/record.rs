//! What was done for a job, noted down beside its output: `keras/.ptw2k/a.weights.h5.json` for `keras/a.weights.h5`.
//!
//! It takes its place whole or not at all, after the output has taken its own. So whatever ends the process, there is
//! a record of what is there, or the job is done again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::digest::Digest;
use super::event::Done;
use super::folder::OWN;
use super::job::{Job, Named};
use super::stamp::{Stamp, Time};
use crate::writer;

/// The form of records. One of another form is as good as none.
const VERSION: u32 = 1;

/// The longest record that is read, in bytes: one of ten thousand files has a few megabytes.
const MAX_LENGTH: u64 = 64 << 20;

/// The longest name of an output that records and locks are called after: file systems allow 255 bytes, and an
/// ending is added.
const MAX_NAME: usize = 240;

/// What was done for a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) record: u32,
    /// The version that did it.
    pub(super) ptw2k: String,
    pub(super) checkpoint: String,
    pub(super) schema: String,
    pub(super) architecture: Option<String>,
    pub(super) options: Map<String, Json>,
    /// The files that were read.
    pub(super) inputs: Vec<Input>,
    /// The folders that files were found in.
    pub(super) folders: Vec<Folder>,
    /// Files that would have been read, had they been there.
    pub(super) absent: Vec<String>,
    /// The files that were written.
    pub(super) outputs: Vec<Output>,
    /// What came of it.
    pub(super) done: Done,
}

/// A file that was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Input {
    pub(super) path: String,
    pub(super) blake3: Digest,
    pub(super) stamp: Stamp,
    pub(super) looked: Time,
}

/// A folder that files were found in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Folder {
    pub(super) path: String,
    /// Of the names in it.
    pub(super) names: Digest,
}

/// A file that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) path: String,
    pub(super) stamp: Stamp,
}

/// What a record says of a job's files by name.
pub(super) struct Names {
    pub(super) checkpoint: String,
    pub(super) schema: String,
    pub(super) architecture: Option<String>,
}

impl Names {
    pub(super) fn of(job: &Job) -> Self {
        let text = |path: &Path| written(job, path);
        Self {
            checkpoint: text(&job.checkpoint),
            schema: match &job.schema {
                Named::File(path) => text(path),
                Named::Bundled(name) => format!("bundled:{name}"),
            },
            architecture: job.architecture.as_deref().map(text),
        }
    }
}

/// A path as records have it: from the manifest's folder on, so that a zoo may be moved as a whole.
pub(super) fn written(job: &Job, path: &Path) -> String {
    job.relative(path).to_string_lossy().into_owned()
}

impl Record {
    pub(super) fn new(job: &Job, done: Done) -> Self {
        let Names { checkpoint, schema, architecture } = Names::of(job);
        Self {
            record: VERSION,
            ptw2k: env!("CARGO_PKG_VERSION").to_owned(),
            checkpoint,
            schema,
            architecture,
            options: job.options.to_json(),
            inputs: Vec::new(),
            folders: Vec::new(),
            absent: Vec::new(),
            outputs: Vec::new(),
            done,
        }
    }

    /// The record of a job; `None` where there is none.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub(super) fn read(job: &Job) -> io::Result<Option<Self>> {
        let path = path_of(job, "json");
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if length > MAX_LENGTH {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let record: Self = serde_json::from_slice(&fs::read(&path)?)?;
        if record.record != VERSION {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(record))
    }

    /// Writes it in the place of the old one.
    pub(super) fn store(&self, job: &Job) -> Result<(), writer::Error> {
        let path = path_of(job, "json");
        let mut text = serde_json::to_vec(self)
            .map_err(|error| writer::Error::Io { path: path.clone(), source: error.into() })?;
        text.push(b'\n');
        writer::replace(&path, &text)
    }
}

/// The folder for the records and locks of a job.
pub(super) fn folder_of(job: &Job) -> PathBuf {
    match job.output.parent() {
        Some(folder) => folder.join(OWN),
        None => PathBuf::from(OWN),
    }
}

/// A file of a job in that folder.
pub(super) fn path_of(job: &Job, ending: &str) -> PathBuf {
    let name = job.output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = if name.len() > MAX_NAME { blake3::hash(name.as_bytes()).to_hex().to_string() } else { name };
    folder_of(job).join(format!("{name}.{ending}"))
}
