//! What a worker has filled and not yet written.

use super::hdf5::ALIGNMENT;
use super::outlet::{Outlet, Piece};
use super::{Error, Progress};

/// Bytes of small datasets that are written together.
const RUN_BYTES: usize = 256 * 1024;

/// Filled buffers of one worker. It writes them when nobody else writes to their files, and waits only when it
/// holds too much.
pub(super) struct Outbox<'o> {
    progress: &'o dyn Progress,
    /// Bytes of memory that are held back while others write, and that are spared for later.
    most: usize,
    /// One for each file, of which there are few.
    queues: Vec<Queue<'o>>,
    /// Bytes of memory of what is to be written.
    held: usize,
    /// Buffers to be filled again.
    spare: Vec<Vec<u8>>,
    run: Option<Run<'o>>,
}

/// Whole datasets that follow one another in a file, with the zeros between them.
struct Run<'o> {
    outlet: &'o Outlet<'o>,
    buffer: Vec<u8>,
    /// Where in the file it starts.
    place: u64,
    /// Without the zeros.
    bytes: usize,
}

impl Run<'_> {
    /// How many zeros come before a dataset at that place, if it follows.
    fn gap(&self, outlet: &Outlet<'_>, place: u64) -> Option<usize> {
        let gap = place.checked_sub(self.place + self.buffer.len() as u64)?;
        let follows = std::ptr::eq(self.outlet, outlet) && gap < ALIGNMENT && self.buffer.len() < RUN_BYTES;
        follows.then_some(gap as usize)
    }
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
    /// It holds back the largest tile: it is enough that two workers hardly ever wait for each other, and little memory.
    pub(super) const fn new(progress: &'o dyn Progress, largest_tile: usize) -> Self {
        Self { progress, most: largest_tile, queues: Vec::new(), held: 0, spare: Vec::new(), run: None }
    }

    /// A buffer of so many bytes, whatever they are. Spare ones that are too small or too large are given back: tiles of one
    /// size follow each other.
    pub(super) fn buffer(&mut self, len: usize) -> Vec<u8> {
        match self.spared(len) {
            Some(mut buffer) => {
                buffer.resize(len, 0);
                buffer
            }
            None => {
                self.spare.clear();
                vec![0; len]
            }
        }
    }

    /// An empty buffer, perhaps with memory for so many bytes.
    pub(super) fn empty(&mut self, len: usize) -> Vec<u8> {
        let mut buffer = self.spared(len).unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// A spare buffer with memory for so many bytes, and no more than twice that.
    fn spared(&mut self, len: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| (len..=len.saturating_mul(2)).contains(&buffer.capacity());
        self.spare.iter().position(fits).map(|place| self.spare.swap_remove(place))
    }

    /// Takes pieces of a buffer to be written.
    pub(super) fn post(
        &mut self,
        outlet: &'o Outlet<'o>,
        buffer: Vec<u8>,
        pieces: Vec<Piece>,
    ) -> Result<(), Error> {
        let bytes = pieces.iter().map(|piece| piece.len).sum();
        self.enqueue(outlet, Filled { buffer, pieces, bytes })
    }

    /// Takes a buffer whose bytes are no longer needed.
    pub(super) fn take_back(&mut self, buffer: Vec<u8>) {
        let spare: usize = self.spare.iter().map(Vec::capacity).sum();
        if spare + buffer.capacity() <= self.most {
            self.spare.push(buffer);
        }
    }

    /// Takes a whole dataset of few bytes, or the next part of one, to be written with its neighbours. What lies before
    /// it in the file, up to a multiple of [`ALIGNMENT`], is nobody's.
    pub(super) fn add(&mut self, outlet: &'o Outlet<'o>, bytes: &[u8], place: u64) -> Result<(), Error> {
        let gap = self.run.as_ref().and_then(|run| run.gap(outlet, place));
        if gap.is_none() {
            self.end_run()?;
        }
        let buffer = if self.run.is_none() { self.empty(RUN_BYTES) } else { Vec::new() };
        let run = self.run.get_or_insert(Run { outlet, buffer, place, bytes: 0 });
        run.buffer.resize(run.buffer.len() + gap.unwrap_or(0), 0);
        run.buffer.extend_from_slice(bytes);
        run.bytes += bytes.len();
        Ok(())
    }

    fn end_run(&mut self) -> Result<(), Error> {
        let Some(Run { outlet, buffer, place, bytes }) = self.run.take() else { return Ok(()) };
        let pieces = vec![Piece { from: 0, len: buffer.len(), place }];
        self.enqueue(outlet, Filled { buffer, pieces, bytes })
    }

    fn enqueue(&mut self, outlet: &'o Outlet<'o>, filled: Filled) -> Result<(), Error> {
        self.held += filled.buffer.capacity();
        match self.queues.iter_mut().find(|queue| std::ptr::eq(queue.outlet, outlet)) {
            Some(queue) => queue.filled.push(filled),
            None => self.queues.push(Queue { outlet, filled: vec![filled] }),
        }
        self.send(self.most)
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
        let mut buffer = self.buffer(bytes.len());
        buffer.copy_from_slice(bytes);
        self.post(outlet, buffer, vec![Piece { from: 0, len: bytes.len(), place }])
    }

    /// Writes all that is left.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.end_run()?;
        self.send(0)
    }

    /// Writes what can be written without waiting, and waits while it takes more memory than so many bytes.
    fn send(&mut self, most: usize) -> Result<(), Error> {
        let mut written = Vec::new();
        for Queue { outlet, filled } in self.queues.iter_mut().filter(|queue| !queue.filled.is_empty()) {
            let turn = if self.held > most { Some(outlet.turn()) } else { outlet.try_turn() };
            let Some(turn) = turn else { continue };
            for Filled { buffer, pieces, bytes } in filled.drain(..) {
                turn.write_pieces(&buffer, &pieces).map_err(|source| io_error(outlet, source))?;
                self.held -= buffer.capacity();
                self.progress.advance(bytes as u64);
                written.push(buffer);
            }
        }
        written.into_iter().for_each(|buffer| self.take_back(buffer));
        Ok(())
    }
}

fn io_error(outlet: &Outlet<'_>, source: std::io::Error) -> Error {
    Error::Io { path: outlet.path().to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The memory of spare buffers.
    fn spare(outbox: &Outbox<'_>) -> usize {
        outbox.spare.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn spare_memory_is_bounded_and_fits() {
        let mut outbox = Outbox::new(&(), 1000);
        let buffers = [300, 300, 500].map(|len| outbox.buffer(len));
        buffers.into_iter().for_each(|buffer| outbox.take_back(buffer));
        // The third would be too much.
        assert_eq!(spare(&outbox), 600);
        let reused = outbox.buffer(200);
        assert_eq!((reused.len(), reused.capacity(), spare(&outbox)), (200, 300, 300));
        assert_eq!((outbox.empty(300).capacity(), spare(&outbox)), (300, 0));
        outbox.take_back(reused);
        // Twice its memory is too large, so nothing is spared.
        assert_eq!((outbox.buffer(149).capacity(), spare(&outbox)), (149, 0));
    }
}
