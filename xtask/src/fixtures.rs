//! `cargo xtask fixtures`: the files of `testdata`, made again or compared with their hashes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::{Outcome, keras, shell, venv};

const MANIFEST: &str = "MANIFEST.toml";

/// The packages whose versions decide what the files hold.
const PACKAGES: [&str; 5] = ["torch", "torchvision", "keras", "numpy", "h5py"];

/// Scripts that run in other Kerases than that of the judges' environment, once in each. (Files of 2.13.1 have no
/// environment here: they stay as they are.)
const OF_KERASES: [(&str, &[&str]); 3] = [
    ("keras/keras_2/make.py", &["2.15.0"]),
    ("keras/shapes/make.py", &["2.15.0", "3.8.0", "3.15.1"]),
    ("keras_files/make.py", &["2.15.0", "3.0.5", "3.10.0", "3.15.1"]),
];

/// Runs every `testdata/<case>/make.py` and writes the manifest.
pub(crate) fn remake() -> Outcome {
    let environment = venv::ready()?;
    for (name, script) in files()?.into_iter().filter(|(_, path)| path.ends_with("make.py")) {
        let versions = OF_KERASES.iter().find(|(own, _)| *own == name);
        for version in versions.map_or(&[keras::NEWEST][..], |(_, versions)| versions) {
            let (python, packages) = keras::python(version, &environment)?;
            let mut command = Command::new(python);
            command.arg(&script).env("PYTHONDONTWRITEBYTECODE", "1");
            if let Some(packages) = packages {
                command.env("PYTHONPATH", packages);
            }
            shell::run(&mut command)?;
        }
    }
    write_manifest()
}

/// Writes the hashes of the files that are there, and the pinned versions.
pub(crate) fn write_manifest() -> Outcome {
    let mut text = String::from(
        "# Written by `cargo xtask fixtures`; `cargo xtask fixtures --check` compares.\n\n[versions]\n",
    );
    let requirements = std::fs::read_to_string(shell::root().join("xtask/python/requirements.txt"))?;
    for package in PACKAGES {
        let version = pinned(&requirements, package)
            .ok_or_else(|| format!("requirements.txt does not pin {package}"))?;
        writeln!(text, "{package} = \"{version}\"")?;
    }
    text.push_str("\n[sha256]\n");
    for (name, hash) in hashes()? {
        writeln!(text, "\"{name}\" = \"{hash}\"")?;
    }
    std::fs::write(folder().join(MANIFEST), text)?;
    Ok(())
}

/// Compares every file with the manifest and lists all differences.
pub(crate) fn check() -> Outcome {
    let manifest: toml::Table = std::fs::read_to_string(folder().join(MANIFEST))?.parse()?;
    let listed =
        manifest.get("sha256").and_then(toml::Value::as_table).ok_or("no [sha256] in the manifest")?;
    let listed = listed.iter().map(|(name, hash)| (name.clone(), hash.as_str().unwrap_or("").to_owned()));
    let faults = differences(&listed.collect(), &hashes()?);
    for fault in &faults {
        eprintln!("testdata/{fault}");
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} files of testdata differ from {MANIFEST}; `cargo xtask fixtures` makes them again, \
        `cargo xtask fixtures --hashes` accepts them as they are",
        faults.len()
    )
    .into())
}

fn differences(listed: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, hash) in listed {
        match found.get(name) {
            None => faults.push(format!("{name}: is missing")),
            Some(other) if other != hash => faults.push(format!("{name}: has changed")),
            Some(_) => continue,
        }
    }
    let unlisted = found.keys().filter(|name| !listed.contains_key(*name));
    faults.extend(unlisted.map(|name| format!("{name}: is not in the manifest")));
    faults
}

fn pinned<'a>(requirements: &'a str, package: &str) -> Option<&'a str> {
    requirements.lines().find_map(|line| {
        let (name, version) = line.split_once("==")?;
        if name == package { version.split_whitespace().next() } else { None }
    })
}

fn folder() -> PathBuf {
    shell::root().join("testdata")
}

fn hashes() -> Outcome<BTreeMap<String, String>> {
    let hash = |path: PathBuf| -> Outcome<String> { Ok(hex(&Sha256::digest(std::fs::read(path)?))) };
    files()?.into_iter().map(|(name, path)| Ok((name, hash(path)?))).collect()
}

/// Every file of `testdata` by its name relative to it, without the manifest and Python's caches.
fn files() -> Outcome<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    collect(&folder(), "", &mut found)?;
    found.remove(MANIFEST);
    Ok(found)
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, PathBuf>) -> Outcome {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name =
            entry.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if name == "__pycache__" {
            continue;
        }
        let name = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name, entry.path());
        }
    }
    Ok(())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
        rows.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect()
    }

    #[test]
    fn every_kind_of_difference_is_listed() {
        let listed = table(&[("same", "1"), ("changed", "2"), ("gone", "3")]);
        let found = table(&[("same", "1"), ("changed", "9"), ("new", "4")]);
        let expected = ["changed: has changed", "gone: is missing", "new: is not in the manifest"];
        assert_eq!(differences(&listed, &found), expected);
        assert_eq!(differences(&listed, &listed), Vec::<String>::new());
    }

    #[test]
    fn a_pin_is_read_without_its_comment() {
        let requirements = "jax==0.1 # why\ntorch==2.15.0\ntorchvision==0.29\n";
        assert_eq!(pinned(requirements, "jax"), Some("0.1"));
        assert_eq!(pinned(requirements, "torch"), Some("2.15.0"));
        assert_eq!(pinned(requirements, "numpy"), None);
    }
}
