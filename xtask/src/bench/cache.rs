//! The page cache: putting a file out of it, and looking whether it is.

use std::path::Path;
use std::process::Command;

use crate::{Outcome, shell};

/// The most of an evicted file that may be left in the cache, as a share: another process may read its start.
const LEFT_OVER: f64 = 0.01;

/// Writes the file back to the disk and puts it out of the cache (`posix_fadvise`, which `dd` calls for the whole
/// file when it copies nothing of it). An error when it is still there.
pub(super) fn evict(file: &Path) -> Outcome {
    let quiet = |command: &mut Command| match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    };
    quiet(Command::new("sync").arg(file))?;
    let mut source = std::ffi::OsString::from("if=");
    source.push(file);
    quiet(Command::new("dd").arg(source).args(["iflag=nocache", "count=0", "status=none"]))?;
    let share = resident_share(file)?;
    if share > LEFT_OVER {
        return Err(format!("{:.0} % of {} is still in the page cache", 100.0 * share, file.display()).into());
    }
    Ok(())
}

/// The part of the file that is in the cache, as `mincore` tells.
pub(super) fn resident_share(file: &Path) -> Outcome<f64> {
    let mut fincore = Command::new("fincore");
    let said = shell::read(fincore.args(["--bytes", "--noheadings", "--output", "RES"]).arg(file))?;
    let resident: f64 = said.trim().parse().map_err(|_| format!("fincore says `{}`", said.trim()))?;
    Ok(resident / std::fs::metadata(file)?.len() as f64)
}
