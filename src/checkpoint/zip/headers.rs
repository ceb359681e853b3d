//! Reading the local headers of an archive that is not in the page cache.
//!
//! They lie all over the file. To touch one after the other takes the disk's time for each, and brings along what the
//! system reads around a touched page: a quarter of a gigabyte of a model of one, before anything else is done.

use std::ops::Range;

use crate::lazy::{Bytes, PageReader};

/// Headers that are nearer to each other are read in one go, and so much behind a header: its name, and all of a small
/// storage, whose checksum is compared on opening.
const NEAR: usize = 8 << 10;

/// Places that are looked at to find out whether the headers are in the page cache.
const LOOKED_AT: usize = 16;

/// Bytes that are asked for at most. A directory can name headers all over a file without there being any.
const MOST: usize = 256 << 20;

/// Has the system begin to read all headers at once, unless they are in the page cache. They are told by where they
/// begin, in any order.
pub(super) fn ask_for(file: &Bytes, headers: impl Iterator<Item = u64>) {
    let ranges = ranges(headers.filter_map(|header| usize::try_from(header).ok()).collect(), file.len());
    let mut reader = PageReader::default();
    let mut looked_at = ranges.iter().step_by(ranges.len().div_ceil(LOOKED_AT).max(1));
    if looked_at.any(|range| !reader.is_resident(file, range.start)) {
        ranges.into_iter().for_each(|range| file.will_need(range));
    }
}

/// What is asked for of a file of so many bytes.
fn ranges(mut headers: Vec<usize>, len: usize) -> Vec<Range<usize>> {
    headers.retain(|&header| header < len);
    headers.sort_unstable();
    let groups = headers.chunk_by(|header, next| next - header < NEAR);
    let ranges =
        groups.filter_map(|group| Some(*group.first()?..group.last()?.saturating_add(NEAR).min(len)));
    let mut bytes = 0;
    let is_asked = |range: &Range<usize>| {
        bytes += range.len();
        bytes <= MOST
    };
    ranges.take_while(is_asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[usize], len: usize, expected: &[(usize, usize)]) {
        let found = ranges(headers.to_vec(), len);
        let found: Vec<_> = found.iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn near_ones_are_asked_for_together() {
        check(&[], 9, &[]);
        check(&[7], 9 * NEAR, &[(7, 7 + NEAR)]);
        check(&[NEAR + 9, 10, 3 * NEAR, 11], 9 * NEAR, &[(10, 2 * NEAR + 9), (3 * NEAR, 4 * NEAR)]);
        check(&[usize::MAX, 5, 0, 0], 5, &[(0, 5)]);
        let all_over: Vec<usize> = (0..usize::MAX).step_by(2 * NEAR).take(MOST / NEAR + 9).collect();
        assert_eq!(ranges(all_over, usize::MAX).len(), MOST / NEAR);
    }

    /// Asking is harmless, whatever the headers are.
    #[cfg(target_os = "linux")]
    #[test]
    fn of_a_file_that_is_not_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![3; 5 * NEAR];
        let file = crate::lazy::evicted(&folder.path().join("archive"), &bytes);
        ask_for(&file, [4 * NEAR as u64 + 1, 0, u64::MAX].into_iter());
        assert_eq!(file.as_slice(), bytes);
    }
}
