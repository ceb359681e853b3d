//! `--report`: what came of every job, for machines.

use serde_json::{Value as Json, json};

use super::results::Results;
use super::summary::{Counts, states_json};
use crate::cli::interrupt;
use crate::zoo::{Job, Shard, Summary, Zoo};

/// The report.
pub(super) fn text(
    zoo: &Zoo,
    jobs: &[Job],
    results: &Results,
    summary: &Summary,
    shard: Option<Shard>,
) -> String {
    let counts = Counts::new(results);
    let entry = |(at, (job, state))| Some(results.get(at)?.to_json(job, state));
    let entries: Vec<Json> = jobs.iter().zip(&summary.states).enumerate().filter_map(entry).collect();
    let report = json!({
        "ptw2k": env!("CARGO_PKG_VERSION"),
        "manifest": zoo.path.to_string_lossy(),
        "shard": shard.map(|shard| shard.to_string()),
        "interrupted": interrupt::is_interrupted(),
        "seconds": summary.elapsed.as_secs_f64(),
        "bytes": counts.bytes_written(),
        "states": states_json(&summary.states),
        "counts": counts.to_json(),
        "jobs": entries,
    });
    format!("{report:#}\n")
}
