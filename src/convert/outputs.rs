//! The files that an output consists of.

use std::path::{Path, PathBuf};

use super::conversion::Conversion;
use super::form::format;
use super::identity::{Identity, folded, identities, place};
use crate::keras::file_layout::{Format, is_shard_name};

/// The files that an output may consist of, by whatever paths: itself, and shards. How many of them there will be is
/// not known before.
#[derive(Debug)]
pub(crate) struct Outputs {
    itself: Vec<Identity>,
    /// Where the shards go, and the name of the index that they are called after.
    shards: Option<(PathBuf, String)>,
}

impl Outputs {
    /// Those of the output at a path.
    pub(crate) fn of(output: &Path) -> Self {
        let is_sharded = matches!(format(output), Ok(Some(Format::Sharded)));
        let shards = output.file_name().filter(|_| is_sharded).map(|name| {
            let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
            (place(folder.unwrap_or(Path::new("."))), folded(&name.to_string_lossy()))
        });
        Self { itself: identities(output), shards }
    }

    /// Where shards go, if there are some.
    pub(crate) fn shard_folder(&self) -> Option<&Path> {
        self.shards.as_ref().map(|(folder, _)| folder.as_path())
    }

    /// Whether a file may be one of them.
    pub(crate) fn has(&self, file: &Path) -> bool {
        let ids = identities(file);
        ids.iter().any(|id| self.itself.contains(id)) || self.has_shard(&ids)
    }

    /// Whether the file that these tell may be one of the shards.
    pub(crate) fn has_shard(&self, ids: &[Identity]) -> bool {
        ids.iter().any(|id| self.is_shard(id))
    }

    fn is_shard(&self, id: &Identity) -> bool {
        let (Identity::Place(place), Some((folder, index))) = (id, &self.shards) else { return false };
        let name = place.file_name().map(|name| name.to_string_lossy());
        place.parent() == Some(folder) && name.is_some_and(|name| is_shard_name(index, &name))
    }
}

impl Conversion {
    /// Whether a file, by whatever path, may be one of those that the output consists of: the output itself, or a
    /// shard.
    #[must_use]
    pub fn may_write(&self, file: &Path) -> bool {
        Outputs::of(&self.output).has(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn by_whatever_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("a")).unwrap();
        std::os::unix::fs::symlink("a", path("b")).unwrap();
        std::fs::write(path("a/one.h5"), "").unwrap();
        std::fs::hard_link(path("a/one.h5"), path("hard.h5")).unwrap();
        let check = |output: &str, file: &str, expected: bool| {
            assert_eq!(Outputs::of(&path(output)).has(&path(file)), expected, "{output} and {file}");
        };
        check("a/one.h5", "hard.h5", true);
        check("a/one.h5", "b/../a/one.h5", true);
        check("a/one.h5", "a/two.h5", false);
        check("a/m.weights.json", "b/m.weights.json", true);
        check("b/m.weights.json", "a/x/../m_00000.weights.h5", true);
        check("a/m.weights.json", "b/m_123456.weights.h5", true);
        check("a/m.weights.json", "m_00000.weights.h5", false);
        check("a/m.weights.json", "a/m_best.weights.h5", false);
        check("a/m.weights.json", "a/m_00001_00000.weights.h5", false);
        check("a/m.weights.h5", "a/m_00000.weights.h5", false);
    }
}
