//! What `torch.distributed.checkpoint` wrote: every tensor, bit for bit.

use std::path::Path;

use ptw2k::checkpoint::{Checkpoint, Form, OpenOptions, Warning};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::made::open;

fn distributed() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/distributed"))
}

/// Compares every tensor of a folder with what torch has.
fn check(name: &str, form: Form) -> Checkpoint {
    let expected = std::fs::read_to_string(distributed().join(format!("{name}.json"))).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let mut wanted = expected["tensors"].as_array().unwrap().clone();
    wanted.sort_by_key(|tensor| tensor[0].to_string());
    let checkpoint = open(&distributed().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(json!(checkpoint.state_dict_path.join(".")), expected["path"], "{name}");
    assert_eq!(checkpoint.form, form, "{name}");
    let mut found = Vec::new();
    for tensor in &checkpoint.tensors {
        let lazy = &tensor.tensor;
        let bytes = lazy.contiguous().unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        found.push(json!([tensor.key.as_str(), lazy.dtype.name(), lazy.view.shape().sizes(), digest]));
    }
    found.sort_by_key(|tensor| tensor[0].to_string());
    assert_eq!(found, wanted, "{name}");
    checkpoint
}

#[test]
fn reads_what_torch_wrote() {
    for name in ["two_ranks", "four_ranks", "fsdp2", "safetensors_items", "flat"] {
        assert_eq!(check(name, Form::Dcp).warnings, [], "{name}");
    }
    let sizes = Warning::SizesByFiles { files: 2 };
    assert_eq!(check("safetensors", Form::DcpSafetensors).warnings, [sizes]);
    assert_eq!(check("consolidated", Form::Sharded).warnings, []);
    let checkpoint = check("one_process", Form::Dcp);
    assert!(
        matches!(&checkpoint.warnings[..], [Warning::NotATensor { key, what }]
            if key.as_str() == "version" && what == "int"),
        "{:?}",
        checkpoint.warnings
    );
}

#[test]
fn a_tensor_in_one_chunk_is_a_range_of_its_file() {
    let checkpoint = check("two_ranks", Form::Dcp);
    let is_mapped: Vec<&str> = checkpoint
        .tensors
        .iter()
        .filter(|tensor| tensor.tensor.storage.ready().is_some_and(|bytes| bytes.is_mapped()))
        .map(|tensor| tensor.key.as_str())
        .collect();
    assert_eq!(is_mapped, ["one_row", "replicated", "plain", "scalar"]);
}

#[test]
fn another_state_dict_by_key() {
    let options = OpenOptions { key: Some("optim.state.row".to_owned()), ..OpenOptions::default() };
    let checkpoint = Checkpoint::open(&distributed().join("two_ranks"), &options).unwrap();
    let keys: Vec<&str> = checkpoint.tensors.iter().map(|tensor| tensor.key.as_str()).collect();
    assert_eq!(keys, ["exp_avg"]);
}
