//! Legacy streams: those of real torch in old pickle protocols, handmade ones, and every rule broken.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "checkpoint_support/values.rs"]
mod values;

use std::path::Path;

use ptw2k::checkpoint::{
    Checkpoint, ErrorKind, Form, LegacyError, OpenOptions, PickleErrorKind, StreamError, UnsupportedForm,
    Warning,
};
use ptw2k::lazy::Bytes;
use values::contiguous;

const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const MAGIC_4: &[u8] = b"\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const PROTOCOL: &[u8] = b"\x80\x02M\xe9\x03.";
const LITTLE: &[u8] = b"\x80\x02}U\x0dlittle_endian\x88s.";
const BIG: &[u8] = b"\x80\x02}U\x0dlittle_endian\x89s.";

/// A stream by its parts.
#[derive(Clone)]
struct Stream {
    magic: Vec<u8>,
    protocol: Vec<u8>,
    system: Vec<u8>,
    object: Vec<u8>,
    keys: Vec<u8>,
    data: Vec<u8>,
}

impl Stream {
    fn bytes(&self) -> Vec<u8> {
        [&self.magic, &self.protocol, &self.system, &self.object, &self.keys, &self.data]
            .map(Vec::as_slice)
            .concat()
    }

    /// The same stream with something changed.
    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }
}

/// A persistent id, its text of Python 2 as byte strings and its number of elements as LONG1.
fn storage(class: &str, key: &str, numel: u8, view: &str) -> Vec<u8> {
    let mut id = format!("(U\x07storagectorch\n{class}\nV{key}\nU\x03cpu").into_bytes();
    id.extend([0x8a, 1, numel]);
    id.extend(view.bytes());
    id.extend(b"tQ");
    id
}

/// `_rebuild_tensor(storage, offset, (size,), (1,))`, as torch 0.3 wrote it.
fn tensor(storage: &[u8], offset: u8, size: u8) -> Vec<u8> {
    let numbers = [b'K', offset, b'K', size, 0x85, b'K', 1, 0x85];
    [b"ctorch._utils\n_rebuild_tensor\n(", storage, &numbers, b"tR"].concat()
}

fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(".to_vec();
    for (key, value) in items {
        bytes.extend(format!("V{key}\n").bytes());
        bytes.extend(value);
    }
    bytes.extend(b"u.");
    bytes
}

fn keys(keys: &[&str]) -> Vec<u8> {
    let items: String = keys.iter().map(|key| format!("V{key}\n")).collect();
    [b"\x80\x02](", items.as_bytes(), b"e."].concat()
}

fn data(storages: &[(i64, &[u8])]) -> Vec<u8> {
    storages.iter().flat_map(|(count, bytes)| [&count.to_le_bytes(), *bytes].concat()).collect()
}

const SHORTS: [u8; 6] = [1, 2, 3, 4, 5, 6];
const BYTES: [u8; 3] = [7, 8, 9];

/// Three shorts `w` under the key 20 and three bytes `n` under the key 10, which stands first.
fn stream() -> Stream {
    Stream {
        magic: MAGIC.to_vec(),
        protocol: PROTOCOL.to_vec(),
        system: LITTLE.to_vec(),
        object: dict(&[
            ("w", tensor(&storage("ShortStorage", "20", 3, "N"), 1, 2)),
            ("n", tensor(&storage("ByteStorage", "10", 3, "N"), 0, 3)),
        ]),
        keys: keys(&["10", "20"]),
        data: data(&[(3, &BYTES), (3, &SHORTS)]),
    }
}

fn open(bytes: &[u8]) -> Result<Checkpoint, ErrorKind> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path, &OpenOptions::default()).map_err(|error| error.kind)
}

fn read(stream: &Stream) -> Checkpoint {
    let checkpoint = open(&stream.bytes()).unwrap();
    assert_eq!(checkpoint.form, Form::Legacy);
    assert!(
        checkpoint.tensors.iter().all(|tensor| tensor.tensor.storage.ready().is_some_and(Bytes::is_mapped))
    );
    checkpoint
}

/// Opens a stream and compares names and values.
fn check(stream: &Stream, expected: &[(&str, &[u8])], warnings: &[Warning]) {
    let checkpoint = read(stream);
    let found: Vec<(&str, Vec<u8>)> =
        checkpoint.tensors.iter().map(|tensor| (tensor.key.as_str(), contiguous(&tensor.tensor))).collect();
    let expected: Vec<(&str, Vec<u8>)> = expected.iter().map(|&(key, bytes)| (key, bytes.to_vec())).collect();
    assert_eq!(found, expected);
    assert_eq!(checkpoint.warnings, warnings);
}

fn refuse(stream: &Stream, expected: &LegacyError) {
    match open(&stream.bytes()).unwrap_err() {
        ErrorKind::Legacy(found) => assert_eq!(found, *expected),
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn streams_of_real_torch_in_other_protocols() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/old_checkpoint"));
    for name in ["legacy1.pt", "legacy4.pt"] {
        let checkpoint = Checkpoint::open(&folder.join(name), &OpenOptions::default()).unwrap();
        assert_eq!((checkpoint.form, checkpoint.warnings), (Form::Legacy, vec![]));
        let found: Vec<(&str, &[usize], Vec<u8>)> = checkpoint
            .tensors
            .iter()
            .map(|tensor| {
                (tensor.key.as_str(), tensor.tensor.view.shape().sizes(), contiguous(&tensor.tensor))
            })
            .collect();
        let w: Vec<u8> = [0, 3, 6, 9, 12, 1, 4, 7, 10, 13, 2, 5, 8, 11, 14]
            .into_iter()
            .flat_map(|value: u8| f32::from(value).to_le_bytes())
            .collect();
        let n = (-7_i64).to_le_bytes().to_vec();
        let expected: [(&str, &[usize], Vec<u8>); 4] =
            [("w", &[3, 5], w), ("h", &[2], vec![0, 0x38, 0, 0xc0]), ("n", &[], n), ("e", &[0, 3], vec![])];
        assert_eq!(found, expected);
    }
}

#[test]
fn every_form_has_the_same_values() {
    let expected: [(&str, &[u8]); 2] = [("w", &SHORTS[2..]), ("n", &BYTES)];
    check(&stream(), &expected, &[]);
    check(&stream().with(|stream| stream.magic = MAGIC_4.to_vec()), &expected, &[]);
    let digits = b"L119547037146038801333356L\n.".to_vec();
    check(&stream().with(|stream| stream.magic = digits), &expected, &[]);
    check(&stream().with(|stream| stream.system = BIG.to_vec()), &expected, &[Warning::BigEndianWriter]);
    check(&stream().with(|stream| stream.system = b"N.".to_vec()), &expected, &[]);
    let swapped = stream().with(|stream| {
        stream.keys = keys(&["20", "10"]);
        stream.data = data(&[(3, &SHORTS), (3, &BYTES)]);
    });
    check(&swapped, &expected, &[]);
    // A second save into the same file.
    let (once, again) = (stream().bytes(), stream().bytes());
    let twice = stream().with(|stream| stream.data.extend(&again));
    check(&twice, &expected, &[Warning::Trailing { offset: once.len(), bytes: again.len() }]);
    // A storage that no tensor has lies between the others.
    let unused = stream().with(|stream| {
        let unused = [storage("HalfStorage", "15", 2, "N"), b"0".to_vec()].concat();
        stream.object.splice(2..2, unused);
        stream.keys = keys(&["10", "15", "20"]);
        stream.data = data(&[(3, &BYTES), (2, &[0xff; 4]), (3, &SHORTS)]);
    });
    check(&unused, &expected, &[]);
}

#[test]
fn the_writer_is_told() {
    let written_by = read(&stream()).written_by;
    assert_eq!(written_by.as_deref(), Some("torch 0.1.10 or later (legacy stream)"));
}

#[test]
fn views_of_storages() {
    let view = |key: &str, offset: u8, numel: u8| format!("(V{key}\nI{offset}\nI{numel}\nt");
    let viewed = |first: &str, second: &str| {
        stream().with(|stream| {
            stream.object = dict(&[
                ("a", tensor(&storage("ShortStorage", "20", 3, first), 0, 1)),
                ("b", tensor(&storage("ShortStorage", "20", 3, second), 0, 2)),
                ("n", tensor(&storage("ByteStorage", "10", 3, "N"), 0, 3)),
            ]);
        })
    };
    let expected: [(&str, &[u8]); 3] = [("a", &SHORTS[4..]), ("b", &SHORTS[2..]), ("n", &BYTES)];
    check(&viewed(&view("71", 2, 1), &view("72", 1, 2)), &expected, &[]);
    // The view and its root, in either order.
    let expected: [(&str, &[u8]); 3] = [("a", &SHORTS[..2]), ("b", &SHORTS[2..]), ("n", &BYTES)];
    check(&viewed("N", &view("72", 1, 2)), &expected, &[]);
    refuse(&viewed("N", &view("72", 2, 2)), &LegacyError::View { key: "72".to_owned() });
    let contradiction = |key: &str| LegacyError::Contradiction { key: key.to_owned() };
    refuse(&viewed(&view("72", 2, 1), &view("72", 1, 2)), &contradiction("72"));
    refuse(&viewed(&view("20", 0, 3), "N"), &contradiction("20"));
    let wrong =
        LegacyError::PersistentId { what: "the view of a storage is not a key, an offset and a count" };
    refuse(&viewed("N", "I7\n"), &wrong);
}

#[test]
fn one_storage_under_two_classes() {
    let two = |class: &str, numel: u8, size: u8| {
        stream().with(|stream| {
            stream.object = dict(&[
                ("a", tensor(&storage("ShortStorage", "20", 3, "N"), 0, 3)),
                ("b", tensor(&storage(class, "20", numel, "N"), 0, size)),
            ]);
            stream.keys = keys(&["20"]);
            stream.data = data(&[(3, &SHORTS)]);
        })
    };
    check(&two("CharStorage", 6, 6), &[("a", &SHORTS), ("b", &SHORTS)], &[]);
    // torch makes an empty storage of another size.
    refuse(&two("CharStorage", 3, 3), &LegacyError::Contradiction { key: "20".to_owned() });
    refuse(&two("ShortStorage", 2, 2), &LegacyError::Contradiction { key: "20".to_owned() });
}

#[test]
fn a_module_whose_class_comes_with_its_source() {
    let head =
        b"\x80\x02(U\x06modulecmodels\nNet\nU\x06net.pyU\x0bclass Net:\ntQ)\x81}(U\x0b_parameters}U\x01w";
    let tail = b"sU\x08_buffers}U\x08_modules}ub.";
    let weight = tensor(&storage("ShortStorage", "20", 3, "N"), 0, 3);
    let stream = stream().with(|stream| {
        stream.object = [head.as_slice(), &weight, tail].concat();
        stream.keys = keys(&["20"]);
        stream.data = data(&[(3, &SHORTS)]);
    });
    check(&stream, &[("w", &SHORTS)], &[]);
}

#[test]
fn broken_streams() {
    let key = |key: &str| key.to_owned();
    refuse(
        &stream().with(|stream| stream.protocol = b"M\xe8\x03.".to_vec()),
        &LegacyError::Protocol { found: key("1000") },
    );
    let with_keys = |list: &[&str]| stream().with(|stream| stream.keys = keys(list));
    refuse(&with_keys(&[]), &LegacyError::Unfilled { storages: 2, first: key("20") });
    refuse(&with_keys(&["10", "10"]), &LegacyError::DuplicateKey { key: key("10") });
    refuse(&with_keys(&["10", "30"]), &LegacyError::UnknownKey { key: key("30") });
    refuse(
        &stream().with(|stream| stream.keys = keys(&["10"])),
        &LegacyError::Unfilled { storages: 1, first: key("20") },
    );
    refuse(&stream().with(|stream| stream.keys = b"}.".to_vec()), &LegacyError::Keys { what: key("dict") });
    for found in [2, 4, -1, 1 << 40, i64::MIN, 3 << 32, i64::from_be_bytes(3_i64.to_le_bytes())] {
        let wrong = stream().with(|stream| stream.data = data(&[(found, &BYTES), (3, &SHORTS)]));
        refuse(&wrong, &LegacyError::Count { key: key("10"), found, expected: 3 });
    }
    // The second is TorchScript's.
    for class in ["WideStorage", "UInt16Storage"] {
        let stream = stream().with(|stream| {
            stream.object = dict(&[("w", tensor(&storage(class, "20", 3, "N"), 0, 3))]);
        });
        refuse(&stream, &LegacyError::StorageClass { key: key("20"), class: key(class) });
    }
    let persistent = |id: &[u8], what: &'static str| {
        let object = [b"\x80\x02", id, b"Q."].concat();
        refuse(&stream().with(|stream| stream.object = object), &LegacyError::PersistentId { what });
    };
    persistent(b"V5\n", "it is no tuple");
    persistent(b")", "it has not enough elements");
    persistent(b"(Vmodule\nNNNt", "the class of a module is no global");
    persistent(b"(Vother\nNNNt", "it is neither a storage's nor a module's");
    persistent(b"(Vstorage\nctorch\nByteStorage\nV1\nV2\nI3\nt", "a storage's has not 6 elements");
    persistent(b"(Vstorage\nctorch\nByteStorage\nI1\nV2\nI3\nNt", "a storage's key is no text");
    persistent(b"(Vstorage\nV1\nV1\nV2\nI3\nNt", "a storage's class is no global");
    persistent(
        b"(Vstorage\nctorch\nByteStorage\nV1\nV2\nI-3\nNt",
        "a storage's number of elements is no count",
    );
}

#[test]
fn truncated_streams() {
    let whole = stream().bytes();
    let magic = MAGIC.len();
    for length in magic..whole.len() {
        let kind = open(&whole[..length]).unwrap_err();
        let ErrorKind::Legacy(LegacyError::Stream(error)) = kind else { panic!("{length}: {kind:?}") };
        match error {
            StreamError::Pickle { error, .. } => {
                assert!(matches!(error.kind, PickleErrorKind::Truncated { .. }), "{length}: {error:?}");
            }
            StreamError::Truncated { needed, available, .. } => assert!(needed > available, "{length}"),
            error => panic!("{error:?}"),
        }
    }
}

#[test]
fn bare_pickles_are_refused() {
    let kind = open(b"\x80\x02}U\x01wK\x01s.").unwrap_err();
    assert!(matches!(kind, ErrorKind::Unsupported(UnsupportedForm::Pickle)), "{kind:?}");
}
