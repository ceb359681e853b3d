//! Archives of `torch.export.save`.

use ptw2k::checkpoint::{Checkpoint, ErrorKind, ExportError, Role, TensorError, UnsupportedTensor, Warning};
use ptw2k::tensor::StateDictKey;
use serde_json::{Value, json};

use crate::values::contiguous;
use crate::writer::{Archive, Entry};
use crate::{keys, open, open_as, pickled, tensor};

/// A file of torch.save.
fn saved(pickle: &str) -> Vec<u8> {
    let entries = vec![
        Entry::stored("archive/data.pkl", &pickled(pickle)),
        Entry::stored("archive/data/0", &[10]),
        Entry::stored("archive/data/1", &[11]),
    ];
    Archive { entries, ..Archive::default() }.bytes()
}

fn meta(sizes: &[i64], strides: &[i64], offset: i64) -> Value {
    let numbers =
        |numbers: &[i64]| numbers.iter().map(|number| json!({"as_int": number})).collect::<Vec<_>>();
    json!({
        "dtype": 3, "sizes": numbers(sizes), "strides": numbers(strides), "storage_offset": {"as_int": offset},
        "requires_grad": false, "device": {"type": "cpu", "index": null}, "layout": 7,
    })
}

fn payload(path: &str, is_param: bool, meta: &Value) -> Value {
    json!({"path_name": path, "is_param": is_param, "use_pickle": false, "tensor_meta": meta})
}

fn export(weights: &Value, more: Vec<Entry>) -> Vec<Entry> {
    let config = json!({"config": weights}).to_string();
    let mut entries = vec![
        Entry::stored("m/data/weights/w0", &[1, 0, 2, 0, 3, 0]),
        Entry::stored("m/data/weights/model_weights_config.json", config.as_bytes()),
        Entry::stored("m/archive_format", b"pt2"),
        Entry::stored("m/archive_version", b"0"),
        Entry::stored("m/byteorder", b"little"),
    ];
    entries.extend(more);
    entries
}

fn exported(weights: &Value) -> Result<Checkpoint, ErrorKind> {
    open(export(weights, Vec::new()))
}

#[test]
fn payloads_that_are_pickled() {
    let pickled_payload = |path: &str, is_param: bool| {
        let mut payload = payload(path, is_param, &meta(&[1], &[1], 0));
        payload["use_pickle"] = json!(true);
        payload
    };
    let mut object = pickled_payload("custom_obj_0", false);
    object["tensor_meta"] = Value::Null;
    let weights = json!({
        "p": pickled_payload("pickled", true), "w": payload("w0", false, &meta(&[2], &[2], 0)),
        "tied": pickled_payload("pickled", false), "o": object,
    });
    let more = vec![Entry::stored("m/data/weights/pickled", &saved(&tensor(1)))];
    let checkpoint = open(export(&weights, more)).unwrap();
    let expected = [("p", Role::Parameter, 11), ("w", Role::Buffer, 1), ("tied", Role::Buffer, 11)];
    assert_eq!(keys(&checkpoint), expected);
    assert_eq!(checkpoint.tensors[2].tied_to, Some(0));
    let (key, what) = (StateDictKey::new("o"), "pickled object".to_owned());
    assert_eq!(checkpoint.warnings, [Warning::NotATensor { key, what }]);

    // An archive of torch.export in place of a file of torch.save.
    let inner = Archive { entries: export(&json!({}), Vec::new()), ..Archive::default() }.bytes();
    let weights = json!({"p": pickled_payload("pickled", true)});
    let kind = open(export(&weights, vec![Entry::stored("m/data/weights/pickled", &inner)])).unwrap_err();
    assert!(matches!(kind, ErrorKind::MissingRecord { .. }), "{kind:?}");
    // Many pickles that each inflate to a lot.
    let long = format!("V{}\n0{}", "k".repeat(7 << 20), tensor(1));
    let entries =
        vec![Entry::deflated("archive/data.pkl", &pickled(&long)), Entry::stored("archive/data/1", &[11])];
    let inner = Archive { entries, ..Archive::default() }.bytes();
    let mut many = serde_json::Map::new();
    let mut records = Vec::new();
    for index in 0..20 {
        many.insert(format!("p{index}"), pickled_payload(&format!("q{index}"), true));
        records.push(Entry::stored(&format!("m/data/weights/q{index}"), &inner));
    }
    let kind = open(export(&Value::Object(many), records)).unwrap_err();
    assert!(matches!(kind, ErrorKind::Export(ExportError::TooMuchPickled { .. })), "{kind:?}");
}

#[test]
fn hostile_payloads() {
    let reason = |payload: Value| match exported(&json!({ "w": payload })).unwrap_err() {
        ErrorKind::Tensor { reason, .. } => reason,
        kind => panic!("{kind:?}"),
    };
    let arguments = |payload: Value| assert!(matches!(reason(payload), TensorError::Arguments { .. }));
    arguments(payload("w0", true, &Value::Null));
    arguments(payload("w0", true, &meta(&[-1], &[1], 0)));
    arguments(payload("w0", true, &meta(&[1], &[-1], 0)));
    arguments(payload("w0", true, &meta(&[1], &[1], -1)));
    let mut symbolic = meta(&[1], &[1], 0);
    symbolic["sizes"] = json!([{"as_expr": {"expr_str": "s0"}}]);
    arguments(payload("w0", true, &symbolic));
    let mut odd = meta(&[1], &[1], 0);
    odd["dtype"] = json!(7);
    arguments(payload("w0", true, &odd));
    for path in ["../w0", "w1", "../../../etc/passwd", ""] {
        let reason = reason(payload(path, true, &meta(&[1], &[1], 0)));
        assert!(matches!(reason, TensorError::MissingRecord { .. }), "{reason:?}");
    }
    assert!(matches!(reason(payload("w0", true, &meta(&[4], &[1], 0))), TensorError::View(_)));
    assert!(matches!(reason(payload("w0", true, &meta(&[3], &[1], 1))), TensorError::View(_)));
    assert!(matches!(reason(payload("w0", true, &meta(&[3, 1], &[1], 0))), TensorError::View(_)));
    assert!(matches!(reason(payload("w0", true, &meta(&[i64::MAX, 8], &[0, 0], 0))), TensorError::Shape(_)));
    let expanded = reason(payload("w0", true, &meta(&[1 << 40], &[0], 0)));
    assert!(matches!(expanded, TensorError::Expanded { .. }), "{expanded:?}");
    let mut layout = meta(&[1], &[1], 0);
    layout["layout"] = json!(1);
    let sparse = reason(payload("w0", true, &layout));
    assert_eq!(sparse, TensorError::Unsupported(UnsupportedTensor::Layout));
    let mut unknown = meta(&[1], &[1], 0);
    unknown["dtype"] = json!(36);
    let unknown = reason(payload("w0", true, &unknown));
    assert!(matches!(unknown, TensorError::Unsupported(UnsupportedTensor::Dtype { .. })));
    let rank = exported(&json!({"w": payload("w0", true, &meta(&[1; 65], &[1; 65], 0))})).unwrap_err();
    assert!(matches!(rank, ErrorKind::Export(ExportError::Json { .. })), "{rank:?}");
}

#[test]
fn configurations_that_are_none() {
    let check = |config: Entry, expected: fn(&ErrorKind) -> bool| {
        let entries = vec![config, Entry::stored("m/archive_format", b"pt2")];
        let kind = open(entries).unwrap_err();
        assert!(expected(&kind), "{kind:?}");
    };
    let name = "m/data/weights/model_weights_config.json";
    let is_json = |kind: &ErrorKind| matches!(kind, ErrorKind::Export(ExportError::Json { .. }));
    check(Entry::stored(name, b"\xff\xfe{"), is_json);
    check(Entry::stored(name, b""), is_json);
    check(Entry::stored(name, &b"{\"config\":".repeat(1 << 20)), is_json);
    check(Entry::deflated(name, &vec![b' '; 100 << 20]), |kind| {
        matches!(kind, ErrorKind::Export(ExportError::TooLarge { .. }))
    });
    check(Entry::stored(name, b"{\"config\":{}}"), |kind| {
        matches!(kind, ErrorKind::Export(ExportError::NoWeights))
    });
    let twice = r#"{"config":{"w":W,"w":W}}"#;
    let payload = payload("w0", true, &meta(&[1], &[1], 0)).to_string();
    let mut entries = export(&json!({}), Vec::new());
    entries[1] = Entry::stored(name, twice.replace('W', &payload).as_bytes());
    let kind = open(entries).unwrap_err();
    assert!(matches!(kind, ErrorKind::SameKey { .. }), "{kind:?}");
}

#[test]
fn kinds_of_export_archives() {
    let w = payload("w0", true, &meta(&[1], &[1], 0));
    let mut entries = export(&json!({"w": w}), Vec::new());
    entries[3] = Entry::stored("m/archive_version", b"1");
    let warnings = open(entries).unwrap().warnings;
    assert_eq!(warnings, [Warning::ExportVersion { version: "1".to_owned() }]);

    let mut entries = export(&json!({"w": w}), Vec::new());
    entries[2] = Entry::stored("m/archive_format", b"pt3");
    let kind = open(entries).unwrap_err();
    assert!(matches!(kind, ErrorKind::Export(ExportError::Format { .. })), "{kind:?}");

    let mut entries = export(&json!({"w": w}), Vec::new());
    entries[4] = Entry::stored("m/byteorder", b"big");
    let checkpoint = open(entries).unwrap();
    assert_eq!(contiguous(&checkpoint.tensors[0].tensor), [0, 1]);

    let compiled = vec![
        Entry::stored("m/archive_format", b"pt2"),
        Entry::stored("m/data/aotinductor/model/model.so", b"ELF"),
    ];
    let kind = open(compiled).unwrap_err();
    assert!(matches!(kind, ErrorKind::Export(ExportError::AotInductor)), "{kind:?}");

    // Two programs in one archive.
    let other = json!({"config": {"v": w}}).to_string();
    let two = || {
        let name = "m/data/weights/other_weights_config.json";
        export(&json!({"w": w}), vec![Entry::stored(name, other.as_bytes())])
    };
    let kind = open(two()).unwrap_err();
    assert!(
        matches!(&kind, ErrorKind::Export(ExportError::SeveralPrograms { programs }) if programs.len() == 2),
        "{kind:?}"
    );
    let kind = open_as(two(), Some("third")).unwrap_err();
    assert!(matches!(&kind, ErrorKind::Export(ExportError::NoSuchProgram { .. })), "{kind:?}");
    let checkpoint = open_as(two(), Some("other")).unwrap();
    assert_eq!(checkpoint.state_dict_path, ["other"]);
    assert_eq!(keys(&checkpoint), [("v", Role::Parameter, 1)]);
}

#[test]
fn old_export_archives() {
    use Role::{Attribute, Buffer, NonPersistentBuffer, Parameter};
    let program =
        json!({"graph_module": {"graph": {"nodes": [1, {"x": [[]]}]}, "signature": {"input_specs": [
            {"parameter": {"arg": {"name": "p"}, "parameter_name": "w"}},
            {"buffer": {"arg": {"name": "b"}, "buffer_name": "b", "persistent": true}},
            {"buffer": {"arg": {"name": "n"}, "buffer_name": "n", "persistent": false}},
            {"user_input": {"arg": {"as_tensor": {"name": "x"}}}},
        ]}}})
        .to_string();
    let dict = |one: &str, other: &str| saved(&format!("}}(V{one}\n{}V{other}\n{}u", tensor(0), tensor(1)));
    let expected =
        [("w", Parameter, 10), ("b", Buffer, 11), ("n", NonPersistentBuffer, 10), ("c", Attribute, 11)];
    for extension in ["pt", "json"] {
        let entries = vec![
            Entry::stored("version", b"5.1"),
            Entry::deflated("serialized_exported_program.json", program.as_bytes()),
            Entry::stored(&format!("serialized_state_dict.{extension}"), &dict("w", "b")),
            Entry::stored(&format!("serialized_constants.{extension}"), &dict("n", "c")),
        ];
        let checkpoint = open(entries).unwrap();
        assert_eq!(keys(&checkpoint), expected);
        assert!(checkpoint.tensors.iter().all(|tensor| tensor.tied_to.is_none()));
    }
    // The same files in the archives of 2.8.
    let entries = vec![
        Entry::stored("m/archive_format", b"pt2"),
        Entry::stored("m/models/model.json", program.as_bytes()),
        Entry::stored("m/data/weights/model.pt", &dict("w", "b")),
        Entry::stored("m/data/constants/model.pt", &dict("n", "c")),
    ];
    assert_eq!(keys(&open(entries).unwrap()), expected);
    // No weights at all, and something else than a file of torch.save.
    let check = |state_dict: &[u8], expected: fn(&ErrorKind) -> bool| {
        let kind = open(vec![
            Entry::stored("serialized_exported_program.json", b"[["),
            Entry::stored("serialized_state_dict.pt", state_dict),
        ])
        .unwrap_err();
        assert!(expected(&kind), "{kind:?}");
    };
    check(&saved("}"), |kind| matches!(kind, ErrorKind::Export(ExportError::NoWeights)));
    check(b"PK\x03\x04", |kind| matches!(kind, ErrorKind::Zip(_)));
}
