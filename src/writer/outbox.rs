//! What a worker has filled and not yet written.

use super::outlet::{Outlet, Piece};
use super::tile::WHOLE_ROWS_BYTES;
use super::{Error, Progress};

/// Bytes that a worker holds back while others write: the largest tile. It is enough that two workers hardly ever wait
/// for each other, and little memory.
const HELD_BACK_BYTES: usize = WHOLE_ROWS_BYTES;

/// Filled buffers of one worker. It writes them when nobody else writes to their files, and waits only when it
/// holds too much.
pub(super) struct Outbox<'o> {
    progress: &'o dyn Progress,
    /// One for each file, of which there are few.
    queues: Vec<Queue<'o>>,
    /// Bytes to be written.
    bytes: usize,
    /// Buffers to be filled again.
    spare: Vec<Vec<u8>>,
}

struct Queue<'o> {
    outlet: &'o Outlet<'o>,
    filled: Vec<Filled>,
}

struct Filled {
    buffer: Vec<u8>,
    pieces: Vec<Piece>,
    bytes: usize,
}

impl<'o> Outbox<'o> {
    pub(super) const fn new(progress: &'o dyn Progress) -> Self {
        Self { progress, queues: Vec::new(), bytes: 0, spare: Vec::new() }
    }

    /// A buffer of so many bytes, whatever they are.
    pub(super) fn buffer(&mut self, len: usize) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(len, 0);
        buffer
    }

    /// Takes pieces of a buffer to be written.
    pub(super) fn post(
        &mut self,
        outlet: &'o Outlet<'o>,
        buffer: Vec<u8>,
        pieces: Vec<Piece>,
    ) -> Result<(), Error> {
        let bytes = pieces.iter().map(|piece| piece.len).sum();
        self.bytes += bytes;
        let filled = Filled { buffer, pieces, bytes };
        match self.queues.iter_mut().find(|queue| std::ptr::eq(queue.outlet, outlet)) {
            Some(queue) => queue.filled.push(filled),
            None => self.queues.push(Queue { outlet, filled: vec![filled] }),
        }
        self.send(HELD_BACK_BYTES)
    }

    /// Takes bytes that lie elsewhere to be written. They are copied only when another worker writes.
    pub(super) fn post_bytes(
        &mut self,
        outlet: &'o Outlet<'o>,
        bytes: &[u8],
        place: u64,
    ) -> Result<(), Error> {
        if let Some(turn) = outlet.try_turn() {
            turn.write(bytes, place).map_err(|source| io_error(outlet, source))?;
            self.progress.advance(bytes.len() as u64);
            return Ok(());
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        self.post(outlet, buffer, vec![Piece { from: 0, len: bytes.len(), place }])
    }

    /// Writes all that is left.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.send(0)
    }

    /// Writes what can be written without waiting, and waits while there are more than so many bytes.
    fn send(&mut self, held_back: usize) -> Result<(), Error> {
        for Queue { outlet, filled } in self.queues.iter_mut().filter(|queue| !queue.filled.is_empty()) {
            let turn = if self.bytes > held_back { Some(outlet.turn()) } else { outlet.try_turn() };
            let Some(turn) = turn else { continue };
            for Filled { buffer, pieces, bytes } in filled.drain(..) {
                turn.write_pieces(&buffer, &pieces).map_err(|source| io_error(outlet, source))?;
                self.bytes -= bytes;
                self.progress.advance(bytes as u64);
                self.spare.push(buffer);
            }
        }
        Ok(())
    }
}

fn io_error(outlet: &Outlet<'_>, source: std::io::Error) -> Error {
    Error::Io { path: outlet.path().to_owned(), source }
}
