//! Layers of the user's own classes: a template has their variables, a schema names them.

use std::path::Path;

use ptw2k::keras::Architecture;
use ptw2k::plan::PlanOptions;
use ptw2k::schema::Glob;

use crate::made::checkpoint;
use crate::rules::render;

/// The blocks of a subclassed model, each with a variable of its own and layers of Keras inside.
fn check(schema: &str) -> String {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras/subclassed.weights.h5");
    let tensors = checkpoint(&[
        ("blocks.0.scale", &[6]),
        ("blocks.0.fc1.weight", &[6, 5]),
        ("blocks.0.fc1.bias", &[6]),
        ("blocks.0.norm.weight", &[6]),
        ("blocks.0.norm.bias", &[6]),
    ]);
    let others = ["mha/**", "bi/**", "block_1/**", "conv2d/*", "second_conv/*", "x/*", "y/*"];
    let allow_missing = others.iter().map(|glob| Glob::new(glob).unwrap()).collect();
    let options = PlanOptions { allow_missing, ..PlanOptions::default() };
    let found = render(schema, &tensors, Architecture::open(&template).unwrap(), &options);
    found.lines().filter(|line| !line.starts_with("note:")).collect::<Vec<_>>().join("\n")
}

/// Nothing is flattened or becomes a map between the layers.
const PLAIN: &str = "[target]\nflatten = []\nunflatten = []\n";

const INNER: &str = "
[[layer]]
torch = 'blocks.0.fc1'
keras = 'block/dense'
[[layer]]
torch = 'blocks.0.norm'
keras = 'block/norm'
class = 'LayerNormalization'
";

#[test]
fn a_class_of_the_schema_names_the_variables() {
    let class = "[class.Block]\nvariables = [{ keras = 'scale', torch = 'scale' }]\n";
    let block = "[[layer]]\ntorch = 'blocks.0'\nkeras = 'block'\nclass = 'Block'\n";
    insta::assert_snapshot!(check(&format!("{PLAIN}{class}{block}{INNER}")), @"
    mha/key/kernel (7, 2, 3) =  [] --allow-missing mha/**
    mha/key/bias (2, 3) =  [] --allow-missing mha/**
    mha/attention_output/kernel (2, 3, 7) =  [] --allow-missing mha/**
    mha/attention_output/bias (7,) =  [] --allow-missing mha/**
    mha/query/kernel (7, 2, 3) =  [] --allow-missing mha/**
    mha/query/bias (2, 3) =  [] --allow-missing mha/**
    mha/value/kernel (7, 2, 3) =  [] --allow-missing mha/**
    mha/value/bias (2, 3) =  [] --allow-missing mha/**
    bi/backward_lstm/lstm_cell/kernel (7, 12) =  [] --allow-missing bi/**
    bi/backward_lstm/lstm_cell/recurrent_kernel (3, 12) =  [] --allow-missing bi/**
    bi/backward_lstm/lstm_cell/bias (12,) =  [] --allow-missing bi/**
    bi/forward_lstm/lstm_cell/kernel (7, 12) =  [] --allow-missing bi/**
    bi/forward_lstm/lstm_cell/recurrent_kernel (3, 12) =  [] --allow-missing bi/**
    bi/forward_lstm/lstm_cell/bias (12,) =  [] --allow-missing bi/**
    block/0 (6,) = blocks.0.scale [] Block, line 7
    block/dense/kernel (5, 6) = blocks.0.fc1.weight [o i -> i o] Dense, line 12
    block/dense/bias (6,) = blocks.0.fc1.bias [o -> o] Dense, line 12
    block/norm/0 (6,) = blocks.0.norm.weight [c -> c] LayerNormalization, line 15
    block/norm/1 (6,) = blocks.0.norm.bias [c -> c] LayerNormalization, line 15
    block_1/0 (7,) =  [] --allow-missing block_1/**
    block_1/dense_1/kernel (6, 7) =  [] --allow-missing block_1/**
    block_1/dense_1/bias (7,) =  [] --allow-missing block_1/**
    block_1/norm/0 (7,) =  [] --allow-missing block_1/**
    block_1/norm/1 (7,) =  [] --allow-missing block_1/**
    conv2d/kernel (3, 3, 3, 4) =  [] --allow-missing conv2d/*
    conv2d/bias (4,) =  [] --allow-missing conv2d/*
    second_conv/0 (2, 2, 4, 5) =  [] --allow-missing second_conv/*
    x/kernel (6, 2) =  [] --allow-missing x/*
    x/bias (2,) =  [] --allow-missing x/*
    y/kernel (6, 3) =  [] --allow-missing y/*
    y/bias (3,) =  [] --allow-missing y/*
    ");
    // Without it, nothing says what the block's own variable is.
    insta::assert_snapshot!(check(&format!("{PLAIN}{block}{INNER}")), @"
    Rule: layer `block` is a `Block`, for which there are no class rules
      at line 5
      hint: write [class.Block] in the schema, or [[tensor]] rules for its variables
    ");
    // Shapes must agree.
    let class = "[class.Block]\nvariables = [{ keras = 'scale', torch = 'fc1.weight' }]\n";
    insta::assert_snapshot!(check(&format!("{PLAIN}{class}{block}{INNER}")), @"
    Shape: `blocks.0.fc1.weight` (6, 5) does not fit `block/0` (6,)
      at line 7
    Unexpected: `blocks.0.scale` (6,) float32 has no use
      hint: layer `block` has no variable for it; build the layer with one, or list the tensor in `source.ignore`
    ");
}
