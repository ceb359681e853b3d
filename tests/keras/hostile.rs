//! What is refused, and files that are broken on purpose.

use ptw2k::keras::{Architecture, ErrorKind, WeightsFile};
use serde_json::{Value, json};

use crate::listings::testdata;

/// A broken file: what is in it, and which error it is.
fn check_refused(content: &str, is_expected: impl Fn(&ErrorKind) -> bool) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let error = Architecture::open(file.path()).unwrap_err();
    assert!(is_expected(&error.kind), "{error:?}");
}

#[test]
fn what_is_refused() {
    check_refused("", |kind| matches!(kind, ErrorKind::NotKeras { .. }));
    check_refused("<html>", |kind| matches!(kind, ErrorKind::NotKeras { .. }));
    check_refused("{", |kind| matches!(kind, ErrorKind::Json(_)));
    check_refused(&"{\"a\":".repeat(100_000), |kind| matches!(kind, ErrorKind::Json(_)));
    check_refused("{\"weight_map\": {}}", |kind| matches!(kind, ErrorKind::NoVariables));
    let subclassed = std::fs::read_to_string(testdata("subclassed.json")).unwrap();
    check_refused(&subclassed, |kind| matches!(kind, ErrorKind::Subclassed { .. }));

    let check_layer = |layer: &Value, is_expected: &dyn Fn(&ErrorKind) -> bool| {
        let config = json!({"name": "s", "layers": [layer]});
        let model = json!({"module": "keras", "class_name": "Sequential", "config": config});
        check_refused(&model.to_string(), is_expected);
    };
    let dense = |units: u64, input: &Value, dtype: &Value| {
        json!({"module": "keras.layers", "class_name": "Dense", "build_config": {"input_shape": input},
               "config": {"name": "d", "units": units, "dtype": dtype}})
    };
    check_layer(&dense(3, &Value::Null, &Value::Null), &|kind| matches!(kind, ErrorKind::NotBuilt { .. }));
    let policy = json!({"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}});
    check_layer(&dense(3, &json!([null, 4]), &policy), &|kind| matches!(kind, ErrorKind::Quantized { .. }));
    let huge = dense(9_000_000_000, &json!([null, 9_000_000_000_u64]), &Value::Null);
    check_layer(&huge, &|kind| matches!(kind, ErrorKind::VariableShape { .. }));
    let custom =
        json!({"module": "m", "class_name": "Mine", "registered_name": "p>Mine", "config": {"name": "d"}});
    check_layer(
        &custom,
        &|kind| matches!(kind, ErrorKind::CustomClasses { layers } if layers[0].class == "p>Mine"),
    );
}

#[test]
fn links_are_refused() {
    for (file, link, leads_to) in [
        ("soft.weights.h5", "layers/dense/vars/1", "/elsewhere"),
        ("external.weights.h5", "layers/dense/vars/1", "other.h5:/x"),
        ("many.weights.h5", "layers/dense/vars/11", "/vars"),
    ] {
        let is_link = |kind: &ErrorKind| matches!(kind, ErrorKind::Link { at, target } if at == link && target == leads_to);
        let path = testdata("links").join(file);
        let template = Architecture::open(&path).unwrap_err();
        assert!(is_link(&template.kind), "{file}: {template:?}");
        let weights = WeightsFile::open(&path).unwrap_err();
        assert!(is_link(&weights.kind), "{file}: {weights:?}");
    }
}

/// A generator of the same numbers on every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// Opens broken copies of a file; every one gives an architecture or an error.
fn mutate(name: &str, times: u64, change: impl Fn(&mut Vec<u8>, &mut Numbers)) {
    let original = std::fs::read(testdata(name)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut refused = 0;
    for seed in 0..times {
        let mut bytes = original.clone();
        change(&mut bytes, &mut Numbers(seed));
        std::fs::write(file.path(), &bytes).unwrap();
        refused += u64::from(Architecture::open(file.path()).is_err());
        let _weights: Result<WeightsFile, _> = WeightsFile::open(file.path());
    }
    assert!(refused > times / 20, "{name}: {refused} of {times} refused");
}

#[test]
fn broken_files_are_errors() {
    let cut = |bytes: &mut Vec<u8>, numbers: &mut Numbers| {
        let length = numbers.below(bytes.len());
        bytes.truncate(length);
    };
    let flip = |bytes: &mut Vec<u8>, numbers: &mut Numbers| {
        for _ in 0..8 {
            let at = numbers.below(bytes.len().min(8000));
            bytes[at] = u8::try_from(numbers.below(256)).unwrap();
        }
    };
    for name in [
        "functional.json",
        "frozen.legacy.h5",
        "bfloat16.weights.h5",
        "subclassed.weights.h5",
        "sequential_cnn.keras",
    ] {
        mutate(name, 100, cut);
        mutate(name, 200, flip);
    }
}

/// Replaces a value somewhere in a configuration by another.
fn replace(value: &mut Value, numbers: &mut Numbers) {
    let replacements =
        json!([null, -1, 0, u64::MAX, [], {}, "x", [[null, 3], [1, -1]], {"class_name": "x", "config": {}}]);
    let mut place = value;
    loop {
        let count = match &*place {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if count == 0 || numbers.below(12) == 0 {
            *place = replacements[numbers.below(9)].clone();
            return;
        }
        let at = numbers.below(count);
        place = match place {
            Value::Array(items) => &mut items[at],
            Value::Object(fields) => fields.iter_mut().nth(at).unwrap().1,
            _ => return,
        };
    }
}

#[test]
fn strange_configurations_are_errors() {
    for name in ["functional.json", "generator.json", "all_layers.json", "sequential_cnn.json"] {
        mutate(name, 300, |bytes, numbers| {
            let mut value: Value = serde_json::from_slice(bytes).unwrap();
            for _ in 0..=numbers.below(3) {
                replace(&mut value, numbers);
            }
            *bytes = serde_json::to_vec(&value).unwrap();
        });
    }
}
