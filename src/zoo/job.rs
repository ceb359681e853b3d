//! One conversion of a zoo.

use std::path::{Path, PathBuf};

use super::options::Options;
use crate::convert::Conversion;
use crate::schema::Position;

/// One conversion of a zoo. Its paths are as the manifest has them, seen from the current folder.
#[derive(Debug, Clone)]
pub struct Job {
    /// What the manifest calls the output: no other job has the same.
    pub name: String,
    /// The checkpoint: a file or a folder.
    pub checkpoint: PathBuf,
    /// The schema.
    pub schema: Named,
    /// The architecture, which the job or its schema names; none where the schema cannot be read.
    pub architecture: Option<PathBuf>,
    /// The output.
    pub output: PathBuf,
    /// Bytes of the checkpoint, as far as they can be told without reading it.
    pub bytes: u64,
    pub(super) options: Options,
    /// `checkpoint` in the manifest.
    pub(super) position: Position,
    /// `output` in the manifest, or else the job.
    pub(super) output_position: Position,
    /// The manifest's folder.
    pub(super) base: PathBuf,
}

/// A schema, as `--schema` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A file.
    File(PathBuf),
    /// One that comes with ptw2k.
    Bundled(String),
}

impl Named {
    /// What [`crate::schema::Schema::load`] takes.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Bundled(name) => Path::new(name),
        }
    }

    /// The file; none of a bundled schema.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bundled(_) => None,
        }
    }
}

impl Job {
    /// The conversion, by one thread of its own.
    #[must_use]
    pub fn conversion(&self) -> Conversion {
        let mut conversion = Conversion::new(&self.checkpoint, self.schema.as_path(), &self.output);
        conversion.source.architecture.clone_from(&self.architecture);
        conversion.threads = Some(std::num::NonZeroUsize::MIN);
        self.options.apply(&mut conversion);
        conversion
    }

    /// The files and folders that the job names.
    pub(super) fn named_inputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let schema = self.schema.file().map(|path| ("the schema", path));
        let architecture = self.architecture.as_deref().map(|path| ("the architecture", path));
        [("the checkpoint", self.checkpoint.as_path())].into_iter().chain(schema).chain(architecture)
    }

    /// A path as the manifest's folder sees it, where it is in there.
    pub(super) fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.base).unwrap_or(path)
    }
}
