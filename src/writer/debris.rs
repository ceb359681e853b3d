//! What a process that was killed leaves behind: temporary siblings of its outputs.
//!
//! Whoever has such a file in use holds it by a shared lock (`flock`), which the system releases whatever ends the
//! process. So what nobody holds is debris. Where there are no such locks, nothing can be told, and nothing is
//! removed.

use std::fs::File;
use std::io;
use std::path::Path;

use super::atomic::PREFIX;

/// Letters and digits behind the prefix: what `tempfile` makes names unique by.
const RANDOM_LETTERS: usize = 6;

/// Says that a temporary sibling is in use, for as long as the file is open. Without locks nobody asks.
#[cfg(unix)]
pub(super) fn hold(file: &File) {
    let _ = rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockShared);
}

/// Says nothing, and nobody asks.
#[cfg(not(unix))]
pub(super) fn hold(_file: &File) {}

/// Removes the temporary siblings in a folder that no process has in use, and tells how many there were. A folder
/// that is not there has none.
///
/// # Errors
/// When the folder cannot be read, or one of them not be removed.
pub fn sweep(folder: &Path) -> io::Result<usize> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_sibling = random.is_some_and(|random| {
            random.len() == RANDOM_LETTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if is_sibling && entry.file_type()?.is_file() && is_debris(&entry.path()) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}

#[cfg(unix)]
fn is_debris(path: &Path) -> bool {
    use rustix::fs::{FlockOperation, flock};
    // Some network file systems lock only what is open for writing.
    let file = File::options().read(true).write(true).open(path);
    file.is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(not(unix))]
fn is_debris(_path: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".ptw2k-abc123", ".ptw2k-ABCDEF", ".ptw2k-report-abc123", ".ptw2k-abc", "out.h5"] {
            std::fs::write(path(name), "").unwrap();
        }
        std::fs::create_dir(path(".ptw2k-folder")).unwrap();
        let held = File::open(path(".ptw2k-ABCDEF")).unwrap();
        hold(&held);
        assert_eq!(sweep(folder.path()).unwrap(), 1);
        assert!(!path(".ptw2k-abc123").exists());
        drop(held);
        assert_eq!(sweep(folder.path()).unwrap(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
        assert_eq!(sweep(&path("none")).unwrap(), 0);
    }
}
