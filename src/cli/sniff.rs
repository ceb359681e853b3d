//! What a file looks like, by its first bytes.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::path::Path;

use crate::lazy::Bytes;

/// How every HDF5 file without a user block begins (HDF5 file format specification, II.A).
const HDF5_SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// How a zip archive that is not empty begins (APPNOTE 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";
/// The member that makes a zip archive a `.keras` file (Keras `saving_lib.py`).
const KERAS_MEMBER: &str = "config.json";
/// The weights in an unzipped one.
const KERAS_WEIGHTS: &str = "model.weights.h5";
/// Bytes that tell the kinds of file apart.
const HEAD: u64 = 16;

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Keras,
    Checkpoint,
}

/// Anything that is no Keras file is for the checkpoint reader to name.
pub(super) fn sniff(path: &Path) -> std::io::Result<Kind> {
    let mut head = Vec::new();
    let metadata = path.metadata()?;
    // A hub's folder of another model has a `config.json` too.
    if metadata.is_dir() && path.join(KERAS_MEMBER).is_file() && path.join(KERAS_WEIGHTS).is_file() {
        return Ok(Kind::Keras);
    }
    // A pipe is not opened: that would wait for its writer.
    if !metadata.is_file() {
        return Ok(Kind::Checkpoint);
    }
    let file = File::open(path)?;
    (&file).take(HEAD).read_to_end(&mut head)?;
    if head.starts_with(HDF5_SIGNATURE) {
        return Ok(Kind::Keras);
    }
    if head.starts_with(ZIP_SIGNATURE) {
        // A broken archive is for the checkpoint reader to name.
        // The directory of a large one takes many reads: of the file, each would be a call of the system.
        let is_keras = Bytes::map(path).is_ok_and(|bytes| {
            let archive = zip::ZipArchive::new(Cursor::new(bytes.as_slice()));
            archive.is_ok_and(|archive| archive.index_for_name(KERAS_MEMBER).is_some())
        });
        return Ok(if is_keras { Kind::Keras } else { Kind::Checkpoint });
    }
    // A safetensors file begins with the header's length in eight bytes, the last of which are zero: no
    // text has zeros.
    let is_text = !head.contains(&0);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = is_text && first == Some(&b'{');
    Ok(if is_json && !is_named_index(path) { Kind::Keras } else { Kind::Checkpoint })
}

/// Whether a JSON file has the name of an index of shards: `model.safetensors.index.json`, and with a variant
/// `model.safetensors.index.fp16.json`. Keras names its own `.weights.json`.
fn is_named_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".index."))
}
