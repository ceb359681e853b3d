//! What a process that was killed leaves behind: temporary siblings of its outputs.
//!
//! Whoever makes such a file holds it by a shared lock (`flock`), which the system releases whatever ends the process.
//! So what nobody holds is debris. It is locked for good while it is removed: whoever has just made it and finds it
//! locked makes another. Nobody else can have it by then, for its name is taken as long as it is there.
//!
//! Where there are no such locks, nothing can be told, and nothing is removed. Network file systems may keep them to
//! each machine, so a file there must also be old: another machine may be writing it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::atomic::{ASIDE, PREFIX, openable};

/// Letters and digits behind the prefix: what `tempfile` makes names unique by.
const RANDOM_LETTERS: usize = 6;

/// How long nobody may have written to a file that another machine may hold. Between two tiles a writer reads and
/// computes one variable at most, which takes seconds.
const UNUSED_FOR: Duration = Duration::from_secs(3600);

/// Says that a temporary sibling is in use, for as long as the file is open, unless it is being removed already.
/// Without locks nobody asks.
#[cfg(unix)]
pub(super) fn hold(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    flock(file, FlockOperation::NonBlockingLockShared) != Err(rustix::io::Errno::WOULDBLOCK)
}

/// Says nothing, and nobody asks.
#[cfg(not(unix))]
pub(super) fn hold(_file: &File) -> bool {
    true
}

/// Removes the temporary siblings in a folder that no process has in use, and tells how many there were. A folder
/// that is not there has none.
///
/// # Errors
/// When the folder cannot be read, or one of them not be removed.
pub fn sweep(folder: &Path) -> io::Result<usize> {
    let folder = openable(folder);
    sweep_after(folder, if is_of_this_machine(folder) { Duration::ZERO } else { UNUSED_FOR })
}

/// Removes what a process that was killed had moved out of the way of a new set of files and did not put back: old
/// files whose place is taken again, as the caller knows. Those of others stay, for somebody may want them.
///
/// # Errors
/// When the folder cannot be read, or one of them not be removed.
pub fn sweep_old(folder: &Path, is_taken: &dyn Fn(&Path) -> bool) -> io::Result<usize> {
    let folder = openable(folder);
    let unused = if is_of_this_machine(folder) { Duration::ZERO } else { UNUSED_FOR };
    remove_all(folder, unused, &|name| {
        let (old, random) = name.strip_prefix(ASIDE)?.rsplit_once('-')?;
        Some(is_random(random) && is_taken(&folder.join(old)))
    })
}

/// As [`sweep`], of those that nobody has written to for so long.
fn sweep_after(folder: &Path, unused: Duration) -> io::Result<usize> {
    remove_all(folder, unused, &|name| name.strip_prefix(PREFIX).map(is_random))
}

fn is_random(name: &str) -> bool {
    name.len() == RANDOM_LETTERS && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Removes the files with such names, unless they are in use.
fn remove_all(
    folder: &Path,
    unused: Duration,
    is_debris: &dyn Fn(&str) -> Option<bool>,
) -> io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_debris = name.to_str().and_then(is_debris) == Some(true);
        if is_debris && entry.file_type()?.is_file() && remove(&entry.path(), unused)? {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes a file that nobody holds; whether it did.
#[cfg(unix)]
fn remove(path: &Path, unused: Duration) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    // Some network file systems lock only what is open for writing, and an output may forbid that.
    let file = File::options().read(true).write(true).open(path).or_else(|_| File::open(path));
    let Ok(file) = file else { return Ok(false) };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let modified = file.metadata()?.modified()?;
    // Times in the future tell nothing.
    if !unused.is_zero() && !modified.elapsed().is_ok_and(|since| since >= unused) {
        return Ok(false);
    }
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        // It has got its own name meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn remove(_path: &Path, _unused: Duration) -> io::Result<bool> {
    Ok(false)
}

/// Whether a folder is on a file system that no other machine has, so that its locks are known to all who use it.
#[cfg(target_os = "linux")]
fn is_of_this_machine(folder: &Path) -> bool {
    /// The kinds that are, by the numbers of `statfs(2)`: ext, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs.
    const LOCAL: [u32; 8] =
        [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0xF2F5_2010, 0x2FC1_2FC1, 0xCA45_1A4E];
    rustix::fs::statfs(folder).is_ok_and(|status| LOCAL.contains(&(status.f_type as u32)))
}

/// As the system says itself.
#[cfg(target_os = "macos")]
fn is_of_this_machine(folder: &Path) -> bool {
    /// `MNT_LOCAL` of `statfs(2)`.
    const LOCAL: u32 = 0x1000;
    rustix::fs::statfs(folder).is_ok_and(|status| status.f_flags & LOCAL != 0)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn is_of_this_machine(_folder: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::writer::atomic::{Aside, aside};

    #[test]
    fn what_nobody_holds_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".ptw2k-abc123", ".ptw2k-ABCDEF", ".ptw2k-report-abc123", ".ptw2k-abc", "out.h5"] {
            std::fs::write(path(name), "").unwrap();
        }
        std::fs::create_dir(path(".ptw2k-folder")).unwrap();
        let held = File::open(path(".ptw2k-ABCDEF")).unwrap();
        assert!(hold(&held));
        assert_eq!(sweep_after(folder.path(), Duration::ZERO).unwrap(), 1);
        assert!(!path(".ptw2k-abc123").exists());
        drop(held);
        assert_eq!(sweep_after(folder.path(), Duration::ZERO).unwrap(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
        assert_eq!(sweep(&path("none")).unwrap(), 0);
    }

    #[test]
    fn old_files_go_when_their_place_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a-b.json"), "").unwrap();
        std::fs::write(path("c.json"), "").unwrap();
        drop(aside(&path("c.json")).unwrap());
        let Aside { path: moved, _held: held } = aside(&path("a-b.json")).unwrap();
        let sweep = |taken: bool| sweep_old(folder.path(), &|old| taken && old == path("a-b.json")).unwrap();
        assert_eq!(sweep(true), 0, "in use");
        let left = moved.keep().unwrap();
        drop(held);
        assert_eq!([sweep(false), sweep(true)], [0, 1]);
        assert!(!left.exists());
        std::fs::write(path(".ptw2k-old-abc123"), "").unwrap();
        assert_eq!(sweep(true), 0, "of no name");
    }

    /// Where another machine may hold a file, it must be old.
    #[test]
    fn what_was_written_lately_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".ptw2k-abc123");
        let file = File::create(&path).unwrap();
        for (age, removed) in [(-9, 0), (0, 0), (3500, 0), (3700, 1)] {
            let time = std::time::SystemTime::now();
            let ago = Duration::from_secs(i64::unsigned_abs(age));
            file.set_modified(if age < 0 { time + ago } else { time - ago }).unwrap();
            assert_eq!(sweep_after(folder.path(), UNUSED_FOR).unwrap(), removed, "{age} seconds");
        }
    }

    /// What is being removed is not taken in use.
    #[test]
    fn one_or_the_other() {
        use rustix::fs::{FlockOperation, flock};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".ptw2k-abc123");
        let maker = File::create(&path).unwrap();
        let sweeper = File::open(&path).unwrap();
        flock(&sweeper, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(!hold(&maker));
        assert!(!remove(&path, Duration::ZERO).unwrap());
        drop(sweeper);
        assert!(hold(&maker));
        assert!(!remove(&path, Duration::ZERO).unwrap());
    }

    /// An output that nobody may write to leaves such siblings.
    #[test]
    fn what_forbids_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".ptw2k-abc123");
        let file = File::create(&path).unwrap();
        let mut permissions = file.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions).unwrap();
        assert_eq!(sweep_after(folder.path(), Duration::ZERO).unwrap(), 1);
    }
}
