//! Every form of one model is equal to every other, and a checkpoint to what it becomes.

use std::path::{Path, PathBuf};

use crate::run::{Folder, check};

fn file(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras_files").join(version).join(name)
}

/// What is written in every form is verified, and is equal to what is written in the others.
#[test]
fn outputs_are_verified() {
    let folder = Folder::with_case("simple_conv");
    let outputs = ["out.weights.h5", "out.h5", "out.keras", "out.weights.json"];
    for output in outputs {
        let said = folder.run(&["weights.pt", "-s", "schema.toml", "-o", output]);
        assert!(said.starts_with("exit 0\n"), "{said}");
        let said = folder.run(&["verify", "weights.pt", output, "-s", "schema.toml"]);
        assert!(said.starts_with("exit 0\n") && said.contains("equal, bit for bit"), "{output}: {said}");
        let said = folder.run(&["diff", outputs[0], output]);
        assert!(said.starts_with("exit 0\n"), "{output}: {said}");
    }
}

/// What a layer was adapted to goes along, and is no surprise in the output.
#[test]
fn what_is_carried_over_is_verified() {
    let folder = Folder::with_case("simple_conv");
    let model = file("2.15.0", "adapted.keras");
    let model = model.to_str().unwrap();
    folder.write("keep.toml", "schema = 1\n[source]\nignore = \"*\"\n[[keep]]\nkeras = \"{x:**}\"\n");
    for output in ["out.keras", "out.weights.h5"] {
        let said = folder.run(&["weights.pt", "-s", "keep.toml", "-a", model, "-o", output]);
        assert!(said.starts_with("exit 0\n"), "{said}");
        let said = folder.run(&["verify", "weights.pt", output, "-s", "keep.toml", "-a", model]);
        assert!(said.starts_with("exit 0\n"), "{output}: {said}");
    }
}

/// Compares every two of these files.
fn check_equal(version: &str, names: &[&str]) {
    let folder = Folder::new();
    for (at, one) in names.iter().enumerate() {
        for other in &names[at + 1..] {
            let (one, other) = (file(version, one), file(version, other));
            let said = folder.run(&["diff", one.to_str().unwrap(), other.to_str().unwrap()]);
            assert!(said.starts_with("exit 0\n") && said.contains("equal, bit for bit"), "{version}: {said}");
        }
    }
}

#[test]
fn forms_of_one_model_are_equal() {
    let forms = ["weights.h5", "weights.json", "legacy.h5", "whole.h5", "keras", "folder"];
    let trained = forms.map(|end| format!("trained.{end}"));
    for version in ["3.15.1", "3.10.0"] {
        check_equal(version, &trained.each_ref().map(String::as_str));
        check_equal(version, &["own.weights.h5", "own.weights.json", "own.legacy.h5"]);
    }
    check_equal("3.0.5", &["trained.weights.h5", "trained.keras"]);
    // Without layer names, a `.weights.h5` and legacy weights have nothing in common.
    for version in ["2.15.0", "2.13.1"] {
        check_equal(version, &["trained.weights.h5", "trained.whole.h5", "trained.keras"]);
        check_equal(version, &["trained.legacy.h5", "trained.whole.h5", "trained.keras"]);
    }
}

#[test]
fn checkpoints_through_a_schema() {
    let folder = Folder::with_case("simple_conv");
    assert!(folder.run(&["weights.pt", "-s", "schema.toml", "-o", "out.weights.h5"]).starts_with("exit 0\n"));
    let schema = ["-s", "schema.toml"];
    let diff = |one: &str, other: &str| folder.run(&[&["diff", one, other][..], &schema].concat());
    check("diff_checkpoint", 0, &diff("weights.pt", "out.weights.h5"));
    check("diff_checkpoints", 0, &diff("weights.pt", "weights.pt"));
}

/// Two BatchNormalizations in a nested model, which Keras trains or not.
fn nested(trainable: bool) -> String {
    use serde_json::{Value as Json, json};
    let object = |module: &str, class: &str, config: Json| json!({ "module": module, "class_name": class, "registered_name": null, "config": config });
    let layer = |name: &str| {
        let config = json!({ "name": name, "trainable": trainable, "axis": -1 });
        object("keras.layers", "BatchNormalization", config)
    };
    let input = json!({ "batch_shape": [null, 6], "name": "in" });
    let input = object("keras.layers", "InputLayer", input);
    let inner = json!({ "name": "sub", "trainable": trainable, "layers": [layer("p"), layer("q")] });
    let inner = object("keras", "Sequential", inner);
    let outer = json!({ "name": "outer", "layers": [input, inner] });
    object("keras", "Sequential", outer).to_string()
}

/// Keras reads legacy files by order: what stands at another place is another weight, whatever it is called.
#[test]
fn another_order_is_a_difference() {
    let folder = Folder::new();
    let names = ["weight", "bias", "running_mean", "running_var"];
    let keys: Vec<String> =
        ["p", "q"].iter().flat_map(|layer| names.map(|name| format!("{layer}.{name}"))).collect();
    let values: Vec<Vec<u8>> = (0..8_u8).map(|at| f32::from(at).to_le_bytes().repeat(6)).collect();
    let tensors: Vec<_> = keys
        .iter()
        .zip(&values)
        .map(|(key, value)| (key.as_str(), "F32", &[6][..], value.as_slice()))
        .collect();
    folder.write_tensors("bn.safetensors", &tensors);
    folder.write("schema.toml", "schema = 1\n[[layer]]\ntorch = \"{n:p|q}\"\nkeras = \"sub/{n}\"\n");
    for (name, trainable) in [("trained", true), ("frozen", false)] {
        folder.write(&format!("{name}.json"), nested(trainable));
        for output in [format!("{name}.h5"), format!("{name}.keras"), format!("{name}.weights.h5")] {
            let model = format!("{name}.json");
            let said = folder.run(&["bn.safetensors", "-s", "schema.toml", "-a", &model, "-o", &output]);
            assert!(said.starts_with("exit 0\n"), "{said}");
        }
    }
    check("diff_order", 8, &folder.run(&["diff", "trained.h5", "frozen.h5"]));
    check("diff_order_json", 8, &folder.run(&["diff", "trained.h5", "frozen.h5", "--json"]));
    // By name, Keras skips a layer of the model with all layers inside when any of them lacks a weight.
    let part = ["-a", "trained.json", "--allow-missing", "sub/q/*", "--allow-unexpected", "q.*"];
    folder.write("part.toml", "schema = 1\n[[layer]]\ntorch = \"p\"\nkeras = \"sub/p\"\n");
    let convert = |output: &str| {
        folder.run(&[&["bn.safetensors", "-s", "part.toml", "-o", output], &part[..]].concat())
    };
    check("part_of_a_nested_model", 0, &convert("part.weights.h5"));
    check("part_of_a_nested_model_legacy", 6, &convert("part.h5"));
    // The model in an archive and the one of a checkpoint tell an order, and one that holds groups does not.
    let equal = "exit 0\n";
    let different = "exit 8\n";
    for (one, other, expected) in [
        ("trained.h5", "trained.keras", equal),
        ("trained.h5", "frozen.keras", different),
        ("frozen.keras", "trained.h5", different),
        ("trained.h5", "frozen.weights.h5", equal),
        ("trained.keras", "frozen.keras", equal),
    ] {
        let said = folder.run(&["diff", one, other]);
        assert!(said.starts_with(expected), "{one} {other}: {said}");
    }
    for (model, expected) in [("trained.json", equal), ("frozen.json", different)] {
        let said = folder.run(&["diff", "bn.safetensors", "trained.h5", "-s", "schema.toml", "-a", model]);
        assert!(said.starts_with(expected), "{model}: {said}");
    }
}
