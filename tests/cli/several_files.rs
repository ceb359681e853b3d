//! Checkpoints in several files.

use super::run::{Folder, check};

const INDEX: &str = "model.safetensors.index.json";

/// The weights of a case as the only shard of an index, under this name.
fn sharded(shard: &str) -> Folder {
    let folder = Folder::with_case("mnist");
    std::fs::rename(folder.path("weights.pt"), folder.path(shard)).unwrap();
    folder.write(INDEX, serde_json::json!({ "weight_map": { "conv1.weight": shard } }).to_string());
    folder
}

#[test]
fn converts_and_verifies_an_index() {
    let folder = sharded("pytorch_model-00001-of-00001.bin");
    let convert = [INDEX, "--schema", "schema.toml", "-o", "out.weights.h5"];
    check("sharded_convert", 0, &folder.run(&convert));
    let verify = ["verify", INDEX, "out.weights.h5", "--schema", "schema.toml", "--quiet"];
    check("sharded_verify", 0, &folder.run(&verify));
    check("sharded_inspect", 0, &folder.run(&["inspect", INDEX]));
    check("sharded_inspect_folder", 0, &folder.run(&["inspect", "."]));
}

#[test]
fn no_output_replaces_a_shard() {
    let folder = sharded("out.weights.h5");
    let convert = [INDEX, "--schema", "schema.toml", "-o", "out.weights.h5"];
    check("output_is_shard", 7, &folder.run(&convert));
    let report = ["--report", INDEX, "-o", "other.weights.h5"];
    check("report_is_index", 7, &folder.run(&[&convert[..3], &report].concat()));
}

#[test]
fn what_is_wrong_with_a_folder() {
    let folder = Folder::with_case("mnist");
    std::fs::copy(folder.path("weights.pt"), folder.path("best.pt")).unwrap();
    check("folder_of_several", 3, &folder.run(&["inspect", "."]));
    std::fs::create_dir(folder.path("empty")).unwrap();
    check("folder_without_checkpoint", 3, &folder.run(&["inspect", "empty"]));
    folder.write("empty/model.safetensors", "<html>");
    check("folder_with_a_web_page", 3, &folder.run(&["inspect", "empty"]));
}
