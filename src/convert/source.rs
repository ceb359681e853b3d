//! What a plan is made of: checkpoint, schema and architecture.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::better::better;
use super::error::ConvertError;
use super::progress::Progress;
use crate::checkpoint::{Checkpoint, OpenOptions};
use crate::crew::beside;
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
    pub architecture: Arc<Architecture>,
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

    /// Reads all three, but for the values: a long architecture by another thread.
    ///
    /// # Errors
    /// When one of them cannot be read, or nothing names an architecture.
    pub fn open(&self, progress: &dyn Progress) -> Result<Opened, ConvertError> {
        self.read(Arc::new(Schema::load(&self.schema)?), progress, is_long)
    }

    /// The same by a schema that was read already, and by one thread: who does many conversions has other work for
    /// others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_by(&self, schema: Arc<Schema>, progress: &dyn Progress) -> Result<Opened, ConvertError> {
        self.read(schema, progress, |_| false)
    }

    fn read(
        &self,
        schema: Arc<Schema>,
        progress: &dyn Progress,
        is_worth_a_thread: fn(&Path) -> bool,
    ) -> Result<Opened, ConvertError> {
        let path = self.architecture.as_deref().or(schema.architecture.as_deref());
        let nowhere = || ConvertError::NoArchitecture { schema: schema.file.name.clone() };
        let architecture = || Ok::<_, ConvertError>(Architecture::open(path.ok_or_else(nowhere)?)?);
        // Opening takes what the longer of the two takes, more or less.
        let (other, checkpoint) = beside(path.is_some_and(is_worth_a_thread), architecture, || {
            let checkpoint = Checkpoint::open(&self.checkpoint, &self.reading)?;
            progress.opened(&checkpoint);
            Ok::<_, ConvertError>(checkpoint)
        });
        let checkpoint = checkpoint?;
        let architecture = Arc::new(other.unwrap_or_else(architecture)?);
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
        plan::plan(&checkpoint, &schema, Arc::clone(&architecture), options).map_err(|faults| {
            let better = better(&faults, &schema, &checkpoint, &architecture, options);
            ConvertError::Faults { faults, better }
        })
    }
}
