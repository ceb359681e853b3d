//! Zip archives beyond 4 GiB, in the four forms that torch writes (formats/pytorch.md section 1.4). The files
//! are sparse: they take some kilobytes of a disk.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/values.rs"]
mod values;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ptw2k::checkpoint::{Checkpoint, ErrorKind, OpenOptions, Warning, ZipError};
use values::contiguous;

/// More bytes than 32 bits count.
const LARGE: u64 = (1 << 32) + 4096;

/// A file on the disk may take this much and still be called sparse.
const MAX_ON_DISK: u64 = 64 << 20;

/// One record.
struct Record {
    name: &'static str,
    bytes: Vec<u8>,
    /// Zero bytes after them, which the file does not hold.
    hole: u64,
}

fn record(name: &'static str, bytes: &[u8], hole: u64) -> Record {
    Record { name, bytes: bytes.to_vec(), hole }
}

/// Writes records as torch does, the values of 64 bits where they are needed.
fn write(path: &Path, records: &[Record]) {
    let mut file = File::create(path).unwrap();
    let mut directory = Vec::new();
    for record in records {
        let place = file.stream_position().unwrap();
        let size = record.bytes.len() as u64 + record.hole;
        let (is_large, is_far) = (size > u64::from(u32::MAX), place > u64::from(u32::MAX));
        // Sizes follow the data; the local header has zeros, and a large record's extra field the size once.
        let mut local = Vec::new();
        if is_large {
            local.extend([1, 0, 16, 0]);
            local.extend(size.to_le_bytes());
            local.extend(0_u64.to_le_bytes());
        } else if is_far {
            local.extend([1, 0, 8, 0]);
            local.extend(place.to_le_bytes());
        }
        let start = place + 30 + record.name.len() as u64 + local.len() as u64 + 4;
        let padding = start.next_multiple_of(64) - start;
        local.extend(*b"FB");
        local.extend(u16::try_from(padding).unwrap().to_le_bytes());
        local.extend(vec![b'Z'; usize::try_from(padding).unwrap()]);
        let flags_and_date = [0x08, 0x08, 0, 0, 0, 0, 0, 0];
        file.write_all(b"PK\x03\x04\0\0").unwrap();
        file.write_all(&flags_and_date).unwrap();
        file.write_all(&[0; 12]).unwrap();
        file.write_all(&u16::try_from(record.name.len()).unwrap().to_le_bytes()).unwrap();
        file.write_all(&u16::try_from(local.len()).unwrap().to_le_bytes()).unwrap();
        file.write_all(record.name.as_bytes()).unwrap();
        file.write_all(&local).unwrap();
        file.write_all(&record.bytes).unwrap();
        file.seek(SeekFrom::Current(i64::try_from(record.hole).unwrap())).unwrap();
        file.write_all(b"PK\x07\x08\0\0\0\0").unwrap();
        if is_large || is_far {
            file.write_all(&[size.to_le_bytes(), size.to_le_bytes()].concat()).unwrap();
        } else {
            let size = u32::try_from(size).unwrap().to_le_bytes();
            file.write_all(&[size, size].concat()).unwrap();
        }
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let mut extra = Vec::new();
        for value in [size, size, place] {
            if value > u64::from(u32::MAX) {
                extra.extend(value.to_le_bytes());
            }
        }
        if !extra.is_empty() {
            let length = u16::try_from(extra.len()).unwrap().to_le_bytes();
            extra.splice(0..0, [[1, 0], length].concat());
        }
        directory.extend(*b"PK\x01\x02\0\0\0\0");
        directory.extend(flags_and_date);
        directory.extend([0; 4]);
        directory.extend([narrow(size), narrow(size)].concat());
        directory.extend(u16::try_from(record.name.len()).unwrap().to_le_bytes());
        directory.extend(u16::try_from(extra.len()).unwrap().to_le_bytes());
        directory.extend([0; 10]);
        directory.extend(narrow(place));
        directory.extend(record.name.bytes());
        directory.extend(extra);
    }
    let place = file.stream_position().unwrap();
    let (count, size) = (records.len() as u64, directory.len() as u64);
    file.write_all(&directory).unwrap();
    let is_wide = place > u64::from(u32::MAX) || count >= 0xffff;
    if is_wide {
        let end = file.stream_position().unwrap();
        file.write_all(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0").unwrap();
        for value in [count, count, size, place] {
            file.write_all(&value.to_le_bytes()).unwrap();
        }
        file.write_all(b"PK\x06\x07\0\0\0\0").unwrap();
        file.write_all(&end.to_le_bytes()).unwrap();
        file.write_all(&[1, 0, 0, 0]).unwrap();
    }
    // Only what does not fit is all ones here.
    file.write_all(b"PK\x05\x06\0\0\0\0").unwrap();
    let count = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    file.write_all(&[count, count].concat()).unwrap();
    file.write_all(&u32::try_from(size).unwrap().to_le_bytes()).unwrap();
    file.write_all(&u32::try_from(place).unwrap_or(u32::MAX).to_le_bytes()).unwrap();
    file.write_all(&[0, 0]).unwrap();
}

/// A call of `_rebuild_tensor_v2` of bytes.
fn tensor(key: &str, numel: u64, offset: u64, size: u8) -> Vec<u8> {
    let long = |value: u64| [[0x8a, 8].as_slice(), &value.to_le_bytes()].concat();
    let storage =
        format!("ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nByteStorage\nV{key}\nVcpu\n");
    let view = [b'K', size, 0x85, b'K', 1, 0x85, 0x89, b'N', b't', b'R'];
    [storage.as_bytes(), &long(numel), b"tQ", &long(offset), &view].concat()
}

fn pickle(tensors: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(".to_vec();
    for (key, tensor) in tensors {
        bytes.extend(format!("V{key}\n").bytes());
        bytes.extend(tensor);
    }
    bytes.extend(b"u.");
    bytes
}

#[test]
fn records_larger_than_4_gib_and_beyond_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    let object = pickle(&[
        ("first", tensor("0", LARGE, 0, 3)),
        ("last", tensor("0", LARGE, LARGE - 2, 2)),
        ("far", tensor("1", 5, 1, 4)),
    ]);
    write(
        &path,
        &[
            record("model/data.pkl", &object, 0),
            record("model/data/0", &[1, 2, 3], LARGE - 3),
            record("model/data/1", &[4, 5, 6, 7, 8], 0),
            record("model/version", b"3\n", 0),
        ],
    );
    if std::fs::metadata(&path).unwrap().blocks() * 512 > MAX_ON_DISK {
        return;
    }
    let checkpoint = Checkpoint::open(&path, &OpenOptions::default()).unwrap();
    // `contiguous` of the test reads a storage through the map, and not all of it.
    let found: Vec<(&str, Vec<u8>)> =
        checkpoint.tensors.iter().map(|tensor| (tensor.key.as_str(), contiguous(&tensor.tensor))).collect();
    assert_eq!(found, [("first", vec![1, 2, 3]), ("last", vec![0, 0]), ("far", vec![5, 6, 7, 8])]);
    let absent = Warning::NoChecksum { records: 2, first: "data/0".to_owned() };
    assert_eq!(checkpoint.warnings, [absent]);
    // A count that the 32-bit end record has right, and the 64-bit one wrong.
    let mut file = File::options().write(true).open(&path).unwrap();
    let end = file.seek(SeekFrom::End(-22 - 20 - 56 + 24)).unwrap();
    file.write_all(&[9, 0, 0, 0, 0, 0, 0, 0, 9]).unwrap();
    let kind = Checkpoint::open(&path, &OpenOptions::default()).unwrap_err().kind;
    let expected = ZipError::Missing { what: "agreeing zip64 end record", offset: end - 24 };
    assert!(matches!(kind, ErrorKind::Zip(found) if found == expected));
}

#[test]
fn more_entries_than_16_bits_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    // Names for 66 000 records, kept for the rest of the test.
    let names: Vec<&'static str> =
        (0..66_000).map(|key| &*Box::leak(format!("m/data/{key}").into_boxed_str())).collect();
    let object = pickle(&[("w", tensor("65999", 3, 0, 3)), ("first", tensor("0", 3, 0, 1))]);
    let mut records = vec![record("m/data.pkl", &object, 0)];
    records.extend(names.into_iter().zip(0_u32..).map(|(name, key)| {
        let [low, high, ..] = key.to_le_bytes();
        record(name, &[low, high, 7], 0)
    }));
    write(&path, &records);
    let checkpoint = Checkpoint::open(&path, &OpenOptions::default()).unwrap();
    let found: Vec<Vec<u8>> = checkpoint.tensors.iter().map(|tensor| contiguous(&tensor.tensor)).collect();
    let [low, high, ..] = 65_999_u32.to_le_bytes();
    assert_eq!(found, [vec![low, high, 7], vec![0]]);
}
