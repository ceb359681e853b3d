//! Whether the jobs of a manifest go together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{Fault, FaultKind};
use super::job::Job;
use crate::convert::{Identity, identities};

/// What keeps jobs from running together: outputs that are one file, or that are also inputs. `faults` are those of
/// each job.
pub(super) fn check(manifest: &Path, jobs: &[Job], mut faults: Vec<Fault>) -> Vec<Fault> {
    let mut outputs: HashMap<Identity, &Job> = HashMap::new();
    for job in jobs {
        let ids = identities(&job.output);
        match ids.iter().find_map(|id| outputs.get(id)) {
            Some(first) => faults.push(same_output(first, job)),
            None => outputs.extend(ids.into_iter().map(|id| (id, job))),
        }
    }
    faults.extend(shards(jobs));

    if let Some(job) = identities(manifest).iter().find_map(|id| outputs.get(id)) {
        let kind = FaultKind::OutputIsManifest { output: job.output.clone(), of: job.checkpoint.clone() };
        faults.push(Fault::new(job.output_position.clone(), kind));
    }
    // Many jobs have one schema and one architecture.
    let mut known: HashMap<&Path, Vec<Identity>> = HashMap::new();
    for job in jobs {
        for (is, input) in job.named_inputs() {
            let ids = known.entry(input).or_insert_with(|| identities(input));
            if let Some(writer) = ids.iter().find_map(|id| outputs.get(id)) {
                faults.push(read_and_written(writer, job, is));
            }
        }
    }
    // A file that a job writes is not missing for another: it must not be read at all.
    let written = |path: &Path| identities(path).iter().any(|id| outputs.contains_key(id));
    faults.retain(|fault| match &fault.kind {
        FaultKind::NoCheckpoint { path } | FaultKind::NoArchitecture { path, .. } => !written(path),
        _ => true,
    });
    faults
}

fn same_output(first: &Job, second: &Job) -> Fault {
    let kind = FaultKind::SameOutput {
        output: second.output.clone(),
        first: first.checkpoint.clone(),
        second: second.checkpoint.clone(),
    };
    Fault::new(second.output_position.clone(), kind)
        .with_other(first.output_position.clone(), "written here")
        .with_help("give each its own: `{stem}`, `{parent}`, `{path}`, and `{1}` for the first wildcard, tell them apart")
}

fn read_and_written(writer: &Job, reader: &Job, is: &'static str) -> Fault {
    let kind = FaultKind::OutputIsInput {
        output: writer.output.clone(),
        of: writer.checkpoint.clone(),
        is,
        reader: reader.checkpoint.clone(),
    };
    Fault::new(reader.position.clone(), kind)
        .with_other(writer.output_position.clone(), "written here")
        .with_help("no job waits for another: give the output another name, or use two manifests")
}

/// Outputs in shards, of which another output may be one.
fn shards(jobs: &[Job]) -> Vec<Fault> {
    let folder = |job: &Job| job.output.parent().map(Path::to_owned).unwrap_or_default();
    let mut by_folder: HashMap<PathBuf, Vec<&Job>> = HashMap::new();
    for job in jobs {
        by_folder.entry(folder(job)).or_default().push(job);
    }
    let mut faults = Vec::new();
    for job in jobs.iter().filter(|job| job.name.ends_with(".weights.json")) {
        let conversion = job.conversion();
        for other in by_folder.get(&folder(job)).into_iter().flatten() {
            if other.output != job.output && conversion.may_write(&other.output) {
                faults.push(same_output(job, other));
            }
        }
    }
    faults
}
