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
