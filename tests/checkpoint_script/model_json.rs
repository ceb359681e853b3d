//! Archives of `torch.jit.save` 1.0 to 1.3.

use ptw2k::checkpoint::{ErrorKind, Role, TensorError, TorchScriptError, UnsupportedTensor};
use serde_json::{Value, json};

use crate::writer::Entry;
use crate::{NEWOBJ, keys, open, pickled};

/// An archive of torch.jit.save 1.0 to 1.3 with storages of three float16.
fn model_json(model: &Value, attributes: &[u8]) -> Vec<Entry> {
    let mut entries = vec![
        Entry::stored("m/version", b"1\n"),
        Entry::deflated("m/model.json", model.to_string().as_bytes()),
        Entry::stored("m/tensors/0", &[1, 0, 2, 0, 3, 0]),
        Entry::stored("m/tensors/1", &[4, 0, 5, 0, 6, 0]),
    ];
    if !attributes.is_empty() {
        entries.push(Entry::deflated("m/attributes.pkl", attributes));
    }
    entries
}

fn definition(dims: &[&str], strides: &[&str], offset: &str, key: &str) -> Value {
    json!({
        "dims": dims, "offset": offset, "strides": strides, "requiresGrad": false, "dataType": "FLOAT16",
        "data": {"key": key}, "device": "cpu",
    })
}

#[test]
fn model_json_of_torch_1_0_to_1_3() {
    use Role::{Attribute, Buffer, Parameter, Unknown};
    let parameter =
        |name: &str, id: &str, is_buffer: bool| json!({"isBuffer": is_buffer, "tensorId": id, "name": name});
    let tensors = json!([
        definition(&["2"], &["2"], "0", "tensors/0"),
        definition(&["1"], &["1"], "1", "tensors/0"),
        definition(&[], &[], "2", "tensors/1"),
        definition(&["3"], &["1"], "0", "tensors/1"),
    ]);
    let model = json!({
        "protoVersion": "1", "producerName": "pytorch",
        "mainModule": {
            "name": "m", "parameters": [parameter("b", "1", true), parameter("w", "0", false)],
            "submodules": [{"name": "0", "parameters": [parameter("w", "2", false), parameter("tied", "0", false)]}],
        },
        "tensors": tensors,
    });
    let checkpoint = open(model_json(&model, b"")).unwrap();
    let expected = [("w", Parameter, 1), ("b", Buffer, 2), ("0.w", Parameter, 6), ("0.tied", Parameter, 1)];
    assert_eq!(keys(&checkpoint), expected);
    assert_eq!(checkpoint.tensors[3].tied_to, Some(0));
    assert_eq!(checkpoint.written_by.as_deref(), Some("torch 1.0 to 1.3"));

    let attribute = |name: &str, id: &str| json!({"name": name, "type": "Tensor", "id": id});
    let model = json!({
        "mainModule": {
            "parameters": [parameter("w", "0", false)],
            "attributes": [attribute("training", "0"), attribute("b", "1"), attribute("list", "2"), attribute("old", "3")],
        },
        "tensors": tensors,
    });
    let from_id = |id: usize| format!("ctorch.jit._pickle\nbuild_tensor_from_id\n(I{id}\ntR");
    let root = format!(
        "(I01\n{}ctorch.jit._pickle\nbuild_tensorlist\n(({}ltRc__main__\nTensorID\n){NEWOBJ}I1\nbt",
        from_id(2),
        from_id(3)
    );
    let checkpoint = open(model_json(&model, &pickled(&root))).unwrap();
    let expected = [("w", Parameter, 1), ("b", Unknown, 6), ("list.0", Attribute, 4), ("old", Unknown, 2)];
    assert_eq!(keys(&checkpoint), expected);
}

#[test]
fn hostile_model_json() {
    let model = |id: Value, definition: Value| json!({"mainModule": {"parameters": [{"name": "w", "tensorId": id}]}, "tensors": [definition]});
    let refused = |model: &Value| open(model_json(model, b"")).unwrap_err();
    let tensor_refused = |definition: Value| match refused(&model(json!("0"), definition)) {
        ErrorKind::Tensor { reason, .. } => reason,
        kind => panic!("{kind:?}"),
    };
    let good = || definition(&["3"], &["1"], "0", "tensors/0");
    assert!(open(model_json(&model(json!(0), good()), b"")).is_ok());
    for id in [json!("1"), json!("-1"), json!("99999999999999999999")] {
        let kind = refused(&model(id, good()));
        assert!(matches!(kind, ErrorKind::Tensor { reason: TensorError::Arguments { .. }, .. }), "{kind:?}");
    }
    let reason = tensor_refused(definition(&["4"], &["1"], "0", "tensors/0"));
    assert!(matches!(reason, TensorError::View(_)), "{reason:?}");
    let huge = "9223372036854775807";
    let reason = tensor_refused(definition(&[huge, huge], &["1", "1"], "0", "tensors/0"));
    assert!(matches!(reason, TensorError::Shape(_)), "{reason:?}");
    let reason = tensor_refused(definition(&[huge], &["0"], "0", "tensors/0"));
    assert!(matches!(reason, TensorError::Expanded { .. }), "{reason:?}");
    for negative in [
        definition(&["-1"], &["1"], "0", "tensors/0"),
        definition(&["1"], &["-1"], "0", "tensors/0"),
        definition(&["1"], &["1"], "-1", "tensors/0"),
    ] {
        let reason = tensor_refused(negative);
        assert!(matches!(reason, TensorError::Arguments { .. }), "{reason:?}");
    }
    let reason = tensor_refused(definition(&["1"], &["1"], "0", "../tensors/0"));
    assert!(matches!(reason, TensorError::MissingRecord { .. }), "{reason:?}");
    let mut quantized = good();
    quantized["isQuantized"] = json!(true);
    let reason = tensor_refused(quantized);
    assert_eq!(reason, TensorError::Unsupported(UnsupportedTensor::Dtype { dtype: "quantized".to_owned() }));

    let is_json = |text: &[u8]| {
        let entries = vec![Entry::stored("m/version", b"1\n"), Entry::deflated("m/model.json", text)];
        let kind = open(entries).unwrap_err();
        matches!(
            kind,
            ErrorKind::TorchScript(
                TorchScriptError::Json(_)
                    | TorchScriptError::TooLarge { .. }
                    | TorchScriptError::TooManyObjects { .. }
            )
        )
    };
    let deep = format!("{}{}", "{\"mainModule\":", "{\"submodules\":[".repeat(100_000));
    assert!(is_json(deep.as_bytes()));
    assert!(is_json(&b"{\"mainModule\":{},".repeat(2_000_000)));
    assert!(is_json(&vec![b' '; 100 << 20]));
    assert!(is_json(b"\xff\xfe"));
    let many = format!("{{\"mainModule\":{{\"submodules\":[{}{{}}]}}}}", "{},".repeat(1 << 20));
    assert!(is_json(many.as_bytes()));
    let rank = vec!["1"; 100_000];
    assert!(is_json(model(json!(0), definition(&rank, &rank, "0", "tensors/0")).to_string().as_bytes()));
}
