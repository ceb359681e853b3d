//! Whether the jobs of a manifest go together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{Fault, FaultKind};
use super::job::Job;
use crate::convert::{Identity, Shards, identities, place};

/// What a folder is to the job that reads it.
const CHECKPOINT: &str = "the checkpoint";
const ARCHITECTURE: &str = "the architecture";

/// What keeps jobs from running together: outputs that are one file, or that are also inputs. `faults` are those of
/// each job.
pub(super) fn check(manifest: &Path, jobs: &[Job], mut faults: Vec<Fault>) -> Vec<Fault> {
    let own: Vec<Vec<Identity>> = jobs.iter().map(|job| identities(&job.output)).collect();
    let (outputs, twice) = Written::new(jobs, &own);
    faults.extend(twice);
    faults.extend(jobs.iter().zip(&own).filter_map(|(job, ids)| {
        let other = outputs.writer_of_shard(ids)?;
        (!std::ptr::eq(other, job)).then(|| same_output(other, job))
    }));
    if let Some(job) = outputs.writer(&identities(manifest)) {
        let kind = FaultKind::OutputIsManifest { output: job.output.clone(), of: job.checkpoint.clone() };
        faults.push(Fault::new(job.output_position.clone(), kind));
    }
    // Many jobs have one schema and one architecture.
    let mut known: HashMap<&Path, Vec<Identity>> = HashMap::new();
    for job in jobs {
        for (is, input) in job.named_inputs() {
            let ids = known.entry(input).or_insert_with(|| identities(input));
            if let Some(writer) = outputs.writer(ids) {
                faults.push(read_and_written(writer, job, is));
            }
        }
    }
    faults.extend(in_sets(jobs, &own));
    faults.extend(in_folders(jobs, &own));
    // A file that a job writes is not missing for another: it must not be read at all.
    let written = |path: &Path| outputs.writer(&identities(path)).is_some();
    faults.retain(|fault| match &fault.kind {
        FaultKind::NoCheckpoint { path } | FaultKind::NoArchitecture { path, .. } => !written(path),
        _ => true,
    });
    faults
}

/// Who writes what.
struct Written<'j> {
    files: HashMap<Identity, &'j Job>,
    /// The jobs whose outputs are in shards, by what these are called after.
    shards: HashMap<PathBuf, &'j Job>,
}

impl<'j> Written<'j> {
    /// The outputs, told by these, and those that are of two jobs.
    fn new(jobs: &'j [Job], own: &[Vec<Identity>]) -> (Self, Vec<Fault>) {
        let mut written = Self { files: HashMap::new(), shards: HashMap::new() };
        let mut faults = Vec::new();
        for (job, ids) in jobs.iter().zip(own) {
            match ids.iter().find_map(|id| written.files.get(id)) {
                Some(first) => faults.push(same_output(first, job)),
                None => written.files.extend(ids.iter().map(|id| (id.clone(), job))),
            }
            if let Some(shards) = Shards::of(&job.output) {
                written.shards.entry(shards.index).or_insert(job);
            }
        }
        (written, faults)
    }

    /// The job that writes a file, or may.
    fn writer(&self, ids: &[Identity]) -> Option<&'j Job> {
        let whole = ids.iter().find_map(|id| self.files.get(id)).copied();
        whole.or_else(|| self.writer_of_shard(ids))
    }

    /// The job of whose shards a file may be one.
    fn writer_of_shard(&self, ids: &[Identity]) -> Option<&'j Job> {
        self.shards.get(&Shards::with(ids)?.index).copied()
    }
}

fn same_output(first: &Job, second: &Job) -> Fault {
    let kind = FaultKind::SameOutput {
        output: second.output.clone(),
        first: first.checkpoint.clone(),
        second: second.checkpoint.clone(),
    };
    // Where [defaults] name both, their own lines tell more.
    let is_one_place = first.output_position.span == second.output_position.span;
    let position = |job: &Job| if is_one_place { &job.position } else { &job.output_position }.clone();
    Fault::new(position(second), kind)
        .with_other(position(first), "written here")
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

/// Outputs that would be shards of an architecture, which is read with all of them.
fn in_sets(jobs: &[Job], own: &[Vec<Identity>]) -> Vec<Fault> {
    let mut readers: HashMap<PathBuf, &Job> = HashMap::new();
    for job in jobs {
        if let Some(shards) = job.architecture.as_deref().and_then(Shards::of) {
            readers.entry(shards.index).or_insert(job);
        }
    }
    let harmed = |(writer, ids): (&Job, &Vec<Identity>)| {
        let reader = readers.get(&Shards::with(ids)?.index)?;
        Some(read_and_written(writer, reader, ARCHITECTURE))
    };
    jobs.iter().zip(own).filter_map(harmed).collect()
}

/// Outputs in folders that are read as a whole. Of a checkpoint's folder the names in it are looked at; an output of
/// its own job is known to be none of its files. Of an unzipped archive everything is carried over.
fn in_folders(jobs: &[Job], own: &[Vec<Identity>]) -> Vec<Fault> {
    let mut known: HashMap<&Path, Option<PathBuf>> = HashMap::new();
    let mut readers: HashMap<PathBuf, Vec<(&'static str, &Job)>> = HashMap::new();
    for job in jobs {
        let architecture = job.architecture.as_deref().map(|path| (ARCHITECTURE, path));
        for (is, input) in [(CHECKPOINT, job.checkpoint.as_path())].into_iter().chain(architecture) {
            let folder = known.entry(input).or_insert_with(|| input.is_dir().then(|| place(input)));
            if let Some(folder) = folder {
                readers.entry(folder.clone()).or_default().push((is, job));
            }
        }
    }
    if readers.is_empty() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (writer, ids) in jobs.iter().zip(own) {
        let folders =
            ids.iter().filter_map(Identity::place).flat_map(|place| place.ancestors().skip(1).enumerate());
        for (depth, folder) in folders {
            let mut readers = readers.get(folder).into_iter().flatten();
            let harmed = readers.find(|&&(is, reader)| match is {
                CHECKPOINT => depth == 0 && !std::ptr::eq(reader, writer),
                _ => true,
            });
            faults.extend(harmed.map(|&(is, reader)| written_into(writer, reader, is)));
        }
    }
    faults
}

fn written_into(writer: &Job, reader: &Job, is: &'static str) -> Fault {
    let kind = FaultKind::OutputInInput {
        output: writer.output.clone(),
        of: writer.checkpoint.clone(),
        is,
        reader: reader.checkpoint.clone(),
    };
    Fault::new(reader.position.clone(), kind)
        .with_other(writer.output_position.clone(), "written into it")
        .with_help("give the outputs a folder of their own")
}
