//! Many conversions in one run: a manifest of jobs, which are done in parallel, each whole or not at all, and only
//! where something has changed.
//!
//! ```text
//! zoo.toml ── open ──→ Zoo ── run ──→ events, and an outcome for each job
//!             │         │       │
//!          manifest   jobs    state → convert → record
//! ```
//!
//! Nothing runs before everything is known that can be known without reading a checkpoint: that every file is there,
//! that no two jobs write one file, and that none writes what another reads.

mod before;
mod check;
mod digest;
mod error;
mod event;
mod folder;
mod glob;
mod job;
mod lock;
mod manifest;
mod memory;
mod open;
mod options;
mod record;
mod run;
mod schemas;
mod settings;
mod shard;
mod stamp;
mod state;
mod template;
mod work;

pub use error::{Error, Fault, FaultKind, JobError};
pub use event::{Done, Event, Listener, Outcome, Remark, Summary};
pub use glob::{GlobError, PathGlob};
pub use job::{Job, Named};
pub use memory::default_memory;
pub use open::Zoo;
pub use run::{RunOptions, run};
#[cfg(test)]
pub(crate) use settings::KEYS;
pub use shard::{Shard, ShardError};
pub use state::{Reason, State};
pub use template::TemplateError;
