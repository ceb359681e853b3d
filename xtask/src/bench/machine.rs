//! Where it was measured, as far as the system tells: speeds mean nothing without it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Bench;
use crate::{Outcome, shell};

/// How long the processors are watched.
const WATCHED: Duration = Duration::from_secs(1);

/// Facts with their names, in the order they are printed.
pub(super) type Facts = Vec<(&'static str, String)>;

/// The machine and the peers.
pub(super) fn facts(bench: &Bench) -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut facts = vec![
        ("processor", field("/proc/cpuinfo", "model name").unwrap_or_else(unknown)),
        ("cores", cores.to_string()),
        ("memory", memory().unwrap_or_else(unknown)),
        ("kernel", text("/proc/sys/kernel/osrelease").unwrap_or_else(unknown)),
        ("file system", file_system(bench.folder.path()).unwrap_or_else(|_| unknown())),
        ("pages to be written back, %", dirty_limits().unwrap_or_else(unknown)),
        ("ptw2k", first_line(Command::new(&bench.binary).arg("--version"))),
        ("cp", first_line(Command::new("cp").arg("--version"))),
    ];
    facts.extend(bench.versions.borrow().iter().cloned());
    facts
}

/// The load averages, and how much of the processors is in use right now, by whatever else runs.
pub(super) fn load() -> String {
    let averages = text("/proc/loadavg").map(|text| text.split(' ').take(3).collect::<Vec<_>>().join(" "));
    let before = busy_and_all();
    std::thread::sleep(WATCHED);
    let share = before.zip(busy_and_all()).map(|((busy, all), (busy_after, all_after))| {
        100.0 * (busy_after - busy) / (all_after - all).max(1.0)
    });
    let share = share.map_or_else(unknown, |share| format!("{share:.0}"));
    format!("{} (1, 5, 15 minutes), processors busy {share} %", averages.unwrap_or_else(unknown))
}

/// The versions of Python's packages in an environment.
pub(super) fn packages(python: &Path, names: &[&str]) -> Outcome<String> {
    let program = "import importlib.metadata as m, platform, sys\n\
                   print('Python', platform.python_version(), *(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')";
    let said = shell::read(Command::new(python).args(["-c", program]).args(names))?;
    Ok(said.trim().replacen("Python, ", "Python ", 1))
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn text(file: &str) -> Option<String> {
    Some(std::fs::read_to_string(file).ok()?.trim().to_owned())
}

/// The value of the first `name: value` of a file.
fn field(file: &str, name: &str) -> Option<String> {
    let text = text(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

fn memory() -> Option<String> {
    Some(format!("{} MiB", memory_of("MemTotal")? >> 20))
}

/// Bytes of memory that nothing is in.
pub(super) fn free_memory() -> Option<u64> {
    memory_of("MemFree")
}

fn memory_of(name: &str) -> Option<u64> {
    let kibibytes: u64 = field("/proc/meminfo", name)?.strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// From which share of the memory on the kernel writes back in the background, and makes writers wait.
fn dirty_limits() -> Option<String> {
    let of = |name: &str| text(&format!("/proc/sys/vm/{name}"));
    Some(format!("{} in the background, {} waited for", of("dirty_background_ratio")?, of("dirty_ratio")?))
}

fn file_system(folder: &Path) -> Outcome<String> {
    let said =
        shell::read(Command::new("df").arg("--output=fstype,avail").arg("--block-size=G").arg(folder))?;
    let words: Vec<&str> = said.lines().next_back().unwrap_or_default().split_whitespace().collect();
    match words.as_slice() {
        [kind, free] => Ok(format!("{kind}, {free}iB free")),
        _ => Ok(unknown()),
    }
}

fn first_line(command: &mut Command) -> String {
    let said = shell::read(command).unwrap_or_default();
    said.lines().next().map_or_else(unknown, str::to_owned)
}

/// Ticks of all processors: busy ones, and all.
fn busy_and_all() -> Option<(f64, f64)> {
    let text = text("/proc/stat")?;
    let ticks: Vec<f64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // The fourth and the fifth are idle, and waiting for the disk.
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    let all: f64 = ticks.iter().sum();
    Some((all - idle, all))
}
