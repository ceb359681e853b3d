//! Archives of `torch.jit.save` and `torch.export.save`: those of real torch in `testdata/script`, and made
//! ones.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/digest.rs"]
mod digest;
#[path = "checkpoint_support/values.rs"]
mod values;
#[path = "checkpoint_support/writer.rs"]
mod writer;

use std::path::Path;

use digest::digest;
use ptw2k::checkpoint::{
    Checkpoint, ErrorKind, ExportError, OpenOptions, Role, TensorError, TorchScriptError, UnsupportedTensor,
    Warning,
};
use ptw2k::lazy::Bytes;
use ptw2k::tensor::StateDictKey;
use serde_json::{Value, json};
use values::contiguous;
use writer::{Archive, Entry};

fn real(name: &str) -> Result<Checkpoint, ErrorKind> {
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

fn open_as(entries: Vec<Entry>, key: Option<&str>) -> Result<Checkpoint, ErrorKind> {
    let bytes = Bytes::held(Archive { entries, ..Archive::default() }.bytes());
    let options = OpenOptions { key: key.map(ToOwned::to_owned), ..OpenOptions::default() };
    Checkpoint::from_bytes(Path::new("model.pt"), &bytes, &options).map_err(|error| error.kind)
}

fn open(entries: Vec<Entry>) -> Result<Checkpoint, ErrorKind> {
    open_as(entries, None)
}

/// Keys, roles and the first bytes of the values.
fn keys(checkpoint: &Checkpoint) -> Vec<(&str, Role, u8)> {
    let first = |tensor: &ptw2k::checkpoint::Tensor| contiguous(&tensor.tensor).first().copied().unwrap_or(0);
    checkpoint.tensors.iter().map(|tensor| (tensor.key.as_str(), tensor.role, first(tensor))).collect()
}

/// A uint8 tensor of one element in a storage of one.
fn tensor(key: usize) -> String {
    format!(
        "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nByteStorage\nV{key}\nVcpu\nI1\ntQI0\n(I1\nt(I1\nt\
         I00\nNtR"
    )
}

/// An object of a TorchScript class with attributes.
fn object(class: &str, attributes: &[(&str, &str)]) -> String {
    let items: String = attributes.iter().map(|(name, value)| format!("V{name}\n{value}")).collect();
    format!("{}}}({items}ub", instance(class))
}

/// A new object of a class, module and name.
fn instance(class: &str) -> String {
    format!("c{}\n){NEWOBJ}", class.replace(' ', "\n"))
}

const NEWOBJ: char = '\u{81}';

/// The bytes of a pickle whose opcodes are characters.
fn pickled(text: &str) -> Vec<u8> {
    text.chars().chain(['.']).map(|opcode| u8::try_from(opcode).unwrap()).collect()
}

/// An archive of torch.jit.save whose storage `N` holds the byte 10 + N.
fn script(root: &str, code: &[(&str, &str)]) -> Vec<Entry> {
    let mut entries = vec![
        Entry::stored("m/data.pkl", &pickled(root)),
        Entry::stored("m/constants.pkl", b"\x80\x02)."),
        Entry::stored("m/version", b"3\n"),
    ];
    entries.extend((0..8).map(|key: u8| Entry::stored(&format!("m/data/{key}"), &[10 + key])));
    entries
        .extend(code.iter().map(|(path, text)| Entry::deflated(&format!("m/code/{path}"), text.as_bytes())));
    entries
}

const CODE: &str =
    "class M(Module):\n  __parameters__ = [\"w\", ]\n  __buffers__ = [\"b\", ]\n  w : Tensor\n";

#[test]
fn roles_come_from_the_code() {
    use Role::{Attribute, Buffer, Parameter, Unknown};
    let inner = object("__torch__.x M", &[("a", &tensor(3)), ("w", &tensor(4))]);
    let root = object(
        "__torch__ M",
        &[
            ("sub", &inner),
            ("a", &tensor(0)),
            ("b", &tensor(1)),
            ("w", &tensor(2)),
            ("list", &format!("({}l", tensor(5))),
        ],
    );
    let check = |code: &[(&str, &str)], expected: &[(&str, Role, u8)]| {
        let checkpoint = open(script(&root, code)).unwrap();
        assert_eq!(keys(&checkpoint), expected);
        assert_eq!(checkpoint.written_by.as_deref(), Some("torch 1.6 to 2.0"));
    };
    check(
        &[("__torch__.py", CODE), ("__torch__/x.py", CODE)],
        &[
            ("w", Parameter, 12),
            ("b", Buffer, 11),
            ("a", Attribute, 10),
            ("list.0", Attribute, 15),
            ("sub.w", Parameter, 14),
            ("sub.a", Attribute, 13),
        ],
    );
    // torch 1.5 does not tell the buffers.
    check(
        &[("__torch__.py", "class M(Module):\n  __parameters__ = [\"w\", ]\n  w : Tensor\n")],
        &[
            ("w", Parameter, 12),
            ("a", Unknown, 10),
            ("b", Unknown, 11),
            ("list.0", Unknown, 15),
            ("sub.a", Unknown, 13),
            ("sub.w", Unknown, 14),
        ],
    );
    let unknown = [
        ("sub.a", Unknown, 13),
        ("sub.w", Unknown, 14),
        ("a", Unknown, 10),
        ("b", Unknown, 11),
        ("w", Unknown, 12),
        ("list.0", Unknown, 15),
    ];
    check(&[], &unknown);
    check(&[("__torch__.py", "class N(Module):\n"), ("__torch__/x.py", "\u{0}")], &unknown);
    // More code than any program has.
    check(&[("__torch__.py", &format!("{CODE}{}", " ".repeat(100 << 20)))], &unknown);
}

#[test]
fn cycles_and_wrappers() {
    let wrapped = format!(
        "ctorch.jit._pickle\nrestore_type_tag\n(ctorch.jit._pickle\nbuild_tensorlist\n(({}ltRVList[Tensor]\ntR",
        tensor(1)
    );
    let cyclic = format!("{}p0\n}}(Vme\ng0\nVw\n{}Vlist\n{wrapped}ub", instance("__torch__ M"), tensor(0));
    let checkpoint = open(script(&cyclic, &[])).unwrap();
    assert_eq!(keys(&checkpoint), [("w", Role::Unknown, 10), ("list.0", Role::Unknown, 11)]);
    // A state that is no dictionary, an object of a class in C++ without tensors, and a named tuple.
    let packed = format!("{}({}Ntb", instance("__torch__.torch.classes.quantized P"), tensor(2));
    let opaque = format!("{}(Vtext\ntb", instance("__torch__.torch.classes.x O"));
    let named = format!("c__torch__\nNT\n({}{}tR", tensor(3), tensor(4));
    let root = object("__torch__ M", &[("p", &packed), ("o", &opaque), ("n", &named)]);
    let checkpoint = open(script(&root, &[])).unwrap();
    let unknown = |key, value| (key, Role::Unknown, value);
    assert_eq!(keys(&checkpoint), [unknown("p.0", 12), unknown("n.0", 13), unknown("n.1", 14)]);
    let key = StateDictKey::new("o");
    let what = "__torch__.torch.classes.x.O object".to_owned();
    assert_eq!(checkpoint.warnings, [Warning::NotATensor { key, what }]);
}

#[test]
fn hostile_objects() {
    let refused = |root: &str, expected: fn(&ErrorKind) -> bool| {
        let kind = open(script(root, &[("__torch__.py", CODE)])).unwrap_err();
        assert!(expected(&kind), "{kind:?}");
    };
    // 40 levels of objects that each hold the next one twice.
    let mut bomb = object("__torch__ M", &[("w", &tensor(0))]);
    for level in 0..40 {
        let next = object("__torch__ M", &[("a", &format!("g{level}\n")), ("b", &format!("g{level}\n"))]);
        bomb = format!("{bomb}p{level}\n0{next}");
    }
    refused(&bomb, |kind| matches!(kind, ErrorKind::TorchScript(TorchScriptError::TooManyAttributes { .. })));
    // Many levels of objects with one long name.
    let mut names =
        format!("V{}\np500\n0{}", "k".repeat(1 << 20), object("__torch__ M", &[("w", &tensor(0))]));
    for level in 0..200 {
        names.push_str(&format!("p{level}\n0{}}}(g500\ng{level}\nub", instance("__torch__ M")));
    }
    refused(&names, |kind| matches!(kind, ErrorKind::KeysTooLong { .. }));
    // The same without tensors.
    let mut bomb = "(lp0\n".to_owned();
    for level in 0..40 {
        bomb = format!("{bomb}0(g{level}\ng{level}\nlp{}\n", level + 1);
    }
    refused(&bomb, |kind| matches!(kind, ErrorKind::TorchScript(TorchScriptError::TooManyAttributes { .. })));
    let deep = format!("{}{}{}", "(".repeat(20_000), tensor(0), "l".repeat(20_000));
    refused(&deep, |kind| matches!(kind, ErrorKind::TorchScript(TorchScriptError::TooDeep { .. })));
    refused("N", |kind| matches!(kind, ErrorKind::TorchScript(TorchScriptError::NoTensors)));
    refused(&object("__torch__ M", &[("w", &tensor(77))]), |kind| {
        matches!(kind, ErrorKind::Tensor { reason: TensorError::MissingRecord { .. }, .. })
    });
    // Two paths that are one key.
    let inner = object("__torch__ M", &[("w", &tensor(0))]);
    refused(&object("__torch__ M", &[("a", &inner), ("a.w", &tensor(1))]), |kind| {
        matches!(kind, ErrorKind::SameKey { .. })
    });
}

#[test]
fn an_unsupported_attribute_is_left_out() {
    let sparse = "ctorch._utils\n_rebuild_meta_tensor_no_storage\n(NtR";
    let root = object("__torch__ M", &[("w", &tensor(0)), ("a", sparse)]);
    let checkpoint = open(script(&root, &[("__torch__.py", CODE)])).unwrap();
    assert_eq!(keys(&checkpoint), [("w", Role::Parameter, 10)]);
    let reason = TensorError::Unsupported(UnsupportedTensor::Meta);
    assert_eq!(checkpoint.warnings, [Warning::LeftOut { key: StateDictKey::new("a"), reason }]);
    // As a parameter it is an error.
    let root = object("__torch__ M", &[("w", sparse), ("a", &tensor(0))]);
    let kind = open(script(&root, &[("__torch__.py", CODE)])).unwrap_err();
    assert!(matches!(kind, ErrorKind::Tensor { .. }), "{kind:?}");
}

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
    assert_eq!(reason, TensorError::Unsupported(UnsupportedTensor::Quantized));

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
    let long = format!("V{}\n0{}", "k".repeat(8 << 20), tensor(1));
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
    assert_eq!(sparse, TensorError::Unsupported(UnsupportedTensor::Sparse));
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
    assert!(matches!(&kind, ErrorKind::Ambiguous { candidates } if candidates.len() == 2), "{kind:?}");
    let kind = open_as(two(), Some("third")).unwrap_err();
    assert!(matches!(&kind, ErrorKind::NoSuchKey { .. }), "{kind:?}");
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
