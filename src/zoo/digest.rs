//! The BLAKE3 of a file, by as many threads as are free. The hash of a whole zoo is of what was just read, or will be
//! next, so it is a matter of the processor: BLAKE3 is done in pieces, and in half the time of SHA-256 by one thread.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use blake3::hazmat::{ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Serialize};

use super::stamp::{Stamp, Time};
use crate::crew::{Hands, share};
use crate::writer::read_at;

/// Bytes of a piece: a subtree of the hash, whose chunks are counted in powers of two.
const PIECE_BYTES: usize = 1 << 20;

/// Bytes that are read at once, into memory that stays in the second-level cache.
const READ_BYTES: usize = 1 << 18;

/// A BLAKE3, in hexadecimal as `b3sum` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest(String);

impl Digest {
    /// Of bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex().to_string())
    }
}

/// A file as it was at one time.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) digest: Digest,
    pub(super) stamp: Stamp,
    /// When.
    pub(super) looked: Time,
}

/// Reads a file; `None` when it is stopped.
pub(super) fn look(
    path: &Path,
    hands: Hands<'_>,
    stops: &(dyn Fn() -> bool + Sync),
) -> io::Result<Option<Look>> {
    let file = File::open(path)?;
    let looked = Time::now();
    let metadata = file.metadata()?;
    let digest = digest(&file, metadata.len(), hands, stops)?;
    Ok(digest.map(|digest| Look { digest, stamp: Stamp::from(&metadata), looked }))
}

fn digest(
    file: &File,
    len: u64,
    hands: Hands<'_>,
    stops: &(dyn Fn() -> bool + Sync),
) -> io::Result<Option<Digest>> {
    if len <= PIECE_BYTES as u64 {
        let mut bytes = vec![0; len as usize];
        read_at(file, &mut bytes, 0)?;
        return Ok(Some(Digest::of(&bytes)));
    }
    let pieces = usize::try_from(len.div_ceil(PIECE_BYTES as u64)).unwrap_or(usize::MAX);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let outcome: Mutex<io::Result<Vec<(usize, ChainingValue)>>> = Mutex::new(Ok(Vec::with_capacity(pieces)));
    let work = |goes_on: &dyn Fn() -> bool| {
        let mut buffer = vec![0; READ_BYTES];
        while goes_on() && !stop.load(Ordering::Relaxed) {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                break;
            }
            if stops() {
                stop.store(true, Ordering::Relaxed);
                break;
            }
            let value = hash_piece(file, len, piece, &mut buffer);
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match (value, &mut *outcome) {
                (Ok(value), Ok(found)) => found.push((piece, value)),
                (Ok(_), Err(_)) => {}
                (Err(error), _) => {
                    *outcome = Err(error);
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    share(hands, pieces, &work);
    let mut values = outcome.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    if values.len() < pieces {
        return Ok(None);
    }
    values.sort_unstable_by_key(|&(piece, _)| piece);
    let values: Vec<ChainingValue> = values.into_iter().map(|(_, value)| value).collect();
    let (left, right) = values.split_at(left_pieces(values.len()));
    let root = merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash);
    Ok(Some(Digest(root.to_hex().to_string())))
}

fn hash_piece(file: &File, len: u64, piece: usize, buffer: &mut [u8]) -> io::Result<ChainingValue> {
    let start = piece as u64 * PIECE_BYTES as u64;
    let end = len.min(start + PIECE_BYTES as u64);
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(start);
    let mut at = start;
    while at < end {
        // At most the buffer's size.
        let part = &mut buffer[..(end - at).min(READ_BYTES as u64) as usize];
        read_at(file, part, at)?;
        hasher.update(part);
        at += part.len() as u64;
    }
    Ok(hasher.finalize_non_root())
}

/// The value of several pieces; there is at least one.
fn subtree(values: &[ChainingValue]) -> ChainingValue {
    match values {
        [] => [0; 32],
        [value] => *value,
        values => {
            let (left, right) = values.split_at(left_pieces(values.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// How many of at least two pieces are on the left: the largest power of two that leaves some.
const fn left_pieces(pieces: usize) -> usize {
    pieces.div_ceil(2).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn pieces_make_the_whole() {
        let bytes: Vec<u8> =
            (0..7 * PIECE_BYTES as u32 + 777).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let sizes = [
            0,
            1,
            PIECE_BYTES,
            PIECE_BYTES + 1,
            2 * PIECE_BYTES,
            3 * PIECE_BYTES - 5,
            5 * PIECE_BYTES + 3,
            bytes.len(),
        ];
        for (size, threads) in sizes.into_iter().zip([1, 2, 1, 3, 2, 4, 3, 1]) {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes[..size]).unwrap();
            let look = look(file.path(), Hands::Own(threads), &|| false).unwrap().unwrap();
            assert_eq!(look.digest, Digest::of(&bytes[..size]), "{size} bytes");
            assert_eq!(look.stamp.size, size as u64);
        }
    }

    #[test]
    fn ends_early() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![7; 3 * PIECE_BYTES]).unwrap();
        assert!(look(file.path(), Hands::Own(2), &|| true).unwrap().is_none());
        let file = File::open(file.path()).unwrap();
        let error = digest(&file, 4 * PIECE_BYTES as u64, Hands::Own(2), &|| false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
