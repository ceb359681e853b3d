//! The class rules of `schemas/layers.toml`: a module of distinct sizes to a layer of each class.

use ptw2k::keras::Origin;
use ptw2k::plan::{PlanOptions, plan};
use ptw2k::schema::Schema;

use crate::made::{architecture, checkpoint, layer};

/// A module's tensors to a layer's variables, each with the layout that must carry it.
fn check(class: &str, tensors: &[(&str, &[usize])], variables: &[(&str, &[usize], &str)]) {
    let schema = Schema::parse("s.toml", "schema = 1\n[[layer]]\ntorch = 'm'\nkeras = 'l'\n", None).unwrap();
    let tensors: Vec<(String, &[usize])> =
        tensors.iter().map(|(name, shape)| (format!("m.{name}"), *shape)).collect();
    let tensors: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    let shapes: Vec<(&str, &[usize])> = variables.iter().map(|(name, shape, _)| (*name, *shape)).collect();
    let made = architecture(Origin::Json, &[layer("l", class, &shapes)]);
    let plan = plan(&checkpoint(&tensors), &schema, made, &PlanOptions::default())
        .unwrap_or_else(|faults| panic!("{class}: {:?}", faults.faults));
    let layouts: Vec<&str> = plan.bindings.iter().map(|binding| &*binding.layout).collect();
    let expected: Vec<&str> = variables.iter().map(|(_, _, layout)| *layout).collect();
    assert_eq!(layouts, expected, "{class}");
}

#[test]
fn dense() {
    check(
        "Dense",
        &[("weight", &[5, 3]), ("bias", &[5])],
        &[("kernel", &[3, 5], "o i -> i o"), ("bias", &[5], "o -> o")],
    );
    check("EinsumDense", &[("weight", &[5, 3])], &[("kernel", &[3, 5], "o i -> i o")]);
    check("EinsumDense", &[("weight", &[5, 3])], &[("kernel", &[5, 3], "o i -> o i")]);
    check("Embedding", &[("weight", &[7, 3])], &[("embeddings", &[7, 3], "v e -> v e")]);
}

#[test]
fn convolutions() {
    check("Conv1D", &[("weight", &[5, 2, 3])], &[("kernel", &[3, 2, 5], "o i w -> w i o")]);
    check("Conv2D", &[("weight", &[5, 2, 3, 7])], &[("kernel", &[3, 7, 2, 5], "o i h w -> h w i o")]);
    check(
        "Conv3D",
        &[("weight", &[5, 2, 3, 7, 4])],
        &[("kernel", &[3, 7, 4, 2, 5], "o i d h w -> d h w i o")],
    );
    check("Conv1DTranspose", &[("weight", &[5, 2, 3])], &[("kernel", &[3, 2, 5], "i o w -> w o i")]);
    check(
        "Conv2DTranspose",
        &[("weight", &[5, 2, 3, 7])],
        &[("kernel", &[3, 7, 2, 5], "i o h w -> h w o i")],
    );
    check(
        "Conv3DTranspose",
        &[("weight", &[5, 2, 3, 7, 4])],
        &[("kernel", &[3, 7, 4, 2, 5], "i o d h w -> d h w o i")],
    );
    check("DepthwiseConv1D", &[("weight", &[6, 1, 5])], &[("kernel", &[5, 3, 2], "(c m) 1 w -> w c m")]);
    check(
        "DepthwiseConv2D",
        &[("weight", &[6, 1, 5, 7]), ("bias", &[6])],
        &[("kernel", &[5, 7, 3, 2], "(c m) 1 h w -> h w c m"), ("bias", &[6], "o -> o")],
    );
    check(
        "SeparableConv2D",
        &[("depthwise.weight", &[6, 1, 5, 7]), ("pointwise.weight", &[4, 6, 1, 1]), ("pointwise.bias", &[4])],
        &[
            ("depthwise_kernel", &[5, 7, 3, 2], "(c m) 1 h w -> h w c m"),
            ("pointwise_kernel", &[1, 1, 6, 4], "o i 1 1 -> 1 1 i o"),
            ("bias", &[4], "o -> o"),
        ],
    );
}

#[test]
fn normalizations() {
    check(
        "LayerNormalization",
        &[("gamma", &[5]), ("beta", &[5])],
        &[("gamma", &[5], "c -> c"), ("beta", &[5], "c -> c")],
    );
    check("LayerNormalization", &[("weight", &[2, 3, 5])], &[("gamma", &[3, 5, 2], "c h w -> h w c")]);
    check(
        "GroupNormalization",
        &[("weight", &[6]), ("bias", &[6])],
        &[("gamma", &[6], "c -> c"), ("beta", &[6], "c -> c")],
    );
    check("RMSNormalization", &[("weight", &[6])], &[("scale", &[6], "c -> c")]);
    check("PReLU", &[("weight", &[6])], &[("alpha", &[1, 1, 6], "c -> h w c")]);
    check("PReLU", &[("weight", &[1])], &[("alpha", &[3, 4, 6], "1 -> h w c")]);
}
