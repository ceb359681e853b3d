//! What `inspect` says of checkpoints large and odd, and of their values.

use std::io::Write as _;

use serde_json::Value as Json;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::run::{Folder, archive, check};

/// Tensors with names, types, shapes and bytes of their own.
type Tensors = Vec<(String, &'static str, Vec<usize>, Vec<u8>)>;

/// Writes a safetensors file in that order.
fn write(folder: &Folder, name: &str, tensors: &Tensors) {
    let tensors: Vec<(&str, &str, &[usize], &[u8])> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name.as_str(), *dtype, shape.as_slice(), bytes.as_slice()))
        .collect();
    folder.write_tensors(name, &tensors);
}

fn float32(name: impl Into<String>, shape: &[usize]) -> (String, &'static str, Vec<usize>, Vec<u8>) {
    (name.into(), "F32", shape.to_vec(), vec![0; 4 * shape.iter().product::<usize>()])
}

/// A transformer: twelve blocks, the last two with a gate.
fn transformer() -> Tensors {
    let mut tensors = vec![float32("embed.weight", &[11, 7])];
    for block in 0..12 {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push(float32(format!("model.layers.{block}.{name}"), shape));
        };
        add("attn.weight", &[21, 7]);
        add("attn.bias", &[21]);
        (0..2).for_each(|expert| add(&format!("experts.{expert}.weight"), &[5, 7]));
        add("norm.weight", &[7]);
        if block > 9 {
            add("gate", &[1]);
        }
    }
    tensors.push(float32("head.weight", &[11, 7]));
    tensors
}

#[test]
fn long_lists_are_folded() {
    let folder = Folder::new();
    let tensors = transformer();
    write(&folder, "w.safetensors", &tensors);
    check("inspect_folded", 0, &folder.run(&["inspect", "w.safetensors"]));
    // All are there where that is asked for, and wherever rows differ.
    for option in ["--all", "-v", "--stats", "--hash"] {
        let said = folder.run(&["inspect", "w.safetensors", option]);
        for (name, ..) in &tensors {
            assert!(said.lines().any(|line| line.starts_with(&format!("{name} "))), "{option}: {name}");
        }
    }
    let json = json(&folder, &["inspect", "w.safetensors"]);
    assert_eq!(json["tensors"].as_array().unwrap().len(), tensors.len());
}

/// What the README shows is what is said today.
#[test]
fn the_readme_is_true() {
    let folder = Folder::new();
    let mut tensors = vec![float32("embed.weight", &[101, 12])];
    for block in 0..32 {
        let shapes: [(&str, &[usize]); 4] = [
            ("attn.weight", &[12, 12]),
            ("attn.bias", &[12]),
            ("mlp.weight", &[41, 12]),
            ("norm.weight", &[12]),
        ];
        tensors.extend(shapes.map(|(name, shape)| float32(format!("layers.{block}.{name}"), shape)));
    }
    tensors.push(float32("head.weight", &[101, 12]));
    write(&folder, "model.safetensors", &tensors);
    let said = folder.run(&["inspect", "model.safetensors"]);
    let list = said.strip_prefix("exit 0\n----- stdout -----\n").unwrap();
    let expected = format!("$ ptw2k inspect model.safetensors\n{list}```\n");
    assert!(include_str!("../../README.md").contains(&expected), "{list}");
}

/// Forty rows are a short list, and long lists of nothing alike keep their order.
#[test]
fn other_lists_are_not_folded() {
    let folder = Folder::new();
    write(&folder, "short.safetensors", &(0..40).map(|at| float32(format!("a.{at}.w"), &[1])).collect());
    write(&folder, "odd.safetensors", &(0..99).map(|at| float32(format!("a.{at}.w"), &[1 + at])).collect());
    for name in ["short.safetensors", "odd.safetensors"] {
        let said = folder.run(&["inspect", name]);
        assert!(said.starts_with("exit 0\n") && !said.contains('×'), "{said}");
        assert_eq!(said, folder.run(&["inspect", name, "--all"]));
    }
}

/// Every kind of value, and no values at all.
fn values() -> Tensors {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let odd = [1.5, f32::NAN, f32::INFINITY, -2.25, f32::NEG_INFINITY, f32::NAN, 0.0];
    vec![
        ("fine".to_owned(), "F32", vec![2, 3], floats(&[0.1, -0.2, 0.3, 1e-7, 12.5, -3.0])),
        ("odd".to_owned(), "F32", vec![7], floats(&odd)),
        ("nothing finite".to_owned(), "F32", vec![1], floats(&[f32::NAN])),
        ("zero".to_owned(), "F16", vec![5], vec![0; 10]),
        ("empty".to_owned(), "F32", vec![0, 4], vec![]),
        ("steps".to_owned(), "I64", vec![], 1_234_567_i64.to_le_bytes().to_vec()),
        ("mask".to_owned(), "BOOL", vec![3], vec![1, 0, 1]),
    ]
}

#[test]
fn statistics_and_checksums() {
    let folder = Folder::new();
    write(&folder, "w.safetensors", &values());
    check("inspect_stats", 0, &folder.run(&["inspect", "w.safetensors", "--stats"]));
    check("inspect_hash", 0, &folder.run(&["inspect", "w.safetensors", "--hash"]));
    let both = ["inspect", "w.safetensors", "--stats", "--hash", "--json"];
    check("inspect_stats_json", 0, &folder.run(&both));
    assert_eq!(folder.run(&both), folder.run(&[&both[..], &["--threads", "1"]].concat()));
}

/// A checksum is of what the tensor holds, however the file has it.
#[test]
fn checksums_are_of_contiguous_bytes() {
    let folder = Folder::with_case("mnist");
    folder.run(&["weights.pt", "--schema", "schema.toml"]);
    let checkpoint = json(&folder, &["inspect", "weights.pt", "--hash"]);
    let keras = json(&folder, &["inspect", "weights.weights.h5", "--hash"]);
    let sum = |list: &Json, name: &str, wanted: &str| {
        let entry = list.as_array().unwrap().iter().find(|entry| entry[name] == wanted).unwrap();
        entry["sha256"].as_str().unwrap().to_owned()
    };
    let of = |key: &str| sum(&checkpoint["tensors"], "key", key);
    assert_eq!(of("conv2.bias"), sum(&keras["variables"], "path", "conv2/bias"));
    assert_ne!(of("conv2.weight"), sum(&keras["variables"], "path", "conv2/kernel"));
}

#[test]
fn values_of_keras_files() {
    let folder = Folder::with_case("conv_block");
    folder.run(&["weights.pt", "--schema", "schema.toml"]);
    folder.run(&["weights.pt", "--schema", "schema.toml", "-o", "out.h5"]);
    check("inspect_stats_weights", 0, &folder.run(&["inspect", "weights.weights.h5", "--stats"]));
    check("inspect_stats_legacy", 0, &folder.run(&["inspect", "out.h5", "--stats"]));
    let sums = |file| {
        let found = json(&folder, &["inspect", file, "--hash"]);
        let sum = |one: &Json| one["sha256"].as_str().unwrap().to_owned();
        let mut sums: Vec<String> = found["variables"].as_array().unwrap().iter().map(sum).collect();
        sums.sort();
        sums
    };
    assert_eq!(sums("out.h5"), sums("weights.weights.h5"));
    check("inspect_stats_of_none", 2, &folder.run(&["inspect", "arch.json", "--stats"]));
    check("inspect_key_of_none", 2, &folder.run(&["inspect", "out.h5", "--key", "conv"]));
}

/// A model of the user's own: the configuration does not tell its variables, the weights beside it do.
#[test]
fn a_subclassed_model() {
    let folder = Folder::new();
    let own = r#"{"module": "mine", "class_name": "Own", "config": {}, "registered_name": "Own"}"#;
    std::fs::create_dir(folder.path("own")).unwrap();
    folder.write("own/config.json", own);
    let weights = format!("{}/testdata/keras_files/3.15.1/own.weights.h5", env!("CARGO_MANIFEST_DIR"));
    folder.write("own/model.weights.h5", std::fs::read(weights).unwrap());
    check("inspect_subclassed", 0, &folder.run(&["inspect", "own"]));
    folder.write("own.json", own);
    check("inspect_subclassed_without_weights", 4, &folder.run(&["inspect", "own.json"]));
}

/// A float32 tensor of shape (2, 3) on the one storage, with these strides.
fn tensor(strides: [u8; 2]) -> Vec<u8> {
    let start = b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x06tQK\x00K\x02K\x03\x86";
    [&start[..], b"K", &strides[..1], b"K", &strides[1..], b"\x86\x89NtR"].concat()
}

/// A pickled dictionary of such tensors.
fn state_dict(tensors: &[(&str, [u8; 2])]) -> Vec<u8> {
    let mut pickle = b"}(".to_vec();
    for (key, strides) in tensors {
        pickle.extend([b"V", key.as_bytes(), b"\n", &tensor(*strides)].concat());
    }
    pickle.extend(b"u");
    pickle
}

fn checkpoint(root: &[u8]) -> Vec<u8> {
    let pickle = [b"\x80\x02", root, b"."].concat();
    archive(&[("w/data.pkl", &pickle), ("w/data/0", &[1; 24]), ("w/version", b"3\n")])
}

#[test]
fn tied_and_strided() {
    let folder = Folder::new();
    let tensors = [
        ("embed.weight", [3, 1]),
        ("turned", [1, 2]),
        ("head.weight", [3, 1]),
        ("again", [3, 1]),
        ("x", [1, 2]),
    ];
    folder.write("w.pt", checkpoint(&state_dict(&tensors)));
    check("inspect_tied", 0, &folder.run(&["inspect", "w.pt"]));
    let json = json(&folder, &["inspect", "w.pt"]);
    let groups: Vec<&Json> =
        json["tensors"].as_array().unwrap().iter().map(|one| &one["tied_group"]).collect();
    assert_eq!(serde_json::json!(groups), serde_json::json!([1, 2, 1, 1, 2]));
    assert_eq!((&json["elements"], &json["bytes"]), (&12.into(), &48.into()));
}

/// No name can command the terminal.
#[test]
fn names_are_escaped() {
    let folder = Folder::new();
    let name = "a\u{1b}[2J\u{202e}\r\nb";
    let nan = f32::NAN.to_le_bytes().to_vec();
    write(&folder, "w.safetensors", &vec![(name.to_owned(), "F32", vec![1], nan)]);
    let said = folder.run(&["inspect", "w.safetensors", "--stats"]);
    assert!(said.starts_with("exit 0\n") && said.contains("a\\u{1b}[2J\\u{202e}\\r\\nb"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}', '\r']), "{said}");
    assert_eq!(json(&folder, &["inspect", "w.safetensors"])["tensors"][0]["key"], name);
}

/// Which state_dict is meant is for the user to say, and how to say it is on the screen.
#[test]
fn choices_are_shown() {
    let folder = Folder::new();
    let dict = |key: &str| state_dict(&[(key, [3, 1])]);
    let root =
        [&b"}(Vone\n"[..], &dict("fc"), b"Vthe other\n", &dict("fc"), b"Vnet_ema\n", &dict("fc"), b"u"]
            .concat();
    folder.write("w.pt", checkpoint(&root));
    check("choices_ambiguous", 3, &folder.run(&["inspect", "w.pt", "--json"]));
    check("choices_no_such_key", 3, &folder.run(&["inspect", "w.pt", "--key", "two"]));
    check("choices_chosen", 0, &folder.run(&["inspect", "w.pt", "--key", "the other"]));
}

/// A record that does not inflate is found when its values are read.
#[test]
fn values_that_cannot_be_read() {
    let folder = Folder::new();
    let pickle = [b"\x80\x02", &state_dict(&[("a", [3, 1]), ("b", [1, 2])])[..], b"."].concat();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let values: Vec<u8> = (0..24).collect();
    for (name, bytes) in [("w/data.pkl", &pickle[..]), ("w/data/0", &values), ("w/version", b"3\n")] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let whole = zip.finish().unwrap().into_inner();
    folder.write("whole.pt", &whole);
    check("inspect_inflated", 0, &folder.run(&["inspect", "whole.pt", "--stats"]));
    // The bytes of the record: literals of a fixed code, so any other bits are other values.
    let at = whole.windows(8).position(|window| window == b"w/data/0").unwrap() + 8 + 10;
    let mut broken = whole;
    broken[at] ^= 0x10;
    folder.write("broken.pt", &broken);
    assert!(folder.run(&["inspect", "broken.pt"]).starts_with("exit 0\n"));
    check("inspect_values_broken", 3, &folder.run(&["inspect", "broken.pt", "--stats"]));
}

fn json(folder: &Folder, arguments: &[&str]) -> Json {
    let said = folder.run(&[arguments, &["--json", "-q"]].concat());
    serde_json::from_str(said.strip_prefix("exit 0\n----- stdout -----\n").unwrap()).unwrap()
}
