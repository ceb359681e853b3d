//! Watching a process's memory.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::measure::succeeded;
use crate::Outcome;

/// How often a process's memory is looked at.
const POLL: Duration = Duration::from_micros(500);

/// The most private memory (anonymous resident pages, the mapped checkpoint not counted) that the command
/// held, in bytes; an error where the system does not tell.
pub(super) fn peak_private(command: &mut Command) -> Outcome<u64> {
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
    peak.ok_or_else(|| "the system does not tell a process's private memory".into())
}

/// `RssAnon` of a process's status.
fn anonymous_bytes(status: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_memory_of_a_status_file() {
        let status = "VmRSS:\t  100 kB\nRssAnon:\t   16 kB\nRssFile:\t 84 kB\n";
        assert_eq!(anonymous_bytes(status), Some(16 << 10));
        assert_eq!(anonymous_bytes("VmRSS:\t  100 kB\n"), None);
    }
}
