//! The forms of the output, as the command line has them.

use crate::run::{Folder, check};

const CONVERT: [&str; 3] = ["weights.pt", "--schema", "schema.toml"];

/// Converts `mnist` with these options.
#[track_caller]
fn check_output(name: &str, code: u8, options: &[&str], files: &[&str]) -> Folder {
    let folder = Folder::with_case("mnist");
    let before = folder.names();
    check(&format!("output_{name}"), code, &folder.run(&[&CONVERT[..], options].concat()));
    let made: Vec<String> = folder.names().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(made, files, "{name}");
    folder
}

/// As `json.dumps(…, indent=4)` writes it.
const INDEX: &str = r#"{
    "metadata": {
        "total_size": 40716.0
    },
    "weight_map": {
        "/layers/conv2d/vars": "out_00000.weights.h5",
        "/layers/conv2d_1/vars": "out_00000.weights.h5",
        "/layers/dense/vars": "out_00001.weights.h5",
        "/layers/dense_1/vars": "out_00001.weights.h5"
    }
}"#;

#[test]
fn every_form() {
    check_output("keras", 0, &["-o", "out.keras"], &["out.keras"]);
    check_output("whole_h5", 0, &["-o", "out.h5", "--save", "model"], &["out.h5"]);
    let shards = ["out.weights.json", "out_00000.weights.h5", "out_00001.weights.h5"];
    let folder = check_output("shards", 0, &["-o", "out.weights.json", "--max-shard-size", "36KB"], &shards);
    let index = String::from_utf8(folder.read("out.weights.json")).unwrap();
    assert_eq!(index, INDEX);
}

#[test]
fn an_h5_is_like_its_architecture() {
    let folder = Folder::with_case("mnist");
    let run = |options: &[&str]| {
        let said = folder.run(&[&CONVERT[..], options].concat());
        assert!(said.starts_with("exit 0\n"), "{said}");
        let of_file = |name: &str| hdf5_reader::Hdf5File::open(folder.path(name)).unwrap();
        of_file(options[1]).root_group().unwrap().attribute("model_config").is_ok()
    };
    assert!(!run(&["-o", "weights.h5"]));
    assert!(run(&["-o", "whole.h5", "--save", "model"]));
    assert!(run(&["-o", "like.h5", "--arch", "whole.h5"]));
    assert!(!run(&["-o", "unlike.h5", "--arch", "whole.h5", "--save", "weights"]));
    assert!(folder.read("like.h5") == folder.read("whole.h5"));
    assert!(folder.read("unlike.h5") == folder.read("weights.h5"));
}

#[test]
fn refused() {
    let refuse = |name: &str, code: u8, options: &[&str]| drop(check_output(name, code, options, &[]));
    refuse("unknown", 2, &["-o", "out.pt"]);
    refuse("keras_as_weights", 2, &["-o", "out.keras", "--save", "weights"]);
    refuse("weights_as_model", 2, &["-o", "out.weights.json", "--save", "model"]);
    refuse("shard_size_of_one_file", 2, &["-o", "out.weights.h5", "--max-shard-size", "2GB"]);
    refuse("no_size", 2, &["-o", "out.weights.json", "--max-shard-size", "2 apples"]);
    refuse("no_version", 2, &["--keras", "1.2"]);
    refuse("report_is_a_shard", 2, &["-o", "out.weights.json", "--report", "out_00003.weights.h5"]);
    refuse("too_small", 7, &["-o", "out.weights.json", "--max-shard-size", "1KB"]);
    refuse("too_old", 7, &["-o", "out.weights.json", "--keras", "3.5"]);
    refuse("other_generation", 7, &["-o", "out.keras", "--keras", "2.15"]);
    refuse("no_optimizer", 7, &["-o", "out.keras", "--optimizer"]);
}
