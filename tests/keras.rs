//! Architectures against what real Keras says of the same models (`testdata/keras/make.py`).

use std::path::{Path, PathBuf};

use ptw2k::keras::file_layout::{self, AttributeValue, Format, Group, LayoutError, Node};
use ptw2k::keras::{Architecture, ErrorKind, FeatureOrder, Origin, WeightsFile, WeightsForm};
use ptw2k::tensor::Dtype;
use serde_json::{Value, json};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras").join(name)
}

fn expected(case: &str) -> Value {
    serde_json::from_slice(&std::fs::read(testdata(&format!("{case}.expected.json"))).unwrap()).unwrap()
}

/// One line per variable: path, shape, type, HDF5 path.
fn lines(architecture: &Architecture) -> Vec<String> {
    let line = |(at, variable): (usize, &ptw2k::keras::Variable)| {
        let h5 = file_layout::dataset_path(architecture, Format::WeightsH5, at).unwrap();
        format!("{} {:?} {} {h5}", variable.path, variable.shape.sizes(), variable.dtype)
    };
    architecture.variables.iter().enumerate().map(line).collect()
}

fn expected_lines(case: &str) -> Vec<String> {
    let line = |row: &Value| {
        let text = |at: usize| row[at].as_str().unwrap();
        let shape: Vec<u64> = row[2].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
        let slash = if text(0).is_empty() { "" } else { "/" };
        format!("{}{slash}{} {shape:?} {} {}", text(0), text(1), text(3), text(4))
    };
    expected(case)["variables"].as_array().unwrap().iter().map(line).collect()
}

fn check(file: &str, case: &str) -> Architecture {
    let architecture =
        Architecture::open(&testdata(file)).unwrap_or_else(|error| panic!("{file}: {error:?}"));
    assert_eq!(lines(&architecture), expected_lines(case), "{file}");
    check_legacy(&architecture, case);
    architecture
}

/// The legacy layout has the layers and the order of weights that Keras itself writes.
fn check_legacy(architecture: &Architecture, case: &str) {
    let expected = expected(case);
    let expected = expected["legacy"].as_array().unwrap();
    if expected.is_empty() || architecture.origin == Origin::Template {
        return;
    }
    let root = file_layout::lay_out(architecture, Format::LegacyH5, &|_| Some(Dtype::F32)).unwrap();
    let mut found = Vec::new();
    for name in names(&root, "layer_names") {
        let Some((_, Node::Group(group))) = root.children.iter().find(|(other, _)| *other == name) else {
            panic!("no group {name}")
        };
        let weight = |path: &String| {
            let at = dataset(group, path);
            let full = file_layout::dataset_path(architecture, Format::LegacyH5, at).unwrap();
            assert_eq!(full, format!("{name}/{path}"));
            json!([architecture.variables[at].name, architecture.variables[at].shape.sizes()])
        };
        let weights: Vec<Value> = names(group, "weight_names").iter().map(weight).collect();
        found.push(json!([name, weights]));
    }
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{case}");
    }
    assert_eq!(found.len(), expected.len(), "{case}");
}

fn names(group: &Group, name: &str) -> Vec<String> {
    let attribute = group.attributes.iter().find(|attribute| attribute.name == name).unwrap();
    match &attribute.value {
        AttributeValue::TextList(names) => names.clone(),
        other @ AttributeValue::Text(_) => panic!("{other:?}"),
    }
}

fn dataset(group: &Group, path: &str) -> usize {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (_, node) = group.children.iter().find(|(name, _)| name == first).unwrap();
    match (node, rest) {
        (Node::Group(group), Some(rest)) => dataset(group, rest),
        (Node::Dataset(dataset), None) => dataset.variable,
        _ => panic!("{path}"),
    }
}

fn features<'a>(architecture: &'a Architecture, path: &str) -> &'a FeatureOrder {
    &architecture.layers.iter().find(|layer| layer.path == path).unwrap().features
}

#[test]
fn sequential() {
    let config = check("sequential_cnn.json", "sequential_cnn");
    assert_eq!(*features(&config, "hidden"), FeatureOrder::Flattened(vec![4, 6, 5]));
    assert_eq!(*features(&config, "head"), FeatureOrder::Plain);
    assert!(config.variables.iter().all(|variable| variable.value.is_none()));
    let archive = check("sequential_cnn.keras", "sequential_cnn");
    assert!(archive.variables.iter().all(|variable| variable.value.as_ref().unwrap().bytes.is_mapped()));
}

#[test]
fn functional_with_nested_and_shared_layers() {
    let net = check("functional.json", "functional");
    assert_eq!(*features(&net, "after_flat"), FeatureOrder::Flattened(vec![3, 2, 4]));
    assert_eq!(*features(&net, "tower/d"), FeatureOrder::Flattened(vec![6, 4, 4]));
    assert!(matches!(features(&net, "a"), FeatureOrder::Unknown(_)));
    for path in ["z", "excite", "shared", "inner/inner_dense"] {
        assert_eq!(*features(&net, path), FeatureOrder::Plain, "{path}");
    }
}

#[test]
fn every_layer_with_variables() {
    check("all_layers.json", "all_layers");
}

#[test]
fn frozen_layers() {
    check("frozen.json", "frozen");
}

#[test]
fn bfloat16() {
    check("bfloat16.json", "bfloat16");
    let template = check("bfloat16.weights.h5", "bfloat16");
    let types = |at: usize| Some(template.variables[at].dtype);
    let root = file_layout::lay_out(&template, Format::WeightsH5, &types).unwrap();
    assert_eq!(format!("{root:?}").matches("Text(\"bfloat16\")").count(), 6);
    let legacy = file_layout::lay_out(&template, Format::LegacyH5, &types);
    assert_eq!(legacy, Err(LayoutError::LayerOrder));
}

#[test]
fn template_of_a_subclassed_model() {
    let model = Architecture::open(&testdata("subclassed.weights.h5")).unwrap();
    let (mut found, mut expected) = (lines(&model), expected_lines("subclassed"));
    // The classes of these are not certain, so their variables keep their indices.
    for line in &mut expected {
        for (name, index) in [
            ("second_conv/kernel", "second_conv/0"),
            ("block/scale", "block/0"),
            ("block_1/scale", "block_1/0"),
            ("norm/gamma", "norm/0"),
            ("norm/beta", "norm/1"),
        ] {
            *line = line.replace(name, index);
        }
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let layer = |path: &str| model.layers.iter().find(|layer| layer.path == path).unwrap();
    let conv = model.layers.iter().find(|layer| layer.aliases == ["conv1"]).unwrap();
    assert_eq!(conv.class.as_deref(), Some("Conv2D"));
    assert_eq!(layer("second_conv").class, None);
    assert_eq!(layer("mha/query").class.as_deref(), Some("EinsumDense"));
    assert_eq!(layer("x").class.as_deref(), Some("Dense"));
    assert!(matches!(layer("x").features, FeatureOrder::Unknown(_)));
}

#[test]
fn weight_files() {
    let file = WeightsFile::open(&testdata("bfloat16.weights.h5")).unwrap();
    assert_eq!(file.form, WeightsForm::WeightsH5);
    let paths: Vec<_> = file.variables.iter().map(|variable| variable.path.as_str()).collect();
    assert_eq!(paths[..2], ["layers/batch_normalization/vars/0", "layers/batch_normalization/vars/1"]);
    assert_eq!(file.variables[0].layer.as_deref(), Some("bn"));
    assert_eq!(file.variables[0].tensor.dtype, Dtype::Bf16);
    let file = WeightsFile::open(&testdata("sequential_cnn.keras")).unwrap();
    assert_eq!((file.form, file.variables.len()), (WeightsForm::Archive, 11));
}

/// A broken file: what is in it, and which error it is.
fn check_refused(content: &str, is_expected: impl Fn(&ErrorKind) -> bool) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let error = Architecture::open(file.path()).unwrap_err();
    assert!(is_expected(&error.kind), "{error:?}");
}

#[test]
fn what_is_refused() {
    check_refused("", |kind| matches!(kind, ErrorKind::NotKeras { .. }));
    check_refused("<html>", |kind| matches!(kind, ErrorKind::NotKeras { .. }));
    check_refused("{", |kind| matches!(kind, ErrorKind::Json(_)));
    check_refused(&"{\"a\":".repeat(100_000), |kind| matches!(kind, ErrorKind::Json(_)));
    check_refused("{\"weight_map\": {}}", |kind| matches!(kind, ErrorKind::Sharded));
    let keras_2 = json!({"class_name": "Functional", "config": {"layers": []}, "keras_version": "2.15.0"});
    check_refused(&keras_2.to_string(), |kind| matches!(kind, ErrorKind::Keras2));
    let subclassed = std::fs::read_to_string(testdata("subclassed.json")).unwrap();
    check_refused(&subclassed, |kind| matches!(kind, ErrorKind::Subclassed { .. }));

    let check_layer = |layer: &Value, is_expected: &dyn Fn(&ErrorKind) -> bool| {
        let config = json!({"name": "s", "layers": [layer]});
        let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
        check_refused(&model.to_string(), is_expected);
    };
    let dense = |units: u64, input: &Value, dtype: &Value| {
        json!({"module": "keras.layers", "class_name": "Dense", "build_config": {"input_shape": input},
               "config": {"name": "d", "units": units, "dtype": dtype}})
    };
    check_layer(&dense(3, &Value::Null, &Value::Null), &|kind| matches!(kind, ErrorKind::NotBuilt { .. }));
    let policy = json!({"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}});
    check_layer(&dense(3, &json!([null, 4]), &policy), &|kind| matches!(kind, ErrorKind::Quantized { .. }));
    let huge = dense(9_000_000_000, &json!([null, 9_000_000_000_u64]), &Value::Null);
    check_layer(&huge, &|kind| matches!(kind, ErrorKind::VariableShape { .. }));
    let custom =
        json!({"module": "m", "class_name": "Mine", "registered_name": "p>Mine", "config": {"name": "d"}});
    check_layer(
        &custom,
        &|kind| matches!(kind, ErrorKind::CustomClasses { layers } if layers[0].class == "p>Mine"),
    );
}

/// A generator of the same numbers on every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// Opens broken copies of a file; every one gives an architecture or an error.
fn mutate(name: &str, times: u64, change: impl Fn(&mut Vec<u8>, &mut Numbers)) {
    let original = std::fs::read(testdata(name)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut refused = 0;
    for seed in 0..times {
        let mut bytes = original.clone();
        change(&mut bytes, &mut Numbers(seed));
        std::fs::write(file.path(), &bytes).unwrap();
        refused += u64::from(Architecture::open(file.path()).is_err());
        let _weights: Result<WeightsFile, _> = WeightsFile::open(file.path());
    }
    assert!(refused > times / 20, "{name}: {refused} of {times} refused");
}

#[test]
fn broken_files_are_errors() {
    let cut = |bytes: &mut Vec<u8>, numbers: &mut Numbers| {
        let length = numbers.below(bytes.len());
        bytes.truncate(length);
    };
    let flip = |bytes: &mut Vec<u8>, numbers: &mut Numbers| {
        for _ in 0..8 {
            let at = numbers.below(bytes.len().min(8000));
            bytes[at] = u8::try_from(numbers.below(256)).unwrap();
        }
    };
    for name in ["functional.json", "bfloat16.weights.h5", "subclassed.weights.h5", "sequential_cnn.keras"] {
        mutate(name, 100, cut);
        mutate(name, 200, flip);
    }
}

/// Replaces a value somewhere in a configuration by another.
fn replace(value: &mut Value, numbers: &mut Numbers) {
    let replacements =
        json!([null, -1, 0, u64::MAX, [], {}, "x", [[null, 3], [1, -1]], {"class_name": "x", "config": {}}]);
    let mut place = value;
    loop {
        let count = match &*place {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if count == 0 || numbers.below(12) == 0 {
            *place = replacements[numbers.below(9)].clone();
            return;
        }
        let at = numbers.below(count);
        place = match place {
            Value::Array(items) => &mut items[at],
            Value::Object(fields) => fields.iter_mut().nth(at).unwrap().1,
            _ => return,
        };
    }
}

#[test]
fn strange_configurations_are_errors() {
    for name in ["functional.json", "all_layers.json", "sequential_cnn.json"] {
        mutate(name, 300, |bytes, numbers| {
            let mut value: Value = serde_json::from_slice(bytes).unwrap();
            for _ in 0..=numbers.below(3) {
                replace(&mut value, numbers);
            }
            *bytes = serde_json::to_vec(&value).unwrap();
        });
    }
}
