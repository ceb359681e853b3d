//! The command line of `cargo xtask bench`.

use std::path::{Path, PathBuf};

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
    /// The results go to `target/bench`, unless it is said otherwise.
    pub(super) fn parse(options: &[&str]) -> Outcome<Self> {
        Self::parse_with(options, &shell::target_directory()?.join("bench"))
    }

    fn parse_with(options: &[&str], results: &Path) -> Outcome<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases that are chosen.
    fn chosen(options: &[&str]) -> Result<Vec<&'static str>, String> {
        let options =
            Options::parse_with(options, Path::new("results")).map_err(|error| error.to_string())?;
        Ok(CASES.iter().filter(|case| options.chooses(case)).map(|case| case.name).collect())
    }

    #[test]
    fn cases_are_chosen_by_name_or_by_size() {
        assert_eq!(chosen(&[]).unwrap().len(), CASES.len());
        assert_eq!(chosen(&["--quick"]).unwrap(), ["float32", "plain", "small", "tiny"]);
        assert_eq!(chosen(&["--only", "tiny", "cold", "--quick"]).unwrap(), ["cold", "tiny"]);
        assert!(chosen(&["--only", "hot"]).unwrap_err().starts_with("xtask bench has no row hot"));
        assert!(chosen(&["--dir"]).unwrap_err().starts_with("unknown option --dir"));
    }

    #[test]
    fn files_of_results() {
        let options = Options::parse_with(&["--json", "a.json"], Path::new("results")).unwrap();
        assert_eq!(options.json, Path::new("a.json"));
        assert_eq!(options.markdown, Path::new("results/bench.md"));
    }
}
