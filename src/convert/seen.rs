//! Whether the files that a conversion reads are still those that it opened.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the file system said of files: of those that are named before they were opened, of others when they were.
#[derive(Debug, Default)]
pub(super) struct Seen {
    files: Vec<(PathBuf, Option<Stamp>)>,
    known: HashSet<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    file: Identity,
}

impl Seen {
    /// Looks at a file, unless it was looked at before.
    pub(super) fn add(&mut self, path: &Path) {
        if self.known.insert(path.to_owned()) {
            self.files.push((path.to_owned(), Stamp::of(path)));
        }
    }

    /// One that was written to, replaced or removed since. A file that is mapped shows every write to it, so what was
    /// read of it may be of both contents.
    pub(super) fn changed(&self) -> Option<&Path> {
        let changed = self.files.iter().find(|(path, stamp)| Stamp::of(path) != *stamp);
        changed.map(|(path, _)| path.as_path())
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self { len: metadata.len(), modified: metadata.modified().ok(), file: identity(&metadata) })
    }
}

/// Device and inode. (The time of the last change of anything is of no use: a link to the file changes it too.)
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (one, other) = (file("one"), file("other"));
        std::fs::write(&one, "first").unwrap();
        std::fs::write(&other, "first").unwrap();
        let seen = || {
            let mut seen = Seen::default();
            [&one, &other, &one].into_iter().for_each(|path| seen.add(path));
            assert_eq!(seen.files.len(), 2);
            seen
        };
        let before = seen();
        assert_eq!(before.changed(), None);

        std::fs::write(&other, "longer than it was").unwrap();
        assert_eq!(before.changed(), Some(other.as_path()));
        let before = seen();
        let old = std::fs::File::options().write(true).open(&other).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(before.changed(), Some(other.as_path()));
        let before = seen();
        std::fs::remove_file(&one).unwrap();
        assert_eq!(before.changed(), Some(one.as_path()));
    }
}
