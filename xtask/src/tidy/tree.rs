//! Rules for every file of the repository: its size, and no path of somebody's machine.

use std::path::Path;
use std::process::Command;

use super::Fault;
use crate::{Outcome, shell};

/// A clone should stay small; larger inputs are made when they are needed.
const BYTES_ALLOWED: u64 = 1 << 20;

/// How paths of a single machine start. Split, so that this file does not break the rule itself.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    "C:\\Users",
];

/// The files of the repository: tracked, or new and not ignored. Relative, `/` between parts.
pub(super) fn files(root: &Path) -> Outcome<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let listed = shell::read(&mut git)?;
    let there = |file: &&str| root.join(file).is_file();
    Ok(listed.split('\0').filter(|file| !file.is_empty()).filter(there).map(str::to_owned).collect())
}

/// The faults of all files.
pub(super) fn check(root: &Path, files: &[String]) -> Outcome<Vec<Fault>> {
    let mut faults = Vec::new();
    for file in files {
        let path = root.join(file);
        let size = std::fs::metadata(&path)?.len();
        if size > BYTES_ALLOWED {
            faults.push(Fault::new(file, 0, format!("is {size} bytes, more than {BYTES_ALLOWED}")));
        }
        // What is not UTF-8 is a checkpoint or a weight file.
        if let Ok(text) = String::from_utf8(std::fs::read(&path)?) {
            faults.extend(machine_paths(file, &text));
        }
    }
    Ok(faults)
}

fn machine_paths(file: &str, text: &str) -> Vec<Fault> {
    let fault = |(index, line): (usize, &str)| {
        let pattern = MACHINE_PATHS.into_iter().find(|pattern| starts_a_path(line, pattern))?;
        Some(Fault::new(file, index + 1, format!("`{pattern}` is a path of one machine")))
    };
    text.lines().enumerate().filter_map(fault).collect()
}

/// Whether `pattern` stands in the line as the start of a path, and not within one (`a/home/b`).
fn starts_a_path(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine() {
        let (home, users) = (MACHINE_PATHS[0], MACHINE_PATHS[2]);
        let text = format!("see {home}me/x\nhttps://a.b{home}x\n\"{users}x\"\n");
        let lines: Vec<usize> = machine_paths("a.md", &text).iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 3]);
    }
}
