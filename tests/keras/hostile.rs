//! What is refused, and files that are broken on purpose.

use ptw2k::keras::{Architecture, ErrorKind, WeightsFile};
use serde_json::{Value, json};

use crate::listings::testdata;
use crate::mutations::Numbers;

/// A broken file: what is in it, and which error it is.
fn check_refused(content: &str, is_expected: impl Fn(&ErrorKind) -> bool) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let error = Architecture::open(file.path()).unwrap_err();
    assert!(is_expected(&error.kind), "{error:?}");
}

/// A long name around many layers is in the path of each of them.
#[test]
fn long_paths() {
    let layers = |count: usize| -> Vec<Value> {
        let relu = |at| json!({"module": "keras.layers", "class_name": "ReLU", "config": {"name": format!("r{at}")}});
        (0..count).map(relu).collect()
    };
    let model = |name: &str, layers: Vec<Value>| json!({"module": "keras", "class_name": "Sequential", "config": {"name": name, "layers": layers}});
    let name = "n".repeat(100_000);
    let outer = |count| model("outer", vec![model(&name, layers(count))]).to_string();
    let is_too_long =
        |kind: &ErrorKind| matches!(kind, ErrorKind::TooLarge { part: "the paths of the layers", .. });
    check_refused(&outer(1000), is_too_long);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), outer(300)).unwrap();
    assert_eq!(Architecture::open(file.path()).unwrap().weightless.len(), 300);
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
    // A class of the user's with the name of one of Keras', which has all that Keras' own would need.
    let mut custom = dense(3, &json!([null, 3]), &Value::Null);
    custom["module"] = Value::Null;
    custom["registered_name"] = json!("p>Dense");
    let is_custom = |kind: &ErrorKind| matches!(kind, ErrorKind::CustomClasses { layers } if layers[0].class == "p>Dense");
    check_layer(&custom, &is_custom);
    // Without what Keras' own would need, it is no broken one.
    custom["config"] = json!({"name": "d"});
    check_layer(&custom, &is_custom);
    // The model itself.
    let config = json!({"name": "s", "layers": [dense(3, &json!([null, 3]), &Value::Null)]});
    let model =
        json!({"module": null, "class_name": "Sequential", "config": config, "registered_name": "p>Mine"});
    check_refused(&model.to_string(), |kind| {
        kind.to_string().starts_with("the model is a `p>Mine`, which is not a class of Keras")
    });
    // Not registered, or from a module that only looks like one of Keras'.
    for module in [Value::Null, json!("keras_layers"), json!("__main__")] {
        custom["module"] = module;
        custom["registered_name"] = json!("Dense");
        let is_custom = |kind: &ErrorKind| matches!(kind, ErrorKind::CustomClasses { .. });
        check_layer(&custom, &is_custom);
    }
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
        "keras_2/model.json",
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
    for name in
        ["functional.json", "generator.json", "all_layers.json", "sequential_cnn.json", "keras_2/model.json"]
    {
        mutate(name, 300, |bytes, numbers| {
            let mut value: Value = serde_json::from_slice(bytes).unwrap();
            for _ in 0..=numbers.below(3) {
                replace(&mut value, numbers);
            }
            *bytes = serde_json::to_vec(&value).unwrap();
        });
    }
}

/// A layer of Keras 3 in a graph: class, configuration, and the layers that it is called on, one after another.
fn entry(class: &str, mut config: Value, name: &str, calls: &[&str]) -> Value {
    config["name"] = json!(name);
    let call = |read: &&str| {
        let tensor = json!({"class_name": "__keras_tensor__", "config": {"keras_history": [read, 0, 0]}});
        json!({"args": [tensor], "kwargs": {}})
    };
    let module = if class == "Functional" { "keras.src.models.functional" } else { "keras.layers" };
    json!({"module": module, "class_name": class, "config": config, "name": name,
           "inbound_nodes": calls.iter().map(call).collect::<Vec<_>>()})
}

fn model(name: &str, layers: Vec<Value>, output: (&str, usize)) -> Value {
    json!({"module": "keras.src.models.functional", "class_name": "Functional", "config": {
        "name": name, "layers": layers, "input_layers": [["in", 0, 0]],
        "output_layers": [[output.0, output.1, 0]]}})
}

fn input(shape: &Value) -> Value {
    entry("InputLayer", json!({"batch_shape": shape}), "in", &[])
}

fn open(model: &Value) -> Result<Architecture, ErrorKind> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), model.to_string()).unwrap();
    Architecture::open(file.path()).map_err(|error| error.kind)
}

/// Models that call the model inside them twice, on tensors of different sizes, so that nothing can be looked up:
/// two to the power of the depth calls.
#[test]
fn exponential_nesting_is_bounded() {
    let sizes = json!([null, null, 5]);
    let pad = |name: &str, border: u64, reads: &str| {
        entry("ZeroPadding1D", json!({"padding": [0, border]}), name, &[reads])
    };
    let mut inside = model("inside", vec![input(&sizes), pad("pad", 1, "in")], ("pad", 0));
    for depth in 0..20_u32 {
        let mut nested = inside.clone();
        nested["name"] = json!("nested");
        nested["inbound_nodes"] = entry("Functional", json!({}), "", &["in", "pad"])["inbound_nodes"].clone();
        let mut layers = vec![input(&sizes), nested];
        let mut first = pad("pad", 1 << depth, "nested");
        first["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = json!(["nested", 0, 0]);
        layers.push(first);
        inside = model("inside", layers, ("nested", 2));
    }
    let dense = entry("Dense", json!({"units": 2}), "dense", &["nested"]);
    let mut nested = inside;
    nested["name"] = json!("nested");
    nested["inbound_nodes"] = entry("Functional", json!({}), "", &["in"])["inbound_nodes"].clone();
    let outer = model("outer", vec![input(&json!([null, 1, 5])), nested, dense], ("dense", 0));
    let error = open(&outer).unwrap_err();
    let is_named = matches!(&error, ErrorKind::HiddenShape { layer, class, .. }
        if layer == "dense" && class.contains("called too often"));
    assert!(is_named, "{error:?}");
}

/// Layers that hold the one before twice, which the file tells by a number alone: two to the power of their number
/// ways lead to the first.
#[test]
fn shared_layers_do_not_multiply() {
    let shared = |class: &str, config: Value, id: usize| json!({"module": "keras.layers", "class_name": class, "config": config, "shared_object_id": id});
    let chain = |first: &dyn Fn(usize) -> Value, next: &dyn Fn(usize, Value) -> Value| {
        let start = json!({"module": "keras.layers", "class_name": "InputLayer",
                           "config": {"name": "in", "batch_shape": [null, 4, 3]}});
        let layers: Vec<Value> = [start].into_iter().chain((1..120).map(|id| next(id, first(id)))).collect();
        let config = json!({"name": "s", "layers": layers});
        open(&json!({"module": "keras", "class_name": "Sequential", "config": config}))
    };
    let dense = |id| shared("Dense", json!({"name": "d", "units": 3}), id);
    let cell = |id| shared("LSTMCell", json!({"name": "c", "units": 3}), id);
    let both = |id: usize, inner: Value| {
        let config = json!({"name": format!("b{id}"), "layer": inner, "backward_layer": inner});
        shared("Bidirectional", config, id + 1)
    };
    let all = |id: usize, inner: Value| {
        shared("Pipeline", json!({"name": format!("p{id}"), "layers": [inner, inner]}), id + 1)
    };
    let stack = |id: usize, inner: Value| {
        let cells =
            shared("StackedRNNCells", json!({"name": format!("s{id}"), "cells": [inner, inner]}), id + 1);
        let config = json!({"name": format!("r{id}"), "cell": cells, "return_sequences": true});
        json!({"module": "keras.layers", "class_name": "RNN", "config": config})
    };
    for found in [chain(&dense, &both), chain(&dense, &all), chain(&cell, &stack)] {
        let found = found.map(|model| model.variables.len());
        assert!(matches!(found, Ok(2 | 3) | Err(ErrorKind::TooMany { .. })), "{found:?}");
    }
}

/// Many layers take time in proportion.
#[test]
fn long_models_are_read() {
    let count = 20_000;
    let names: Vec<String> = (0..count).map(|at| format!("d{at}")).collect();
    let mut layers = vec![input(&json!([null, 3]))];
    for (at, name) in names.iter().enumerate() {
        let before = at.checked_sub(1).map_or("in", |before| &names[before]);
        layers.push(entry("Dense", json!({"units": 3}), name, &[before]));
    }
    let found = open(&model("long", layers, ("d19999", 0))).unwrap();
    assert_eq!(found.variables.len(), 2 * count);
}

/// One layer between the input and a Dense, whose settings or input ask for too much.
#[test]
fn huge_sizes_are_errors_or_open() {
    let huge = u64::MAX;
    for (class, config) in [
        ("RepeatVector", json!({"n": huge})),
        ("Reshape", json!({"target_shape": [huge, 3]})),
        ("Reshape", json!({"target_shape": [-1, -1, 3]})),
        ("Reshape", json!({"target_shape": vec![1; 5000]})),
        ("UpSampling1D", json!({"size": huge})),
        ("ZeroPadding1D", json!({"padding": [huge, huge]})),
        ("Cropping1D", json!({"cropping": [huge, 0]})),
        ("Conv1D", json!({"filters": huge, "kernel_size": 1})),
        ("Conv1D", json!({"filters": 2, "kernel_size": 0, "strides": 0})),
        ("MaxPooling1D", json!({"pool_size": 0, "strides": 0})),
        (
            "Conv1DTranspose",
            json!({"filters": 2, "kernel_size": huge, "strides": huge, "dilation_rate": huge}),
        ),
        ("LSTM", json!({"units": huge})),
        ("Permute", json!({"dims": [9, 9]})),
        ("Permute", json!({"dims": vec![1; 5000]})),
        ("CategoryEncoding", json!({"num_tokens": huge})),
        ("EinsumDense", json!({"equation": "abc,cd->abd", "output_shape": [huge, huge]})),
        ("EinsumDense", json!({"equation": "a...,->", "output_shape": 1})),
        ("STFTSpectrogram", json!({"frame_length": huge, "frame_step": 0})),
        ("STFTSpectrogram", json!({"frame_length": 0, "frame_step": 0, "fft_length": huge})),
        ("MelSpectrogram", json!({"sequence_stride": 0})),
    ] {
        let dense = entry("Dense", json!({"units": 2}), "dense", &["layer"]);
        let layers = vec![input(&json!([null, 7, 5])), entry(class, config.clone(), "layer", &["in"]), dense];
        let opened = open(&model("m", layers, ("dense", 0)));
        let is_bounded = match &opened {
            Ok(model) => model.variables.len() >= 2,
            Err(kind) => matches!(
                kind,
                ErrorKind::HiddenShape { .. }
                    | ErrorKind::OpenSize { .. }
                    | ErrorKind::VariableShape { .. }
                    | ErrorKind::WrongField { .. }
            ),
        };
        assert!(is_bounded, "{class} {config}: {opened:?}");
    }
}

/// What hides a shape matters only to variables behind it, and the error names both.
#[test]
fn hidden_shapes() {
    let function = |name: &str| {
        json!({"class_name": "TFOpLambda", "config": {"name": "hides", "trainable": true, "function": name},
               "name": "hides", "inbound_nodes": [["in", 0, 0, {"y": 2.0}]]})
    };
    let keras_2 = |layers: Vec<Value>, output: &str| {
        json!({"class_name": "Functional", "keras_version": "2.15.0", "config": {
            "name": "m", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [[output, 0, 0]]}})
    };
    let old = |class: &str, config: Value, name: &str, reads: &str| {
        let nodes = if reads.is_empty() { json!([]) } else { json!([[[reads, 0, 0, {}]]]) };
        json!({"class_name": class, "config": config, "name": name, "inbound_nodes": nodes})
    };
    let start = || old("InputLayer", json!({"batch_input_shape": [null, 6], "name": "in"}), "in", "");
    let dense = |reads: &str| old("Dense", json!({"units": 2, "name": "dense"}), "dense", reads);
    let reads_hidden = keras_2(vec![start(), function("strings.unheard"), dense("hides")], "dense");
    let error = open(&reads_hidden).unwrap_err();
    let names_both = matches!(&error, ErrorKind::HiddenShape { layer, by, class }
        if layer == "dense" && by == "hides" && class == "tf.strings.unheard");
    assert!(names_both, "{error:?}");
    let beside = keras_2(vec![start(), dense("in"), function("strings.unheard")], "dense");
    assert_eq!(open(&beside).unwrap().variables.len(), 2);
    let known = keras_2(vec![start(), function("math.multiply"), dense("hides")], "dense");
    assert_eq!(open(&known).unwrap().variables[0].shape.sizes(), [6, 2]);
    let open_size = keras_2(
        vec![
            old("InputLayer", json!({"batch_input_shape": [null, null], "name": "in"}), "in", ""),
            dense("in"),
        ],
        "dense",
    );
    assert!(matches!(open(&open_size).unwrap_err(), ErrorKind::OpenSize { .. }));
}

/// Quantized layers are told by layer and policy; float8 keeps the variables and has others beside them.
#[test]
fn quantized_layers() {
    let reads = |class: &str, mut config: Value| {
        config["units"] = json!(2);
        config["filters"] = json!(2);
        config["kernel_size"] = json!(1);
        open(&model(
            "m",
            vec![input(&json!([null, 4, 3])), entry(class, config, "layer", &["in"])],
            ("layer", 0),
        ))
    };
    let policy = |class: &str, mode: &str| json!({"class_name": class, "config": {"mode": mode, "source_name": "float32", "amax_history_length": 7}});
    for (class, mode) in [
        ("QuantizedDTypePolicy", "int8"),
        ("Int4DTypePolicy", "int4/128"),
        ("GPTQDTypePolicy", "gptq/4/128"),
        ("AWQDTypePolicy", "awq/4/128"),
    ] {
        let error = reads("Dense", json!({"dtype": policy(class, mode)})).unwrap_err();
        let is_named = matches!(&error, ErrorKind::Quantized { layer, policy }
            if layer == "layer" && policy.contains(class) && policy.contains(mode));
        assert!(is_named, "{error:?}");
        // Convolutions cannot be quantized, and take no notice.
        assert_eq!(reads("Conv1D", json!({"dtype": policy(class, mode)})).unwrap().variables.len(), 2);
    }
    let float8 = reads("Dense", json!({"dtype": policy("QuantizedFloat8DTypePolicy", "float8")})).unwrap();
    let found: Vec<_> = float8
        .variables
        .iter()
        .map(|variable| (&*variable.name, variable.shape.sizes().to_vec(), variable.initial))
        .collect();
    let expected = [
        ("kernel", vec![3, 2], None),
        ("bias", vec![2], None),
        ("inputs_scale", vec![], Some(1.0)),
        ("inputs_amax_history", vec![7], Some(0.0)),
        ("kernel_scale", vec![], Some(1.0)),
        ("kernel_amax_history", vec![7], Some(0.0)),
        ("outputs_grad_scale", vec![], Some(1.0)),
        ("outputs_grad_amax_history", vec![7], Some(0.0)),
    ];
    assert_eq!(found, expected);
}
