//! Layers around others: recurrent layers and their cells, wrappers, attention.

use insta::assert_snapshot;

use ptw2k::keras::{FeatureOrder, Origin};
use ptw2k::plan::PlanOptions;

use crate::made::{Spec, architecture, checkpoint, layer};
use crate::rules::render;

type Tensors = Vec<(String, Vec<usize>)>;

/// The parameters of an LSTM of 3 units that reads 5 features.
const LSTM: [(&str, &[usize]); 4] =
    [("weight_ih", &[12, 5]), ("weight_hh", &[12, 3]), ("bias_ih", &[12]), ("bias_hh", &[12])];

const CELL: &[(&str, &[usize])] = &[("kernel", &[5, 12]), ("recurrent_kernel", &[3, 12]), ("bias", &[12])];

/// Parameters under names with that around them.
fn named(before: &str, parameters: &[(&str, &[usize])], after: &str) -> Tensors {
    parameters.iter().map(|(name, sizes)| (format!("{before}{name}{after}"), sizes.to_vec())).collect()
}

fn planned(schema: &str, tensors: &[Tensors], layers: &[Spec<'_>]) -> String {
    planned_of(Origin::Json, schema, tensors, layers)
}

fn planned_of(origin: Origin, schema: &str, tensors: &[Tensors], layers: &[Spec<'_>]) -> String {
    let tensors = tensors.concat();
    let tensors: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, sizes)| (name.as_str(), sizes.as_slice())).collect();
    render(schema, &checkpoint(&tensors), architecture(origin, layers), &PlanOptions::default())
}

#[test]
fn one_layer() {
    let layers = || [layer("rnn", "LSTM", &[]), layer("rnn/lstm_cell", "LSTMCell", CELL)];
    let rule = "[[layer]]\ntorch = 'rnn'\nkeras = 'rnn'\n";
    assert_snapshot!("lstm", planned(rule, &[named("rnn.", &LSTM, "_l0")], &layers()));
    assert_snapshot!("lstm_cell", planned(rule, &[named("rnn.", &LSTM, "")], &layers()));
    // Not both: neither nn.LSTM nor nn.LSTMCell has them.
    let both = [named("rnn.", &LSTM, "_l0"), named("rnn.", &LSTM, "")];
    assert_snapshot!("lstm_and_cell", planned(rule, &both, &layers()));
    // One of the two biases that are added.
    assert_snapshot!("lstm_half_a_bias", planned(rule, &[named("rnn.", &LSTM[..3], "_l0")], &layers()));
    assert_snapshot!("lstm_without_bias", planned(rule, &[named("rnn.", &LSTM[..2], "_l0")], &layers()));
}

/// A module of several layers, to as many of Keras.
#[test]
fn stacks() {
    let layers = [
        layer("rnn_0", "LSTM", &[]),
        layer("rnn_0/lstm_cell", "LSTMCell", CELL),
        layer("rnn_1", "LSTM", &[]),
        layer("rnn_1/lstm_cell", "LSTMCell", CELL),
    ];
    let tensors = [named("rnn.", &LSTM, "_l0"), named("rnn.", &LSTM, "_l1")];
    let rule = "[[layer]]\ntorch = 'rnn.{*}_l{k}'\nkeras = 'rnn_{k}'\n";
    assert_snapshot!("stack", planned(rule, &tensors, &layers));
    let rule = "[[layer]]\ntorch = 'rnn.{*}_l{k}'\nkeras = 'rnn_{k+1}'\n";
    assert_snapshot!("stack_off_by_one", planned(rule, &tensors, &layers));
    let cells = [
        layer("stack", "RNN", &[]),
        layer("stack/cells", "StackedRNNCells", &[]),
        layer("stack/cells/a", "LSTMCell", CELL),
        layer("stack/cells/b", "LSTMCell", CELL),
    ];
    assert_snapshot!("cells", planned("[[layer]]\ntorch = 'rnn'\nkeras = 'stack'\n", &tensors, &cells));
}

#[test]
fn directions() {
    let layers = [
        layer("both", "Bidirectional", &[]),
        layer("both/backward_lstm", "LSTM", &[]),
        layer("both/backward_lstm/lstm_cell", "LSTMCell", CELL),
        layer("both/forward_lstm", "LSTM", &[]),
        layer("both/forward_lstm/lstm_cell", "LSTMCell", CELL),
    ];
    let tensors = [named("rnn.", &LSTM, "_l1"), named("rnn.", &LSTM, "_l1_reverse")];
    let rule = "[[layer]]\ntorch = 'rnn.{*}_l{k}'\nkeras = 'both'\n";
    assert_snapshot!("directions_one_sided", {
        let schema = format!("schema = 1\n{rule}");
        ptw2k::schema::Schema::parse("schema.toml", &schema, None).unwrap_err().to_string()
    });
    let rule = "[[layer]]\ntorch = 'rnn.{*}_l1'\nkeras = 'both'\n";
    assert_snapshot!("directions", planned(rule, &tensors, &layers));
}

/// A layer's path and its variables.
type Named<'a> = (&'a str, &'a [(&'a str, &'a [usize])]);

const HEADS: [Named<'_>; 4] = [
    ("attn/query", &[("kernel", &[10, 2, 5]), ("bias", &[2, 5])]),
    ("attn/key", &[("kernel", &[10, 2, 5]), ("bias", &[2, 5])]),
    ("attn/value", &[("kernel", &[10, 2, 5]), ("bias", &[2, 5])]),
    ("attn/attention_output", &[("kernel", &[2, 5, 10]), ("bias", &[10])]),
];

/// One tensor for three layers, or one for each, but not both.
#[test]
fn attention() {
    let layers = || {
        let mut layers = vec![layer("attn", "MultiHeadAttention", &[])];
        layers.extend(HEADS.iter().map(|(path, variables)| layer(path, "EinsumDense", variables)));
        layers
    };
    let rule = "[[layer]]\ntorch = 'a'\nkeras = 'attn'\n";
    let out: &[(&str, &[usize])] = &[("out_proj.weight", &[10, 10]), ("out_proj.bias", &[10])];
    let fused: &[(&str, &[usize])] = &[("in_proj_weight", &[30, 10]), ("in_proj_bias", &[30])];
    let apart: &[(&str, &[usize])] = &[
        ("q_proj_weight", &[10, 10]),
        ("k_proj_weight", &[10, 10]),
        ("v_proj_weight", &[10, 10]),
        ("in_proj_bias", &[30]),
    ];
    let all = |parts: &[&[(&str, &[usize])]]| named("a.", &parts.concat(), "");
    assert_snapshot!("attention_fused", planned(rule, &[all(&[fused, out])], &layers()));
    assert_snapshot!("attention_apart", planned(rule, &[all(&[apart, out])], &layers()));
    let twice: Tensors = all(&[&fused[..1], apart, out]);
    assert_snapshot!("attention_twice", planned(rule, &[twice], &layers()));
    assert_snapshot!("attention_lacks", planned(rule, &[all(&[fused])], &layers()));
}

/// Features of a map that was flattened: told by the graph, or to be told where there is none; a rule's word for them
/// counts for the layers inside, and what the layer makes may become a map again.
#[test]
fn flattened_features() {
    let cell: &[(&str, &[usize])] = &[("kernel", &[12, 20]), ("recurrent_kernel", &[5, 20]), ("bias", &[20])];
    let read = |order: FeatureOrder| {
        vec![
            layer("conv", "Conv2D", &[("kernel", &[2, 2, 4, 3])]),
            layer("both", "Bidirectional", &[]),
            layer("both/backward_lstm", "LSTM", &[]),
            Spec("both/backward_lstm/lstm_cell", "LSTMCell", order.clone(), cell),
            layer("both/forward_lstm", "LSTM", &[]),
            Spec("both/forward_lstm/lstm_cell", "LSTMCell", order, cell),
        ]
    };
    let lstm: &[(&str, &[usize])] =
        &[("weight_ih", &[20, 12]), ("weight_hh", &[20, 5]), ("bias_ih", &[20]), ("bias_hh", &[20])];
    let conv: &[(&str, &[usize])] = &[("conv.weight", &[3, 4, 2, 2])];
    let tensors = [named("", conv, ""), named("rnn.", lstm, "_l0"), named("rnn.", lstm, "_l0_reverse")];
    let rule = |more: &str| {
        format!("[[layer]]\ntorch = 'conv'\nkeras = 'conv'\n[[layer]]\ntorch = 'rnn'\nkeras = 'both'\n{more}")
    };
    let map = || FeatureOrder::Flattened(vec![4, 3]);
    assert_snapshot!("flattened_told_by_the_graph", planned(&rule(""), &tensors, &read(map())));
    let unknown = || FeatureOrder::Unknown("the output of `reshape`".to_owned());
    assert_snapshot!("flattened_unclear", planned(&rule(""), &tensors, &read(unknown())));
    assert_snapshot!("flattened_said", planned(&rule("flatten = [4, 3]\n"), &tensors, &read(unknown())));
    let template =
        |more: &str| planned_of(Origin::Template, &rule(more), &tensors, &read(FeatureOrder::Plain));
    assert_snapshot!("flattened_in_a_template", template("unflatten = []\n"));
    assert_snapshot!("flattened_said_for_a_template", template("flatten = [4, 3]\nunflatten = []\n"));
    assert_snapshot!("unflattened_in_a_template", template("flatten = []\n"));
}

/// An attention layer has no variables of its own to show what it reads.
#[test]
fn flattened_features_of_attention() {
    let layers = |order: FeatureOrder| {
        let mut layers = vec![Spec("attn", "MultiHeadAttention", order, &[])];
        layers.extend(HEADS.iter().map(|(path, variables)| layer(path, "EinsumDense", variables)));
        layers
    };
    let tensors: &[(&str, &[usize])] = &[
        ("in_proj_weight", &[30, 10]),
        ("in_proj_bias", &[30]),
        ("out_proj.weight", &[10, 10]),
        ("out_proj.bias", &[10]),
    ];
    let tensors = [named("a.", tensors, "")];
    let rule = "[[layer]]\ntorch = 'a'\nkeras = 'attn'\n";
    let map = layers(FeatureOrder::Flattened(vec![2, 5]));
    assert_snapshot!("attention_of_a_map", planned(rule, &tensors, &map));
    let unknown = layers(FeatureOrder::Unknown("the output of `reshape`".to_owned()));
    assert_snapshot!("attention_of_what_is_unclear", planned(rule, &tensors, &unknown));
}

/// An index names a variable as well as its name does, also where a capture splits a tensor.
#[test]
fn indices_for_names() {
    let mut layers = vec![layer("attn", "MultiHeadAttention", &[])];
    layers.extend(HEADS[..3].iter().map(|(path, variables)| layer(path, "EinsumDense", variables)));
    let tensors: &[(&str, &[usize])] = &[("w", &[30, 10]), ("b", &[30])];
    let rule = |keras: &str| {
        format!(
            "[[tensor]]\ntorch = 'w'\nkeras = 'attn/{{p:query|key|value}}/{keras}'\nlayout = '(p h d) e -> e h d'\n\
             [[tensor]]\ntorch = 'b'\nkeras = 'attn/{{p:query|key|value}}/1'\nlayout = '(p h d) -> h d'\n"
        )
    };
    let by = |keras: &str| planned(&rule(keras), &[named("", tensors, "")], &layers);
    let by_name = by("kernel");
    assert!(by_name.starts_with("attn/query/kernel (10, 2, 5) = w"), "{by_name}");
    assert_eq!(by_name, by("0"));
}

/// Keras has a class under two names, and a template no class for a layer inside that was named by its author.
#[test]
fn classes_by_other_names() {
    let grouped: &[(&str, &[usize])] = &[("kernel", &[10, 2, 5])];
    let layers = [layer("a", "GroupedQueryAttention", &[]), layer("a/query", "EinsumDense", grouped)];
    let tensors: &[(&str, &[usize])] = &[("a.q_proj.weight", &[10, 10])];
    let rule = |class: &str| format!("[[layer]]\ntorch = 'a'\nkeras = 'a'\nclass = '{class}'\n");
    let by = |class: &str| planned(&rule(class), &[named("", tensors, "")], &layers);
    assert!(by("GroupedQueryAttention").starts_with("a/query/kernel"), "{}", by("GroupedQueryAttention"));
    assert_eq!(by("GroupQueryAttention"), by("GroupedQueryAttention"));
    let layers = [
        layer("both", "Bidirectional", &[]),
        layer("both/backward_mine", "", &[]),
        layer("both/backward_mine/cell", "", CELL),
    ];
    let tensors = [named("rnn.", &LSTM, "_l0_reverse")];
    let rule = "[[layer]]\ntorch = 'rnn'\nkeras = 'both'\nclass = 'Bidirectional'\n";
    assert_snapshot!("untold_inside", planned_of(Origin::Template, rule, &tensors, &layers));
    let rule = "[[layer]]\ntorch = 'rnn.{*}_l0_reverse'\nkeras = 'both/backward_mine'\nclass = 'LSTM'\n";
    assert_snapshot!("told_inside", planned_of(Origin::Template, rule, &tensors, &layers));
}

/// A wrapper's layer goes by its own class, also where only the rule of the wrapper tells what is flattened.
#[test]
fn wrappers() {
    let layers = [
        layer("steps", "TimeDistributed", &[]),
        layer("steps/dense", "Dense", &[("kernel", &[5, 3]), ("bias", &[3])]),
        layer("norm", "SpectralNormalization", &[("kernel", &[7, 2]), ("vector_u", &[1, 2])]),
        layer("norm/dense_1", "Dense", &[("kernel", &[7, 2]), ("bias", &[2])]),
    ];
    let tensors: &[(&str, &[usize])] = &[
        ("s.weight", &[3, 5]),
        ("s.bias", &[3]),
        ("n.weight_orig", &[2, 7]),
        ("n.weight_u", &[2]),
        ("n.weight_v", &[7]),
        ("n.bias", &[2]),
    ];
    let rules = "[[layer]]\ntorch = 's'\nkeras = 'steps'\n[[layer]]\ntorch = 'n'\nkeras = 'norm'\n";
    assert_snapshot!("wrappers", planned(rules, &[named("", tensors, "")], &layers));
}
