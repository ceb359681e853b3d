//! Archives of `torch.jit.save` and `torch.export.save`: those of real torch in `testdata/script`, and made
//! ones.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../checkpoint_support/digest.rs"]
mod digest;
mod export;
mod model_json;
mod objects;
#[path = "../checkpoint_support/values.rs"]
mod values;
#[path = "../checkpoint_support/writer.rs"]
mod writer;

use std::path::Path;

use digest::digest;
use ptw2k::checkpoint::{Checkpoint, ErrorKind, OpenOptions, Role, TorchScriptError};
use ptw2k::lazy::Bytes;
use serde_json::{Value, json};
use values::contiguous;
use writer::{Archive, Entry};

pub(crate) fn real(name: &str) -> Result<Checkpoint, ErrorKind> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/script"));
    Checkpoint::open(&folder.join(name), &OpenOptions::default()).map_err(|error| error.kind)
}

#[test]
fn archives_agree_with_torch() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/script"));
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let check = |name: &str, ties: &[(&str, &str)], others: &[&str]| {
        let checkpoint = real(name).unwrap();
        assert_eq!(checkpoint.warnings, [], "{name}");
        let wanted: Vec<&Value> = expected[name].as_array().unwrap().iter().collect();
        let is_wanted = |key: &str| wanted.iter().any(|entry| entry["name"] == key);
        let (found, rest): (Vec<_>, Vec<_>) =
            checkpoint.tensors.iter().partition(|tensor| is_wanted(tensor.key.as_str()));
        let found = found.iter().map(|tensor| {
            json!({
                "name": tensor.key.as_str(),
                "role": tensor.role.name(),
                "dtype": tensor.tensor.dtype.name(),
                "shape": tensor.tensor.view.shape().sizes(),
                "sha256": digest(&contiguous(&tensor.tensor)),
            })
        });
        assert_eq!(json!(found.collect::<Vec<_>>()), json!(wanted), "{name}");
        assert!(rest.iter().all(|tensor| tensor.role == Role::Attribute), "{name}");
        assert_eq!(rest.iter().map(|tensor| tensor.key.as_str()).collect::<Vec<_>>(), others, "{name}");
        let key = |at: usize| checkpoint.tensors[at].key.as_str();
        let found: Vec<(&str, &str)> = checkpoint
            .tensors
            .iter()
            .filter_map(|tensor| Some((tensor.key.as_str(), key(tensor.tied_to?))))
            .collect();
        assert_eq!(found, ties, "{name}");
    };
    let tied = [
        ("second.weight", "first.weight"),
        ("second.bias", "first.bias"),
        ("out.weight", "embedding.weight"),
    ];
    let others = ["constant", "both.0", "both.1", "table.x", "table.y", "mixed.0"];
    check("scripted.pt", &tied, &others);
    check("mobile.ptl", &tied, &others);
    check("traced.pt", &[("out.weight", "embedding.weight")], &["CONSTANTS.c0", "CONSTANTS.c1"]);
    let flat = ["_flat_weights.0", "_flat_weights.1", "_flat_weights.2", "_flat_weights.3"];
    let weights = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    let ties: Vec<(&str, &str)> = flat.into_iter().zip(weights).collect();
    check("lstm.pt", &ties, &flat);
    check("exported.pt2", &[("out.weight", "embedding.weight")], &[]);
}

#[test]
fn frozen_programs_are_refused() {
    let kind = real("frozen.pt").unwrap_err();
    assert!(matches!(kind, ErrorKind::TorchScript(TorchScriptError::Frozen { constants: 2 })), "{kind:?}");
}

pub(crate) fn open_as(entries: Vec<Entry>, key: Option<&str>) -> Result<Checkpoint, ErrorKind> {
    let bytes = Bytes::held(Archive { entries, ..Archive::default() }.bytes());
    let options = OpenOptions { key: key.map(ToOwned::to_owned), ..OpenOptions::default() };
    Checkpoint::from_bytes(Path::new("model.pt"), &bytes, &options).map_err(|error| error.kind)
}

pub(crate) fn open(entries: Vec<Entry>) -> Result<Checkpoint, ErrorKind> {
    open_as(entries, None)
}

/// Keys, roles and the first bytes of the values.
pub(crate) fn keys(checkpoint: &Checkpoint) -> Vec<(&str, Role, u8)> {
    let first = |tensor: &ptw2k::checkpoint::Tensor| contiguous(&tensor.tensor).first().copied().unwrap_or(0);
    checkpoint.tensors.iter().map(|tensor| (tensor.key.as_str(), tensor.role, first(tensor))).collect()
}

/// A uint8 tensor of one element in a storage of one.
pub(crate) fn tensor(key: usize) -> String {
    format!(
        "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nByteStorage\nV{key}\nVcpu\nI1\ntQI0\n(I1\nt(I1\nt\
         I00\nNtR"
    )
}

/// A new object of a class, module and name.
pub(crate) fn instance(class: &str) -> String {
    format!("c{}\n){NEWOBJ}", class.replace(' ', "\n"))
}

pub(crate) const NEWOBJ: char = '\u{81}';

/// The bytes of a pickle whose opcodes are characters.
pub(crate) fn pickled(text: &str) -> Vec<u8> {
    text.chars().chain(['.']).map(|opcode| u8::try_from(opcode).unwrap()).collect()
}

#[test]
fn damaged_archives_never_panic() {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/script"));
    for name in ["scripted.pt", "traced.pt", "exported.pt2"] {
        let whole = std::fs::read(folder.join(name)).unwrap();
        let mut refused = 0;
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=next() % 4 {
                let place = next() % bytes.len();
                bytes[place] = next().to_le_bytes()[0];
            }
            match Checkpoint::from_bytes(Path::new(name), &Bytes::held(bytes), &OpenOptions::default()) {
                Ok(checkpoint) => checkpoint.tensors.iter().for_each(|tensor| {
                    contiguous(&tensor.tensor);
                }),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 10, "{name}: {refused}");
    }
}
