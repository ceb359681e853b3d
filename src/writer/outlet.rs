//! Writing at places of a file, from several threads.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A file that several threads fill, one at a time: the systems lock a file for every write to it, and a thread
/// that waits for that spins.
#[derive(Debug)]
pub(super) struct Outlet<'a> {
    file: &'a File,
    /// Its name, for errors.
    path: &'a Path,
    turn: Mutex<()>,
}

/// Bytes of a buffer, and where in the file they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: usize,
    pub(super) len: usize,
    pub(super) place: u64,
}

/// The right to write.
pub(super) struct Turn<'a> {
    file: &'a File,
    _guard: MutexGuard<'a, ()>,
}

impl<'a> Outlet<'a> {
    /// A file that is open for writing.
    pub(super) const fn new(file: &'a File, path: &'a Path) -> Self {
        Self { file, path, turn: Mutex::new(()) }
    }

    /// The file's name.
    pub(super) const fn path(&self) -> &'a Path {
        self.path
    }

    /// Waits until no other thread writes.
    pub(super) fn turn(&self) -> Turn<'_> {
        Turn { file: self.file, _guard: self.turn.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The right to write, unless another thread writes.
    pub(super) fn try_turn(&self) -> Option<Turn<'_>> {
        let guard = match self.turn.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Turn { file: self.file, _guard: guard })
    }
}

impl Turn<'_> {
    /// Writes bytes.
    pub(super) fn write(&self, bytes: &[u8], place: u64) -> io::Result<()> {
        write_at(self.file, bytes, place)
    }

    /// Writes pieces of a buffer, those that follow one another in the file together.
    pub(super) fn write_pieces(&self, buffer: &[u8], pieces: &[Piece]) -> io::Result<()> {
        let follows = |one: &Piece, other: &Piece| one.place + one.len as u64 == other.place;
        pieces.chunk_by(follows).try_for_each(|pieces| match pieces {
            [Piece { from, len, place }] => self.write(&buffer[*from..from + len], *place),
            pieces => write_together(self.file, buffer, pieces),
        })
    }
}

/// Pieces that are given to the system at once: what Linux takes (`UIO_MAXIOV`).
#[cfg(target_os = "linux")]
const PIECES: usize = 1024;

/// Writes pieces that follow one another in the file.
#[cfg(target_os = "linux")]
fn write_together(file: &File, buffer: &[u8], pieces: &[Piece]) -> io::Result<()> {
    for pieces in pieces.chunks(PIECES) {
        let Some(first) = pieces.first() else { continue };
        let mut place = first.place;
        let mut slices: Vec<io::IoSlice<'_>> = pieces
            .iter()
            .map(|piece| io::IoSlice::new(&buffer[piece.from..piece.from + piece.len]))
            .collect();
        let mut slices = slices.as_mut_slice();
        while !slices.is_empty() {
            match rustix::io::pwritev(file, slices, place) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    place += written as u64;
                    io::IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Writes pieces that follow one another in the file.
#[cfg(not(target_os = "linux"))]
fn write_together(file: &File, buffer: &[u8], pieces: &[Piece]) -> io::Result<()> {
    pieces
        .iter()
        .try_for_each(|piece| write_at(file, &buffer[piece.from..piece.from + piece.len], piece.place))
}

/// Writes at a place of the file, from any thread.
#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, place)
}

/// Writes at a place of the file, from any thread.
#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut place: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, place)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                place += written as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file holds when pieces, each with so many bytes between it and the next, are written from a place
    /// on.
    fn check(lens: &[usize], gap: usize, apart: u64) {
        let mut pieces = Vec::new();
        let (mut from, mut place) = (3, 5);
        for &len in lens {
            pieces.push(Piece { from, len, place });
            from += len + gap;
            place += len as u64 + apart;
        }
        let buffer: Vec<u8> = (0..from).map(|at| (at % 251) as u8 + 1).collect();
        let mut expected = vec![0; (place - apart) as usize];
        for piece in &pieces {
            expected[piece.place as usize..][..piece.len]
                .copy_from_slice(&buffer[piece.from..piece.from + piece.len]);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let outlet = Outlet::new(file.as_file(), file.path());
        let turn = outlet.turn();
        assert!(outlet.try_turn().is_none());
        turn.write_pieces(&buffer, &pieces).unwrap();
        drop(turn);
        assert!(outlet.try_turn().is_some());
        assert!(std::fs::read(file.path()).unwrap() == expected, "{lens:?} {gap} {apart}");
    }

    #[test]
    fn pieces() {
        let many: Vec<usize> = (0..2500).map(|at| at % 7 + 1).collect();
        for lens in [&[9][..], &[4, 5, 6], &many] {
            for (gap, apart) in [(0, 0), (2, 0), (0, 3), (1, 1)] {
                check(lens, gap, apart);
            }
        }
    }
}
