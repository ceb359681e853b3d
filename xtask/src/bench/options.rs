//! The command line of `cargo xtask bench`.

use std::path::PathBuf;

use super::cases::{CASES, Case};
use crate::{Outcome, shell};

/// What to measure, and where the results go.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) quick: bool,
    /// Where the temporary folder is made.
    pub(super) parent: PathBuf,
    /// Names of cases; none for all.
    pub(super) only: Vec<String>,
    pub(super) markdown: PathBuf,
    pub(super) json: PathBuf,
}

impl Options {
    pub(super) fn parse(options: &[&str]) -> Outcome<Self> {
        let results = shell::target_directory()?.join("bench");
        let mut parsed = Self {
            quick: false,
            parent: std::env::temp_dir(),
            only: Vec::new(),
            markdown: results.join("bench.md"),
            json: results.join("bench.json"),
        };
        let mut rest = options;
        loop {
            rest = match rest {
                [] => break,
                ["--quick", rest @ ..] => {
                    parsed.quick = true;
                    rest
                }
                ["--dir", folder, rest @ ..] => {
                    parsed.parent = PathBuf::from(folder);
                    rest
                }
                ["--markdown", file, rest @ ..] => {
                    parsed.markdown = PathBuf::from(file);
                    rest
                }
                ["--json", file, rest @ ..] => {
                    parsed.json = PathBuf::from(file);
                    rest
                }
                ["--only", rest @ ..] => {
                    let count = rest.iter().position(|word| word.starts_with("--")).unwrap_or(rest.len());
                    let (names, rest) = rest.split_at(count);
                    parsed.only.extend(names.iter().map(|name| (*name).to_owned()));
                    rest
                }
                [option, ..] => {
                    return Err(
                        format!("unknown option {option} of xtask bench, or its value is missing").into()
                    );
                }
            };
        }
        parsed.check_names()?;
        Ok(parsed)
    }

    /// Whether a case is to be run: one that is named, or else every one, or every quick one.
    pub(super) fn chooses(&self, case: &Case) -> bool {
        if self.only.is_empty() {
            case.quick || !self.quick
        } else {
            self.only.iter().any(|name| name == case.name)
        }
    }

    fn check_names(&self) -> Outcome {
        match self.only.iter().find(|name| !CASES.iter().any(|case| case.name == name.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
                Err(format!("xtask bench has no row {unknown}; it has {}", names.join(", ")).into())
            }
        }
    }
}
