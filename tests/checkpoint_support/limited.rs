//! The program under limits of memory and time.

use std::path::Path;
use std::time::Duration;

/// Address space, in KiB: 256 MiB, of which the program takes a tenth by itself.
#[cfg(target_os = "linux")]
const MEMORY: u32 = 256 << 10;

/// A program that takes longer by the clock hangs. A busy machine and an unoptimised program take a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The exit code of `inspect` with options, which may take so many seconds of processor time. A crash, a hang, a panic or too
/// much of anything fails the test.
pub(crate) fn inspect(path: &Path, options: &[&str], seconds: u32) -> i32 {
    let mut command = limited(seconds);
    let output = command.arg("inspect").args(options).arg(path).timeout(PATIENCE).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{} ended with {:?}: {stderr}", path.display(), output.status));
    assert_eq!(code == 0, !stderr.contains("error"), "{}: {stderr}", path.display());
    code
}

#[cfg(target_os = "linux")]
fn limited(seconds: u32) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new("sh");
    let script = format!("ulimit -v {MEMORY} && ulimit -t {seconds} && exec \"$@\"");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_ptw2k")]);
    command
}

/// Only Linux has the limits.
#[cfg(not(target_os = "linux"))]
fn limited(_seconds: u32) -> assert_cmd::Command {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_ptw2k"))
}
