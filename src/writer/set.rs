//! Outputs of several files: all appear, or none.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::keras::file_layout::named_shards;

use super::Error;
use super::atomic::{Aside, Draft, aside, folder_of};
use super::prepare::Prepared;

/// The longest index of an earlier output that is read. That of ten thousand layers has 1 MB.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// The files of an earlier, longer set at the same path, as its index names them: they go when it goes. None
/// where the output is one file.
pub(super) fn stale(path: &Path, files: &[Prepared]) -> Result<Vec<PathBuf>, Error> {
    if files.len() < 2 {
        return Ok(Vec::new());
    }
    let mut index = Vec::new();
    match fs::File::open(path).and_then(|file| file.take(MAX_INDEX_BYTES).read_to_end(&mut index)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
    }
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let named = named_shards(&index, name).into_iter().map(|shard| path.with_file_name(shard));
    let is_stale = |path: &PathBuf| files.iter().all(|file| file.path != *path) && path.is_file();
    Ok(named.filter(is_stale).collect())
}

/// Refuses a set of which a shard is a link: whoever made it did not name it, and what it leads to may be somebody's
/// input. The last file, the index, is the one that was named.
pub(super) fn check_links(files: &[Prepared]) -> Result<(), Error> {
    let shards = files.split_last().map_or(&[][..], |(_, shards)| shards);
    match shards.iter().find(|file| file.path.is_symlink()) {
        Some(file) => Err(Error::ShardIsLink { path: file.path.clone() }),
        None => Ok(()),
    }
}

/// Refuses a set in which links make one file of two.
pub(super) fn check_distinct(drafts: &[Draft]) -> Result<(), Error> {
    let mut seen: HashMap<PathBuf, &Draft> = HashMap::new();
    for draft in drafts {
        // The file itself need not be there yet, its folder is.
        let target = draft.target();
        let folder = folder_of(target).canonicalize();
        let folder = folder.map_err(|source| Error::Io { path: target.to_owned(), source })?;
        let place = folder.join(target.file_name().unwrap_or_default());
        if let Some(other) = seen.insert(place, draft) {
            let (first, second) = (other.path().to_owned(), draft.path().to_owned());
            return Err(Error::OneFileTwice { first, second, target: target.to_owned() });
        }
    }
    Ok(())
}

/// Puts the files in their places, the last one last.
///
/// A set of several first moves what stands there out of the way, the last file (the index that names the
/// others) first, so that at no time an index names files of another set; should anything fail, all of it goes
/// back. A crash in between leaves no index, and the old files as `.ptw2k-old-…` beside it.
pub(super) fn publish(drafts: Vec<Draft>, stale: &[PathBuf]) -> Result<(), Error> {
    if let [_] = drafts.as_slice() {
        return drafts.into_iter().try_for_each(Draft::publish);
    }
    let targets: Vec<PathBuf> = drafts.iter().map(|draft| draft.target().to_owned()).collect();
    let mut old: Vec<(PathBuf, Aside)> = Vec::new();
    let mut published = 0;
    let outcome = replace(drafts, targets.iter().rev().chain(stale), &mut old, &mut published);
    if outcome.is_err() {
        for target in targets.iter().take(published) {
            // What is in the way of the old file is replaced by it, and the error is told already.
            let _ = fs::remove_file(target);
        }
        let mut kept = Ok(());
        for (path, held) in old.into_iter().rev() {
            if let Err(error) = held.path.persist(&path) {
                // The old file stays under the name that it has now, whatever becomes of the others.
                let source = error.error;
                kept = match error.path.keep() {
                    Ok(held) => Err(Error::NotRestored { path, held, source }),
                    Err(_) => Err(Error::Io { path, source }),
                };
            }
        }
        kept?;
    }
    outcome
}

fn replace<'a>(
    drafts: Vec<Draft>,
    replaced: impl Iterator<Item = &'a PathBuf>,
    old: &mut Vec<(PathBuf, Aside)>,
    published: &mut usize,
) -> Result<(), Error> {
    for path in replaced.filter(|path| path.exists()) {
        if !path.is_file() {
            return Err(Error::NotAFile { path: path.clone() });
        }
        let held = aside(path).map_err(|source| Error::Io { path: path.clone(), source })?;
        old.push((path.clone(), held));
    }
    for draft in drafts {
        draft.publish()?;
        *published += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(path: &Path, content: &str) -> Draft {
        let draft = Draft::create(path, content.len() as u64).unwrap();
        io::Write::write_all(&mut draft.file(), content.as_bytes()).unwrap();
        draft
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let check = |names: [&str; 2], expected: bool| {
            let drafts = names.map(|name| draft(&path(name), "new"));
            let outcome = check_distinct(&drafts);
            assert_eq!(
                matches!(outcome, Err(Error::OneFileTwice { .. })),
                expected,
                "{names:?}: {outcome:?}"
            );
        };
        fs::write(path("a"), "").unwrap();
        for name in ["b", "c"] {
            std::os::unix::fs::symlink("a", path(name)).unwrap();
        }
        check(["a", "new"], false);
        check(["a", "b"], true);
        check(["b", "c"], true);
    }

    /// What fails midway, for the place of one of the files was taken meanwhile, is undone.
    #[test]
    fn old_files_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "stale", "index"] {
            fs::write(path(name), name).unwrap();
        }
        let drafts = || ["a", "b", "index"].map(|name| draft(&path(name), "new")).into_iter().collect();
        let read = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
        let names = || fs::read_dir(folder.path()).unwrap().count();

        let doomed: Vec<Draft> = drafts();
        fs::create_dir(path("b")).unwrap();
        assert!(publish(doomed, &[path("stale")]).is_err());
        assert_eq!(["a", "stale", "index"].map(read), ["a", "stale", "index"]);

        fs::remove_dir(path("b")).unwrap();
        publish(drafts(), &[path("stale")]).unwrap();
        assert_eq!(["a", "b", "index", "stale"].map(read), ["new", "new", "new", ""]);
        assert_eq!(names(), 3);
    }
}
