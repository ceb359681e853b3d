//! What Linux is asked for.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use memmap2::Advice as Touched;
use rustix::fs::{Advice, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::Mapped;

/// Kibibytes that are read ahead of who touches pages, from which on they keep a disk busy.
const FAR_AHEAD_KIB: u64 = 1024;

/// Opens the file again that has been mapped.
pub(super) fn open_again(mapped: &Mapped) -> Option<File> {
    // A pipe that has taken the file's place has nobody wait.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(&mapped.path, flags, Mode::empty()).ok()?);
    // Twice as much is read ahead then.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
    Some(file)
}

/// Whether the page of a byte is in the page cache: a read that does not wait finds nothing where it is not (and may have
/// it read). Some file systems, of networks mostly, cannot tell; there it is taken to be.
pub(super) fn is_resident(file: &File, offset: u64) -> bool {
    let mut byte = [0];
    let mut into = [std::io::IoSliceMut::new(&mut byte)];
    rustix::io::preadv2(file, &mut into, offset, ReadWriteFlags::NOWAIT) != Err(Errno::AGAIN)
}

/// Whether much is read ahead of who touches pages of a file, as far as that is told: of a part of a disk it is not.
pub(super) fn reads_far_ahead(file: &File) -> bool {
    let Ok(stat) = rustix::fs::fstat(file) else { return false };
    let device = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let told = std::fs::read_to_string(format!("/sys/class/bdi/{}:{}/read_ahead_kb", device.0, device.1));
    told.is_ok_and(|told| told.trim().parse().is_ok_and(|kibibytes: u64| kibibytes >= FAR_AHEAD_KIB))
}

/// Begins to read a range of the mapping. What is not done now is done when the bytes are touched.
pub(super) fn ask_for(mapped: &Mapped, range: Range<usize>) {
    let _ = mapped.map.advise_range(Touched::WillNeed, range.start, range.len());
}

/// Has all pages of a range of the mapping touched in order; `false` where that is not known (before Linux 5.14).
pub(super) fn touch(mapped: &Mapped, range: Range<usize>) -> bool {
    mapped.map.advise_range(Touched::PopulateRead, range.start, range.len()).is_ok()
}

/// Reads at a place.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    file.read_at(buffer, offset)
}
