//! Distributed checkpoints with parts missing or in the wrong places.

use ptw2k::checkpoint::{DcpError, ErrorKind, Form, Warning};
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
        matches!(error, ErrorKind::Dcp(DcpError::Assemble { reason: AssembleError::Tiling(_), .. }))
    };
    let in_file = |error: &ErrorKind| {
        matches!(error, ErrorKind::InFile { kind, .. } if matches!(**kind, ErrorKind::Dcp(_)))
    };
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
    assert_eq!(check(&[TWO]).unwrap().warnings, [Warning::MissingRank { rank: 1 }]);
    let error = check(&["__0_0.distcp"]).unwrap_err();
    assert!(matches!(error, ErrorKind::Dcp(DcpError::NoMetadata)), "{error:?}");
}
