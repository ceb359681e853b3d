//! Objects of `data.pkl`, and the code that tells what their attributes are.

use ptw2k::checkpoint::{ErrorKind, Role, TensorError, TorchScriptError, UnsupportedTensor, Warning};
use ptw2k::tensor::StateDictKey;

use crate::writer::Entry;
use crate::{instance, keys, open, pickled, tensor};

/// An object of a TorchScript class with attributes.
fn object(class: &str, attributes: &[(&str, &str)]) -> String {
    let items: String = attributes.iter().map(|(name, value)| format!("V{name}\n{value}")).collect();
    format!("{}}}({items}ub", instance(class))
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
    refused(&bomb, |kind| matches!(kind, ErrorKind::TooManyEntries { .. }));
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
