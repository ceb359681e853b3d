//! The machine on handmade pickles, and against `serde-pickle` on plain values.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Pickle, PickleErrorKind, Value, ValueId, parse};

/// Values as text, in Python's notation.
fn show(pickle: &Pickle<'_>, id: ValueId) -> String {
    let list = |ids: &[ValueId]| ids.iter().map(|&id| show(pickle, id)).collect::<Vec<_>>().join(", ");
    match pickle.get(id) {
        Value::None => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => format!("{text:?}"),
        Value::Bytes(bytes) => format!("b{bytes:?}"),
        Value::Tuple(items) => format!("({})", list(items)),
        Value::List(items) => format!("[{}]", list(items)),
        Value::Dict(dict) => {
            let items: Vec<String> = dict
                .items()
                .map(|(key, value)| format!("{}: {}", show(pickle, key), show(pickle, value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn check(bytes: &[u8], expected: &str) {
    let pickle = parse(bytes).unwrap();
    assert_eq!(show(&pickle, pickle.root()), expected);
}

fn check_error(bytes: &[u8], offset: usize, expected: &PickleErrorKind) {
    let error = parse(bytes).unwrap_err();
    assert_eq!((error.offset, &error.kind), (offset, expected));
}

#[test]
fn dictionaries() {
    check(b"}(U\x01bK\x01U\x01aK\x02u(U\x01cK\x03u.", r#"{"b": 1, "a": 2, "c": 3}"#);
    check(b"}(U\x01aK\x01U\x01bK\x02U\x01aK\x03u.", r#"{"a": 3, "b": 2}"#);
    check(b"}(K\x01K\x05G\x3f\xf0\0\0\0\0\0\0K\x06\x88K\x07u.", "{1: 7}");
    check(b"ccollections\nOrderedDict\n(](](U\x01aK\x01e](U\x01bK\x02eetR.", r#"{"a": 1, "b": 2}"#);
    check(b"ccollections\nCounter\n}(U\x01aK\x02u\x85R.", r#"{"a": 2}"#);
    check(b"(U\x01aK\x01d.", r#"{"a": 1}"#);
    check(b"ccollections\nOrderedDict\n)R}U\x01xK\x01sb.", "{}");
}

#[test]
fn many_keys_keep_their_order() {
    let mut bytes = b"}".to_vec();
    let mut expected = Vec::new();
    for batch in 0..5_u8 {
        bytes.push(b'(');
        for index in 0..7_u8 {
            bytes.extend([b'K', 200 - (batch * 7 + index), b'K', index]);
            expected.push(format!("{}: {index}", 200 - (batch * 7 + index)));
        }
        bytes.push(b'u');
    }
    bytes.push(b'.');
    check(&bytes, &format!("{{{}}}", expected.join(", ")));
}

#[test]
fn memo_entries_are_shared() {
    check(b"]q\0(h\0h\0K\x07t.", "([], [], 7)");
    let pickle = parse(b"]q\0h\0K\x05a\x86.").unwrap();
    assert_eq!(show(&pickle, pickle.root()), "([5], [5])");
}

#[test]
fn dangerous_globals_are_named() {
    let dangerous = |global: &str| PickleErrorKind::DangerousGlobal { global: global.to_owned() };
    check_error(b"\x80\x02cos\nsystem\nU\x02ls\x85R.", 2, &dangerous("os.system"));
    check_error(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", 17, &dangerous("posix.system"));
    check_error(b"cbuiltins\neval\n.", 0, &dangerous("builtins.eval"));
}

#[test]
fn broken_pickles() {
    check_error(b".", 0, &PickleErrorKind::StackUnderflow);
    check_error(b"N", 1, &PickleErrorKind::Truncated { needed: 1, available: 0 });
    check_error(b"h\x07.", 0, &PickleErrorKind::MissingMemo { index: 7 });
    check_error(b"}(Nu.", 3, &PickleErrorKind::OddItems { count: 1 });
    check_error(b"u.", 0, &PickleErrorKind::NoMark);
    check_error(b"\xff.", 0, &PickleErrorKind::UnknownOpcode { byte: 0xff });
    check_error(b"\x82\x01.", 0, &PickleErrorKind::UnsupportedOpcode { opcode: "EXT1" });
    check_error(b"\x80\x06.", 0, &PickleErrorKind::Protocol { protocol: 6 });
    check_error(&b"(".repeat(70_000), 65_536, &PickleErrorKind::TooManyMarks { limit: 65_536 });
    let long = [b"c".as_slice(), &[b'a'; 4096], b"\nb\n."].concat();
    check_error(&long, 0, &PickleErrorKind::GlobalTooLong { limit: 4096 });
    check_error(b"NK\x01a.", 3, &PickleErrorKind::WrongTarget { opcode: "APPEND", what: "None".to_owned() });
}

#[test]
fn a_memo_bomb_as_a_key_is_hashed_once() {
    let mut bytes = b"})".to_vec();
    bytes.extend(b"2\x86".repeat(60));
    bytes.extend(b"K\x01s.");
    let pickle = parse(&bytes).unwrap();
    assert_eq!(pickle.dict(pickle.root()).unwrap().len(), 1);
}

#[derive(Debug, Clone, serde::Serialize)]
#[serde(untagged)]
enum Plain {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Plain>),
    Dict(BTreeMap<String, Plain>),
}

fn show_plain(value: &serde_pickle::Value) -> String {
    use serde_pickle::Value as V;
    match value {
        V::Bool(value) => value.to_string(),
        V::I64(value) => value.to_string(),
        V::F64(value) => format!("{value:?}"),
        V::String(text) => format!("{text:?}"),
        V::List(items) => format!("[{}]", items.iter().map(show_plain).collect::<Vec<_>>().join(", ")),
        V::Dict(items) => {
            let mut shown: Vec<String> =
                items.iter().map(|(key, value)| format!("{key}: {}", show_plain(value))).collect();
            shown.sort();
            format!("{{{}}}", shown.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Plain::Bool),
        any::<i64>().prop_map(Plain::Int),
        (-1e9..1e9_f64).prop_map(Plain::Float),
        "[a-zé]{0,9}".prop_map(Plain::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Plain::List),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..6).prop_map(Plain::Dict),
        ]
    })
}

/// As [`show`], with sorted keys and the keys as serde-pickle shows them.
fn show_sorted(pickle: &Pickle<'_>, id: ValueId) -> String {
    match pickle.get(id) {
        Value::List(items) => {
            format!("[{}]", items.iter().map(|&id| show_sorted(pickle, id)).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(dict) => {
            let mut items: Vec<String> = dict
                .items()
                .map(|(key, value)| {
                    let key = serde_pickle::HashableValue::String(pickle.text(key).unwrap().to_owned());
                    format!("{key}: {}", show_sorted(pickle, value))
                })
                .collect();
            items.sort();
            format!("{{{}}}", items.join(", "))
        }
        _ => show(pickle, id),
    }
}

proptest! {
    #[test]
    fn agrees_with_serde_pickle(value in plain(), is_old in any::<bool>()) {
        let options = serde_pickle::SerOptions::new();
        let options = if is_old { options.proto_v2() } else { options };
        let bytes = serde_pickle::to_vec(&value, options).unwrap();
        let judge: serde_pickle::Value =
            serde_pickle::from_slice(&bytes, serde_pickle::DeOptions::new()).unwrap();
        let pickle = parse(&bytes).unwrap();
        prop_assert_eq!(show_sorted(&pickle, pickle.root()), show_plain(&judge));
    }
}

#[test]
fn pickles_one_after_the_other() {
    let bytes = b"\x80\x02K\x07.](K\x01K\x02e.raw";
    let first = parse(bytes).unwrap();
    assert_eq!((show(&first, first.root()).as_str(), first.byte_len()), ("7", 5));
    let second = parse(&bytes[5..]).unwrap();
    assert_eq!((show(&second, second.root()).as_str(), second.byte_len()), ("[1, 2]", 8));
}

#[test]
fn equal_integers_are_equal_keys() {
    // 1, as one byte, as LONG1 of one, and as LONG1 of ten bytes; then -1 in two lengths.
    check(b"}(K\x01K\x05\x8a\x01\x01K\x06\x8a\x0a\x01\0\0\0\0\0\0\0\0\0K\x07u.", "{1: 7}");
    check(b"}(\x8a\x01\xffK\x05\x8a\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffK\x06u.", "{-1: 6}");
    check(b"\x8a\x09\x80\0\0\0\0\0\0\0\0.", "128");
    check(b"\x8a\x02\x80\xff.", "-128");
    check(b"\x8a\x02\x80\0.", "128");
}

/// Values that stand for something outside, and instances of old classes, in the notation of `show`.
#[test]
fn opcodes_of_old_protocols() {
    let pickle = parse(b"P140\n.").unwrap();
    let Value::Persistent(id) = pickle.get(pickle.root()) else { panic!() };
    assert_eq!(pickle.text(*id), Some("140"));
    for bytes in [b"(K\x01K\x02iconfig\nOptions\n.".as_slice(), b"(cconfig\nOptions\nK\x01K\x02o."] {
        let pickle = parse(bytes).unwrap();
        let Value::Object(object) = pickle.get(pickle.root()) else { panic!() };
        assert_eq!(pickle.global(object.callable), Some(("config", "Options")));
        assert_eq!((show(&pickle, object.args).as_str(), object.is_call), ("(1, 2)", false));
    }
    check(b"(](](U\x01aK\x01eeicollections\nOrderedDict\n.", r#"{"a": 1}"#);
    check_error(b"(o.", 1, &PickleErrorKind::StackUnderflow);
    check_error(b"K\x01o.", 2, &PickleErrorKind::NoMark);
    let dangerous = PickleErrorKind::DangerousGlobal { global: "__builtin__.execfile".to_owned() };
    check_error(b"(i__builtin__\nexecfile\n.", 1, &dangerous);
}

#[test]
fn build_changes_no_value_that_it_must_not() {
    let wrong = |opcode, what: &str| PickleErrorKind::WrongTarget { opcode, what: what.to_owned() };
    check_error(b"]}b.", 2, &wrong("BUILD", "list"));
    check_error(b"N}b.", 2, &wrong("BUILD", "None"));
    check_error(b"cmodels\nNet\n}b.", 13, &wrong("BUILD", "models.Net"));
    check_error(b"cmodels\nNet\n)\x81}b}b.", 17, &wrong("a second BUILD", "models.Net object"));
}

#[test]
fn memory_is_bounded() {
    let bomb = b"}".repeat(3 << 20);
    let error = parse(&bomb).unwrap_err();
    assert!(matches!(error.kind, PickleErrorKind::TooMuchMemory { .. }), "{error:?}");
    let bomb = [b"K\x01K\x02\x86q\0".as_slice(), &b"h\0\x85".repeat(4 << 20)].concat();
    let error = parse(&bomb).unwrap_err();
    assert!(matches!(error.kind, PickleErrorKind::TooMuchMemory { .. }), "{error:?}");
    // Integers and references cost no values.
    let plain = [b"](".as_slice(), &b"K\x07".repeat(6 << 20), b"e."].concat();
    let pickle = parse(&plain).unwrap();
    assert_eq!(pickle.sequence(pickle.root()).unwrap().len(), 6 << 20);
}
