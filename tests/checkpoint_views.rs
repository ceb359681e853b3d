//! Every way of naming a tensor that torch.save has, bit for bit: `testdata/checkpoint/views.pt`.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/digest.rs"]
mod digest;
#[path = "checkpoint_support/values.rs"]
mod values;

use std::path::Path;

use digest::digest;
use ptw2k::checkpoint::{Checkpoint, OpenOptions};
use ptw2k::lazy::Bytes;
use serde_json::{Value, json};
use values::contiguous;

#[test]
fn views_agree_with_torch() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/checkpoint"));
    let checkpoint = Checkpoint::open(&folder.join("views.pt"), &OpenOptions::default()).unwrap();
    let expected: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    assert_eq!(checkpoint.warnings, []);
    assert_eq!(checkpoint.tensors.len(), expected.len());
    for (tensor, expected) in checkpoint.tensors.iter().zip(&expected) {
        let (lazy, view) = (&tensor.tensor, &tensor.tensor.view);
        // A view without elements has no place.
        let is_empty = view.shape().numel() == 0;
        let found = json!({
            "name": tensor.key.as_str(),
            "dtype": lazy.dtype.name(),
            "shape": view.shape().sizes(),
            "stride": if is_empty { expected["stride"].clone() } else { json!(view.strides()) },
            "offset": if is_empty { expected["offset"].clone() } else { json!(view.offset()) },
            "sha256": digest(&contiguous(lazy)),
        });
        assert_eq!(&found, expected);
        assert!(lazy.storage.ready().is_some_and(Bytes::is_mapped), "{}", tensor.key);
    }
    let ties: Vec<(&str, &str)> = checkpoint
        .tensors
        .iter()
        .filter_map(|tensor| Some((tensor.key.as_str(), checkpoint.tensors[tensor.tied_to?].key.as_str())))
        .collect();
    assert_eq!(ties, [("tied_again", "tied"), ("tied_view", "tied")]);
}
