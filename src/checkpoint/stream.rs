//! Pickles and raw bytes one after the other, as the legacy stream and the members of the tar file have them.

use crate::lazy::Bytes;

use super::pickle::{self, Pickle, PickleError};

/// Why a stream of pickles and raw bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A pickle of the stream breaks the rules.
    #[error("the pickle of {what}, which starts at byte {start}, cannot be read: {error}")]
    Pickle {
        /// What the pickle holds.
        what: &'static str,
        /// Where it starts, in bytes from the start of the stream.
        start: usize,
        /// The reason.
        error: Box<PickleError>,
    },
    /// The stream ends before its raw bytes.
    #[error("it is truncated: at byte {offset}, {what} has {needed} bytes and {available} are left")]
    Truncated {
        /// What is cut off.
        what: &'static str,
        /// Where it starts, in bytes from the start of the stream.
        offset: usize,
        /// Bytes that it has.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
}

/// A stream and the place in it.
pub(super) struct Stream<'b> {
    bytes: &'b Bytes,
    position: usize,
}

impl<'b> Stream<'b> {
    /// The start of a stream.
    pub(super) const fn new(bytes: &'b Bytes) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes from the start of the stream.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    fn rest(&self) -> &'b [u8] {
        self.bytes.as_slice().get(self.position..).unwrap_or(&[])
    }

    /// The next pickle.
    pub(super) fn pickle(&mut self, what: &'static str) -> Result<Pickle<'b>, StreamError> {
        let start = self.position;
        let pickle = pickle::parse(self.rest()).map_err(|error| StreamError::Pickle {
            what,
            start,
            error: Box::new(error),
        })?;
        self.position = start.saturating_add(pickle.byte_len());
        Ok(pickle)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], StreamError> {
        let Some((array, _)) = self.rest().split_first_chunk::<N>() else {
            return Err(self.truncated(what, N));
        };
        self.position += N;
        Ok(*array)
    }

    /// The next bytes, as a range of the file.
    pub(super) fn bytes(&mut self, what: &'static str, byte_len: usize) -> Result<Bytes, StreamError> {
        let stop = self.position.checked_add(byte_len);
        let Some((stop, range)) = stop.and_then(|stop| Some((stop, self.bytes.slice(self.position..stop)?)))
        else {
            return Err(self.truncated(what, byte_len));
        };
        self.position = stop;
        Ok(range)
    }

    fn truncated(&self, what: &'static str, needed: usize) -> StreamError {
        StreamError::Truncated { what, offset: self.position, needed, available: self.left() }
    }
}
