//! `cargo xtask checkpoints`: real torch writes files of every kind, `ptw2k` reads them, every bit is compared.

use std::path::PathBuf;

use crate::{Outcome, shell, venv};

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options<'a> {
    seed: Option<&'a str>,
    keep: Option<&'a str>,
    cases: Vec<&'a str>,
}

/// Makes the files and judges them, all cases when none is named; removes them when all is well, unless they
/// are kept.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let options = parse(options)?;
    let binary = shell::release_binary()?;
    let environment = venv::ready()?;
    let kept =
        options.keep.map(|folder| std::env::current_dir().map(|here| here.join(folder))).transpose()?;
    let work: PathBuf = match &kept {
        Some(folder) => folder.clone(),
        None => shell::target_directory()?.join("checkpoints"),
    };
    let mut command = environment.script("checkpoints");
    command.arg("--ptw2k").arg(binary).arg("--work").arg(&work);
    if let Some(seed) = options.seed {
        command.args(["--seed", seed]);
    }
    shell::run(command.args(&options.cases))?;
    if kept.is_none() {
        std::fs::remove_dir_all(work)?;
    }
    Ok(())
}

fn parse<'a>(options: &[&'a str]) -> Outcome<Options<'a>> {
    let (mut parsed, mut rest) = (Options::default(), options);
    loop {
        rest = match rest {
            [] => return Ok(parsed),
            ["--seed", seed, rest @ ..] => {
                parsed.seed = Some(seed);
                rest
            }
            ["--keep", folder, rest @ ..] => {
                parsed.keep = Some(folder);
                rest
            }
            [option, ..] if option.starts_with('-') => {
                return Err(
                    format!("unknown option {option} of xtask checkpoints, or its value is missing").into()
                );
            }
            [case, rest @ ..] => {
                parsed.cases.push(case);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_cases_in_any_order() {
        let parsed = parse(&["plain", "--seed", "7", "views", "--keep", "out"]).unwrap();
        assert_eq!(parsed, Options { seed: Some("7"), keep: Some("out"), cases: vec!["plain", "views"] });
        assert_eq!(parse(&[]).unwrap(), Options::default());
        assert!(parse(&["--seed"]).is_err());
        assert!(parse(&["--sed", "7"]).is_err());
    }
}
