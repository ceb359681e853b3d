//! Folders as inputs: a checkpoint of several files, an archive that was unzipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the folder beside outputs that holds the zoo's records and locks. Temporary files begin with it, too.
pub(super) const OWN: &str = ".ptw2k";

/// The folder of an unzipped archive whose files are all read, whatever they are called.
const ASSETS: &str = "assets";

/// Folders in folders that are looked into: more than the reader of archives goes down.
const MAX_DEPTH: usize = 65;

/// Entries that are looked at, more than any reader takes: it then says so itself.
const MAX_ENTRIES: usize = 1 << 18;

/// The names by which a folder's reader decides what it reads, sorted, each as a path below the folder: those of all
/// files in it, hidden ones too (a distributed checkpoint has its `.metadata`), for one more may make another
/// checkpoint of it; and those of all files below `assets`, where links to folders are followed. Of other folders in
/// it nothing is read.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    let mut entries = 0;
    while let Some((inside, depth)) = open.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            entries += 1;
            if entries > MAX_ENTRIES {
                break;
            }
            let entry = entry?;
            let name = entry.file_name();
            let path = inside.join(&name);
            let is_own = depth == 0 && name.to_string_lossy().starts_with(OWN);
            let is_asset = path.starts_with(ASSETS);
            let is_folder = if is_asset { entry.path().is_dir() } else { entry.file_type()?.is_dir() };
            if !is_folder && !is_own {
                names.push(path.to_string_lossy().into_owned());
            } else if is_asset && depth < MAX_DEPTH {
                open.push((path, depth + 1));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Bytes of a file, or of all files of a folder; for the order and the progress of jobs alone.
pub(super) fn byte_len(path: &Path) -> u64 {
    let Ok(metadata) = path.metadata() else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let names = names(path).unwrap_or_default();
    names.iter().filter_map(|name| path.join(name).metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_looks_at() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "model.pt",
            ".metadata",
            ".ptw2k-abcdef",
            ".ptw2k/a.json",
            "sub/model.pt",
            "assets/layer/words.txt",
            "assets/.hidden",
            "elsewhere/more.txt",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut expected = vec![".metadata", "assets/.hidden", "assets/layer/words.txt", "model.pt"];
        assert_eq!(names(folder.path()).unwrap(), expected);
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink("../elsewhere", folder.path().join("assets/linked")).unwrap();
            symlink("sub/model.pt", folder.path().join("model.pth")).unwrap();
            symlink("sub", folder.path().join("sub.pt")).unwrap();
            expected.splice(3..3, ["assets/linked/more.txt"]);
            expected.extend(["model.pth", "sub.pt"]);
            assert_eq!(names(folder.path()).unwrap(), expected);
        }
        assert!(names(&folder.path().join("none")).is_err());
        assert!(names(&folder.path().join("model.pt")).is_err());
    }
}
