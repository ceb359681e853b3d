//! Running a reader where it can hang, crash and take memory without harm.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// What a small file may take; a reader that needs more hangs.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Address space in KiB: a thousand times what the largest file holds.
const MEMORY_KIB: u32 = 1 << 20;
/// Between two looks at whether the child has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// How a child ended.
pub(crate) struct Ended {
    /// `None` when it had to be stopped.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs a program to its end, or to the end of its time.
pub(crate) fn run(program: &OsStr, arguments: &[&OsStr]) -> Outcome<Ended> {
    let limited = format!("ulimit -v {MEMORY_KIB} 2>/dev/null; exec \"$0\" \"$@\"");
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(limited)
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = thread::spawn(drain(child.stdout.take()));
    let stderr = thread::spawn(drain(child.stderr.take()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > TIMEOUT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(PAUSE);
    };
    let read = |thread: thread::JoinHandle<std::io::Result<Vec<u8>>>| -> Outcome<Vec<u8>> {
        Ok(thread.join().map_err(|_| "a thread that reads a pipe panicked")??)
    };
    Ok(Ended { status, stdout: read(stdout)?, stderr: String::from_utf8_lossy(&read(stderr)?).into_owned() })
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> impl FnOnce() -> std::io::Result<Vec<u8>> {
    move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}
