//! Architectures against what real Keras says of the same models (`testdata/keras/make.py`).

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

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
    let (mut found, mut expected) = (lines(&architecture), expected_lines(case));
    if architecture.origin == Origin::Template {
        // HDF5 lists groups by name.
        found.sort();
        expected.sort();
    }
    assert_eq!(found, expected, "{file}");
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

fn outputs<'a>(architecture: &'a Architecture, path: &str) -> &'a FeatureOrder {
    &architecture.layers.iter().find(|layer| layer.path == path).unwrap().outputs
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
fn features_that_become_maps() {
    let model = check("generator.json", "generator");
    for path in ["project", "norm"] {
        assert_eq!(*outputs(&model, path), FeatureOrder::Flattened(vec![5, 3, 4]), "{path}");
    }
    assert_eq!(*outputs(&model, "classes"), FeatureOrder::Flattened(vec![5, 3, 2]));
    assert_eq!(*outputs(&model, "line"), FeatureOrder::Flattened(vec![5, 4]));
    for path in ["mask", "permuted", "sequence", "other", "mixed", "up", "steps"] {
        assert_eq!(*outputs(&model, path), FeatureOrder::Plain, "{path}");
    }
    for path in ["untold", "both"] {
        assert!(matches!(outputs(&model, path), FeatureOrder::Unknown(_)), "{path}");
    }
}

#[test]
fn a_layer_in_two_models() {
    let model = check("nested_twice.json", "nested_twice");
    assert!(model.layers.iter().all(|layer| layer.aliases.is_empty()));
}

#[test]
fn layers_without_variables() {
    let model = Architecture::open(&testdata("functional.json")).unwrap();
    let found: Vec<_> =
        model.weightless.iter().map(|layer| format!("{} {}", layer.path, layer.class)).collect();
    assert!(found.contains(&"squeeze GlobalAveragePooling2D".to_owned()), "{found:?}");
    assert!(found.contains(&"tower/flatten Flatten".to_owned()), "{found:?}");
    let is_listed = |path: &str| model.layers.iter().any(|layer| layer.path == path);
    assert!(model.weightless.iter().all(|layer| !is_listed(&layer.path)), "{found:?}");
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
    // Lists of layers and attention layers tell classes; names that Keras or the author gave only suggest them.
    assert!(conv.class_from_name);
    for path in ["x", "mha", "mha/query", "second_conv"] {
        assert!(!layer(path).class_from_name, "{path}");
    }
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

#[test]
fn legacy_weight_files() {
    let names: Vec<(String, usize)> = expected("frozen")["legacy"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| {
            let layer = row[0].as_str().unwrap();
            let weights = row[1].as_array().unwrap().iter();
            weights.map(move |weight| {
                let size = |size: &Value| usize::try_from(size.as_u64().unwrap()).unwrap();
                let numel = weight[1].as_array().unwrap().iter().map(size).product();
                (format!("{layer} {}", weight[0].as_str().unwrap()), numel)
            })
        })
        .collect();
    for (file, prefix) in [("frozen.legacy.h5", ""), ("frozen.whole.h5", "model_weights/")] {
        let found = WeightsFile::open(&testdata(file)).unwrap();
        assert_eq!(found.form, WeightsForm::LegacyH5);
        assert!(found.variables.iter().all(|variable| variable.path.starts_with(prefix)), "{file}");
        let found: Vec<(String, usize)> = found
            .variables
            .iter()
            .map(|variable| {
                let name = variable.path.rsplit('/').next().unwrap();
                let layer = variable.layer.as_deref().unwrap();
                (format!("{layer} {name}"), variable.tensor.view.shape().numel())
            })
            .collect();
        assert_eq!(found, names, "{file}");
    }
    let refused = |file: &str| Architecture::open(&testdata(file)).unwrap_err().kind;
    assert!(matches!(refused("frozen.legacy.h5"), ErrorKind::LegacyWeights));
    assert!(matches!(refused("frozen.whole.h5"), ErrorKind::WholeModelH5));
}

/// Keras up to 3.5 writes no layer names, so paths are those of the groups without the lists around them.
#[test]
fn template_without_names() {
    let model = check_variables_of("unnamed.weights.h5");
    let layer = |path: &str| model.layers.iter().find(|layer| layer.path == path).unwrap();
    assert_eq!(layer("block_1/fc1").aliases, ["blocks/block_1/fc1"]);
    assert_eq!(layer("sequential/dense_1").class.as_deref(), Some("Dense"));
    assert_eq!(layer("sequential/batch_normalization").class.as_deref(), Some("BatchNormalization"));
    assert_eq!(layer("conv1").class, None);
}

/// Every stored variable is listed at its place, under the last part of its group.
fn check_variables_of(file: &str) -> Architecture {
    let model = Architecture::open(&testdata(file)).unwrap();
    let case = file.split('.').next().unwrap();
    let mut expected: Vec<String> = expected(case)["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let shape: Vec<u64> =
                row[2].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
            format!("{} {shape:?} {}", row[4].as_str().unwrap(), row[3].as_str().unwrap())
        })
        .collect();
    let mut found: Vec<String> = model
        .variables
        .iter()
        .enumerate()
        .map(|(at, variable)| {
            let h5 = file_layout::dataset_path(&model, Format::WeightsH5, at).unwrap();
            let layer = &model.layers[variable.layer];
            let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
            assert_eq!(last(&layer.path), last(&layer.group));
            format!("{h5} {:?} {}", variable.shape.sizes(), variable.dtype)
        })
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    model
}

/// What becomes of the 105 features that a Dense makes, before layers (class and settings).
fn check_outputs(layers: &[(&str, Value)], expected: &FeatureOrder) {
    let layer = |(at, (class, config)): (usize, &(&str, Value))| {
        let mut config = config.clone();
        config["name"] = json!(format!("l{at}"));
        let build = match class {
            &"Conv2D" | &"Conv1D" | &"LSTM" => config["reads"].take(),
            _ => Value::Null,
        };
        json!({"module": "keras.layers", "class_name": class, "config": config,
               "build_config": {"input_shape": build}})
    };
    let mut entries = vec![
        json!({"module": "keras.layers", "class_name": "InputLayer",
               "config": {"batch_shape": [null, 2], "name": "in"}}),
        json!({"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 105}}),
    ];
    entries.extend(layers.iter().enumerate().map(layer));
    let config = json!({"name": "s", "layers": entries});
    let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    let found = Architecture::open(file.path()).unwrap();
    match (outputs(&found, "dense"), expected) {
        (FeatureOrder::Unknown(_), FeatureOrder::Unknown(_)) => {}
        (found, expected) => assert_eq!(found, expected, "{layers:?}"),
    }
}

/// What becomes of the 12 channels of a convolution (of 5 × 7 positions) before layers.
#[test]
fn divided_channels() {
    let reshape = |sizes: &[i64]| json!({"class_name": "Reshape", "config": {"target_shape": sizes}});
    let permute = json!({"class_name": "Permute", "config": {"dims": [1, 3, 2, 4, 5]}});
    let relu = json!({"class_name": "ReLU", "config": {}});
    let norm = json!({"class_name": "BatchNormalization", "config": {"axis": -1}});
    let lambda = json!({"class_name": "Lambda", "config": {}});
    let check = |first: &Value, after: &[&Value], is_known: bool| {
        let mut layers =
            vec![json!({"class_name": "InputLayer", "config": {"batch_shape": [null, 5, 7, 2]}})];
        layers.push(first.clone());
        layers.extend(after.iter().copied().cloned());
        for (at, layer) in layers.iter_mut().enumerate() {
            layer["module"] = json!("keras.layers");
            layer["config"]["name"] = json!(format!("l{at}"));
        }
        let config = json!({"name": "s", "layers": layers});
        let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), model.to_string()).unwrap();
        let model = Architecture::open(file.path()).unwrap();
        let found = outputs(&model, "l1");
        assert_eq!(matches!(found, FeatureOrder::Plain), is_known, "{after:?} {found:?}");
    };
    let conv = json!({"class_name": "Conv2D", "config": {"filters": 12, "kernel_size": 1}});
    let dense = json!({"class_name": "Dense", "config": {"units": 12}});
    for first in [&conv, &dense] {
        check(first, &[&reshape(&[5, 7, 2, 2, 3]), &permute, &reshape(&[10, 14, 3])], false);
        check(first, &[&relu, &reshape(&[5, 7, 2, 2, 3])], false);
        check(first, &[&norm, &relu, &reshape(&[5, 7, 4, -1])], false);
        check(first, &[&norm, &relu, &reshape(&[5, 7, 4, 3])], false);
        check(first, &[&reshape(&[-1, 4])], false);
        check(first, &[&lambda], false);
        check(first, &[&reshape(&[35, 12])], true);
        check(first, &[&reshape(&[-1, 12])], true);
        check(first, &[&reshape(&[5, 84])], true);
        check(first, &[&reshape(&[5, 7, 12, 1]), &relu], true);
        check(first, &[&norm, &relu], true);
    }
}

#[test]
fn output_orders() {
    let none = json!({});
    let reshape = |sizes: &[i64]| ("Reshape", json!({"target_shape": sizes}));
    let conv = ("Conv2D", json!({"filters": 2, "kernel_size": 1, "reads": [null, 5, 7, 3]}));
    let first =
        json!({"filters": 2, "kernel_size": 1, "reads": [null, 3, 5, 7], "data_format": "channels_first"});
    let line = ("Conv1D", json!({"filters": 2, "kernel_size": 1, "reads": [null, 21, 5]}));
    let lstm = ("LSTM", json!({"units": 2, "reads": [null, 21, 5]}));
    let map = FeatureOrder::Flattened(vec![5, 7, 3]);
    let unknown = FeatureOrder::Unknown(String::new());
    check_outputs(&[], &FeatureOrder::Plain);
    check_outputs(&[reshape(&[5, 7, 3]), conv.clone()], &map);
    check_outputs(&[reshape(&[5, -1, 3]), ("ReLU", none.clone()), conv.clone()], &map);
    check_outputs(&[("Dropout", none.clone()), reshape(&[1, 105]), reshape(&[5, 7, 3]), conv.clone()], &map);
    check_outputs(&[reshape(&[3, 5, 7]), ("Conv2D", first)], &FeatureOrder::Plain);
    check_outputs(
        &[reshape(&[3, 5, 7]), ("Permute", json!({"dims": [2, 3, 1]})), conv.clone()],
        &FeatureOrder::Plain,
    );
    check_outputs(&[reshape(&[7, 5, 3]), ("Permute", json!({"dims": [2, 1, 3]})), conv.clone()], &unknown);
    check_outputs(&[reshape(&[21, 5]), line], &FeatureOrder::Flattened(vec![21, 5]));
    check_outputs(&[reshape(&[21, 5]), lstm], &FeatureOrder::Plain);
    check_outputs(&[reshape(&[21, 5])], &unknown);
    check_outputs(&[reshape(&[5, 7, 3])], &unknown);
    check_outputs(&[reshape(&[15, 7, 1])], &FeatureOrder::Plain);
    check_outputs(&[("Lambda", none.clone()), reshape(&[5, 7, 3]), conv.clone()], &unknown);
    check_outputs(&[("Lambda", none.clone()), conv], &unknown);
    check_outputs(&[("Lambda", none)], &FeatureOrder::Plain);
}

/// The features that a layer reads behind layers (class and settings), all read from an input of those sizes.
fn check_features(input: &[usize], layers: &[(&str, Value)], expected: &FeatureOrder) {
    let dense = json!({"name": "last", "units": 2});
    check_last(input, layers, ("Dense", dense, json!([null, 3])), expected);
}

/// The features that the last layer (class, settings, the shape that it reads) reads.
fn check_last(
    input: &[usize],
    layers: &[(&str, Value)],
    (class, config, reads): (&str, Value, Value),
    expected: &FeatureOrder,
) {
    let layer = |(at, (class, config)): (usize, &(&str, Value))| {
        let mut config = config.clone();
        config["name"] = json!(format!("l{at}"));
        let reads = config["reads"].take();
        json!({"module": "keras.layers", "class_name": class, "config": config,
               "build_config": {"input_shape": reads}})
    };
    let shape: Vec<Option<usize>> = std::iter::once(None).chain(input.iter().copied().map(Some)).collect();
    let mut entries = vec![json!({"module": "keras.layers", "class_name": "InputLayer",
                                  "config": {"batch_shape": shape, "name": "in"}})];
    entries.extend(layers.iter().enumerate().map(layer));
    entries.push(json!({"module": "keras.layers", "class_name": class, "config": config,
                        "build_config": {"input_shape": reads}}));
    let config = json!({"name": "s", "layers": entries});
    let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    let found = Architecture::open(file.path()).unwrap();
    match (features(&found, "last"), expected) {
        (FeatureOrder::Unknown(_), FeatureOrder::Unknown(reason)) if reason.is_empty() => {}
        (found, expected) => assert_eq!(found, expected, "{input:?} {layers:?}"),
    }
}

#[test]
fn feature_orders() {
    let first = json!({"data_format": "channels_first"});
    let pool = ("MaxPooling2D", json!({"pool_size": 1}));
    let pool_first = ("MaxPooling2D", json!({"pool_size": 1, "data_format": "channels_first"}));
    let conv_first = ("Conv2D", json!({"filters": 3, "kernel_size": 1, "data_format": "channels_first"}));
    let none = json!({});
    let flatten = ("Flatten", none.clone());
    let permute = |axes: &[u8]| ("Permute", json!({"dims": axes}));
    let flat = FeatureOrder::Flattened(vec![5, 7, 3]);
    let unknown = FeatureOrder::Unknown(String::new());
    let plain = FeatureOrder::Plain;
    let (hwc, chw) = ([5, 7, 3], [3, 5, 7]);
    check_features(&hwc, &[pool.clone(), flatten.clone()], &flat);
    let reshape = ("Reshape", json!({"target_shape": [-1]}));
    check_features(&hwc, &[pool.clone(), ("ReLU", none.clone()), reshape], &flat);
    check_features(&chw, &[conv_first.clone(), flatten.clone()], &plain);
    check_features(&chw, &[conv_first, pool_first.clone(), ("Flatten", first.clone())], &flat);
    check_features(&[1, 1, 3], std::slice::from_ref(&flatten), &plain);
    check_features(&hwc, &[("GlobalMaxPooling2D", none.clone())], &plain);
    check_features(&hwc, &[pool.clone(), permute(&[3, 1, 2]), flatten.clone()], &plain);
    check_features(&hwc, &[pool.clone(), flatten.clone(), ("Dropout", none.clone())], &flat);
    check_features(&hwc, &[pool.clone(), flatten.clone(), ("Lambda", none.clone())], &unknown);
    let again = ("Reshape", json!({"target_shape": [5, 7, 3]}));
    check_features(&hwc, &[pool.clone(), flatten.clone(), again, flatten.clone()], &flat);
    let reason = "the output of `l2`, which flattens the axes that `l1` permutes".to_owned();
    let permuted = FeatureOrder::Unknown(reason);
    check_features(&hwc, &[pool, permute(&[2, 1, 3]), flatten], &permuted);
}

/// An input of rank 4 or 5 has its channels where its readers say.
#[test]
fn orders_of_inputs() {
    let none = json!({});
    let flatten = || ("Flatten", json!({}));
    let of_format = |class: &'static str, first: bool| {
        let format = if first { "channels_first" } else { "channels_last" };
        (class, json!({"data_format": format, "pool_size": 1, "size": 1, "padding": 0, "cropping": 0}))
    };
    let plain = FeatureOrder::Plain;
    let unknown = FeatureOrder::Unknown(String::new());
    let reason = "the output of `l0`, which flattens an input of rank 4 with its channels first or last";
    check_features(&[5, 7, 3], &[flatten()], &FeatureOrder::Unknown(reason.to_owned()));
    check_features(&[1, 28, 28], &[flatten()], &unknown);
    check_features(&[2, 5, 7, 3], &[flatten()], &unknown);
    check_features(&[1, 28, 28], &[("ReLU", none.clone()), flatten()], &unknown);
    check_features(&[28, 28, 1], &[flatten()], &plain);
    check_features(&[28, 1, 1], &[flatten()], &plain);
    check_features(&[1, 28, 1], &[flatten()], &plain);
    check_features(&[3, 5, 7], &[of_format("Flatten", true)], &FeatureOrder::Flattened(vec![5, 7, 3]));
    for class in ["AveragePooling2D", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "SpatialDropout2D"] {
        check_features(&[3, 5, 7], &[of_format(class, true), flatten()], &plain);
        let map = FeatureOrder::Flattened(vec![5, 7, 3]);
        check_features(&[5, 7, 3], &[of_format(class, false), flatten()], &map);
        check_features(&[5, 7, 3], &[of_format(class, false), of_format(class, true), flatten()], &unknown);
    }
    let norm = |axis: i64| ("BatchNormalization", json!({"axis": axis}));
    check_features(&[3, 5, 7], &[norm(1), flatten()], &plain);
    check_features(&[5, 7, 3], &[norm(-1), flatten()], &FeatureOrder::Flattened(vec![5, 7, 3]));
    check_features(&[5, 7, 3], &[norm(3), flatten()], &FeatureOrder::Flattened(vec![5, 7, 3]));
    check_features(&[5, 7, 3], &[norm(2), flatten()], &unknown);
    check_features(&[5, 7, 3], &[norm(1), norm(-1), flatten()], &unknown);
}

/// Layers of every class that read what a Reshape or Flatten merged with channels.
#[test]
fn merged_channels() {
    let conv = || ("Conv2D", json!({"filters": 3, "kernel_size": 1}));
    let reshape = |sizes: &[i64]| ("Reshape", json!({"target_shape": sizes}));
    let unknown = FeatureOrder::Unknown(String::new());
    let map = FeatureOrder::Flattened(vec![5, 7, 3]);
    let line = || ("Conv1D", json!({"name": "last", "filters": 2, "kernel_size": 1}), json!([null, 5, 21]));
    let map_conv =
        || ("Conv2D", json!({"name": "last", "filters": 2, "kernel_size": 1}), json!([null, 5, 7, 1]));
    check_last(&[5, 7, 2], &[conv(), reshape(&[5, 21])], line(), &unknown);
    for class in ["RMSNormalization", "LayerNormalization", "BatchNormalization"] {
        let norm = |reads: Value| (class, json!({"name": "last", "axis": -1}), reads);
        check_last(&[5, 7, 2], &[conv(), reshape(&[5, 21])], norm(json!([null, 5, 21])), &unknown);
        check_last(&[5, 7, 2], &[conv(), reshape(&[105])], norm(json!([null, 105])), &map);
    }
    let einsum = json!({"name": "last", "equation": "ab,bc->ac", "output_shape": 7});
    check_last(
        &[5, 7, 2],
        &[conv(), ("Flatten", json!({}))],
        ("EinsumDense", einsum, json!([null, 105])),
        &map,
    );
    // Channels that stay an axis of their own.
    let positions = ("Dense", json!({"name": "last", "units": 2}), json!([null, 35, 3]));
    check_last(&[5, 7, 2], &[conv(), reshape(&[35, 3])], positions, &FeatureOrder::Plain);
    check_last(&[5, 7], &[reshape(&[5, 7, 1])], map_conv(), &FeatureOrder::Plain);
    check_last(&[35], &[reshape(&[5, 7, 1])], map_conv(), &FeatureOrder::Plain);
    check_last(&[5, 7, 2], &[("Dense", json!({"units": 3})), ("Flatten", json!({}))], line(), &unknown);
    let each = |layer: Value| ("TimeDistributed", json!({"layer": layer}));
    let keras =
        |class: &str, config: Value| json!({"module": "keras.layers", "class_name": class, "config": config});
    let each_conv = each(keras("Conv2D", json!({"name": "c", "filters": 3, "kernel_size": 1})));
    let each_pool = each(keras("GlobalMaxPooling2D", json!({"name": "p"})));
    let each_flatten = each(keras("Flatten", json!({"name": "f"})));
    let lstm = |features: u8| ("LSTM", json!({"name": "last", "units": 2}), json!([null, 4, features]));
    let [mut conv, mut pool, mut flatten] = [each_conv, each_pool, each_flatten];
    conv.1["reads"] = json!([null, 4, 5, 7, 2]);
    pool.1["reads"] = json!([null, 4, 5, 7, 3]);
    flatten.1["reads"] = json!([null, 4, 5, 7, 3]);
    check_last(&[4, 5, 7, 2], &[conv.clone(), pool], lstm(3), &FeatureOrder::Plain);
    check_last(&[4, 5, 7, 2], &[conv.clone(), flatten.clone()], lstm(105), &map);
    flatten.0 = "Flatten";
    check_features(&[4, 5, 7, 2], &[conv, flatten], &unknown);
    // A recurrent convolution makes maps in time.
    let recurrent = |sequences: bool| {
        let config = json!({"filters": 3, "kernel_size": 1, "return_sequences": sequences});
        ("ConvLSTM2D", config)
    };
    for sequences in [true, false] {
        check_features(&[2, 5, 7, 3], &[recurrent(sequences), ("Flatten", json!({}))], &unknown);
    }
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

#[test]
fn links_are_refused() {
    for (file, link, leads_to) in [
        ("soft.weights.h5", "layers/dense/vars/1", "/elsewhere"),
        ("external.weights.h5", "layers/dense/vars/1", "other.h5:/x"),
        ("many.weights.h5", "layers/dense/vars/11", "/vars"),
    ] {
        let is_link = |kind: &ErrorKind| matches!(kind, ErrorKind::Link { at, target } if at == link && target == leads_to);
        let path = testdata("links").join(file);
        let template = Architecture::open(&path).unwrap_err();
        assert!(is_link(&template.kind), "{file}: {template:?}");
        let weights = WeightsFile::open(&path).unwrap_err();
        assert!(is_link(&weights.kind), "{file}: {weights:?}");
    }
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
    for name in [
        "functional.json",
        "frozen.legacy.h5",
        "bfloat16.weights.h5",
        "subclassed.weights.h5",
        "sequential_cnn.keras",
    ] {
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
    for name in ["functional.json", "generator.json", "all_layers.json", "sequential_cnn.json"] {
        mutate(name, 300, |bytes, numbers| {
            let mut value: Value = serde_json::from_slice(bytes).unwrap();
            for _ in 0..=numbers.below(3) {
                replace(&mut value, numbers);
            }
            *bytes = serde_json::to_vec(&value).unwrap();
        });
    }
}
