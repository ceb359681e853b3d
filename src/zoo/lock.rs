//! One process at a time for an output: two shards that were started twice, or two zoos with a job in common.
//!
//! The lock is advisory (`flock`), on a file of its own that goes when the lock does, and the system releases it
//! whatever ends the process. Where there are no such locks (Windows, some network file systems), two processes may
//! do the same job at the same time, and each replaces the other's output by the same bytes.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What came of asking for a lock.
#[derive(Debug)]
pub(super) enum Claim {
    /// It is held until this is dropped.
    Held(Lock),
    /// Another process has it.
    Busy,
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Closing it releases the lock.
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is held, so that who gets the lock next sees that it has none.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// How often the file may be another after it was locked: somebody had it just before, and removed it. One that is
/// always another is on a file system that does not tell files apart, where locks are worth as much as none.
const MAX_REMOVED: usize = 1000;

/// Asks for a lock.
pub(super) fn claim(path: &Path) -> io::Result<Claim> {
    let mut removed = 0;
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        if !try_lock(&file)? {
            return Ok(Claim::Busy);
        }
        if is_still_there(&file, path) || removed >= MAX_REMOVED {
            return Ok(Claim::Held(Lock { path: path.to_owned(), _file: file }));
        }
        removed += 1;
    }
}

#[cfg(unix)]
fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        // The second: a file system without locks.
        Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn try_lock(_file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Whether the file has its name still: who held the lock before may have removed it.
#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(id), path.metadata().map(id)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
fn is_still_there(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        // What a killed process leaves is no lock.
        std::fs::write(&path, "").unwrap();
        let held = claim(&path).unwrap();
        assert!(matches!(held, Claim::Held(_)));
        assert!(matches!(claim(&path).unwrap(), Claim::Busy));
        drop(held);
        assert!(!path.exists());
        assert!(matches!(claim(&path).unwrap(), Claim::Held(_)));
        assert!(claim(&folder.path().join("none/a.lock")).is_err());
    }
}
