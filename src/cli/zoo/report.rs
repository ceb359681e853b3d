//! `--report`: what came of every job, for machines.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::results::Results;
use super::summary::Counts;
use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::writer;
use crate::zoo::{Job, Shard, Summary, Zoo};

/// A report to be written.
pub(super) struct Report<'a> {
    path: &'a Path,
    zoo: &'a Zoo,
}

impl<'a> Report<'a> {
    /// Refuses a path that is of the zoo, or in no folder.
    pub(super) fn new(path: &'a Path, zoo: &'a Zoo) -> Result<Self, Failure> {
        for job in &zoo.jobs {
            if job.conversion().may_write(path) {
                return Err(Failure::BesideIsOutput { path: path.to_owned() });
            }
            let inputs = [Some(job.checkpoint.as_path()), job.schema.file(), job.architecture.as_deref()];
            for input in inputs.into_iter().flatten().chain([zoo.path.as_path()]) {
                writer::check_not_input(path, input)?;
            }
        }
        writer::check_place(path)?;
        Ok(Self { path, zoo })
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(
        self,
        jobs: &[Job],
        results: &Results,
        summary: &Summary,
        shard: Option<Shard>,
    ) -> Result<(), Failure> {
        let counts = Counts::new(results);
        let entry = |(at, (job, state))| Some(results.get(at)?.to_json(job, state));
        let entries: Vec<Json> = jobs.iter().zip(&summary.states).enumerate().filter_map(entry).collect();
        let report = json!({
            "ptw2k": env!("CARGO_PKG_VERSION"),
            "manifest": self.zoo.path.to_string_lossy(),
            "shard": shard.map(|shard| shard.to_string()),
            "interrupted": interrupt::is_interrupted(),
            "seconds": summary.elapsed.as_secs_f64(),
            "bytes": counts.bytes_written(),
            "counts": counts.to_json(),
            "jobs": entries,
        });
        Ok(writer::replace(self.path, format!("{report:#}\n").as_bytes())?)
    }
}
