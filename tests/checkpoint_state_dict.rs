//! Which state_dict is found in handmade archives, and under which keys.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

use ptw2k::checkpoint::{Checkpoint, ErrorKind, OpenOptions, TensorError, UnsupportedTensor, Warning};
use ptw2k::tensor::ByteOrder;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A float32 tensor of shape (2, 3) on the one storage.
const TENSOR: &str = "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\u{6}tQ\
    K\u{0}K\u{2}K\u{3}\u{86}K\u{3}K\u{1}\u{86}\u{89}NtR";

fn tensor() -> Vec<u8> {
    TENSOR.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"}(".to_vec();
    for (key, value) in items {
        bytes.extend(format!("V{key}\n").bytes());
        bytes.extend(value);
    }
    bytes.push(b'u');
    bytes
}

fn open(root: &[u8], byte_order: &str, key: Option<&str>) -> Result<Checkpoint, ErrorKind> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut zip = ZipWriter::new(file.as_file_mut());
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let records: [(&str, &[u8]); 3] = [
        ("data.pkl", &[b"\x80\x02", root, b"."].concat()),
        ("data/0", &[1; 24]),
        ("byteorder", byte_order.as_bytes()),
    ];
    for (name, bytes) in records {
        zip.start_file(format!("archive/{name}"), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    Checkpoint::open(file.path(), &OpenOptions { key: key.map(ToOwned::to_owned), ..OpenOptions::default() })
        .map_err(|error| error.kind)
}

/// The path joined by `/`, then the keys.
fn check(root: &[u8], key: Option<&str>, path: &str, keys: &[&str]) -> Checkpoint {
    let checkpoint = open(root, "little", key).unwrap();
    let found: Vec<&str> = checkpoint.tensors.iter().map(|tensor| tensor.key.as_str()).collect();
    assert_eq!((checkpoint.state_dict_path.join("/").as_str(), found.as_slice()), (path, keys));
    checkpoint
}

#[test]
fn the_likeliest_is_chosen() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let optimizer = || dict(&[("state", dict(&[("exp_avg", tensor())])), ("param_groups", b"]".to_vec())]);
    check(&weights(), None, "", &["w", "b"]);
    check(
        &dict(&[("epoch", b"K\x07".to_vec()), ("model", weights()), ("o", optimizer())]),
        None,
        "model",
        &["w", "b"],
    );
    check(&dict(&[("params", weights()), ("params_ema", weights())]), None, "params", &["w", "b"]);
    check(&dict(&[("a.b", dict(&[("c", weights())]))]), Some("a.b.c"), "a.b/c", &["w", "b"]);
    let both = dict(&[("netG", weights()), ("netD", weights())]);
    assert!(
        matches!(open(&both, "little", None), Err(ErrorKind::Ambiguous { candidates }) if candidates.len() == 2)
    );
    check(&both, Some("netD"), "netD", &["w", "b"]);
    check(&both, Some(""), "", &["netG.w", "netG.b", "netD.w", "netD.b"]);
    assert!(matches!(open(&both, "little", Some("netX")), Err(ErrorKind::NoSuchKey { .. })));
}

#[test]
fn lists_and_integer_keys_lead_to_state_dicts() {
    let weights = || dict(&[("w", tensor()), ("b", tensor())]);
    let list = |items: &[Vec<u8>]| [b"](".as_slice(), &items.concat(), b"e"].concat();
    let paths = |root: &[u8]| match open(root, "little", None) {
        Err(ErrorKind::Ambiguous { candidates }) => {
            candidates.iter().map(|found| found.path.join("/")).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let models = dict(&[("models", list(&[weights(), weights()]))]);
    assert_eq!(paths(&models), ["models/0", "models/1"]);
    check(&models, Some("models.1"), "models/1", &["w", "b"]);
    assert_eq!(paths(&list(&[weights(), weights(), b"K\x05".to_vec()])), ["0", "1"]);
    check(&dict(&[("model", list(&[weights()])), ("history", weights())]), None, "model/0", &["w", "b"]);
    assert_eq!(paths(&dict(&[("models", list(&[weights()])), ("rest", weights())])), ["models/0", "rest"]);
    let numbered = [b"}(K\x03".as_slice(), &weights(), b"K\x04", &weights(), b"u"].concat();
    assert_eq!(paths(&numbered), ["3", "4"]);
    check(&numbered, Some("4"), "4", &["w", "b"]);
    check(&dict(&[("optimizers", list(&[weights()])), ("net", weights())]), None, "net", &["w", "b"]);
    assert!(matches!(open(&list(&[tensor()]), "little", None), Err(ErrorKind::NoStateDict { .. })));
}

#[test]
fn nothing_that_holds_tensors_is_left_out() {
    let list = |item: Vec<u8>| [b"](".as_slice(), &item, b"e"].concat();
    let object = |state: Vec<u8>| [b"cmine\nThing\n)\x81".as_slice(), &state, b"b"].concat();
    let refused = |value: Vec<u8>| {
        let root = dict(&[("w", tensor()), ("odd", value)]);
        match open(&root, "little", Some("")) {
            Err(ErrorKind::Tensor { key, reason: TensorError::Unsupported(kind), more: 0 }) => {
                assert_eq!(key.as_str(), "odd");
                kind
            }
            other => panic!("{other:?}"),
        }
    };
    let inside = |what: &str| UnsupportedTensor::Inside { what: what.to_owned() };
    assert_eq!(refused(list(dict(&[("w", tensor())]))), inside("dict"));
    assert_eq!(refused(dict(&[("deep", list(tensor()))])), inside("dict"));
    assert_eq!(refused(object(dict(&[("data", tensor())]))), inside("mine.Thing object"));
    let module = ["_parameters", "_buffers", "_modules"].map(|key| (key, b"}".to_vec()));
    assert_eq!(refused(object(dict(&module))), UnsupportedTensor::Module { class: "mine.Thing".to_owned() });
    let by_number = [b"}(Vw\n".as_slice(), &tensor(), b"K\x03", &tensor(), b"u"].concat();
    assert!(matches!(open(&by_number, "little", None), Err(ErrorKind::TensorKey { what }) if what == "int"));
}

#[test]
fn what_is_beside_the_tensors_is_reported() {
    let root = dict(&[("module.w", tensor()), ("module.n", b"K\x05".to_vec()), ("module.v", tensor())]);
    let checkpoint = check(&root, None, "", &["w", "v"]);
    assert_eq!(checkpoint.stripped, ["module."]);
    assert_eq!(checkpoint.tensors[1].tied_to, Some(0));
    assert!(
        matches!(checkpoint.warnings.as_slice(), [Warning::NotATensor { key, .. }] if key.as_str() == "module.n")
    );
    let ema = check(&dict(&[("ema", dict(&[("w", tensor())]))]), None, "ema", &["w"]);
    assert!(matches!(ema.warnings.as_slice(), [Warning::MovingAverage { .. }]));
    let collision = dict(&[("a._orig_mod.w", tensor()), ("a.w", tensor())]);
    assert!(matches!(open(&collision, "little", None), Err(ErrorKind::SameKey { .. })));
    let packed = check(
        &dict(&[("w", tensor()), ("packed", [tensor(), b"N\x86".to_vec()].concat())]),
        None,
        "",
        &["w", "packed.0"],
    );
    assert!(
        matches!(packed.warnings.as_slice(), [Warning::NotATensor { key, .. }] if key.as_str() == "packed.1")
    );
}

#[test]
fn big_endian_storages_are_marked() {
    let checkpoint = open(&dict(&[("w", tensor())]), "big", None).unwrap();
    assert_eq!(checkpoint.tensors[0].tensor.byte_order, ByteOrder::Big);
}
