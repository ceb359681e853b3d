//! Other systems are not asked what is in memory, so nothing is read before it is touched: all of it counts as there.

use std::fs::File;
use std::ops::Range;

use super::Mapped;

pub(super) fn open_again(mapped: &Mapped) -> Option<File> {
    File::open(&mapped.path).ok()
}

pub(super) fn is_resident(_file: &File, _offset: u64) -> bool {
    true
}

pub(super) fn reads_far_ahead(_file: &File) -> bool {
    false
}

pub(super) fn ask_for(_mapped: &Mapped, _range: Range<usize>) {}

pub(super) fn touch(_mapped: &Mapped, _range: Range<usize>) -> bool {
    false
}

pub(super) fn read_at(_file: &File, _buffer: &mut [u8], _offset: u64) -> std::io::Result<usize> {
    Ok(0)
}
