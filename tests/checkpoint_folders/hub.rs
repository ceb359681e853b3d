//! Indexes and shards as the Hugging Face Hub has them, and folders.

use ptw2k::checkpoint::{
    Checkpoint, ErrorKind, FileError, FolderError, Form, NotACheckpoint, OpenOptions, ShardError, Warning,
};

use crate::made::{folder, open, safetensors, values};

const INDEX: &str = "model.safetensors.index.json";
const ONE: &str = "model-00001-of-00002.safetensors";
const TWO: &str = "model-00002-of-00002.safetensors";

/// Two shards with `a`, `b` and `c`, and an index.
fn two(index: &str) -> tempfile::TempDir {
    let one = safetensors(&[("b", &[2, 3], 1.0), ("a", &[5], 2.0)], None);
    let two = safetensors(&[("c", &[7], 3.0)], None);
    folder(&[(INDEX, index.as_bytes()), (ONE, &one), (TWO, &two)])
}

fn index(places: &[(&str, &str)]) -> String {
    let map: serde_json::Map<String, serde_json::Value> =
        places.iter().map(|(key, file)| ((*key).to_owned(), (*file).into())).collect();
    serde_json::json!({ "metadata": { "total_size": 72 }, "weight_map": map }).to_string()
}

fn whole() -> String {
    index(&[("c", TWO), ("a", ONE), ("b", ONE)])
}

#[test]
fn reads_the_shards_of_an_index() {
    let folder = two(&whole());
    for path in [folder.path().to_owned(), folder.path().join(INDEX)] {
        let checkpoint = open(&path).unwrap();
        let expected = [("b", 1.0), ("a", 2.0), ("c", 3.0)].map(|(key, value)| (key.to_owned(), value));
        assert_eq!(values(&checkpoint), expected);
        assert_eq!((checkpoint.form, checkpoint.warnings.as_slice()), (Form::Sharded, &[][..]));
        let mut files: Vec<_> =
            checkpoint.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        files.sort_unstable();
        assert_eq!(files, [ONE, TWO, INDEX]);
    }
}

#[test]
fn one_shard_is_read_with_a_warning() {
    let folder = two(&whole());
    let checkpoint = open(&folder.path().join(ONE)).unwrap();
    assert_eq!(checkpoint.tensors.len(), 2);
    let expected = Warning::OneShard { shards: 2, index: Some(INDEX.to_owned()) };
    assert_eq!(checkpoint.warnings, [expected]);
    std::fs::remove_file(folder.path().join(INDEX)).unwrap();
    let warnings = open(&folder.path().join(ONE)).unwrap().warnings;
    assert_eq!(warnings, [Warning::OneShard { shards: 2, index: None }]);
}

/// What `HuggingFaceStorageWriter` of one process writes: files that say where their parts lie, and an index.
#[test]
fn reads_whole_files_of_a_distributed_checkpoint() {
    let open_with = |offsets: &str, one: &str, total: &str| {
        let sharding = format!(r#"{{"a":{{"saved_offsets":[{offsets}]}},"b":{{"saved_offsets":[0,0]}}}}"#);
        let bytes = safetensors(&[("b", &[2, 3], 1.0), ("a", &[5], 2.0)], Some(&sharding));
        let two = safetensors(&[("c", &[7], 3.0)], None);
        let index = index(&[("c", TWO), ("a", one), ("b", one)]).replace(r#""total_size":72"#, total);
        let folder = folder(&[(INDEX, index.as_bytes()), (one, &bytes), (TWO, &two)]);
        open(&folder.path().join(INDEX)).map(|checkpoint| values(&checkpoint).len())
    };
    let total = r#""total_size":72"#;
    assert_eq!(open_with("0", ONE, total).unwrap(), 3);
    let is_part = |found: Result<usize, ErrorKind>| {
        let Err(ErrorKind::InFile { kind, .. }) = found else { panic!("{found:?}") };
        assert!(matches!(*kind, ErrorKind::Unsupported(_)), "{kind:?}");
    };
    is_part(open_with("5", ONE, total));
    is_part(open_with("0, 0", ONE, total));
    is_part(open_with("0", "shard-00001-model-00001-of-00001.safetensors", total));
    let found = open_with("0", ONE, r#""total_size":144"#);
    assert!(
        matches!(found, Err(ErrorKind::Shards(ShardError::Part { announced: 144, found: 72 }))),
        "{found:?}"
    );
    let found = open_with("0", ONE, r#""other":1"#);
    assert!(matches!(found, Err(ErrorKind::Shards(ShardError::NoTotalSize))), "{found:?}");
}

#[test]
fn there_is_no_moving_average() {
    let folder = two(&whole());
    for path in [folder.path().join(INDEX), folder.path().join(ONE)] {
        let check = |key: Option<&str>, expected: fn(&ErrorKind) -> bool| {
            let options = OpenOptions { key: key.map(str::to_owned), ema: true, ..OpenOptions::default() };
            let kind = Checkpoint::open(&path, &options).unwrap_err().kind;
            assert!(expected(&kind), "{kind:?}");
        };
        check(
            None,
            |kind| matches!(kind, ErrorKind::NoMovingAverage { candidates } if candidates.len() == 1),
        );
        check(Some(""), |kind| matches!(kind, ErrorKind::KeyAndEma));
    }
}

#[test]
fn warns_of_an_index_that_differs() {
    let check = |index: &str, expected: fn(&Warning) -> bool| {
        let warnings = open(two(index).path()).unwrap().warnings;
        assert!(warnings.iter().any(expected), "{index}: {warnings:?}");
    };
    check(
        &index(&[("a", ONE), ("c", TWO)]),
        |warning| matches!(warning, Warning::Unlisted { tensors: 1, first, file } if first.as_str() == "b" && file == ONE),
    );
    check(&whole().replace("72", "73"), |warning| {
        matches!(warning, Warning::TotalSize { announced: 73, found: 72 })
    });
    let again = safetensors(&[("a", &[5], 9.0), ("c", &[7], 3.0)], None);
    let folder = two(&whole());
    std::fs::write(folder.path().join(TWO), again).unwrap();
    let checkpoint = open(folder.path()).unwrap();
    assert_eq!(values(&checkpoint)[1], ("a".to_owned(), 2.0));
    assert!(matches!(&checkpoint.warnings[..], [Warning::Elsewhere { tensors: 1, file, .. }] if file == TWO));
}

#[test]
fn refuses_a_wrong_index() {
    let check = |index: &str, expected: fn(&ErrorKind) -> bool| {
        let error = open(&two(index).path().join(INDEX)).unwrap_err();
        assert!(expected(&error), "{index}: {error:?}");
    };
    check(&index(&[("a", ONE), ("b", ONE), ("c", ONE)]), |error| {
        matches!(error, ErrorKind::Shards(ShardError::MissingTensor { key, file, more: 0 })
            if key.as_str() == "c" && file == ONE)
    });
    check(
        &index(&[("a", ONE), ("b", "model-00003-of-00003.safetensors")]),
        |error| matches!(error, ErrorKind::File(FileError::Missing { name }) if name.contains("00003")),
    );
    for name in ["../x.safetensors", "/etc/passwd", "a/b", "..", "", "C:x", "x\\y", "a\0b"] {
        check(&index(&[("a", name)]), |error| matches!(error, ErrorKind::File(FileError::Name { .. })));
    }
    check(&index(&[("a", INDEX)]), |error| {
        matches!(error, ErrorKind::InFile { file, kind, .. }
            if file == INDEX && matches!(**kind, ErrorKind::Shards(ShardError::Index)))
    });
    check("{\"weight_map\": {\"a\": 1}}", |error| matches!(error, ErrorKind::Shards(ShardError::Json(_))));
}

#[test]
fn an_error_in_a_shard_names_it() {
    let folder = two(&whole());
    std::fs::write(folder.path().join(TWO), b"<html>").unwrap();
    let error = open(&folder.path().join(INDEX)).unwrap_err();
    assert!(
        matches!(&error, ErrorKind::InFile { file, kind, .. }
            if file == TWO && matches!(**kind, ErrorKind::NotACheckpoint(NotACheckpoint::Html))),
        "{error:?}"
    );
}

#[test]
fn a_name_in_two_shards_and_not_in_the_index_is_refused() {
    let folder = two(&index(&[("b", ONE), ("c", TWO)]));
    std::fs::write(folder.path().join(TWO), safetensors(&[("a", &[5], 9.0), ("c", &[7], 3.0)], None))
        .unwrap();
    let error = open(&folder.path().join(INDEX)).unwrap_err();
    assert!(
        matches!(&error, ErrorKind::Shards(ShardError::TwoShards { key, .. }) if key.as_str() == "a"),
        "{error:?}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_pipes_are_not_opened() {
    use std::os::unix::fs::symlink;
    let blobs = two(&whole());
    let snapshot = tempfile::tempdir().unwrap();
    for name in [INDEX, ONE, TWO] {
        symlink(blobs.path().join(name), snapshot.path().join(name)).unwrap();
    }
    assert_eq!(open(snapshot.path()).unwrap().tensors.len(), 3);
    std::fs::remove_file(snapshot.path().join(ONE)).unwrap();
    symlink(snapshot.path().join(ONE), snapshot.path().join(ONE)).unwrap();
    let error = open(&snapshot.path().join(INDEX)).unwrap_err();
    assert!(matches!(error, ErrorKind::File(FileError::Open { .. })), "{error:?}");
    std::fs::remove_file(snapshot.path().join(ONE)).unwrap();
    symlink("/dev/zero", snapshot.path().join(ONE)).unwrap();
    let error = open(&snapshot.path().join(INDEX)).unwrap_err();
    assert!(matches!(error, ErrorKind::File(FileError::NotAFile { .. })), "{error:?}");
}

#[test]
fn folders() {
    let file = safetensors(&[("a", &[5], 2.0)], None);
    let check = |files: &[&str], expected: Result<&str, fn(&ErrorKind) -> bool>| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, file.as_slice())).collect();
        let folder = folder(&files);
        match (open(folder.path()), expected) {
            (Ok(checkpoint), Ok(name)) => {
                assert_eq!(checkpoint.path, folder.path());
                assert_eq!(checkpoint.files, [folder.path().join(name)]);
            }
            (Err(error), Err(expected)) => assert!(expected(&error), "{error:?}"),
            (found, _) => panic!("{files:?}: {found:?}"),
        }
    };
    check(&["model.safetensors"], Ok("model.safetensors"));
    check(&["model.fp16.safetensors"], Ok("model.fp16.safetensors"));
    check(&["pytorch_model.bin", "model.safetensors"], Ok("model.safetensors"));
    check(&["a.pt", "b.pt"], Err(|error| matches!(error, ErrorKind::Folder(FolderError::Several { .. }))));
    check(&["notes.txt"], Err(|error| matches!(error, ErrorKind::NotACheckpoint(NotACheckpoint::Folder))));
    check(&[ONE, TWO], Err(|error| matches!(error, ErrorKind::Folder(FolderError::NoIndex { .. }))));
}

#[test]
fn a_pipeline_names_its_folders() {
    let folder = folder(&[("model_index.json", b"{}")]);
    for name in ["unet", "vae", "scheduler"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let file = safetensors(&[("a", &[5], 2.0)], None);
    for name in ["unet", "vae"] {
        std::fs::write(folder.path().join(name).join("diffusion_pytorch_model.safetensors"), &file).unwrap();
    }
    let error = open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, ErrorKind::Folder(FolderError::Subfolders { folders }) if folders == &["unet", "vae"]),
        "{error:?}"
    );
}
