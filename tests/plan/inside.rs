//! Layers around others: recurrent layers and their cells, wrappers, attention.

use insta::assert_snapshot;

use crate::made::{Spec, layer};
use crate::rules::check;

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
    let tensors = tensors.concat();
    let tensors: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, sizes)| (name.as_str(), sizes.as_slice())).collect();
    check(schema, &tensors, layers)
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

const HEADS: [(&str, &[(&str, &[usize])]); 4] = [
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
