//! What a plan is made of: checkpoint, schema and architecture.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::better::better;
use super::error::ConvertError;
use super::progress::Progress;
use crate::checkpoint::{Checkpoint, OpenOptions};
use crate::crew::beside;
use crate::keras::Architecture;
use crate::plan::{self, Plan, PlanOptions};
use crate::schema::Schema;

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

    /// Reads all three, but for the values, by two threads.
    ///
    /// # Errors
    /// When one of them cannot be read, or nothing names an architecture.
    pub fn open(&self, progress: &dyn Progress) -> Result<Opened, ConvertError> {
        // Even the shortest schema takes some milliseconds, with the classes of layers that it goes by, and a thread
        // begins in a fraction of one. So opening takes what the checkpoint takes, or schema and architecture; and a
        // schema that is wrong is told when the checkpoint is open.
        let schema_and_architecture = || {
            let schema = Arc::new(Schema::load(&self.schema)?);
            let architecture = self.open_architecture(&schema);
            Ok::<_, ConvertError>((schema, architecture))
        };
        let (other, checkpoint) = beside(true, schema_and_architecture, || self.open_checkpoint());
        let (schema, architecture) = other.unwrap_or_else(schema_and_architecture)?;
        let checkpoint = checkpoint?;
        progress.opened(&checkpoint);
        Ok(Opened { checkpoint, schema, architecture: architecture? })
    }

    /// The same by a schema that was read already: many conversions can have one, and who does many has other work for
    /// other threads.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_by(&self, schema: Arc<Schema>, progress: &dyn Progress) -> Result<Opened, ConvertError> {
        let checkpoint = self.open_checkpoint()?;
        progress.opened(&checkpoint);
        let architecture = self.open_architecture(&schema)?;
        Ok(Opened { checkpoint, schema, architecture })
    }

    fn open_checkpoint(&self) -> Result<Checkpoint, ConvertError> {
        Ok(Checkpoint::open(&self.checkpoint, &self.reading)?)
    }

    fn open_architecture(&self, schema: &Schema) -> Result<Arc<Architecture>, ConvertError> {
        let path = self.architecture.as_deref().or(schema.architecture.as_deref());
        let path = path.ok_or_else(|| ConvertError::NoArchitecture { schema: schema.file.name.clone() })?;
        Ok(Arc::new(Architecture::open(path)?))
    }
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
