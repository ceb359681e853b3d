//! What happens in a zoo, as it happens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::JobError;
use super::job::Job;
use super::state::{Reason, State};
use crate::checkpoint::Warning;
use crate::convert::Size;
use crate::crew::Crew;
use crate::plan::Note;

/// Who hears what happens, and may stop it. Called from many threads.
pub trait Listener: Sync {
    /// Something happened.
    fn hear(&self, event: &Event<'_>);

    /// A job has ended, or will not begin.
    fn ended(&self, job: usize, outcome: Outcome);

    /// Whether to stop: no further job begins, and what is being written is abandoned.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// What happens. A job is told by its place in the list of jobs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The states of all jobs are known.
    Checked {
        /// The jobs.
        jobs: &'a [Job],
        /// The state of each.
        states: &'a [State],
        /// Whose threads do them.
        crew: &'a Crew,
        /// Bytes of memory that they may take.
        memory: u64,
    },
    /// A job begins.
    Started {
        /// The job.
        job: usize,
    },
    /// Another process works on the job's output; it is waited for.
    Waiting {
        /// The job.
        job: usize,
    },
    /// The job is planned, and so many bytes are to be written.
    Writing {
        /// The job.
        job: usize,
        /// Bytes.
        bytes: u64,
    },
    /// So many more bytes of a job were written.
    Advanced {
        /// The job.
        job: usize,
        /// Bytes.
        bytes: u64,
    },
    /// Something is worth knowing about a job.
    Warned {
        /// The job.
        job: usize,
        /// What.
        remark: Remark<'a>,
    },
}

/// What is worth knowing about a job.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Remark<'a> {
    /// The checkpoint's reader says it.
    Checkpoint(&'a Warning),
    /// An input changed while it was read, so the job is done again in the next run.
    Input(&'a std::path::Path),
    /// The job alone needs more memory than all may take, so it runs alone. Told of the first such job of a run.
    Memory {
        /// What would be enough for it and the buffers of all threads, in bytes.
        needed: u64,
        /// What all may take.
        limit: u64,
    },
}

impl std::fmt::Display for Remark<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Checkpoint(warning) => write!(f, "{warning}"),
            Self::Input(path) => {
                write!(f, "{} changed while it was read; the next run converts again", path.display())
            }
            Self::Memory { needed, limit } => write!(
                f,
                "runs alone, as does any other that needs too much memory: all may take {}, and --memory {} would be \
                 enough for it",
                Size(*limit),
                Size(*needed)
            ),
        }
    }
}

/// What came of a job.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing had changed.
    Current(Box<Done>),
    /// The output was written.
    Written(Box<Done>),
    /// It would be written: nothing but the values and the file system can fail it.
    Planned(Box<Done>),
    /// It failed; what stood in the output's place is untouched, unless the error says otherwise.
    Failed(Box<JobError>),
    /// It was not done, or not to its end: the run was stopped.
    Stopped,
}

/// What a job did, or would do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Done {
    /// The files, the output itself last; as the manifest's folder sees them. None of a plan.
    pub files: Vec<String>,
    /// The files that were read, as the manifest's folder sees them. A record has them beside their contents.
    #[serde(skip)]
    pub inputs: Vec<String>,
    /// Bytes of all that were written; of a plan, of the variables.
    pub bytes: u64,
    /// Bytes of the files that were read.
    pub bytes_read: u64,
    /// Variables in the output.
    pub variables: usize,
    /// Tensors that no variable reads, as a rule or a waiver says.
    pub unused: usize,
    /// Variables without a value, as a waiver says.
    pub left_out: usize,
    /// What is worth knowing about the checkpoint.
    pub warnings: Vec<String>,
    /// What the weights alone cannot make equal, and other remarks: each what it is about, and the remark.
    pub notes: Vec<(String, String)>,
    /// How long it took.
    pub seconds: f64,
}

impl Done {
    pub(super) fn notes_of(notes: &[Note]) -> Vec<(String, String)> {
        notes.iter().map(|note| (note.about.clone(), note.text.clone())).collect()
    }
}

/// What came of a zoo.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Summary {
    /// The state that each job was in.
    pub states: Vec<State>,
    /// Whether each job is done: it was current, or is now, or was planned without a fault.
    pub is_done: Vec<bool>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// Whether every job is done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.is_done.iter().all(|&is_done| is_done)
    }
}

impl State {
    /// Why it is to be done, if it is.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Stale(reasons) => reasons,
            Self::New | Self::Current(_) => &[],
        }
    }
}
