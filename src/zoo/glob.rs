//! Globs over paths, whose wildcards are captures.
//!
//! `*` stands for any characters of a name, `?` for one, `[a-z]` and `[!0-9]` for one of a set, and `**`, as a whole
//! name, for any number of folders. As in shells, a name that begins with a dot is matched only by a glob that
//! begins with one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The longest glob, in bytes: as long as the longest path of Linux.
const MAX_LENGTH: usize = 4096;

/// Folders in folders that `**` goes down. Trees of runs have five or six.
const MAX_DEPTH: usize = 32;

/// A glob over paths.
#[derive(Debug, Clone)]
pub struct PathGlob {
    names: Vec<Name>,
    is_absolute: bool,
    captures: usize,
}

/// One name of the path.
#[derive(Debug, Clone)]
enum Name {
    /// Without wildcards.
    Plain(String),
    /// With some.
    Pattern {
        regex: Regex,
        /// Whether it asks for names that begin with a dot.
        hidden: bool,
    },
    /// `**`.
    Any,
}

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// Nothing.
    #[error("a path cannot be empty")]
    Empty,
    /// Longer than any path.
    #[error("a path of {length} bytes is longer than the {limit} that are supported", limit = MAX_LENGTH)]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// `[` without its `]`, or nothing between them.
    #[error("`[` begins a set of characters that does not end; `[[]` stands for a `[`")]
    OpenSet,
    /// A set that cannot be read.
    #[error("`{set}` is no set of characters")]
    Set {
        /// The set.
        set: String,
    },
    /// `**` beside other characters.
    #[error("`**` stands for folders and is a name of its own: `runs/**/best.pt`")]
    DeepInName,
    /// `**` behind `**`.
    #[error("`**/**` stands for what `**` stands for: write it once")]
    DeepTwice,
}

/// A path that a glob matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    /// The path, relative to the folder that was searched unless the glob is absolute.
    pub(super) path: PathBuf,
    /// What each wildcard stands for.
    pub(super) captures: Vec<String>,
}

/// A folder that cannot be searched.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) folder: PathBuf,
    pub(super) source: io::Error,
}

impl PathGlob {
    /// Reads a glob.
    ///
    /// # Errors
    /// When the text is empty or too long, or a wildcard is incomplete.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(GlobError::TooLong { length: text.len() });
        }
        let mut glob = Self { names: Vec::new(), is_absolute: text.starts_with('/'), captures: 0 };
        for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let name = glob.name(name)?;
            // One pair of folders for the two has as many ways as the path is deep, and more of them multiply.
            if matches!((glob.names.last(), &name), (Some(Name::Any), Name::Any)) {
                return Err(GlobError::DeepTwice);
            }
            glob.names.push(name);
        }
        Ok(glob)
    }

    /// Whether there are wildcards.
    #[must_use]
    pub const fn is_glob(&self) -> bool {
        self.captures > 0
    }

    /// How many there are.
    #[must_use]
    pub const fn captures(&self) -> usize {
        self.captures
    }

    fn name(&mut self, name: &str) -> Result<Name, GlobError> {
        if name == "**" {
            self.captures += 1;
            return Ok(Name::Any);
        }
        if name.contains("**") {
            return Err(GlobError::DeepInName);
        }
        if !name.contains(['*', '?', '[']) {
            return Ok(Name::Plain(name.to_owned()));
        }
        let mut pattern = String::from(r"(?s)\A");
        let mut rest = name;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            self.captures += usize::from(matches!(c, '*' | '?' | '['));
            match c {
                '*' => pattern.push_str("(.*)"),
                '?' => pattern.push_str("(.)"),
                '[' => {
                    let (set, after) = set(rest)?;
                    pattern.push_str(&set);
                    rest = after;
                }
                other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
            }
        }
        pattern.push_str(r"\z");
        // What is escaped is valid; a set may be a range backwards.
        let regex = Regex::new(&pattern).map_err(|_| GlobError::Set { set: name.to_owned() })?;
        Ok(Name::Pattern { regex, hidden: name.starts_with('.') })
    }

    /// Every path under `base` that matches and exists, sorted. A link that leads nowhere exists: whoever reads it is
    /// to say so. Links to folders are followed where a name is spelled out or matched, and not by `**`.
    pub(super) fn find(&self, base: &Path) -> Result<Vec<Match>, Unreadable> {
        let root = if self.is_absolute { PathBuf::from("/") } else { PathBuf::new() };
        let mut found = Vec::new();
        let mut open = vec![(Match { path: root, captures: Vec::new() }, 0)];
        while let Some((at, depth)) = open.pop() {
            let Some(name) = self.names.get(depth) else {
                let path = base.join(&at.path);
                if path.exists() || path.is_symlink() {
                    found.push(at);
                }
                continue;
            };
            match name {
                Name::Plain(name) => {
                    open.push((Match { path: at.path.join(name), captures: at.captures }, depth + 1));
                }
                Name::Pattern { regex, hidden } => {
                    for entry in entries(&base.join(&at.path))? {
                        let name = entry.file_name();
                        let text = name.to_string_lossy();
                        let Some(groups) = regex.captures(&text) else { continue };
                        if text.starts_with('.') && !hidden {
                            continue;
                        }
                        let mut captures = at.captures.clone();
                        captures
                            .extend(groups.iter().skip(1).flatten().map(|group| group.as_str().to_owned()));
                        open.push((Match { path: at.path.join(&name), captures }, depth + 1));
                    }
                }
                Name::Any => {
                    for (inside, text) in folders(base, &at.path)? {
                        let captures = at.captures.iter().cloned().chain([text]).collect();
                        open.push((Match { path: inside, captures }, depth + 1));
                    }
                }
            }
        }
        found.sort();
        found.dedup_by(|one, other| one.path == other.path);
        Ok(found)
    }
}

/// The regex of a set whose `[` was read, and what follows its `]`.
fn set(rest: &str) -> Result<(String, &str), GlobError> {
    let negated = rest.starts_with(['!', '^']);
    let start = usize::from(negated);
    // A `]` in the first place is one of the set.
    let first = rest.get(start..).and_then(|rest| rest.chars().next()).ok_or(GlobError::OpenSet)?;
    let after_first = start + first.len_utf8();
    let end =
        rest.get(after_first..).and_then(|rest| rest.find(']')).ok_or(GlobError::OpenSet)? + after_first;
    let inside = rest.get(start..end).unwrap_or_default();
    let mut set = String::from(if negated { "([^" } else { "([" });
    for c in inside.chars() {
        if c == '-' {
            set.push(c);
        } else {
            set.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
        }
    }
    set.push_str("])");
    Ok((set, rest.get(end + 1..).unwrap_or_default()))
}

/// What is in a folder; nothing where there is no folder.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Unreadable> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let unreadable = |source| Unreadable { folder: folder.to_owned(), source };
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(unreadable),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(source) => Err(unreadable(source)),
    }
}

/// A folder and all those in it, each with its path below the first.
fn folders(base: &Path, top: &Path) -> Result<Vec<(PathBuf, String)>, Unreadable> {
    let mut found = vec![(top.to_owned(), String::new())];
    let mut open = vec![(top.to_owned(), String::new(), 0)];
    while let Some((folder, text, depth)) = open.pop() {
        if depth >= MAX_DEPTH {
            continue;
        }
        for entry in entries(&base.join(&folder))? {
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder || name.to_string_lossy().starts_with('.') {
                continue;
            }
            let joint = if text.is_empty() { "" } else { "/" };
            let text = format!("{text}{joint}{}", name.to_string_lossy());
            let inside = folder.join(&name);
            found.push((inside.clone(), text.clone()));
            open.push((inside, text, depth + 1));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a glob finds in a tree of files, with its captures.
    fn check(glob: &str, expected: &[(&str, &[&str])]) {
        let tree = tempfile::tempdir().unwrap();
        let files = [
            "a/best.pt",
            "b/best.pt",
            "b/last.pt",
            "b/c/d/best.pt",
            ".git/best.pt",
            "e/.best.pt",
            "x[1].pt",
            "x2.pt",
        ];
        for file in files {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = PathGlob::new(glob).unwrap().find(tree.path()).unwrap();
        let found: Vec<(String, Vec<String>)> = found
            .into_iter()
            .map(|found| (found.path.to_string_lossy().replace('\\', "/"), found.captures))
            .collect();
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(path, captures)| ((*path).to_owned(), captures.iter().map(ToString::to_string).collect()))
            .collect();
        assert_eq!(found, expected, "{glob}");
    }

    #[test]
    fn finds_with_captures() {
        check("*/best.pt", &[("a/best.pt", &["a"]), ("b/best.pt", &["b"])]);
        check("b/*.pt", &[("b/best.pt", &["best"]), ("b/last.pt", &["last"])]);
        check(
            "*/*t.pt",
            &[("a/best.pt", &["a", "bes"]), ("b/best.pt", &["b", "bes"]), ("b/last.pt", &["b", "las"])],
        );
        check("**/best.pt", &[("a/best.pt", &["a"]), ("b/best.pt", &["b"]), ("b/c/d/best.pt", &["b/c/d"])]);
        check("b/**/best.pt", &[("b/best.pt", &[""]), ("b/c/d/best.pt", &["c/d"])]);
        check("./b/c", &[("b/c", &[])]);
        check("b/../a/best.pt", &[("b/../a/best.pt", &[])]);
        check("none/*", &[]);
        check("none", &[]);
        check("x2.pt/*", &[]);
    }

    #[test]
    fn one_character() {
        check("?/best.pt", &[("a/best.pt", &["a"]), ("b/best.pt", &["b"])]);
        check("[!a]/[a-l]ast.pt", &[("b/last.pt", &["b", "l"])]);
        check("x[[]1].pt", &[("x[1].pt", &["["])]);
        check("x[]0-9]*", &[("x2.pt", &["2", ".pt"])]);
        check("x*", &[("x2.pt", &["2.pt"]), ("x[1].pt", &["[1].pt"])]);
    }

    #[test]
    fn hidden_names_are_asked_for() {
        check(".g*/best.pt", &[(".git/best.pt", &["it"])]);
        check("e/.*", &[("e/.best.pt", &["best.pt"])]);
        check("e/*", &[]);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("a")).unwrap();
        fs::write(tree.path().join("a/x"), "").unwrap();
        std::os::unix::fs::symlink(".", tree.path().join("a/again")).unwrap();
        std::os::unix::fs::symlink("nowhere", tree.path().join("a/gone")).unwrap();
        let count = |glob: &str| PathGlob::new(glob).unwrap().find(tree.path()).unwrap().len();
        assert_eq!(
            [count("**/x"), count("a/*/x"), count("a/g*"), count("*/gone"), count("a/g*/x")],
            [1, 1, 1, 1, 0]
        );
    }

    #[test]
    fn refuses() {
        let error = |text: &str| PathGlob::new(text).unwrap_err();
        assert_eq!(error(""), GlobError::Empty);
        assert_eq!(error("a/[b"), GlobError::OpenSet);
        assert_eq!(error("a/[]"), GlobError::OpenSet);
        assert_eq!(error("a**/b"), GlobError::DeepInName);
        assert_eq!(error("a/**/./**/b"), GlobError::DeepTwice);
        assert_eq!(error("[z-a]"), GlobError::Set { set: "[z-a]".to_owned() });
        assert_eq!(error(&"a".repeat(4097)), GlobError::TooLong { length: 4097 });
    }
}
