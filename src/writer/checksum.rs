//! The CRC-32 of bytes and of parts of a file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use flate2::Crc;

use super::{Error, Progress};
use crate::crew::{Hands, share};

/// Bytes that are read and summed at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The checksum of bytes.
pub(super) fn of(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The checksum of a range of a file, which lies in the system's cache as it was just written. Each thread
/// holds one chunk.
pub(super) fn of_file(
    file: &File,
    path: &Path,
    range: Range<u64>,
    hands: Hands<'_>,
    progress: &dyn Progress,
) -> Result<u32, Error> {
    let len = range.end.saturating_sub(range.start);
    let chunks = usize::try_from(len.div_ceil(CHUNK_BYTES as u64)).unwrap_or(usize::MAX);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let outcome: Mutex<Result<Vec<(usize, Crc)>, Error>> = Mutex::new(Ok(Vec::with_capacity(chunks)));
    let work = |goes_on: &dyn Fn() -> bool| {
        let mut buffer = vec![0; CHUNK_BYTES];
        while goes_on() && !stop.load(Ordering::Relaxed) {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= chunks {
                break;
            }
            let start = range.start + chunk as u64 * CHUNK_BYTES as u64;
            // At most the chunk's size.
            let part = &mut buffer[..(range.end - start).min(CHUNK_BYTES as u64) as usize];
            let sum = if progress.is_cancelled() {
                Err(Error::Cancelled)
            } else {
                read_at(file, part, start).map_err(|source| Error::Io { path: path.to_owned(), source })
            };
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match (sum, &mut *outcome) {
                (Ok(()), Ok(found)) => {
                    let mut crc = Crc::new();
                    crc.update(part);
                    found.push((chunk, crc));
                }
                (Ok(()), Err(_)) => {}
                (Err(error), _) => {
                    *outcome = Err(error);
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    share(hands, chunks, &work);
    let mut sums = outcome.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    sums.sort_unstable_by_key(|&(chunk, _)| chunk);
    let mut whole = Crc::new();
    sums.iter().for_each(|(_, part)| whole.combine(part));
    Ok(whole.sum())
}

/// Reads at a place of the file, from any thread.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, bytes: &mut [u8], place: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, place)
}

/// Reads at a place of the file, from any thread.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut bytes: &mut [u8], mut place: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, place)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                place += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole() {
        let bytes: Vec<u8> =
            (0..3 * CHUNK_BYTES as u32 + 77).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &bytes).unwrap();
        for (range, threads) in [(5..bytes.len(), 3), (0..bytes.len() - 1, 1), (9..9, 2), (7..8, 4)] {
            let places = range.start as u64..range.end as u64;
            assert_eq!(
                of_file(&file, Path::new(""), places, Hands::Own(threads), &()).unwrap(),
                of(&bytes[range])
            );
        }
        let beyond = 0..bytes.len() as u64 + 1;
        assert!(matches!(of_file(&file, Path::new(""), beyond, Hands::Own(2), &()), Err(Error::Io { .. })));
        assert_eq!(of(b"123456789"), 0xcbf4_3926);
    }
}
