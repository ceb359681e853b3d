//! Signals and panics.

use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;
use super::failure::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT, SIGTERM and SIGHUP no longer end the process but set a flag, so that the writer can
/// take its temporary file away.
///
/// # Errors
/// When the operating system refuses the handler.
pub(super) fn watch() -> Result<(), Failure> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).map_err(Failure::Signals)
}

/// Whether a signal has come.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Makes a panic of any thread say that it is a bug, and end the process with its exit code. No file is left
/// half written: outputs take their name last.
pub fn exit_as_a_bug_on_panic() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        super::terminal::report_bug();
        std::process::exit(i32::from(Exit::Bug.code()));
    }));
}
