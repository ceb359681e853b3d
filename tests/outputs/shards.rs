//! `.weights.json` with its shards.

use std::path::Path;

use ptw2k::keras::file_layout::{Form, Format, LayoutError};
use ptw2k::writer::Error;
use serde_json::Value;
use tempfile::TempDir;

use crate::made::{KEEP, convert, form, own, plan, refusal, sorted, stored, testdata, write};

fn sharded(max_shard_bytes: u64) -> Form {
    Form { max_shard_bytes, ..Form::new(Format::Sharded) }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    sorted(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
}

/// The index, with each shard's variables compared.
fn index(folder: &Path, shards: usize) -> Value {
    let text = std::fs::read_to_string(folder.join("out.weights.json")).unwrap();
    let index: Value = serde_json::from_str(&text).unwrap();
    let map = index["weight_map"].as_object().unwrap();
    let mut all = Vec::new();
    for shard in 0..shards {
        let name = format!("out_{shard:05}.weights.h5");
        for variable in stored(&folder.join(&name)) {
            let group = format!("/{}", variable.0.rsplit_once('/').unwrap().0);
            assert_eq!(map[&group], name.as_str(), "{group}");
            all.push(variable);
        }
    }
    assert_eq!(sorted(all), sorted(own(&testdata("sequential_cnn.keras"), Format::Sharded)));
    index
}

/// Bytes of the largest layer.
fn largest() -> u64 {
    match refusal("sequential_cnn.keras", KEEP, &sharded(5), "out.weights.json") {
        LayoutError::ShardTooSmall { bytes, limit: 5, .. } => bytes,
        other => panic!("{other}"),
    }
}

#[test]
fn splits_between_layers() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.weights.json");
    let archive = testdata("sequential_cnn.keras");
    let bytes: usize = own(&archive, Format::Sharded).iter().map(|(.., bytes)| bytes.len()).sum();
    let written = convert(&archive, KEEP, &sharded(1 << 30), &output);
    assert_eq!(written.files, [folder.path().join("out_00000.weights.h5"), output.clone()]);
    assert_eq!(index(folder.path(), 1)["metadata"]["total_size"], bytes as f64);

    let written = convert(&archive, KEEP, &sharded(largest()), &output);
    let shards = written.files.len() - 1;
    assert!(shards > 1);
    index(folder.path(), shards);
}

/// A template does not tell in which order Keras looks for the groups, and Keras 3.10 never goes back to the first
/// shard: there is nothing in it.
#[test]
fn the_first_shard_of_a_template_is_empty() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.weights.json");
    let template = testdata("subclassed.weights.h5");
    let limit = match refusal("subclassed.weights.h5", KEEP, &sharded(5), "out.weights.json") {
        LayoutError::ShardTooSmall { bytes, .. } => bytes,
        other => panic!("{other}"),
    };
    let first = |bytes: u64| {
        let written = convert(&template, KEEP, &sharded(bytes), &output);
        (written.files.len() > 2, stored_or_none(&written.files[0]))
    };
    assert_eq!(first(limit), (true, 0));
    let all = ptw2k::keras::Architecture::open(&template).unwrap().variables.len();
    assert_eq!(first(1 << 30), (false, all));
    convert(&template, KEEP, &sharded(limit), &output);
    let read = stored(&output).into_iter().map(|(_, dtype, bytes)| (dtype, bytes)).collect();
    let own = own(&template, Format::Sharded).into_iter().map(|(_, dtype, bytes)| (dtype, bytes)).collect();
    assert!(sorted(read) == sorted::<(ptw2k::tensor::Dtype, Vec<u8>)>(own));
}

/// How many datasets a shard holds.
fn stored_or_none(shard: &Path) -> usize {
    match ptw2k::keras::WeightsFile::open(shard) {
        Ok(file) => file.variables.len(),
        Err(error) => panic!("{error:?}"),
    }
}

/// What a link in the place of a shard leads to is somebody's file.
#[cfg(unix)]
#[test]
fn a_shard_is_no_link() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("input"), "precious").unwrap();
    std::os::unix::fs::symlink("input", path("out_00000.weights.h5")).unwrap();
    let archive = testdata("sequential_cnn.keras");
    let form = sharded(1 << 30);
    let outcome = write(&plan(&archive, KEEP, &form, None), &form, &path("out.weights.json"), 2);
    assert!(matches!(outcome, Err(Error::ShardIsLink { .. })), "{outcome:?}");
    assert_eq!(std::fs::read(path("input")).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["input", "out_00000.weights.h5"]);
}

/// A set takes the place of another one, longer or shorter, and of nothing else.
#[test]
fn replaces_a_set() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.weights.json");
    let archive = testdata("sequential_cnn.keras");
    let long = convert(&archive, KEEP, &sharded(largest()), &output).files.len() - 1;
    assert!(long > 1);
    for other in ["out_00777.weights.h5", "out_x.weights.h5", "outer_00001.weights.h5"] {
        std::fs::write(folder.path().join(other), other).unwrap();
    }
    convert(&archive, KEEP, &sharded(1 << 30), &output);
    index(folder.path(), 1);
    let left = [
        "out.weights.json",
        "out_00000.weights.h5",
        "out_00777.weights.h5",
        "out_x.weights.h5",
        "outer_00001.weights.h5",
    ];
    assert_eq!(names(folder.path()), left);
    convert(&archive, KEEP, &sharded(largest()), &output);
    index(folder.path(), long);
    assert_eq!(names(folder.path()).len(), left.len() + long - 1);
}

/// What fails leaves the old set as it was.
#[test]
fn all_or_nothing() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.weights.json");
    let archive = testdata("sequential_cnn.keras");
    convert(&archive, KEEP, &sharded(1 << 30), &output);
    std::fs::create_dir(folder.path().join("out_00001.weights.h5")).unwrap();
    let plan = plan(&archive, KEEP, &sharded(largest()), None);
    let error = write(&plan, &sharded(largest()), &output, 2).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    assert_eq!(names(folder.path()), ["out.weights.json", "out_00000.weights.h5", "out_00001.weights.h5"]);
    index(folder.path(), 1);
}

#[test]
fn readers() {
    let refuse =
        |keras| refusal("sequential_cnn.keras", KEEP, &form(Format::Sharded, keras), "out.weights.json");
    for keras in ["2.15", "3.0.5", "3.9"] {
        assert!(matches!(refuse(keras), LayoutError::ReaderTooOld { .. }), "{keras}");
    }
    let folder = TempDir::new().unwrap();
    for keras in ["3", "3.10.0", "3.15"] {
        convert(
            &testdata("sequential_cnn.keras"),
            KEEP,
            &form(Format::Sharded, keras),
            &folder.path().join("a.weights.json"),
        );
    }
}
