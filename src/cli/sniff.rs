//! What a file looks like, by its first bytes.

use std::fs::File;
use std::io::{Cursor, Read as _, Seek as _, SeekFrom};
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
        // A broken archive is for the checkpoint reader to name, unless it is called after Keras.
        if path.extension().is_some_and(|extension| extension == "keras") {
            return Ok(Kind::Keras);
        }
        // The directory of a large one takes many reads: of the file, each would be a call of the system.
        let is_keras = Bytes::map(path).is_ok_and(|bytes| {
            let archive = zip::ZipArchive::new(Cursor::new(bytes.as_slice()));
            archive.is_ok_and(|archive| archive.index_for_name(KERAS_MEMBER).is_some())
        });
        return Ok(if is_keras { Kind::Keras } else { Kind::Checkpoint });
    }
    let is_named_h5 = path.extension().is_some_and(|extension| extension == "h5" || extension == "hdf5");
    if is_named_h5 && is_behind_a_user_block(&file)? {
        return Ok(Kind::Keras);
    }
    // A safetensors file begins with the header's length in eight bytes, the last of which are zero: no
    // text has zeros.
    let is_text = !head.contains(&0);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = is_text && first == Some(&b'{');
    Ok(if is_json && !is_named_index(path) { Kind::Keras } else { Kind::Checkpoint })
}

/// Whether HDF5's signature is where it is behind a user block: 512 bytes on, or a power of two times that.
fn is_behind_a_user_block(file: &File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    let places = std::iter::successors(Some(512_u64), |place| place.checked_mul(2));
    for place in places.take_while(|&place| place < length) {
        let mut found = Vec::new();
        let mut at = file;
        at.seek(SeekFrom::Start(place))?;
        at.take(HDF5_SIGNATURE.len() as u64).read_to_end(&mut found)?;
        if found == HDF5_SIGNATURE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a JSON file has the name of an index of shards: `model.safetensors.index.json`, and with a variant
/// `model.safetensors.index.fp16.json`. Keras names its own `.weights.json`.
fn is_named_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".index."))
}
