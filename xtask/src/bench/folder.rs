//! The temporary folder of a benchmark, gone when it ends, however it ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Outcome;

/// Whether Ctrl-C was pressed, or the process was asked to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C ends what is being run, which gets the signal too, and not this process: it removes its
/// files first.
pub(super) fn catch_interrupts() -> Outcome {
    Ok(ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?)
}

/// An error once there was an interrupt: asked before anything that takes time.
pub(super) fn go_on() -> Outcome {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}

/// A folder that is removed with all it holds.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it; the one above must be there.
    pub(super) fn make(path: PathBuf) -> Outcome<Self> {
        std::fs::create_dir(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("error: cannot remove {}: {error}", self.0.display());
        }
    }
}
