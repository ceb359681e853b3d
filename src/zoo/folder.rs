//! Folders as inputs: a checkpoint of several files, an archive that was unzipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the folder beside outputs that holds the zoo's records and locks.
pub(super) const OWN: &str = ".ptw2k";

/// Folders in folders that are looked into.
const MAX_DEPTH: usize = 16;

/// The names in a folder and in those in it, sorted, each as a path below it. What is hidden is none of a checkpoint's,
/// and links to folders are not followed.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    while let Some((inside, depth)) = open.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = inside.join(&name);
            if depth < MAX_DEPTH && entry.file_type()?.is_dir() {
                open.push((path, depth + 1));
            } else {
                names.push(path.to_string_lossy().into_owned());
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
