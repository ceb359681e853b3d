//! Whole modules that real torch pickled, against their own state_dict(): `testdata/modules`.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/digest.rs"]
mod digest;
#[path = "checkpoint_support/values.rs"]
mod values;

use std::path::Path;

use digest::digest;
use ptw2k::checkpoint::{Checkpoint, OpenOptions, Role};
use serde_json::{Value, json};
use values::contiguous;

#[test]
fn modules_agree_with_their_state_dict() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/modules"));
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let cases = expected.as_object().unwrap();
    assert_eq!(cases.len(), 5);
    for (name, expected) in cases {
        let file = folder.join(format!("{name}.pt"));
        let checkpoint = Checkpoint::open(&file, &OpenOptions::default()).unwrap();
        assert_eq!(checkpoint.state_dict_path.join("."), expected["path"], "{name}");
        assert_eq!(checkpoint.warnings, [], "{name}");
        let (kept, left_out): (Vec<_>, Vec<_>) =
            checkpoint.tensors.iter().partition(|tensor| tensor.role.is_in_state_dict());
        let found: Vec<Value> = kept
            .iter()
            .map(|tensor| json!([tensor.key.as_str(), digest(&contiguous(&tensor.tensor))]))
            .collect();
        assert_eq!(Value::from(found), expected["tensors"], "{name}");
        for tensor in left_out {
            assert_eq!((tensor.key.as_str(), tensor.role), ("positions", Role::NonPersistentBuffer));
        }
    }
}
