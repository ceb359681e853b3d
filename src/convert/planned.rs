//! A conversion that is decided, and what became of it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::ConvertError;
use super::memory;
use super::progress::{Progress, Writing};
use super::records::check_and_write;
use super::seen::Seen;
use crate::checkpoint::Warning;
use crate::plan::{Note, Plan};
use crate::writer::{self, Outline, WriteOptions};

/// A conversion that is decided: nothing but the values can fail it, and the file system.
#[derive(Debug)]
#[non_exhaustive]
pub struct Planned {
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The file to write.
    pub output: PathBuf,
    /// Where every variable comes from and where every tensor goes.
    pub plan: Plan,
    /// The files that were read, each once.
    pub inputs: Vec<PathBuf>,
    /// What the checkpoint's reader warned of.
    pub warnings: Vec<Warning>,
    /// How it is to be written.
    pub options: WriteOptions,
    /// What the inputs were when they were open.
    pub(super) seen: Seen,
    /// The output laid out, if it is: beside the planning, or when it was first asked for.
    pub(super) outline: Mutex<Option<Arc<Outline>>>,
}

/// What a conversion did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The files that were written; the one that the caller named is the last.
    pub files: Vec<PathBuf>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Variables in them.
    pub variables: usize,
    /// The files that were read, each once: when one of them changes, the output may.
    pub inputs: Vec<PathBuf>,
    /// What the checkpoint's reader warned of, and the records whose checksums are wrong.
    pub warnings: Vec<Warning>,
    /// What the weights alone cannot make equal, and other remarks.
    pub notes: Vec<Note>,
    /// How many tensors no variable reads, as a rule or a waiver says.
    pub unused: usize,
    /// How many variables are left without a value, as a waiver says.
    pub left_out: usize,
}

impl Planned {
    /// Bytes of the variables, as they will be written. The file has some more.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.plan.byte_len()
    }

    /// About how many bytes of memory [`Self::write`] takes at most, with that many threads (by default those of
    /// the conversion). Mapped files are not among them: the system takes their pages back.
    #[must_use]
    pub fn memory(&self, threads: Option<NonZeroUsize>) -> u64 {
        let threads = threads.map_or_else(|| self.options.threads(), NonZeroUsize::get);
        memory::estimate(&self.plan, threads)
    }

    /// About how many of these bytes are values that have to be computed (inflated, dequantized), with that many
    /// threads; the others are buffers, of which each thread has [`WORKER_BYTES`](super::WORKER_BYTES).
    #[must_use]
    pub fn computed_memory(&self, threads: NonZeroUsize) -> u64 {
        memory::held(&self.plan, threads.get())
    }

    /// Finds what would keep the output from being written whatever its values are: a format that cannot hold
    /// the model so that its Keras reads it. Writes nothing.
    ///
    /// # Errors
    /// As [`Self::write`] would fail.
    pub fn check(&self) -> Result<(), ConvertError> {
        self.outline().map(drop).map_err(Into::into)
    }

    /// The output laid out: as it was before, unless the caller has changed what that depends on.
    fn outline(&self) -> Result<Arc<Outline>, writer::Error> {
        let mut known = self.outline.lock().unwrap_or_else(PoisonError::into_inner);
        let form = &self.options.form;
        if let Some(outline) = known.as_ref().filter(|known| known.is_of(&self.plan, &self.output, form)) {
            return Ok(Arc::clone(outline));
        }
        let outline = Arc::new(Outline::of(&self.plan, &self.output, form)?);
        *known = Some(Arc::clone(&outline));
        Ok(outline)
    }

    /// Writes the output, whole or not at all. Before it or beside it, the checksums of what is read are compared, as far
    /// as the checkpoint has some: those that are wrong are warnings (PyTorch does not look at them).
    ///
    /// # Errors
    /// When the output cannot be written, values cannot be read or do not fit their type, an input was changed since
    /// it was opened, or it is stopped. What stood in the output's place is then untouched.
    pub fn write(&self, progress: &dyn Progress) -> Result<Report, ConvertError> {
        let threads = self.options.threads.and_then(NonZeroUsize::new);
        let mut warnings = self.warnings.clone();
        let (damage, written) = check_and_write(&self.plan, threads, progress, || {
            progress.started(self.bytes());
            let writing = Writing { progress, seen: &self.seen };
            writer::write_outline(&*self.outline()?, &self.plan, &self.options, &writing)
        });
        warnings.extend(damage);
        let written = written.map_err(|error| self.tell(error))?;
        Ok(Report {
            files: written.files,
            bytes: written.bytes,
            variables: written.variables,
            inputs: self.inputs.clone(),
            warnings,
            notes: self.plan.notes.clone(),
            unused: self.plan.unused.len(),
            left_out: self.plan.left_out.len(),
        })
    }

    fn tell(&self, error: writer::Error) -> ConvertError {
        match error {
            writer::Error::Cancelled => ConvertError::Cancelled { path: self.output.clone() },
            writer::Error::Unwanted => {
                let changed = self.seen.changed().unwrap_or(&self.checkpoint);
                ConvertError::Changed { path: changed.to_owned(), output: self.output.clone() }
            }
            writer::Error::Source { source, .. } => {
                ConvertError::Unreadable { path: self.checkpoint.clone(), source }
            }
            error => error.into(),
        }
    }
}
