//! Timing processes and watching their memory.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// How often a process's memory is looked at.
const POLL: Duration = Duration::from_micros(500);

/// The extremes and the middle of some measurements.
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of measurements, at least one; not a number of none.
    pub(crate) fn of(measurements: &[f64]) -> Self {
        let mut sorted = measurements.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let (last, half) = (sorted.len().saturating_sub(1), sorted.len() / 2);
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(at(half.saturating_sub(1)), at(half))
        } else {
            at(half)
        };
        Self { min: at(0), median, max: at(last) }
    }
}

/// `a[i] / b[i]`, as far as both reach.
pub(crate) fn ratios(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a / b).collect()
}

/// Seconds that the command takes to write `output`, which is removed before, with nothing left to write
/// back to the disk from earlier runs.
pub(crate) fn time(command: &mut Command, output: &Path) -> Outcome<f64> {
    if output.exists() {
        std::fs::remove_file(output)?;
    }
    Command::new("sync").status()?;
    run_time(command)
}

/// Seconds that the command takes.
pub(crate) fn run_time(command: &mut Command) -> Outcome<f64> {
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    let seconds = started.elapsed().as_secs_f64();
    succeeded(command, status)?;
    Ok(seconds)
}

/// The most private memory (anonymous resident pages, the mapped checkpoint not counted) that the command
/// held, in bytes; `None` where the system does not tell.
pub(crate) fn peak_private_memory(command: &mut Command) -> Outcome<Option<u64>> {
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // The file goes when the process does, which is no error.
        if let Ok(text) = std::fs::read_to_string(&status_file) {
            peak = peak.max(anonymous_bytes(&text));
        }
        std::thread::sleep(POLL);
    };
    succeeded(command, status)?;
    Ok(peak)
}

/// `RssAnon` of a process's status.
fn anonymous_bytes(status: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn succeeded(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        for (measurements, expected) in
            [(vec![3.0, 1.0, 2.0], (1.0, 2.0, 3.0)), (vec![4.0, 1.0], (1.0, 2.5, 4.0))]
        {
            let spread = Spread::of(&measurements);
            assert_eq!((spread.min, spread.median, spread.max), expected);
        }
    }

    #[test]
    fn anonymous_memory_of_a_status_file() {
        let status = "VmRSS:\t  100 kB\nRssAnon:\t   16 kB\nRssFile:\t 84 kB\n";
        assert_eq!(anonymous_bytes(status), Some(16 << 10));
        assert_eq!(anonymous_bytes("VmRSS:\t  100 kB\n"), None);
    }
}
