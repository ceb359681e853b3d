//! What every layer and operation makes, by what real Keras says (`testdata/keras/shapes/make.py`): each tensor is
//! read by a PReLU, whose variable has the tensor's shape. The configurations tell no shape but the inputs'.

use std::collections::BTreeMap;

use ptw2k::keras::Architecture;
use serde_json::Value;

use crate::listings::testdata;

/// A configuration as `model_config` has it: no modules, and in Keras 2 no `keras_version`.
fn without_modules(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_modules),
        Value::Object(fields) => {
            fields.remove("module");
            fields.remove("keras_version");
            fields.values_mut().for_each(without_modules);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn check_model(model: &Value, expected: &BTreeMap<String, Vec<usize>>, quirks: &[&str], name: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    let found = Architecture::open(file.path()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let alphas = found.variables.iter().filter(|variable| variable.path.as_str().starts_with("shape_of_"));
    let found: BTreeMap<String, Vec<usize>> =
        alphas.map(|variable| (variable.path.as_str().to_owned(), variable.shape.sizes().to_vec())).collect();
    let differs = |(path, shape): (&String, &Vec<usize>)| {
        let ours = found.get(path);
        let is_quirk = quirks.iter().any(|quirk| path == &format!("shape_of_{quirk}/alpha"));
        let differs = (ours != Some(shape)) != is_quirk;
        differs.then(|| format!("{path}: {ours:?}, and Keras has {shape:?}"))
    };
    let differing: Vec<String> = expected.iter().filter_map(differs).collect();
    assert!(differing.is_empty(), "{name}: {differing:#?}");
    assert_eq!(found.len(), expected.len(), "{name}");
}

fn check(version: &str, least: usize, quirks: &[&str]) {
    let text = std::fs::read(testdata("shapes").join(format!("{version}.json"))).unwrap();
    let mut case: Value = serde_json::from_slice(&text).unwrap();
    let shape = |sizes: &Value| -> Vec<usize> {
        sizes
            .as_array()
            .unwrap()
            .iter()
            .map(|size| usize::try_from(size.as_u64().unwrap()).unwrap())
            .collect()
    };
    let expected: BTreeMap<String, Vec<usize>> = case["shapes"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, sizes)| (path.clone(), shape(sizes)))
        .collect();
    assert!(expected.len() >= least, "{version}: {} shapes", expected.len());
    check_model(&case["model"], &expected, quirks, version);
    without_modules(&mut case["model"]);
    check_model(&case["model"], &expected, quirks, &format!("{version} without modules"));
}

#[test]
fn shapes_of_keras_3() {
    check("3.15.1", 350, &[]);
    // 3.8 inferred other shapes for the first two, and left the output padding of the others out of their
    // configurations. What it writes itself tells the shapes.
    check("3.8.0", 340, &["discretization", "op_glu", "padded_transpose_same", "padded_transpose_valid"]);
}

#[test]
fn shapes_of_keras_2() {
    check("2.15.0", 300, &[]);
}
