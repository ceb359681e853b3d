//! How much memory the jobs of a zoo may take together.

use std::fs;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Of the machine's memory, what a zoo may take unless it is told otherwise: the files that it reads and writes are
/// in memory too, as the system's cache, and are what makes it fast.
const SHARE: u64 = 4;

/// What it may take where nothing tells how much memory there is.
const UNKNOWN_MACHINE: u64 = 2 << 30;

/// The memory for jobs.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// Jobs that have been let in.
    jobs: usize,
}

/// A job's memory, until it is dropped.
#[derive(Debug)]
pub(super) struct Grant<'b> {
    budget: &'b Budget,
    bytes: u64,
    /// Whether others may help with the job: there is memory for it.
    pub(super) with_help: bool,
    /// Whether the job takes more than there is, alone.
    pub(super) is_over: bool,
}

/// What a job needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// Done by one thread.
    pub(super) alone: u64,
    /// Done by all of them.
    pub(super) with_help: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Lets a job in, if there is room for what it needs, or if it is the only one.
    pub(super) fn try_grant(&self, need: Need) -> Option<Grant<'_>> {
        let mut state = self.state();
        let fits = |bytes: u64| state.used.saturating_add(bytes) <= self.limit;
        let (bytes, with_help) = if fits(need.with_help) {
            (need.with_help, true)
        } else if fits(need.alone) || state.jobs == 0 {
            (need.alone, false)
        } else {
            return None;
        };
        let is_over = bytes > self.limit;
        state.used = state.used.saturating_add(bytes);
        state.jobs += 1;
        drop(state);
        Some(Grant { budget: self, bytes, with_help, is_over })
    }

    /// Waits until a job has ended, or so long.
    pub(super) fn wait(&self, time: Duration) {
        let state = self.state();
        drop(self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.used = state.used.saturating_sub(self.bytes);
        state.jobs -= 1;
        self.budget.changed.notify_all();
    }
}

/// What a zoo may take unless it is told otherwise: a quarter of what this process may have.
#[must_use]
pub fn default_memory() -> u64 {
    of_this_process(Path::new("/")).map_or(UNKNOWN_MACHINE, |bytes| bytes / SHARE)
}

/// Bytes that this process may have, as the system tells below `root`: those of the machine, or what its control
/// group or one of the groups around that may have.
fn of_this_process(root: &Path) -> Option<u64> {
    // What is not there is no limit.
    let text = |path: &str| fs::read_to_string(root.join(path));
    let machine = text("proc/meminfo").ok().and_then(|text| total(&text));
    let groups = text("proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(group).flat_map(|(top, file, group)| {
        // A group that a container does not see (`/../a`) is not there; the uppermost that it sees is its own.
        let group = Path::new(group.trim_start_matches('/'));
        group.ancestors().filter_map(move |group| text(&format!("{top}/{}/{file}", group.display())).ok())
    });
    // Without a limit it is the word `max`.
    limits.filter_map(|text| text.trim().parse().ok()).chain(machine).min()
}

/// Where the groups of a line of `/proc/self/cgroup` are, the name of the file with their limit, and the group:
/// `0::/a/b`, or `4:memory:/a/b` of the first version.
fn group(line: &str) -> Option<(&'static str, &'static str, &str)> {
    let (number, rest) = line.split_once(':')?;
    let (controllers, group) = rest.split_once(':')?;
    if number == "0" && controllers.is_empty() {
        return Some(("sys/fs/cgroup", "memory.max", group));
    }
    let is_memory = controllers.split(',').any(|controller| controller == "memory");
    is_memory.then_some(("sys/fs/cgroup/memory", "memory.limit_in_bytes", group))
}

/// `MemTotal:       24605172 kB`
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_share_what_there_is() {
        let budget = Budget::new(100);
        let need = |alone, with_help| Need { alone, with_help };
        let first = budget.try_grant(need(30, 60)).unwrap();
        assert!(first.with_help);
        let second = budget.try_grant(need(40, 50)).unwrap();
        assert!(!second.with_help && !second.is_over);
        assert!(budget.try_grant(need(1, 1)).is_none());
        drop(first);
        assert!(budget.try_grant(need(70, 70)).is_none());
        drop(second);
        // Alone it may take more than there is.
        let third = budget.try_grant(need(170, 200)).unwrap();
        assert!(!third.with_help && third.is_over);
        assert!(budget.try_grant(need(0, 0)).is_none());
        drop(third);
        let state = budget.state();
        assert_eq!((state.used, state.jobs), (0, 0));
    }

    #[test]
    fn the_machine_tells() {
        assert_eq!(total("MemTotal:       24605172 kB\nMemFree:  1 kB\n"), Some(24_605_172 * 1024));
        assert_eq!(total("MemFree: 1 kB"), None);
        assert!(default_memory() > 0);
    }

    /// What a machine of 1000 kB with these files tells.
    #[track_caller]
    fn check(groups: &str, limits: &[(&str, &str)], expected: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        let files = [("proc/meminfo", "MemTotal: 1000 kB\n"), ("proc/self/cgroup", groups)];
        for (name, text) in files.iter().chain(limits) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(of_this_process(root.path()), expected);
    }

    #[test]
    fn the_control_group_tells() {
        let machine = Some(1000 << 10);
        check("", &[], machine);
        let own = ("sys/fs/cgroup/a/b/memory.max", "700\n");
        check("0::/a/b\n", &[own], Some(700));
        check("0::/a/b\n", &[own, ("sys/fs/cgroup/a/memory.max", "600\n")], Some(600));
        check("0::/a/b\n", &[own, ("sys/fs/cgroup/a/memory.max", "max\n")], Some(700));
        check("0::/a\n", &[own, ("sys/fs/cgroup/a/c/memory.max", "5\n")], machine);
        // In a container.
        check("0::/\n", &[("sys/fs/cgroup/memory.max", "500\n")], Some(500));
        check("0::/../x\n", &[("sys/fs/cgroup/memory.max", "500\n")], Some(500));
        // The first version.
        let groups = "5:cpu,cpuacct:/c\n4:memory:/docker/abc\n1:name=systemd:/s\n0::/s\n";
        let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        check(groups, &[unlimited], machine);
        check(
            groups,
            &[unlimited, ("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "400\n")],
            Some(400),
        );
        check("garbage\n", &[own], machine);
        let root = tempfile::tempdir().unwrap();
        assert_eq!(of_this_process(root.path()), None);
    }
}
