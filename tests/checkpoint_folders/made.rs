//! Folders made by the tests.

use std::path::Path;

use ptw2k::checkpoint::{Checkpoint, ErrorKind, OpenOptions};

/// Opens a checkpoint as it is.
pub(crate) fn open(path: &Path) -> Result<Checkpoint, ErrorKind> {
    Checkpoint::open(path, &OpenOptions::default()).map_err(|error| error.kind)
}

/// The keys of a checkpoint in order, each with its first value.
pub(crate) fn values(checkpoint: &Checkpoint) -> Vec<(String, f32)> {
    let value = |tensor: &ptw2k::checkpoint::Tensor| {
        let bytes = tensor.tensor.contiguous().unwrap();
        (tensor.key.as_str().to_owned(), f32::from_le_bytes(bytes[..4].try_into().unwrap()))
    };
    checkpoint.tensors.iter().map(value).collect()
}

/// A safetensors file of float32 tensors: each with its key, its sizes, and the value of all its elements.
pub(crate) fn safetensors(tensors: &[(&str, &[usize], f32)], metadata: Option<&str>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    if let Some(sharding) = metadata {
        header.insert("__metadata__".to_owned(), serde_json::json!({ "DCP_SHARDING_INFO": sharding }));
    }
    let mut data = Vec::new();
    for (key, sizes, value) in tensors {
        let begin = data.len();
        data.extend((0..sizes.iter().product()).flat_map(|_| value.to_le_bytes()));
        let info = serde_json::json!({ "dtype": "F32", "shape": sizes, "data_offsets": [begin, data.len()] });
        header.insert((*key).to_owned(), info);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}
