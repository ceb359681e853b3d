//! What tells a file from others, whatever it is called.

use std::path::{Component, Path, PathBuf};

/// What tells a file from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// Where it is, links resolved, as [`place`] tells. A file need not be there yet.
    Place(PathBuf),
    /// Which file it is, by whatever names (hard links).
    #[cfg(unix)]
    File { device: u64, inode: u64 },
}

impl Identity {
    /// Where the file is, if this tells.
    pub(crate) fn place(&self) -> Option<&Path> {
        match self {
            Self::Place(place) => Some(place),
            #[cfg(unix)]
            Self::File { .. } => None,
        }
    }
}

/// All that tells a file from others: two are the same where one of these is.
pub(crate) fn identities(path: &Path) -> Vec<Identity> {
    let mut found = vec![Identity::Place(place(path))];
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        use std::os::unix::fs::MetadataExt as _;
        found.push(Identity::File { device: metadata.dev(), inode: metadata.ino() });
    }
    found
}

/// Whether two paths are of one file.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let others = identities(other);
    identities(one).iter().any(|id| others.contains(id))
}

/// Where a file is, to be compared: the absolute path without links, of what is not there as far as it is, and as
/// [`folded`].
pub(crate) fn place(path: &Path) -> PathBuf {
    let place = resolved(path);
    if IGNORES_CASE { PathBuf::from(folded(&place.to_string_lossy())) } else { place }
}

/// Whether file systems take names for one that differ in the case of letters alone: those of macOS and Windows do
/// unless they were made otherwise, and there two such outputs are refused for nothing.
const IGNORES_CASE: bool = cfg!(any(target_os = "macos", windows));

/// A name, to be compared.
pub(crate) fn folded(name: &str) -> String {
    fold(name, IGNORES_CASE)
}

fn fold(name: &str, ignores_case: bool) -> String {
    if ignores_case { name.to_lowercase() } else { name.to_owned() }
}

fn resolved(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // The longest part of it that is there.
    for there in path.ancestors().skip(1) {
        let (Ok(mut place), Ok(rest)) = (there.canonicalize(), path.strip_prefix(there)) else { continue };
        for part in rest.components() {
            match part {
                Component::ParentDir => {
                    place.pop();
                }
                Component::Normal(name) => place.push(name),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        return place;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn names_of_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("a")).unwrap();
        std::fs::write(path("a/file"), "x").unwrap();
        std::fs::hard_link(path("a/file"), path("hard")).unwrap();
        std::os::unix::fs::symlink("a/file", path("soft")).unwrap();
        std::os::unix::fs::symlink("a", path("b")).unwrap();
        let check = |one: &str, other: &str, expected: bool| {
            assert_eq!(is_same_file(&path(one), &path(other)), expected, "{one} and {other}");
        };
        check("a/file", "hard", true);
        check("a/file", "soft", true);
        check("a/new", "b/new", true);
        check("a/new/deep", "b/../a/new/x/../deep", true);
        check("a/new", "a/other", false);
        check("a/new", "a/file", false);
    }

    #[test]
    fn letters_of_either_case() {
        assert_eq!(fold("Keras/Ärger.H5", true), fold("keras/ärger.h5", true));
        assert_ne!(fold("A.h5", false), fold("a.h5", false));
    }
}
