//! What a plan is made of: checkpoint, schema and architecture.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use super::better::better;
use super::error::ConvertError;
use super::progress::Progress;
use crate::checkpoint::{Checkpoint, OpenOptions};
use crate::keras::Architecture;
use crate::plan::{self, Plan, PlanOptions};
use crate::schema::Schema;

/// Bytes of an architecture that is read while the checkpoint is: such a JSON takes a millisecond, a thread begins in a
/// twentieth of one.
const LONG_ARCHITECTURE: u64 = 64 << 10;

/// What a plan is made of, by name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Source {
    /// The checkpoint: a file or a folder.
    pub checkpoint: PathBuf,
    /// The schema: a file, or the name of a bundled one (`torchvision/resnet`).
    pub schema: PathBuf,
    /// The architecture; by default the one that the schema names.
    pub architecture: Option<PathBuf>,
    /// What is read of the checkpoint.
    pub reading: OpenOptions,
}

/// The same, read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The architecture.
    pub architecture: Architecture,
}

impl Source {
    /// That checkpoint by that schema, for the architecture that it names.
    #[must_use]
    pub fn new(checkpoint: impl Into<PathBuf>, schema: impl Into<PathBuf>) -> Self {
        Self {
            checkpoint: checkpoint.into(),
            schema: schema.into(),
            architecture: None,
            reading: OpenOptions::default(),
        }
    }

    /// Reads all three, but for the values.
    ///
    /// # Errors
    /// When one of them cannot be read, or nothing names an architecture.
    pub fn open(&self, progress: &dyn Progress) -> Result<Opened, ConvertError> {
        self.read(Arc::new(Schema::load(&self.schema)?), progress, is_long)
    }

    /// The same by a schema that was read already: many conversions can have one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_by(&self, schema: Arc<Schema>, progress: &dyn Progress) -> Result<Opened, ConvertError> {
        // Whoever does many conversions has other work for other threads.
        self.read(schema, progress, |_| false)
    }

    /// Reads checkpoint and architecture, at once where that is worth a thread.
    fn read(
        &self,
        schema: Arc<Schema>,
        progress: &dyn Progress,
        is_worth_a_thread: fn(&Path) -> bool,
    ) -> Result<Opened, ConvertError> {
        let path = self.architecture.as_deref().or(schema.architecture.as_deref());
        let (checkpoint, architecture) = std::thread::scope(|scope| {
            // The longer of the two, more or less, is what opening takes.
            let other = path.filter(|path| is_worth_a_thread(path)).and_then(|path| {
                std::thread::Builder::new().spawn_scoped(scope, || Architecture::open(path)).ok()
            });
            let checkpoint = Checkpoint::open(&self.checkpoint, &self.reading)?;
            progress.opened(&checkpoint);
            let path =
                path.ok_or_else(|| ConvertError::NoArchitecture { schema: schema.file.name.clone() })?;
            let architecture = match other.map(ScopedJoinHandle::join) {
                None => Architecture::open(path)?,
                Some(Ok(architecture)) => architecture?,
                Some(Err(panic)) => std::panic::resume_unwind(panic),
            };
            Ok::<_, ConvertError>((checkpoint, architecture))
        })?;
        Ok(Opened { checkpoint, schema, architecture })
    }
}

/// Whether reading an architecture takes longer than beginning a thread.
fn is_long(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() >= LONG_ARCHITECTURE)
}

impl Opened {
    /// The files that were read, each once: those of the checkpoint, of the schema and of the architecture.
    #[must_use]
    pub fn inputs(&self) -> Vec<PathBuf> {
        let checkpoint = &self.checkpoint.files;
        let architecture = &self.architecture.carried.files;
        // A folder stands for its files.
        let own = Some(&self.architecture.path).filter(|path| !path.is_dir());
        let mut known = HashSet::new();
        let all = checkpoint.iter().chain(&self.schema.files).chain(own).chain(architecture);
        all.filter(|path| known.insert(*path)).cloned().collect()
    }

    /// Plans, for any form.
    ///
    /// # Errors
    /// When the plan has faults.
    pub fn plan(self, options: &PlanOptions) -> Result<Plan, ConvertError> {
        let Self { checkpoint, schema, architecture } = self;
        let path = architecture.path.clone();
        plan::plan(&checkpoint, &schema, architecture, options).map_err(|faults| {
            let better = better(&faults, &schema, &checkpoint, &path, options);
            ConvertError::Faults { faults, better }
        })
    }
}
