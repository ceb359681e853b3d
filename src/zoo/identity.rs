//! What tells a file from others, whatever it is called.

use std::path::{Component, Path, PathBuf};

/// What tells a file from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// Where it is, links resolved. A file need not be there yet.
    Place(PathBuf),
    /// Which file it is, by whatever names (hard links).
    #[cfg(unix)]
    File { device: u64, inode: u64 },
}

/// All that tells a file from others: two are the same where one of these is.
pub(super) fn identities(path: &Path) -> Vec<Identity> {
    let mut found = vec![Identity::Place(place(path))];
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        use std::os::unix::fs::MetadataExt as _;
        found.push(Identity::File { device: metadata.dev(), inode: metadata.ino() });
    }
    found
}

/// The absolute path without links; of what is not there, as far as it is.
fn place(path: &Path) -> PathBuf {
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
            let (one_ids, other_ids) = (identities(&path(one)), identities(&path(other)));
            assert_eq!(one_ids.iter().any(|id| other_ids.contains(id)), expected, "{one} and {other}");
        };
        check("a/file", "hard", true);
        check("a/file", "soft", true);
        check("a/new", "b/new", true);
        check("a/new/deep", "b/../a/new/x/../deep", true);
        check("a/new", "a/other", false);
        check("a/new", "a/file", false);
    }
}
