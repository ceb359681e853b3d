//! `--depfile`: what each output was made from, for Make and Ninja.

use std::path::{Path, PathBuf};

use super::beside::seen;
use super::results::Results;
use crate::cli::depfile::{DepfileError, NameError, phony, rule};
use crate::zoo::{Job, Zoo};

/// Refuses names that a depfile cannot say, before the work.
pub(super) fn check(jobs: &[Job]) -> Result<(), DepfileError> {
    for job in jobs {
        let named = [Some(job.checkpoint.as_path()), job.schema.file(), job.architecture.as_deref()];
        let named: Vec<PathBuf> = named.into_iter().flatten().map(Path::to_owned).collect();
        rule(std::slice::from_ref(&job.output), &named)?;
    }
    Ok(())
}

/// A rule for the report, which is made from all that was read: a build that runs the zoo as one step has a single file to
/// look at. Without a report, a rule for each output that is there as its inputs have it. Both would have Make take outputs
/// for done that the report's step has still to make.
pub(super) fn text(zoo: &Zoo, results: &Results, report: Option<&Path>) -> Result<String, DepfileError> {
    let mut all = vec![zoo.path.clone()];
    let mut rules = String::new();
    for done in results.all().filter_map(|ended| ended.done.as_ref()) {
        let inputs = paths(zoo, &done.inputs)?;
        if report.is_none() {
            // The output itself is the last of its files, and Ninja knows it by the first.
            let outputs: Vec<PathBuf> = paths(zoo, &done.files)?.into_iter().rev().collect();
            rules.push_str(&rule(&outputs, &inputs)?);
        }
        all.extend(inputs);
    }
    let mut known = std::collections::HashSet::new();
    all.retain(|path| known.insert(path.clone()));
    if let Some(report) = report {
        rules = rule(&[report.to_owned()], &all)?;
    }
    Ok(rules + &phony(&all))
}

/// Records have no names but texts: what is none is known by the letter that stands in its place.
fn paths(zoo: &Zoo, names: &[String]) -> Result<Vec<PathBuf>, DepfileError> {
    let path = |name: &String| {
        let path = seen(zoo, name);
        if name.contains(char::REPLACEMENT_CHARACTER) {
            return Err(DepfileError { path, reason: NameError::NotText });
        }
        Ok(path)
    };
    names.iter().map(path).collect()
}
