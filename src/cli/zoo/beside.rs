//! Files beside the outputs: the report, the depfile.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::results::Results;
use crate::cli::failure::Failure;
use crate::convert::{is_same_file, place};
use crate::writer;
use crate::zoo::Zoo;

/// Bytes of a file that is looked at: a depfile of a million inputs fits.
const MAX_EARLIER: u64 = 256 << 20;

/// Refuses files that are of the zoo, in no folder, or one; and what would replace anything but a file of its own kind:
/// which files a job reads that its checkpoint or its schema names is not known yet.
pub(super) fn check(report: Option<&Path>, depfile: Option<&Path>, zoo: &Zoo) -> Result<(), Failure> {
    if let (Some(report), Some(depfile)) = (report, depfile)
        && is_same_file(report, depfile)
    {
        return Err(Failure::BesideIsOutput { path: report.to_owned() });
    }
    let folders = folders(zoo);
    let both = [(report, REPORT, is_report as fn(&[u8]) -> bool), (depfile, DEPFILE, is_depfile)];
    for (path, what, is_earlier) in both.into_iter().filter_map(|(path, what, is)| Some((path?, what, is))) {
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
        if let Some(folder) = place(path).ancestors().skip(1).find_map(|folder| folders.get(folder)) {
            return Err(Failure::BesideInInput { path: path.to_owned(), folder: (*folder).to_owned() });
        }
        if path.is_file() && !earlier(path).is_some_and(|bytes| bytes.is_empty() || is_earlier(&bytes)) {
            return Err(Failure::BesideIsForeign { path: path.to_owned(), what });
        }
    }
    Ok(())
}

const REPORT: &str = "the report";
const DEPFILE: &str = "the depfile";

/// The folders that jobs read, by their places.
fn folders(zoo: &Zoo) -> HashMap<PathBuf, &Path> {
    let inputs =
        zoo.jobs.iter().flat_map(|job| [Some(job.checkpoint.as_path()), job.architecture.as_deref()]);
    let inputs: BTreeSet<&Path> = inputs.flatten().collect();
    inputs.into_iter().filter(|path| path.is_dir()).map(|path| (place(path), path)).collect()
}

fn earlier(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_EARLIER).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether a file begins as every report does.
fn is_report(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{\n  \"ptw2k\": ")
}

/// Whether all lines are such as a depfile has.
fn is_depfile(bytes: &[u8]) -> bool {
    let is_line = |line: &str| line.is_empty() || line.starts_with("  ") || line.ends_with([':', '\\']);
    std::str::from_utf8(bytes).is_ok_and(|text| text.lines().all(is_line))
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
