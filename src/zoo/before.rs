//! What the files of a job were before any of them was opened, so that a record never names another content than the
//! one that its output was made of.
//!
//! A stamp has a file's inode, its size and the times of its last changes, and it is taken when the clock of the file
//! system has gone on since the last of them. So if a path has one stamp at two times, it led to one file all the time
//! between, and nobody wrote to it: a file that is renamed over it has another inode, a write sets the times, and so
//! does a rename away and back. Every input has its stamp taken before it is opened (what only another file names, as
//! shards, is known when that was opened, so all is opened again after a look at it), and once more of the open file
//! whose content is hashed. If the two are the same, what was opened is what was hashed; if not, the job fails before
//! it writes. From then on the conversion itself sees to it that the output takes its name only if no input has
//! changed, and the record is kept only if every stamp is still the same after that. What this cannot see is what the
//! file system does not tell: a link that is turned to another file and back, or a server that keeps the times of
//! changes by seconds and lets its clock stand still.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::digest::Look;
use super::error::JobError;
use super::job::Job;
use super::record::{Folder, written};
use super::schemas::Known;
use super::stamp::Stamp;
use super::state::names_digest;
use crate::checkpoint::ADAPTER_CONFIG;

/// What is known of a job's files before they are read.
pub(super) struct Before {
    /// None of a file that was not there, or that was read before it was looked at.
    stamps: HashMap<PathBuf, Option<Stamp>>,
    pub(super) folders: Vec<Folder>,
    pub(super) absent: Vec<String>,
}

impl Before {
    /// Looks at what the job names but for the schema, which many jobs read together.
    pub(super) fn of(job: &Job) -> Result<Self, JobError> {
        let mut before = Self { stamps: HashMap::new(), folders: Vec::new(), absent: Vec::new() };
        for path in [Some(&job.checkpoint), job.architecture.as_ref()].into_iter().flatten() {
            if path.is_dir() {
                let names = names_digest(job, path)
                    .map_err(|source| JobError::Input { path: path.clone(), source })?;
                before.folders.push(Folder { path: written(job, path), names });
            } else {
                before.add(std::slice::from_ref(path));
            }
        }
        let checkpoint = &job.checkpoint;
        let adapter = (!checkpoint.is_dir()).then(|| checkpoint.with_file_name(ADAPTER_CONFIG));
        let absent = adapter.filter(|path| !path.exists()).map(|path| written(job, &path));
        before.absent.extend(absent);
        Ok(before)
    }

    /// The files of a schema that was read, as they were before that.
    pub(super) fn know(&mut self, schema: &Known) {
        self.stamps.extend(schema.files.iter().cloned());
    }

    /// Looks at those that were not looked at yet; whether there are any.
    pub(super) fn add(&mut self, files: &[PathBuf]) -> bool {
        let known = self.stamps.len();
        for file in files {
            if !self.stamps.contains_key(file) {
                self.stamps.insert(file.clone(), Stamp::settled(file).ok());
            }
        }
        self.stamps.len() > known
    }

    /// A file that was another, or is another by now, than the one that was hashed.
    pub(super) fn changed<'l>(&self, looks: &'l [(PathBuf, Look)]) -> Option<&'l Path> {
        let is_same = |path: &PathBuf, stamp: Stamp| {
            self.stamps.get(path).copied().flatten() == Some(stamp) && Stamp::of(path).ok() == Some(stamp)
        };
        let changed = looks.iter().find(|(path, look)| !is_same(path, look.stamp));
        changed.map(|(path, _)| path.as_path())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;
    use crate::crew::Hands;
    use crate::zoo::digest::look;

    /// Whether a change between the look before and the hash is noticed, and one after the hash.
    #[track_caller]
    fn check(change: impl Fn(&Path), expected: bool) {
        for is_late in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("input");
            fs::write(&path, "old").unwrap();
            fs::write(folder.path().join("other"), "new").unwrap();
            let mut before = Before { stamps: HashMap::new(), folders: Vec::new(), absent: Vec::new() };
            assert!(before.add(std::slice::from_ref(&path)));
            assert!(!before.add(std::slice::from_ref(&path)));
            let hash = || look(&path, Hands::Own(1), &|| false).unwrap().unwrap();
            let early = is_late.then(hash);
            change(&path);
            let looks = [(path.clone(), early.unwrap_or_else(hash))];
            assert_eq!(before.changed(&looks), expected.then_some(path.as_path()), "late: {is_late}");
        }
    }

    #[test]
    fn every_change_is_noticed() {
        check(|_| {}, false);
        check(|path| drop(fs::read(path).unwrap()), false);
        check(|path| fs::rename(path.with_file_name("other"), path).unwrap(), true);
        let write =
            |path: &Path| fs::File::options().write(true).open(path).unwrap().write_all(b"new").unwrap();
        check(write, true);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_hides_is_noticed() {
        let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
        let set = |path: &Path, time| {
            fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        };
        let same_times = |path: &Path| {
            let time = modified(path);
            fs::File::options().write(true).open(path).unwrap().write_all(b"new").unwrap();
            set(path, time);
        };
        check(same_times, true);
        let away_and_back = |path: &Path| {
            fs::rename(path, path.with_file_name("away")).unwrap();
            fs::rename(path.with_file_name("other"), path).unwrap();
            fs::rename(path.with_file_name("away"), path).unwrap();
        };
        check(away_and_back, true);
        let unknown = Before { stamps: HashMap::new(), folders: Vec::new(), absent: Vec::new() };
        let file = tempfile::NamedTempFile::new().unwrap();
        let looks = [(file.path().to_owned(), look(file.path(), Hands::Own(1), &|| false).unwrap().unwrap())];
        assert_eq!(unknown.changed(&looks), Some(file.path()));
    }
}
