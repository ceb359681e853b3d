//! What the fuzz targets, the mutations and the regressions share: the containers that let an input reach the
//! parser behind them, and opening bytes as a checkpoint or as a Keras file.

use std::path::Path;

use ptw2k::checkpoint::{Checkpoint, OpenOptions, Quantized};
use ptw2k::keras::{Architecture, WeightsFile};
use ptw2k::lazy::{Bytes, LazyTensor};

/// Bytes of a tensor that is loaded: what a tensor may claim beyond that is a limit of its own.
const MAX_LOADED: usize = 1 << 20;

/// Tensors of one input that are loaded.
const MAX_TENSORS: usize = 64;

/// Opens the bytes in every way, and loads what there is.
pub fn open(bytes: Vec<u8>) {
    let bytes = Bytes::held(bytes);
    for quantized in [Quantized::Dequantize, Quantized::Keep] {
        let options = OpenOptions { quantized, ..OpenOptions::default() };
        if let Ok(checkpoint) = Checkpoint::from_bytes(Path::new("fuzz"), &bytes, &options) {
            load(&checkpoint);
        }
    }
}

/// Opens a file or folder, and loads what there is.
pub fn open_path(path: &Path) {
    if let Ok(checkpoint) = Checkpoint::open(path, &OpenOptions::default()) {
        load(&checkpoint);
    }
}

/// Opens the bytes as an architecture and as a weight file, and loads what there is.
pub fn open_keras(bytes: Vec<u8>) {
    let (path, bytes) = (Path::new("fuzz"), Bytes::held(bytes));
    if let Ok(model) = Architecture::from_bytes(path, bytes.clone()) {
        let values = model.variables.iter().filter_map(|variable| variable.value.as_deref());
        load_all(values);
        assert_eq!(model.weights_h5_places().len(), model.variables.len());
        assert_eq!(model.legacy_places().len(), model.variables.len());
        if let Some(order) = model.legacy_order() {
            assert!(order.iter().all(|&at| at < model.variables.len()));
        }
    }
    if let Ok(file) = WeightsFile::from_bytes(path, bytes) {
        load_all(file.variables.iter().map(|stored| &stored.tensor));
    }
}

fn load(checkpoint: &Checkpoint) {
    load_all(checkpoint.tensors.iter().map(|tensor| &tensor.tensor));
}

fn load_all<'a>(tensors: impl Iterator<Item = &'a LazyTensor>) {
    for tensor in tensors.take(MAX_TENSORS) {
        if tensor.byte_len() <= MAX_LOADED && tensor.storage.byte_len() <= MAX_LOADED {
            let Ok(values) = tensor.contiguous() else { continue };
            assert_eq!(values.len(), tensor.byte_len());
        }
    }
}

/// A zip archive that stores records as torch does.
pub fn archive(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in records {
        let place = file.len() as u32;
        let mut fields = vec![0; 8];
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        fields.extend(crc.sum().to_le_bytes());
        fields.extend((bytes.len() as u32).to_le_bytes());
        fields.extend((bytes.len() as u32).to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        file.extend(b"PK\x03\x04\0\0");
        file.extend(&fields);
        file.extend(name.bytes());
        file.extend(*bytes);
        directory.extend(b"PK\x01\x02\0\0\0\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    let count = (records.len() as u16).to_le_bytes();
    file.extend(count);
    file.extend(count);
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// The input as `data.pkl` of an archive, beside a few storages.
pub fn pickle(input: &[u8]) -> Vec<u8> {
    archive(&[
        ("archive/data.pkl", input),
        ("archive/byteorder", b"little"),
        ("archive/data/0", &[0x3f; 16]),
        ("archive/data/1", &[1; 24]),
        ("archive/data/2", &[]),
    ])
}

/// The input after the signature of HDF5.
pub fn hdf5(input: &[u8]) -> Vec<u8> {
    [b"\x89HDF\r\n\x1a\n", input].concat()
}

/// The input after the four bytes by which torch knows a zip archive.
pub fn zip(input: &[u8]) -> Vec<u8> {
    [b"PK\x03\x04", input].concat()
}

/// The first three pickles of a legacy stream: the magic number, the protocol and the system's properties.
pub const LEGACY_HEAD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\
    \x80\x02M\xe9\x03.\
    \x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionq\x01M\xe9\x03X\x0d\x00\x00\x00little_endianq\x02\x88\
    X\x0a\x00\x00\x00type_sizesq\x03}q\x04(X\x05\x00\x00\x00shortq\x05K\x02X\x03\x00\x00\x00intq\x06K\x04\
    X\x04\x00\x00\x00longq\x07K\x04uu.";

/// The input after the head of a legacy stream.
pub fn legacy(input: &[u8]) -> Vec<u8> {
    [LEGACY_HEAD, input].concat()
}

/// A tar file: the first block of the input, and every other that looks like a header, gets the magic and the
/// checksum of one.
pub fn tar(input: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    const MAGIC: usize = 257;
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    let mut bytes = input.to_vec();
    bytes.resize(bytes.len().div_ceil(BLOCK).max(2) * BLOCK, 0);
    for (place, block) in bytes.chunks_exact_mut(BLOCK).enumerate() {
        if place > 0 && !block[MAGIC..].starts_with(b"ustar") {
            continue;
        }
        block[MAGIC..MAGIC + 8].copy_from_slice(b"ustar\x0000");
        block[CHECKSUM].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

/// A safetensors file: the input is the header, up to its first NUL, and what follows the values.
pub fn safetensors_header(input: &[u8]) -> Vec<u8> {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let (header, values) = input.split_at(end);
    let length = (header.len() as u64).to_le_bytes();
    [&length, header, values.get(1..).unwrap_or_default()].concat()
}

/// The input as the `model.json` of torch 1.0's TorchScript, beside two records of values.
pub fn torchscript_json(input: &[u8]) -> Vec<u8> {
    archive(&[
        ("archive/version", b"1\n"),
        ("archive/model.json", input),
        ("archive/tensors/0", &[0x3f; 24]),
        ("archive/tensors/1", &[1; 16]),
    ])
}
