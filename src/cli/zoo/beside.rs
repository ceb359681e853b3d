//! Files beside the outputs: the report, the depfile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::results::Results;
use crate::cli::failure::Failure;
use crate::convert::is_same_file;
use crate::writer;
use crate::zoo::Zoo;

/// Refuses files that are of the zoo, in no folder, or one.
pub(super) fn check(paths: &[&Path], zoo: &Zoo) -> Result<(), Failure> {
    for &path in paths {
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
    }
    if let [one, other] = paths
        && is_same_file(one, other)
    {
        return Err(Failure::BesideIsOutput { path: (*one).to_owned() });
    }
    Ok(())
}

/// Writes one, whole or not at all, unless it is what a job has read: which files a checkpoint has and a schema is made
/// of is known when the jobs are done.
pub(super) fn write(path: &Path, text: &str, zoo: &Zoo, results: &Results) -> Result<(), Failure> {
    if path.exists() {
        let done = results.all().filter_map(|ended| ended.done.as_ref());
        // Jobs have schemas and architectures in common.
        let read: BTreeSet<&String> = done.flat_map(|done| &done.inputs).collect();
        for input in read {
            let input = seen(zoo, input);
            if input.exists() {
                writer::check_not_input(path, &input)?;
            }
        }
    }
    Ok(writer::replace(path, text.as_bytes())?)
}

/// A path that the manifest's folder sees, seen from the current one.
pub(super) fn seen(zoo: &Zoo, path: &str) -> PathBuf {
    zoo.path.parent().unwrap_or(Path::new("")).join(path)
}
