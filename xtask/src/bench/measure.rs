//! Timing processes, in pairs.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use super::folder;
use crate::{Outcome, shell};

/// Seconds of two contestants, run by run.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) ours: Vec<f64>,
    pub(super) theirs: Vec<f64>,
}

/// Measures pairs, the second contestant first in every other one: what the first of a pair leaves behind (pages
/// to be written back, a warmer or cooler processor) is not always the same one's burden. Nothing is discarded:
/// the warm-up is the caller's, who judges its output.
pub(super) fn pairs(
    count: usize,
    mut ours: impl FnMut() -> Outcome<f64>,
    mut theirs: impl FnMut() -> Outcome<f64>,
) -> Outcome<Pairs> {
    let mut pairs = Pairs::default();
    for run in 0..count {
        if run % 2 == 0 {
            pairs.ours.push(ours()?);
            pairs.theirs.push(theirs()?);
        } else {
            pairs.theirs.push(theirs()?);
            pairs.ours.push(ours()?);
        }
    }
    Ok(pairs)
}

/// Seconds that the command takes to write `output`, which is removed before, with nothing left to write
/// back to the disk from earlier runs.
pub(super) fn time(command: &mut Command, output: &Path) -> Outcome<f64> {
    prepare(output)?;
    run_time(command)
}

/// The same where `output` is small: what is left to write back does not count, and the file system is still busy
/// with itself for a while after `sync`, which does.
pub(super) fn time_small(command: &mut Command, output: &Path) -> Outcome<f64> {
    remove(output)?;
    run_time(command)
}

/// Removes an output, if it is there, and waits until nothing is left to write back.
pub(super) fn prepare(output: &Path) -> Outcome {
    remove(output)?;
    succeeded(&Command::new("sync"), Command::new("sync").status()?)
}

fn remove(output: &Path) -> Outcome {
    folder::go_on()?;
    if output.exists() {
        std::fs::remove_file(output)?;
    }
    Ok(())
}

/// Seconds that the command takes, its start and its end counted.
pub(crate) fn run_time(command: &mut Command) -> Outcome<f64> {
    folder::go_on()?;
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    let seconds = started.elapsed().as_secs_f64();
    succeeded(command, status)?;
    Ok(seconds)
}

/// Seconds that the command takes to write `output`, and those that it prints: without its start and imports.
pub(super) fn time_told(command: &mut Command, output: &Path) -> Outcome<(f64, f64)> {
    prepare(output)?;
    let started = Instant::now();
    let said = shell::read(command)?;
    let seconds = started.elapsed().as_secs_f64();
    let last = said.lines().next_back().unwrap_or_default();
    let told = last.trim().parse().map_err(|_| format!("{command:?} prints no seconds but `{last}`"))?;
    Ok((seconds, told))
}

/// An error unless the command ended well.
pub(super) fn succeeded(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_within_a_pair_alternates() {
        let log = std::cell::RefCell::new(String::new());
        let run = |name: char| {
            log.borrow_mut().push(name);
            Ok(log.borrow().len() as f64)
        };
        let pairs = pairs(3, || run('a'), || run('b')).unwrap();
        assert_eq!(log.into_inner(), "abbaab");
        assert_eq!((pairs.ours, pairs.theirs), (vec![1.0, 4.0, 5.0], vec![2.0, 3.0, 6.0]));
    }
}
