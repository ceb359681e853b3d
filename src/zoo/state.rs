//! Whether a job is to be done.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::digest::{Digest, Look, look};
use super::event::Done;
use super::folder;
use super::job::Job;
use super::record::{Input, Names, Record};
use super::stamp::Stamp;
use crate::convert::Outputs;
use crate::crew::Hands;

/// Whether a job is to be done.
#[derive(Debug, Clone)]
pub enum State {
    /// It never was.
    New,
    /// It was, and something has changed since: the first things that were found.
    Stale(Vec<Reason>),
    /// It was, and nothing has changed since.
    Current(Box<Done>),
}

/// Why a job is to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// All are.
    Forced,
    /// The output is there, and nothing says how it came about.
    NoRecord,
    /// The record of it cannot be read.
    Unreadable,
    /// Another version of this program did it.
    Version(String),
    /// The manifest names another file or schema.
    Named(&'static str),
    /// Options are others, by their names.
    Options(Vec<String>),
    /// A file that was read has another content, or is gone.
    Input(String),
    /// A folder that was read holds other files.
    Folder(String),
    /// A file that would have been read is there now.
    Appeared(String),
    /// A file of the output is gone.
    Missing(String),
    /// A file of the output is not as it was written.
    Output(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forced => write!(f, "forced"),
            Self::NoRecord => write!(f, "the output has no record"),
            Self::Unreadable => write!(f, "the record cannot be read"),
            Self::Version(version) => write!(f, "done by version {version}"),
            Self::Named(what) => write!(f, "{what} is another"),
            Self::Options(names) => write!(f, "{} changed", names.join(", ")),
            Self::Input(path) | Self::Folder(path) => write!(f, "{path} changed"),
            Self::Appeared(path) => write!(f, "{path} is new"),
            Self::Missing(path) => write!(f, "{path} is missing"),
            Self::Output(path) => write!(f, "{path} was changed"),
        }
    }
}

/// The contents of files that were looked at, by this run or by earlier ones.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<PathBuf, Look>>);

impl Looks {
    /// The content of a file, which is read unless it is known; `None` when that is stopped.
    pub(super) fn look(
        &self,
        path: &Path,
        hands: Hands<'_>,
        stops: &(dyn Fn() -> bool + Sync),
    ) -> io::Result<Option<Look>> {
        let stamp = Stamp::of(path)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known.filter(|known| known.stamp == stamp && !stamp.is_racy(known.looked)) {
            return Ok(Some(known));
        }
        let found = look(path, hands, stops)?;
        if let Some(found) = &found {
            self.keep(path, found.clone());
        }
        Ok(found)
    }

    fn keep(&self, path: &Path, look: Look) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), look);
    }
}

/// Finds the state of a job. Where files have other times and the old content, `refresh` says whether the record is
/// to learn their times.
pub(super) fn state(
    job: &Job,
    looks: &Looks,
    hands: Hands<'_>,
    stops: &(dyn Fn() -> bool + Sync),
    refresh: bool,
) -> State {
    let mut record = match Record::read(job) {
        Ok(Some(record)) => record,
        Ok(None) if job.output.exists() => return State::Stale(vec![Reason::NoRecord]),
        Ok(None) => return State::New,
        Err(_) => return State::Stale(vec![Reason::Unreadable]),
    };
    let mut reasons = named(job, &record);
    reasons.extend(outputs(job, &record));
    if !reasons.is_empty() {
        // The contents that are known need not be read again.
        record.inputs.iter().for_each(|input| recall(job, input, looks));
        return State::Stale(reasons);
    }
    reasons.extend(folders(job, &record));
    let mut is_refreshed = false;
    for input in &mut record.inputs {
        match has_content(job, input, looks, hands, stops) {
            Ok(is_new) => is_refreshed |= is_new,
            Err(()) => reasons.push(Reason::Input(input.path.clone())),
        }
    }
    if !reasons.is_empty() {
        return State::Stale(reasons);
    }
    if is_refreshed && refresh {
        // Without it the next run reads the files again, and that is all.
        let _ = record.store(job);
    }
    record.done.inputs = record.inputs.into_iter().map(|input| input.path).collect();
    State::Current(Box::new(record.done))
}

/// What the manifest and this program say otherwise.
fn named(job: &Job, record: &Record) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if record.ptw2k != env!("CARGO_PKG_VERSION") {
        reasons.push(Reason::Version(record.ptw2k.clone()));
    }
    let names = Names::of(job);
    let pairs = [
        ("the checkpoint", record.checkpoint == names.checkpoint),
        ("the schema", record.schema == names.schema),
        ("the architecture", record.architecture == names.architecture),
    ];
    reasons.extend(pairs.into_iter().filter(|&(_, is_same)| !is_same).map(|(what, _)| Reason::Named(what)));
    let options = job.options.to_json();
    let all = record.options.keys().chain(options.keys().filter(|key| !record.options.contains_key(*key)));
    let others: Vec<String> =
        all.filter(|key| record.options.get(*key) != options.get(*key)).cloned().collect();
    if !others.is_empty() {
        reasons.push(Reason::Options(others));
    }
    reasons
}

/// What became of the output.
fn outputs(job: &Job, record: &Record) -> Vec<Reason> {
    let reason = |output: &super::record::Output| match Stamp::of(&job.base.join(&output.path)) {
        Ok(stamp) if stamp == output.stamp => None,
        Ok(_) => Some(Reason::Output(output.path.clone())),
        Err(_) => Some(Reason::Missing(output.path.clone())),
    };
    record.outputs.iter().filter_map(reason).collect()
}

/// What came to be where files were looked for.
fn folders(job: &Job, record: &Record) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for folder in &record.folders {
        if names_digest(job, &job.base.join(&folder.path)).ok().as_ref() != Some(&folder.names) {
            reasons.push(Reason::Folder(folder.path.clone()));
        }
    }
    let appeared = record.absent.iter().filter(|path| job.base.join(path).exists());
    reasons.extend(appeared.map(|path| Reason::Appeared(path.clone())));
    reasons
}

/// Of the names in a folder, but for the output's own.
pub(super) fn names_digest(job: &Job, folder: &Path) -> io::Result<Digest> {
    let own = Outputs::of(&job.output);
    let names = folder::names(folder)?.into_iter().filter(|name| !own.has(&folder.join(name)));
    // No name has it.
    Ok(Digest::of(names.collect::<Vec<_>>().join("\0").as_bytes()))
}

/// Whether a file has the content that it had; `Ok(true)` where its times are others, which the record then has.
fn has_content(
    job: &Job,
    input: &mut Input,
    looks: &Looks,
    hands: Hands<'_>,
    stops: &(dyn Fn() -> bool + Sync),
) -> Result<bool, ()> {
    let path = job.base.join(&input.path);
    let stamp = Stamp::of(&path).map_err(drop)?;
    if stamp == input.stamp && !stamp.is_racy(input.looked) {
        recall(job, input, looks);
        return Ok(false);
    }
    if stamp.size != input.stamp.size {
        return Err(());
    }
    match looks.look(&path, hands, stops) {
        Ok(Some(look)) if look.digest == input.blake3 => {
            input.stamp = look.stamp;
            input.looked = look.looked;
            Ok(true)
        }
        Ok(_) | Err(_) => Err(()),
    }
}

/// What the record knows of a file need not be read again.
fn recall(job: &Job, input: &Input, looks: &Looks) {
    let look = Look { digest: input.blake3.clone(), stamp: input.stamp, looked: input.looked };
    looks.keep(&job.base.join(&input.path), look);
}
