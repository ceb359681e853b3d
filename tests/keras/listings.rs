//! Architectures against what real Keras says of the same models (`testdata/keras/make.py`).

use std::path::{Path, PathBuf};

use ptw2k::keras::file_layout::{
    self, AttributeValue, Body, Content, Dataset, Form, Format, Group, LayoutError, Node, OutputFile,
};
use ptw2k::keras::{Architecture, FeatureOrder, Generation, Origin, WeightsFile, WeightsForm};
use ptw2k::tensor::Dtype;
use serde_json::{Value, json};

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras").join(name)
}

fn expected(case: &str) -> Value {
    let file =
        if case.ends_with('/') { format!("{case}expected.json") } else { format!("{case}.expected.json") };
    serde_json::from_slice(&std::fs::read(testdata(&file)).unwrap()).unwrap()
}

/// One line per variable: path, shape, type, HDF5 path.
fn lines(architecture: &Architecture) -> Vec<String> {
    let places = architecture.weights_h5_places();
    let line = |(at, variable): (usize, &ptw2k::keras::Variable)| {
        let h5 = places[at].as_deref().unwrap();
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

/// The tree of a file of that format.
fn tree(
    architecture: &Architecture,
    format: Format,
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<Group, LayoutError> {
    let mut layout = file_layout::lay_out(architecture, &Form::new(format), "x", written)?;
    match layout.files.pop() {
        Some(OutputFile { name: None, body: Body::Hdf5(tree) }) => Ok(tree),
        other => panic!("{other:?}"),
    }
}

/// The legacy layout has the layers and the order of weights that Keras itself writes.
fn check_legacy(architecture: &Architecture, case: &str) {
    let expected = expected(case);
    let expected = expected["legacy"].as_array().unwrap();
    if expected.is_empty() || architecture.origin == Origin::Template {
        return;
    }
    let root = tree(architecture, Format::LegacyH5, &|_| Some(Dtype::F32)).unwrap();
    let places = architecture.legacy_places();
    let mut found = Vec::new();
    for name in names(&root, "layer_names") {
        let Some((_, Node::Group(group))) = root.children.iter().find(|(other, _)| *other == name) else {
            panic!("no group {name}")
        };
        let weight = |path: &String| {
            let at = dataset(group, path);
            assert_eq!(places[at].as_deref(), Some(format!("{name}/{path}").as_str()));
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
        (Node::Dataset(Dataset { content: Content::Variable(at), .. }), None) => *at,
        _ => panic!("{path}"),
    }
}

pub(crate) fn features<'a>(architecture: &'a Architecture, path: &str) -> &'a FeatureOrder {
    &architecture.layers.iter().find(|layer| layer.path == path).unwrap().features
}

pub(crate) fn outputs<'a>(architecture: &'a Architecture, path: &str) -> &'a FeatureOrder {
    &architecture.layers.iter().find(|layer| layer.path == path).unwrap().outputs
}

#[test]
fn sequential() {
    let config = check("sequential_cnn.json", "sequential_cnn");
    assert_eq!(*features(&config, "hidden"), FeatureOrder::Flattened(vec![4, 6, 5]));
    assert_eq!(*features(&config, "head"), FeatureOrder::Plain);
    assert!(config.variables.iter().all(|variable| variable.value.is_none()));
    let archive = check("sequential_cnn.keras", "sequential_cnn");
    assert!(
        archive.variables.iter().all(|variable| variable
            .value
            .as_ref()
            .unwrap()
            .storage
            .ready()
            .unwrap()
            .is_mapped())
    );
}

#[test]
fn functional_with_nested_and_shared_layers() {
    let net = check("functional.json", "functional");
    assert_eq!(*features(&net, "after_flat"), FeatureOrder::Flattened(vec![3, 2, 4]));
    assert_eq!(*features(&net, "tower/d"), FeatureOrder::Flattened(vec![6, 4, 4]));
    assert!(matches!(features(&net, "a"), FeatureOrder::Mixed(_)));
    for path in ["z", "excite", "shared", "inner/inner_dense"] {
        assert_eq!(*features(&net, path), FeatureOrder::Plain, "{path}");
    }
}

/// The layers that only Keras 2 has or saves otherwise, and functions of TensorFlow between layers.
#[test]
fn a_model_of_keras_2() {
    // `to_json` does not tell that the layer in both models is one; an archive does.
    let mut object: Value =
        serde_json::from_slice(&std::fs::read(testdata("keras_2/model.json")).unwrap()).unwrap();
    assert_eq!(share(&mut object), 2);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object.to_string()).unwrap();
    let model = Architecture::open(file.path()).unwrap();
    assert_eq!(lines(&model), expected_lines("keras_2/"));
    assert_eq!(model.generation, Generation::Keras2);
}

/// Marks the layers that are called `shared` as one; returns how many there are.
fn share(value: &mut Value) -> usize {
    match value {
        Value::Array(items) => items.iter_mut().map(share).sum(),
        Value::Object(fields) => {
            let is_shared = fields.get("class_name") == Some(&json!("Dense"))
                && fields.get("name").is_none_or(|name| name == "shared")
                && fields["config"]["name"] == "shared";
            if is_shared {
                fields.insert("shared_object_id".to_owned(), json!(1));
            }
            usize::from(is_shared) + fields.values_mut().map(share).sum::<usize>()
        }
        _ => 0,
    }
}

/// Layers that models of `keras.applications` bring along are known by their module.
#[test]
fn layers_of_applications() {
    let scale = |module: &str| {
        let input = json!({"class_name": "InputLayer", "module": "keras.layers",
                           "config": {"name": "in", "batch_shape": [null, 5]}});
        let config = json!({"name": "scale", "projection_dim": 5, "init_values": 0.1});
        let layer = json!({"module": module, "class_name": "LayerScale", "config": config});
        let model = json!({"module": "keras", "class_name": "Sequential",
                           "config": {"name": "s", "layers": [input, layer]}});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), model.to_string()).unwrap();
        Architecture::open(file.path())
    };
    let known = scale("keras.src.applications.convnext").unwrap();
    assert_eq!(lines(&known), ["scale/gamma [5] float32 layers/layer_scale/vars/0"]);
    let custom = scale("mine").unwrap_err();
    assert!(matches!(custom.kind, ptw2k::keras::ErrorKind::CustomClasses { .. }));
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
    check("frozen_inside.json", "frozen_inside");
    check("frozen.whole.h5", "frozen");
}

#[test]
fn bfloat16() {
    check("bfloat16.json", "bfloat16");
    let template = check("bfloat16.weights.h5", "bfloat16");
    let types = |at: usize| Some(template.variables[at].dtype);
    let root = tree(&template, Format::WeightsH5, &types).unwrap();
    assert_eq!(format!("{root:?}").matches("Text(\"bfloat16\")").count(), 6);
    let legacy = tree(&template, Format::LegacyH5, &|_| Some(Dtype::F32));
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
        let is_whole = !prefix.is_empty();
        assert_eq!(found.form, if is_whole { WeightsForm::WholeH5 } else { WeightsForm::LegacyH5 });
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
    let places = model.weights_h5_places();
    let mut found: Vec<String> = model
        .variables
        .iter()
        .enumerate()
        .map(|(at, variable)| {
            let h5 = places[at].as_deref().unwrap();
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
