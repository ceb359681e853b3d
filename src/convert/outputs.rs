//! The files that an output consists of.

use std::path::{Path, PathBuf};

use super::conversion::Conversion;
use super::form::format;
use super::identity::{Identity, folded, identities, place};
use crate::keras::file_layout::{Format, index_of_shard};

/// The files that an output may consist of, by whatever paths: itself, and shards.
#[derive(Debug)]
pub(crate) struct Outputs {
    itself: Vec<Identity>,
    shards: Option<Shards>,
}

/// The shards of an output. How many of them there will be is not known before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shards {
    /// Where the index is that they are called after, by the name that it has for that; it may be a link.
    pub(crate) index: PathBuf,
}

impl Outputs {
    /// Those of the output at a path.
    pub(crate) fn of(output: &Path) -> Self {
        Self { itself: identities(output), shards: Shards::of(output) }
    }

    /// Whether a file may be one of them.
    pub(crate) fn has(&self, file: &Path) -> bool {
        let ids = identities(file);
        let is_shard = || self.shards.is_some() && Shards::with(&ids) == self.shards;
        ids.iter().any(|id| self.itself.contains(id)) || is_shard()
    }
}

impl Shards {
    /// Those of the output at a path, if its name says that it has some.
    pub(crate) fn of(output: &Path) -> Option<Self> {
        let Ok(Some(Format::Sharded)) = format(output) else { return None };
        let index = folded(&output.file_name()?.to_string_lossy());
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(Self { index: place(folder.unwrap_or(Path::new("."))).join(index) })
    }

    /// Those that the file that these tell would be one of.
    pub(crate) fn with(ids: &[Identity]) -> Option<Self> {
        let place = ids.iter().find_map(Identity::place)?;
        let index = index_of_shard(&place.file_name()?.to_string_lossy())?;
        Some(Self { index: place.with_file_name(index) })
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
