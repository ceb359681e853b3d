//! `cargo xtask keras`: Keras of many versions builds, saves and loads; `ptw2k` lists and writes.

use std::path::PathBuf;

use crate::{Outcome, shell, venv};

/// Every version that is judged, the newest last.
const VERSIONS: [&str; 8] = ["2.15.0", "3.0.5", "3.3.3", "3.5.0", "3.8.0", "3.10.0", "3.12.0", "3.15.1"];
/// Keras 2, on an interpreter of its own.
const KERAS_2: &str = "2.15.0";
/// The version of the judges' own environment, and of KerasHub's.
pub(crate) const NEWEST: &str = "3.15.1";
/// Those that a run of all tests asks: the oldest Keras 3, which every trap is in, and the newest.
const FEW: [&str; 3] = ["3.0.5", "3.8.0", NEWEST];
/// What is judged.
const PARTS: [&str; 4] = ["families", "applications", "kerashub", "graphs"];
/// Random graphs of a run of all tests, for each of two versions; 500 in a full run.
const FEW_GRAPHS: &str = "60";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options<'a> {
    versions: Vec<&'a str>,
    parts: Vec<&'a str>,
    seed: Option<&'a str>,
    models: Vec<&'a str>,
}

/// Judges what the options name; all versions and all parts when they name none.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let options = parse(options)?;
    judge(&options, &["--archives", "--injected"])
}

/// Everything: all versions, all parts.
pub(crate) fn all() -> Outcome {
    run(&[])
}

/// As much as a run of all tests has time for.
pub(crate) fn few() -> Outcome {
    let parts = vec!["families", "applications", "graphs"];
    let options = Options { versions: FEW.to_vec(), parts, ..Options::default() };
    judge(&options, &["--graphs", FEW_GRAPHS, "--families-of", "3.0.5", "--families-of", NEWEST])
}

fn judge(options: &Options<'_>, more: &[&str]) -> Outcome {
    let binary = shell::release_binary()?;
    let environment = venv::ready()?;
    let target = shell::target_directory()?.join("judges");
    let work = target.join("keras");
    std::fs::create_dir_all(&work)?;
    let mut command = environment.script("versions");
    command.arg("--ptw2k").arg(binary).arg("--work").arg(&work);
    command.arg("--table").arg(target.join("keras-versions.md")).args(more);
    for version in chosen(&options.versions, &VERSIONS) {
        command.arg("--keras").arg(interpreter(version, &environment)?);
    }
    let parts = chosen(&options.parts, &PARTS);
    for part in &parts {
        command.args(["--part", part]);
    }
    if parts.contains(&"kerashub") {
        command.arg("--kerashub").arg(format!("{NEWEST}={}", venv::keras_hub()?.display()));
    }
    if let Some(seed) = options.seed {
        command.args(["--seed", seed]);
    }
    shell::run(command.args(&options.models))?;
    std::fs::remove_dir_all(work)?;
    Ok(())
}

/// The interpreter of a version, and the folder to put on its `PYTHONPATH`.
pub(crate) fn python(version: &str, environment: &venv::Environment) -> Outcome<(PathBuf, Option<PathBuf>)> {
    Ok(match version {
        KERAS_2 => (venv::keras_2()?, None),
        NEWEST => (environment.python.clone(), None),
        old => (environment.python.clone(), Some(venv::old_keras(old)?)),
    })
}

/// `VERSION=PYTHON[,PACKAGES]`
fn interpreter(version: &str, environment: &venv::Environment) -> Outcome<String> {
    let (python, packages) = python(version, environment)?;
    let packages = packages.map(|folder| format!(",{}", folder.display())).unwrap_or_default();
    Ok(format!("{version}={}{packages}", python.display()))
}

/// What was named, in the order of the list; all of it when nothing was.
fn chosen<'a>(named: &[&str], all: &[&'a str]) -> Vec<&'a str> {
    all.iter().copied().filter(|one| named.is_empty() || named.contains(one)).collect()
}

fn parse<'a>(options: &[&'a str]) -> Outcome<Options<'a>> {
    let (mut parsed, mut rest) = (Options::default(), options);
    loop {
        rest = match rest {
            [] => return Ok(parsed),
            ["--keras", version, rest @ ..] if VERSIONS.contains(version) => {
                parsed.versions.push(version);
                rest
            }
            ["--keras", ..] => return Err(format!("--keras takes one of {}", VERSIONS.join(", ")).into()),
            ["--seed", seed, rest @ ..] => {
                parsed.seed = Some(seed);
                rest
            }
            ["--model", model, rest @ ..] => {
                parsed.models.push(model);
                rest
            }
            [part, rest @ ..] if PARTS.contains(part) => {
                parsed.parts.push(part);
                rest
            }
            [option, ..] => {
                return Err(format!("unknown option {option} of xtask keras, or its value is missing").into());
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_parts_in_any_order() {
        let parsed =
            parse(&["families", "--keras", "3.5.0", "--model", "dense", "--seed", "7", "graphs"]).unwrap();
        let expected = Options {
            versions: vec!["3.5.0"],
            parts: vec!["families", "graphs"],
            seed: Some("7"),
            models: vec!["dense"],
        };
        assert_eq!(parsed, expected);
        assert_eq!(parse(&[]).unwrap(), Options::default());
        assert!(parse(&["--keras", "4.0.0"]).is_err());
        assert!(parse(&["--seed"]).is_err());
        assert!(parse(&["familes"]).is_err());
    }

    #[test]
    fn nothing_named_is_everything() {
        assert_eq!(chosen(&[], &PARTS), PARTS);
        assert_eq!(chosen(&["graphs", "families"], &PARTS), ["families", "graphs"]);
    }
}
