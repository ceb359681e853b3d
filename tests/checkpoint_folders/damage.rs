//! Distributed checkpoints with parts missing or in the wrong places.

use std::path::Path;

use ptw2k::checkpoint::{DcpError, ErrorKind, FileError, Form, Warning};
use ptw2k::lazy::AssembleError;

use crate::made::{folder, open, safetensors, values};

const ONE: &str = "shard-00001-model-00001-of-00001.safetensors";
const TWO: &str = "shard-00002-model-00001-of-00001.safetensors";

fn two(first: &str, second: &str) -> tempfile::TempDir {
    let one = safetensors(&[("row", &[3, 4], 1.0)], Some(first));
    let two = safetensors(&[("row", &[2, 4], 2.0), ("plain", &[2], 7.0)], Some(second));
    folder(&[(ONE, &one), (TWO, &two)])
}

const FIRST: &str = r#"{"row": {"saved_offsets": [0, 0]}}"#;
const SECOND: &str = r#"{"row": {"saved_offsets": [3, 0]}, "plain": {"saved_offsets": [0]}}"#;

#[test]
fn puts_ranks_together() {
    let folder = two(FIRST, SECOND);
    let checkpoint = open(folder.path()).unwrap();
    assert_eq!(checkpoint.form, Form::DcpSafetensors);
    assert_eq!(values(&checkpoint), [("row".to_owned(), 1.0), ("plain".to_owned(), 7.0)]);
    let row: Vec<f32> = checkpoint.tensors[0]
        .tensor
        .contiguous()
        .unwrap()
        .chunks(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(row, [[1.0; 12].as_slice(), &[2.0; 8]].concat());
}

#[test]
fn refuses_wrong_places() {
    let check = |first: &str, second: &str, expected: fn(&ErrorKind) -> bool| {
        let error = open(two(first, second).path()).unwrap_err();
        assert!(expected(&error), "{second}: {error:?}");
    };
    let tiling = |error: &ErrorKind| {
        matches!(error, ErrorKind::Dcp(DcpError::Assemble { reason, .. })
            if matches!(**reason, AssembleError::Tiling(_)))
    };
    let in_file = |error: &ErrorKind| matches!(error, ErrorKind::InFile { kind, .. } if matches!(**kind, ErrorKind::Dcp(_)));
    check(FIRST, &SECOND.replace('3', "2"), tiling);
    check(FIRST, &SECOND.replace('3', "4"), tiling);
    check(FIRST, &SECOND.replace('3', "9007199254740993"), |error| {
        matches!(error, ErrorKind::Dcp(DcpError::Expanded { .. }))
    });
    check(FIRST, &SECOND.replace('3', "18446744073709551615"), |error| {
        matches!(error, ErrorKind::Dcp(DcpError::Shape { .. }))
    });
    check(FIRST, &SECOND.replace('3', "-1"), in_file);
    check(FIRST, &SECOND.replace("[3, 0]", "[3]"), in_file);
    check(FIRST, &SECOND.replace("[3, 0]", "{}"), in_file);
    check(FIRST, FIRST, in_file);
    check("[", SECOND, in_file);
    check(FIRST, r#"{"row": {"saved_offsets": [3, 0]}, "row": {"saved_offsets": [0, 0]}}"#, in_file);
}

#[test]
fn refuses_missing_files() {
    let file = safetensors(&[("row", &[3, 4], 1.0)], Some(FIRST));
    let check = |names: &[&str]| {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, file.as_slice())).collect();
        open(folder(&files).path())
    };
    let error = check(&["shard-00001-model-00002-of-00002.safetensors"]).unwrap_err();
    assert!(
        matches!(&error, ErrorKind::Dcp(DcpError::MissingFile { name })
            if name == "shard-00001-model-00001-of-00002.safetensors"),
        "{error:?}"
    );
    assert_eq!(
        check(&[TWO]).unwrap().warnings,
        [Warning::MissingRank { rank: 1 }, Warning::SizesByFiles { files: 1 }]
    );
    let error = check(&["__0_0.distcp"]).unwrap_err();
    assert!(matches!(error, ErrorKind::Dcp(DcpError::NoMetadata)), "{error:?}");
}

/// A copy of a folder that torch wrote, with its files changed: each is given by name and bytes.
fn changed(name: &str, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let original = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/distributed")).join(name);
    for entry in std::fs::read_dir(original).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        if let Some(bytes) = change(&name, std::fs::read(entry.path()).unwrap()) {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
    }
    folder
}

/// Replaces the first place of a text in the metadata by another of the same length.
fn metadata(old: &[u8], new: &[u8]) -> tempfile::TempDir {
    assert_eq!(old.len(), new.len());
    changed("two_ranks", |name, mut bytes| {
        if name == ".metadata" {
            let place = bytes.windows(old.len()).position(|window| window == old).unwrap();
            bytes[place..place + old.len()].copy_from_slice(new);
        }
        Some(bytes)
    })
}

#[test]
fn refuses_wrong_metadata() {
    let check = |old: &[u8], new: &[u8], expected: fn(&ErrorKind) -> bool| {
        let error = open(metadata(old, new).path()).unwrap_err();
        assert!(expected(&error), "{}: {error:?}", old.escape_ascii());
    };
    let wrong = |error: &ErrorKind| matches!(error, ErrorKind::Dcp(DcpError::Metadata { .. }));
    for class in [
        "TensorStorageMetadata",
        "ChunkStorageMetadata",
        "MetadataIndex",
        "_StorageInfo",
        "state_dict_metadata",
        "storage_data",
        "relative_path",
        "chunks",
    ] {
        check(class.as_bytes(), class.to_uppercase().replace('_', "-").as_bytes(), wrong);
    }
    check(b"__0_0.distcp", b"../00.distcp", |error| matches!(error, ErrorKind::File(FileError::Name { .. })));
    check(b"__0_0.distcp", b"/x000.distcp", |error| matches!(error, ErrorKind::File(FileError::Name { .. })));
    check(
        b"__0_0.distcp",
        b"__9_0.distcp",
        |error| matches!(error, ErrorKind::File(FileError::Missing { name }) if name == "__9_0.distcp"),
    );
    check(b"float32", b"float16", |error| {
        matches!(error, ErrorKind::InFile { offset: Some(_), kind, .. }
            if matches!(**kind, ErrorKind::Dcp(DcpError::Differs { .. })))
    });
    check(b"float32", b"quint16", |error| matches!(error, ErrorKind::Tensor { .. }));
    check(b"\x80\x04", b"\x80\x09", |error| matches!(error, ErrorKind::Dcp(DcpError::Pickle(_))));
}

#[test]
fn refuses_damaged_files() {
    let without =
        |missing: &'static str| changed("two_ranks", move |name, bytes| (name != missing).then_some(bytes));
    let error = open(without(".metadata").path()).unwrap_err();
    assert!(matches!(error, ErrorKind::Dcp(DcpError::NoMetadata)), "{error:?}");
    let error = open(without("__1_0.distcp").path()).unwrap_err();
    assert!(
        matches!(&error, ErrorKind::File(FileError::Missing { name }) if name == "__1_0.distcp"),
        "{error:?}"
    );
    let cut = changed("two_ranks", |name, mut bytes| {
        bytes.truncate(if name == "__1_0.distcp" { 100 } else { bytes.len() });
        Some(bytes)
    });
    let error = open(cut.path()).unwrap_err();
    assert!(
        matches!(&error, ErrorKind::Dcp(DcpError::OutsideFile { file, bytes: 100, .. }) if file == "__1_0.distcp"),
        "{error:?}"
    );
    let other = changed("two_ranks", |name, mut bytes| {
        bytes[..4].copy_from_slice(if name == "__1_0.distcp" { b"PK\x05\x06" } else { b"PK\x03\x04" });
        Some(bytes)
    });
    assert!(open(other.path()).is_err());
}

/// Small xorshift, so that the same changes are made every time.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn damaged_folders_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut refused = 0;
    for name in ["two_ranks", "four_ranks", "safetensors", "safetensors_items", "consolidated"] {
        for _ in 0..60 {
            let seed = std::cell::Cell::new(state);
            let folder = changed(name, |_, mut bytes| {
                let mut state = seed.get();
                for _ in 0..next(&mut state) % 3 {
                    let place = next(&mut state) % bytes.len();
                    bytes[place] = next(&mut state).to_le_bytes()[0];
                }
                seed.set(state);
                Some(bytes)
            });
            state = seed.get();
            match open(folder.path()) {
                Ok(checkpoint) => checkpoint.tensors.iter().for_each(|tensor| {
                    tensor.tensor.contiguous().unwrap();
                }),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
