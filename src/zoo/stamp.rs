//! Whether a file may have changed since it was looked at, as far as its metadata tells.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How far the times of a file may lie behind the clock: the coarsest that file systems keep (FAT's two seconds).
/// What was looked at within that time of its last change may change again and keep its times.
const GRANULARITY: Duration = Duration::from_secs(2);

/// How far the times of a file may lie behind the clock on common file systems: the tick of the kernel.
const TICK: Duration = Duration::from_millis(10);

/// A time, since 1970: seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Time(i64, u32);

impl Time {
    /// Now.
    pub(super) fn now() -> Self {
        SystemTime::now().into()
    }

    fn after(self, time: Duration) -> Self {
        let nanos = self.1 + time.subsec_nanos();
        let seconds = self.0.saturating_add_unsigned(time.as_secs());
        Self(seconds.saturating_add(i64::from(nanos / 1_000_000_000)), nanos % 1_000_000_000)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            // Seconds since 1970 fit for longer than the sun lasts.
            Ok(since) => Self(since.as_secs() as i64, since.subsec_nanos()),
            // Before 1970 nothing matters but that it is long ago.
            Err(_) => Self(-1, 0),
        }
    }
}

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// Bytes.
    pub(super) size: u64,
    modified: Time,
    /// When content or metadata changed last, which nobody can set. Where the system has no such time, `modified`.
    changed: Time,
    /// Which file it is. Where the system has no such number, 0.
    inode: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&path.metadata()?))
    }

    /// Once any further change would be seen: what was changed within the tick of the clock may change again in the
    /// same tick.
    pub(super) fn settled(path: &Path) -> io::Result<Self> {
        let stamp = Self::of(path)?;
        let tick = stamp.tick();
        if !stamp.is_changed_since(Time::now(), tick) {
            return Ok(stamp);
        }
        std::thread::sleep(tick);
        Self::of(path)
    }

    /// How far the file's times may lie behind the clock: where they are whole seconds, the file system has no others.
    const fn tick(&self) -> Duration {
        if self.changed.1 == 0 { GRANULARITY } else { TICK }
    }

    /// Whether the file may have changed after it was looked at and have kept its stamp.
    pub(super) fn is_racy(&self, looked: Time) -> bool {
        self.modified.max(self.changed).after(GRANULARITY) >= looked
    }

    /// Whether the file was changed at that time or after it, by a clock of such ticks.
    fn is_changed_since(&self, time: Time, tick: Duration) -> bool {
        self.changed.after(tick) >= time
    }
}

impl From<&Metadata> for Stamp {
    #[cfg(unix)]
    fn from(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        // Nanoseconds are less than a second.
        let time = |seconds, nanos: i64| Time(seconds, nanos as u32);
        Self {
            size: metadata.len(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    fn from(metadata: &Metadata) -> Self {
        let modified = metadata.modified().map_or(Time(0, 0), Time::from);
        Self { size: metadata.len(), modified, changed: modified, inode: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn racy() {
        let stamp = |modified, changed| Stamp { size: 1, modified, changed, inode: 1 };
        let old = stamp(Time(100, 0), Time(100, 5));
        assert!(old.is_racy(Time(100, 9)));
        assert!(old.is_racy(Time(102, 5)));
        assert!(!old.is_racy(Time(102, 6)));
        // Times in the future say nothing.
        assert!(stamp(Time(900, 0), Time(100, 5)).is_racy(Time(500, 0)));
        assert!(old.is_changed_since(Time(100, 10_000_005), old.tick()));
        assert!(!old.is_changed_since(Time(100, 10_000_006), old.tick()));
        let coarse = stamp(Time(100, 0), Time(100, 0));
        assert!(coarse.is_changed_since(Time(102, 0), coarse.tick()));
        assert!(!coarse.is_changed_since(Time(102, 1), coarse.tick()));
        assert_eq!(Time(1, 999_999_999).after(GRANULARITY), Time(3, 999_999_999));
        assert_eq!(Time(1, 995_000_000).after(TICK), Time(2, 5_000_000));
    }

    #[test]
    fn of_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let stamp = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Stamp::of(&path).unwrap()
        };
        let first = stamp("1");
        assert_eq!(first, Stamp::of(&path).unwrap());
        assert!(first.is_racy(Time::now()));
        assert_ne!(first, stamp("22"));
        assert!(Stamp::of(&folder.path().join("none")).is_err());
    }
}
