//! What torch reads from a file, compared with what we read.

use std::collections::BTreeMap;
use std::path::Path;

use ptw2k::checkpoint::{Checkpoint, Form, OpenOptions, Quantized, Role, Tensor};
use ptw2k::lazy::LazyTensor;
use ptw2k::tensor::Dtype;
use serde_json::{Value, json};

use super::corpus::folder;
use super::digest::digest;
use super::values::contiguous;

/// A tensor by the name that we give it, and what torch says of it.
type Wanted<'e> = (String, &'e Value);

/// Compares names, order, roles, shapes, dtypes, values and shared storages. Tells how many tensors there are.
pub(crate) fn check(name: &str, checkpoint: &Checkpoint) -> usize {
    let text = std::fs::read_to_string(folder("expected").join(format!("{name}.json"))).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let path = checkpoint.state_dict_path.join(".");
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let prefix = format!("{prefix}{}", checkpoint.stripped.concat());
    let mut wanted: Vec<Wanted<'_>> =
        expected["tensors"].as_array().unwrap().iter().flat_map(parts).collect();
    wanted.retain(|(key, _)| key.starts_with(&prefix));
    wanted.iter_mut().for_each(|(key, _)| *key = key[prefix.len()..].to_owned());

    let mut tensors: Vec<&Tensor> = checkpoint.tensors.iter().collect();
    if checkpoint.form == Form::TorchScript {
        // torch 2.15 forgets the buffers of archives that do not list them, and its state_dict has no attributes.
        tensors.retain(|tensor| {
            wanted.iter().any(|(key, _)| key == tensor.key.as_str())
                || !matches!(tensor.role, Role::Unknown | Role::Attribute)
        });
    }
    if wanted.iter().any(|(_, wanted)| wanted["kind"] == "param") {
        // Modules were asked for all parameters, then for all buffers.
        tensors.sort_by_key(|tensor| tensor.role != Role::Parameter);
    }
    if !checkpoint.is_module_order {
        wanted.sort_by(|one, other| one.0.cmp(&other.0));
        tensors.sort_by(|one, other| one.key.as_str().cmp(other.key.as_str()));
    }
    let keys =
        |tensors: &[&Tensor]| tensors.iter().map(|tensor| tensor.key.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(&tensors), wanted.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), "{name}");
    for (tensor, (key, wanted)) in tensors.iter().zip(&wanted) {
        check_tensor(&format!("{name} {key}"), tensor, wanted);
    }
    check_kept(name, &checkpoint.path, &wanted);
    let groups: Vec<Vec<String>> = serde_json::from_value(expected["shared_storage_groups"].clone()).unwrap();
    assert_eq!(shared(&tensors, &wanted), groups, "{name}");
    tensors.len()
}

/// The parts of a nested tensor are tensors of their own.
fn parts(tensor: &Value) -> Vec<Wanted<'_>> {
    let name = tensor["name"].as_str().unwrap();
    match tensor["nested"].as_array() {
        Some(parts) => {
            parts.iter().enumerate().map(|(place, part)| (format!("{name}.{place}"), part)).collect()
        }
        None => vec![(name.to_owned(), tensor)],
    }
}

fn check_tensor(what: &str, tensor: &Tensor, wanted: &Value) {
    match (tensor.role, wanted["kind"].as_str()) {
        (Role::Unknown, _) | (_, None) => {}
        (role, Some("param")) => assert_eq!(role, Role::Parameter, "{what}"),
        (role, Some("buffer")) => assert_eq!(role, Role::Buffer, "{what}"),
        (role, Some("nonpersistent_buffer")) => assert_eq!(role, Role::NonPersistentBuffer, "{what}"),
        (role, Some(kind)) => panic!("{what}: {role:?}, {kind}"),
    }
    let lazy = &tensor.tensor;
    assert_eq!(json!(lazy.view.shape().sizes()), wanted["shape"], "{what}");
    if wanted.get("qscheme").is_some() {
        // Their values have no digest, only the integers have (see `check_kept`).
        assert_eq!(lazy.dtype, Dtype::F32, "{what}");
        assert_eq!(first_floats(lazy), wanted["first"], "{what}");
        return;
    }
    assert_eq!(lazy.dtype.name(), wanted["dtype"], "{what}");
    let sha256 = wanted.get("dense_sha256").unwrap_or(&wanted["sha256"]);
    assert_eq!(digest(&contiguous(lazy)), *sha256, "{what}");
    assert_eq!(digest(&lazy.contiguous().unwrap()), *sha256, "{what}");
}

/// The first values, as the expected values have them: numbers of Python, as texts.
fn first_floats(tensor: &LazyTensor) -> Value {
    let bytes = contiguous(tensor);
    let floats = bytes.chunks_exact(4).map(|float| f64::from(f32::from_le_bytes(float.try_into().unwrap())));
    floats.take(4).map(|float| format!("{float:?}")).collect()
}

/// Quantized tensors as they are in the file: integers, scales, zero points and axes.
fn check_kept(name: &str, path: &Path, wanted: &[Wanted<'_>]) {
    let quantized: Vec<&Wanted<'_>> =
        wanted.iter().filter(|(_, wanted)| wanted.get("qscheme").is_some()).collect();
    if quantized.is_empty() {
        return;
    }
    let options = OpenOptions { quantized: Quantized::Keep, ..OpenOptions::default() };
    let kept = Checkpoint::open(path, &options).unwrap();
    let tensor = |key: &str| {
        let tensor = kept.tensors.iter().find(|tensor| tensor.key.as_str() == key);
        tensor.map(|tensor| contiguous(&tensor.tensor))
    };
    for (key, wanted) in quantized {
        assert_eq!(digest(&tensor(key).unwrap()), wanted["int_repr_sha256"], "{name} {key}");
        let numbers = |wanted: &Value| wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
        let scales = numbers(&wanted["scale"]);
        let scales: Vec<u8> = scales.iter().flat_map(|scale| scale.as_f64().unwrap().to_le_bytes()).collect();
        let zero_points = numbers(&wanted["zero_point"]);
        let zero_points: Vec<u8> =
            zero_points.iter().flat_map(|point| point.as_i64().unwrap().to_le_bytes()).collect();
        assert_eq!(tensor(&format!("{key}.scale")).unwrap(), scales, "{name} {key}");
        assert_eq!(tensor(&format!("{key}.zero_point")).unwrap(), zero_points, "{name} {key}");
        let axis = wanted.get("axis").map(|axis| axis.as_i64().unwrap().to_le_bytes().to_vec());
        assert_eq!(tensor(&format!("{key}.axis")), axis, "{name} {key}");
    }
}

/// The keys of the tensors that share a storage, in the order of the file. torch was not asked about storages
/// without bytes, and about the parts of nested tensors.
fn shared(tensors: &[&Tensor], wanted: &[Wanted<'_>]) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (tensor, (_, wanted)) in tensors.iter().zip(wanted) {
        let was_asked = tensor.tensor.storage.byte_len() > 0 && wanted.get("name").is_some();
        if let Some(number) = tensor.storage_number.filter(|_| was_asked) {
            groups.entry(number).or_default().push(tensor.key.as_str().to_owned());
        }
    }
    let mut groups: Vec<Vec<String>> = groups.into_values().filter(|group| group.len() > 1).collect();
    let place = |key: &String| tensors.iter().position(|tensor| tensor.key.as_str() == key);
    groups.sort_by_key(|group| group.first().and_then(place));
    groups
}
