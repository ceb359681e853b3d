//! Legacy files, whose weights Keras reads by position, against those that Keras writes of the same models.

use std::path::Path;

use ptw2k::keras::WeightsFile;
use ptw2k::keras::file_layout::{Format, LayoutError};
use tempfile::TempDir;

use crate::made::{FILL, KEEP, convert, form, refusal, stored, testdata};

/// The types and values of a legacy file, in its order.
fn values(file: &Path) -> Vec<(ptw2k::tensor::Dtype, Vec<u8>)> {
    stored(file).into_iter().map(|(_, dtype, bytes)| (dtype, bytes)).collect()
}

/// The weights of a file, written again as a legacy file, stand in the order in which Keras has them.
fn check(architecture: &str, keras: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.h5");
    convert(&testdata(architecture), KEEP, &form(Format::LegacyH5, ""), &output);
    assert!(values(&output) == values(&testdata(keras)), "{architecture}");
    folder
}

/// A legacy file as a template: under the same names, and nothing twice.
#[test]
fn of_itself() {
    for file in ["frozen.legacy.h5", "shared_across.legacy.h5"] {
        let folder = check(file, file);
        let names = |file: &Path| stored(file).into_iter().map(|(path, ..)| path).collect::<Vec<_>>();
        assert_eq!(names(&folder.path().join("out.h5")), names(&testdata(file)));
    }
    check("frozen.whole.h5", "frozen.legacy.h5");
}

/// Names with a slash, from every form and as Keras 2 has them, in its order and under its names.
#[test]
fn names_with_a_slash() {
    let keras = |end: &str| format!("../keras_files/2.15.0/slashed.{end}");
    for end in ["keras", "whole.h5", "legacy.h5"] {
        let folder = check(&keras(end), &keras("legacy.h5"));
        let written = WeightsFile::open(&folder.path().join("out.h5")).unwrap();
        let theirs = WeightsFile::open(&testdata(&keras("legacy.h5"))).unwrap();
        let names = |file: &WeightsFile| -> Vec<(String, Option<String>)> {
            file.variables.iter().map(|stored| (stored.path.clone(), stored.layer.clone())).collect()
        };
        // A configuration does not tell that Keras 2 leaves the nested model out of the names.
        let plain = |names: Vec<(String, Option<String>)>| -> Vec<_> {
            names
                .into_iter()
                .map(|(path, layer)| (path.replace("inner/block/inner", "inner"), layer))
                .collect()
        };
        assert_eq!(plain(names(&written)), names(&theirs), "{end}");
    }
}

/// A layer that several models share stands in each of them.
#[test]
fn a_shared_layer() {
    check("shared_across.keras", "shared_across.legacy.h5");
}

/// The groups of the other formats are not told by legacy weights.
#[test]
fn groups_that_are_not_told() {
    for (format, name) in
        [(Format::WeightsH5, "a.weights.h5"), (Format::Sharded, "a.weights.json"), (Format::Keras, "a.keras")]
    {
        let found = refusal("frozen.legacy.h5", FILL, &form(format, ""), name);
        assert_eq!(found, LayoutError::Groups { format });
    }
}
