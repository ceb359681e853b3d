//! The stream of pickles that `torch.save` wrote before 1.6 (formats/pytorch.md section 3.1).

mod error;
mod references;

pub use error::LegacyError;

use crate::lazy::Bytes;

use super::error::ErrorKind;
use super::pickle::{self, Pickle, Value};
use super::pickled;
use super::read::Read;
use super::state_dict::{OpenOptions, Warning};
use super::stream::Stream;
use references::References;

/// The magic number, 0x1950a86a20f9469cfc6c, as LONG1 has it.
const MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The magic number as LONG has it, in protocols 0 and 1.
const MAGIC_DIGITS: &[u8] = b"119547037146038801333356";

/// Bytes that the pickle of the magic number takes at most: with a frame and a memo entry it takes 25.
const MAX_MAGIC: usize = 64;

/// The only version of the protocol.
const PROTOCOL: i64 = 1001;

/// The first release that wrote this form, and no release has stopped to be able to.
const WRITTEN_BY: &str = "torch 0.1.10 or later (legacy stream)";

/// Whether a file is a legacy stream: whether its first pickle is the magic number, in whatever protocol.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    let head = bytes.get(..MAX_MAGIC).unwrap_or(bytes);
    pickle::parse(head).is_ok_and(|pickle| {
        matches!(pickle.get(pickle.root()), Value::Long(digits) if *digits == MAGIC || *digits == MAGIC_DIGITS)
    })
}

/// Reads it. The storages are ranges of the file.
pub(super) fn read(bytes: &Bytes, options: &OpenOptions) -> Result<Read, ErrorKind> {
    let mut warnings = Vec::new();
    let (pickle, mut references) = read_stream(bytes, &mut warnings)?;
    let mut read = pickled::read(&pickle, &mut references, options)?;
    read.warnings.append(&mut warnings);
    read.written_by = Some(WRITTEN_BY.to_owned());
    Ok(read)
}

fn read_stream<'b>(
    bytes: &'b Bytes,
    warnings: &mut Vec<Warning>,
) -> Result<(Pickle<'b>, References<'b>), LegacyError> {
    let mut stream = Stream::new(bytes);
    stream.pickle("the magic number")?;
    let protocol = stream.pickle("the protocol version")?;
    if !matches!(protocol.get(protocol.root()), Value::Int(PROTOCOL)) {
        let found = match protocol.get(protocol.root()) {
            Value::Int(found) => found.to_string(),
            _ => protocol.describe(protocol.root()),
        };
        return Err(LegacyError::Protocol { found });
    }
    if is_big_endian(&stream.pickle("the system's properties")?) {
        warnings.push(Warning::BigEndianWriter);
    }
    let mut pickle = stream.pickle("the saved object")?;
    let mut references = References::resolve(&mut pickle)?;
    references.fill(&mut stream)?;
    if stream.left() > 0 {
        warnings.push(Warning::Trailing { offset: stream.position(), bytes: stream.left() });
    }
    Ok((pickle, references))
}

/// Whether the machine that wrote the file says that it was big-endian. The raw data is little-endian all the
/// same: torch's writer swaps the elements, and the count before them, on such machines, and its reader does
/// not look at this. A writer that did not swap would have left a count that is not the pickle's.
fn is_big_endian(pickle: &Pickle<'_>) -> bool {
    let Value::Dict(dict) = pickle.get(pickle.root()) else { return false };
    pickle
        .item(dict, "little_endian")
        .is_some_and(|value| matches!(pickle.get(value), Value::Bool(false) | Value::Int(0)))
}
