//! What is no checkpoint, or only a part of one; and what `--key` finds.

use ptw2k::checkpoint::{Checkpoint, ErrorKind, NotACheckpoint, OpenOptions, UnsupportedForm};

use super::corpus::{folder, open};
use super::expected;

#[test]
fn one_rank_of_a_distributed_checkpoint_is_refused() {
    let path = folder("files").join("dcp_hf_sharded2/shard-00001-model-00001-of-00001.safetensors");
    let kind = open(&path).unwrap_err().kind;
    assert!(matches!(kind, ErrorKind::Unsupported(UnsupportedForm::DcpShard)), "{kind:?}");
}

#[test]
fn one_file_of_a_distributed_checkpoint_is_refused() {
    for name in [".metadata", "__0_0.distcp"] {
        let kind = open(&folder("files").join("dcp_single").join(name)).unwrap_err().kind;
        assert!(matches!(kind, ErrorKind::NotACheckpoint(NotACheckpoint::DcpPart)), "{kind:?}");
    }
}

#[test]
fn a_key_finds_tensors_deep_in_other_objects() {
    for protocol in 2..=5 {
        let name = format!("zip_objects_p{protocol}.pt");
        for key in ["nested", "intkeys"] {
            let options = OpenOptions { key: Some(key.to_owned()), ..OpenOptions::default() };
            let checkpoint = Checkpoint::open(&folder("files").join(&name), &options).unwrap();
            assert_eq!(expected::check(&name, &checkpoint), 1, "{name} {key}");
        }
    }
}

#[test]
fn what_is_no_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |content: &[u8], expected: NotACheckpoint| {
        let path = folder.path().join("model.pt");
        std::fs::write(&path, content).unwrap();
        match open(&path).unwrap_err().kind {
            ErrorKind::NotACheckpoint(found) => assert_eq!(found, expected),
            kind => panic!("{kind:?}"),
        }
    };
    check(b"", NotACheckpoint::Empty);
    check(b"<!DOCTYPE html><html>", NotACheckpoint::Html);
    check(b"\n <HTML>", NotACheckpoint::Html);
    check(b"version https://git-lfs.github.com/spec/v1\n", NotACheckpoint::GitLfsPointer);
    check(b"\x1f\x8b\x08\0", NotACheckpoint::Gzip);
    check(b"\x89HDF\r\n\x1a\n\0", NotACheckpoint::Hdf5);
    check(b"hello", NotACheckpoint::Unknown { start: b"hello".to_vec() });
}
