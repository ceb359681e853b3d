//! What is said where weights alone do not make outputs equal, of models as Keras describes them.

use std::path::Path;

use ptw2k::keras::file_layout::{Form, Format};
use ptw2k::keras::{Architecture, Origin};
use ptw2k::lazy::Bytes;
use ptw2k::plan::PlanOptions;
use ptw2k::tensor::Dtype;
use serde_json::{Value as Json, json};

use crate::made::{architecture, checkpoint, layer};
use crate::rules::render;

/// What is noted of a Functional model of these steps, one after the other, each with its module, its class and its
/// settings.
fn check(input: &[usize], steps: &[(&str, &str, Json)]) -> String {
    let shape: Vec<Json> = std::iter::once(Json::Null).chain(input.iter().map(|&size| json!(size))).collect();
    let mut layers = vec![json!({
        "module": "keras.layers", "class_name": "InputLayer", "name": "input", "inbound_nodes": [],
        "config": { "batch_shape": shape, "name": "input" },
    })];
    let tensor =
        |of: &str| json!({ "class_name": "__keras_tensor__", "config": { "keras_history": [of, 0, 0] } });
    let mut last = "input".to_owned();
    for (module, class, config) in steps {
        let mut config = config.clone();
        let name = class.to_lowercase();
        config["name"] = json!(name);
        layers.push(json!({
            "module": module, "class_name": class, "name": name, "config": config,
            "inbound_nodes": [{ "args": [tensor(&last)], "kwargs": {} }],
        }));
        last = name;
    }
    let leaf = |name: &str| json!([[name, 0, 0]]);
    let model = json!({ "module": "keras", "class_name": "Functional", "registered_name": null, "config": {
        "name": "model", "layers": layers, "input_layers": leaf("input"), "output_layers": leaf(&last),
    } });
    let bytes = Bytes::held(model.to_string().into_bytes());
    let model = Architecture::from_bytes(Path::new("model.json"), bytes).unwrap();
    let rules = "[[fill]]\nkeras = '{x:**}'\nvalue = 0\n";
    let found = render(rules, &checkpoint(&[]), model, &PlanOptions::default());
    found.lines().filter(|line| !line.contains(" = 0.0 ")).collect::<Vec<_>>().join("\n")
}

const OPS: &str = "keras.src.ops.nn";

#[test]
fn operations_of_the_graph() {
    let dense = ("keras.layers", "Dense", json!({ "units": 5, "trainable": true }));
    insta::assert_snapshot!(check(&[8, 6, 3], &[
        (OPS, "LeakyRelu", json!({ "negative_slope": 0.2 })),
        (OPS, "Elu", json!({ "alpha": 0.3 })),
        (OPS, "Gelu", json!({ "approximate": true })),
        (OPS, "AveragePool", json!({ "pool_size": 2, "strides": null, "padding": "same" })),
        (OPS, "MaxPool", json!({ "pool_size": 3, "strides": 2, "padding": "same" })),
        dense.clone(),
    ]), @r#"
    note: elu: alpha is 0.3; PyTorch's default is 1
    note: gelu: approximate is true in gelu; PyTorch's default is the exact function
    note: averagepool: padding is "same" in an average: Keras does not count the padding; PyTorch does, unless count_include_pad=False
    note: maxpool: padding is "same" in max pooling with strides above 1: Keras pads more at the end than at the beginning, PyTorch evenly, both with −∞; padding="valid" agrees with PyTorch after ZeroPadding where no value is negative (after a ReLU), else after `keras.ops.pad(…, constant_values=-1e30)`
    note: averagepool: padding is "same" with strides above 1: Keras pads more at the end than at the beginning, PyTorch evenly; ZeroPadding and padding="valid" agree with PyTorch
    note: leakyrelu: the slope of the leaky ReLU is 0.2; PyTorch's default is 0.01
    "#);
    insta::assert_snapshot!(check(&[8, 6, 3], &[
        (OPS, "LeakyRelu", json!({ "negative_slope": 0.01 })),
        (OPS, "Elu", json!({ "alpha": 1.0 })),
        (OPS, "Gelu", json!({ "approximate": false })),
        (OPS, "MaxPool", json!({ "pool_size": 3, "strides": 2, "padding": "valid" })),
        dense,
    ]), @"");
}

/// A Bidirectional reads from both ends, as PyTorch's does.
#[test]
fn sequences_from_the_end() {
    let settings = |backwards: bool| {
        json!({
            "name": "cell", "units": 5, "return_sequences": true, "go_backwards": backwards, "trainable": true,
        })
    };
    insta::assert_snapshot!(check(&[7, 3], &[("keras.layers", "LSTM", settings(true))]), @"
    note: lstm: go_backwards is true: Keras reads the sequence from its end, and returns it in that order; PyTorch has no such switch
    ");
    insta::assert_snapshot!(check(&[7, 3], &[("keras.layers", "LSTM", settings(false))]), @"");
    let both = |forward: bool| {
        let layer = |backwards: bool| json!({ "module": "keras.layers", "class_name": "LSTM", "config": settings(backwards) });
        let config = json!({
            "merge_mode": "concat", "layer": layer(forward), "backward_layer": layer(!forward),
        });
        ("keras.layers", "Bidirectional", config)
    };
    insta::assert_snapshot!(check(&[7, 3], &[both(false)]), @"");
    insta::assert_snapshot!(check(&[7, 3], &[both(true)]), @"
    note: bidirectional/forward_cell: go_backwards is true: Keras reads the sequence from its end, and returns it in that order; PyTorch has no such switch
    ");
}

/// What is written in another type than the model's comes back as it was, unless the checkpoint has it in a wider one.
#[test]
fn types_that_a_form_does_not_know() {
    let mut tensors = checkpoint(&[("d.weight", &[5, 3]), ("d.bias", &[5]), ("e.weight", &[7, 5])]);
    tensors.tensors[0].tensor.dtype = Dtype::Bf16;
    let dense = [("kernel", &[3, 5][..]), ("bias", &[5])];
    let layers = [layer("d", "Dense", &dense), layer("e", "Dense", &[("kernel", &[5, 7])])];
    let mut model = architecture(Origin::Json, &layers);
    model.variables.iter_mut().for_each(|variable| variable.dtype = Dtype::Bf16);
    let options = PlanOptions { form: Form::new(Format::LegacyH5), ..PlanOptions::default() };
    let rules = "[[layer]]\ntorch = 'd'\nkeras = 'd'\n[[tensor]]\ntorch = 'e.weight'\nkeras = 'e/kernel'\n\
                 layout = 'o i -> i o'\nscale = 2\n";
    let found = render(rules, &tensors, model, &options);
    let notes: Vec<&str> = found.lines().filter(|line| line.starts_with("note")).collect();
    insta::assert_snapshot!(notes.join("\n"), @"
    note: d/kernel: bfloat16 in the model, written as float32, which Keras rounds back without a change: what is to read the file knows no bfloat16 in it
    note: d/bias, e/kernel: bfloat16 in the model, written as float32, which Keras rounds: what is to read the file knows no bfloat16 in it
    ");
}
