//! Tensors that are computed from others: what is taken for what, and every fault.

use insta::assert_snapshot;
use ptw2k::keras::Origin;
use ptw2k::lazy::Bytes;
use ptw2k::plan::PlanOptions;
use ptw2k::tensor::Dtype;

use crate::made::{Spec, architecture, checkpoint, layer};
use crate::rules::render;

pub(crate) type Tensors<'a> = &'a [(&'a str, &'a [usize])];

pub(crate) fn check(schema: &str, tensors: Tensors<'_>, layers: &[Spec<'_>]) -> String {
    render(schema, &checkpoint(tensors), architecture(Origin::Json, layers), &PlanOptions::default())
}

pub(crate) const DENSE: Tensors<'_> = &[("kernel", &[3, 2])];
pub(crate) const ONE: &str = "[[tensor]]\ntorch = 'a.weight'\nkeras = 'd/kernel'\nlayout = 'o i -> i o'\n";

pub(crate) fn one(tensors: Tensors<'_>) -> String {
    check(ONE, tensors, &[layer("d", "Dense", DENSE)])
}

#[test]
fn forms_of_a_weight() {
    let g = ("a.weight_g", &[2, 1][..]);
    let v = ("a.weight_v", &[2, 3][..]);
    assert_snapshot!(one(&[g, v]), @"d/kernel (3, 2) = a.weight [o i -> i o] line 2");
    // Both the weight and its parts, and two ways to have parts.
    assert_snapshot!(one(&[g, v, ("a.weight", &[2, 3])]), @"
    Ambiguous: `a.weight` is there in several forms: a.weight; weight_norm(a.weight_g, a.weight_v)
      at line 2
      hint: write a [[tensor]] rule that says how it is computed, with `compute`, and list the others in `source.ignore`
    ");
    assert_snapshot!(one(&[g, v, ("a.parametrizations.weight.original0", &[2, 1]), ("a.parametrizations.weight.original1", &[2, 3])]), @"
    Ambiguous: `a.weight` is there in several forms: weight_norm(a.parametrizations.weight.original0, a.parametrizations.weight.original1); weight_norm(a.weight_g, a.weight_v)
      at line 2
      hint: write a [[tensor]] rule that says how it is computed, with `compute`, and list the others in `source.ignore`
    ");
    // Names that only look alike: shapes that do not go together are no parts, and so are other parametrizations.
    assert_snapshot!(one(&[("a.weight", &[2, 3]), ("a.weight_g", &[5]), v]), @"
    Unexpected: `a.weight_g` (5,) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    Unexpected: `a.weight_v` (2, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(one(&[("a.parametrizations.weight.original", &[2, 3]), ("a.parametrizations.weight.0.base", &[2, 3])]), @"
    Rule: the rule for `a.weight` matches no tensor of the checkpoint
      at line 2
      hint: `ptw2k inspect` shows the names in the checkpoint; remove the rule, or say `optional = true` in it
    Missing: `d/kernel` (3, 2) gets no value
    Unexpected: `a.parametrizations.weight.original` (2, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    Unexpected: `a.parametrizations.weight.0.base` (2, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
}

#[test]
fn the_axis_of_spectral_norm() {
    let tensors: Tensors<'_> = &[("a.weight_orig", &[3, 3]), ("a.weight_u", &[3]), ("a.weight_v", &[3])];
    let square: Tensors<'_> = &[("kernel", &[3, 3])];
    let rule = |rest: &str| check(&format!("{ONE}{rest}"), tensors, &[layer("d", "Dense", square)]);
    assert_snapshot!(rule(""), @"
    Shape: `a.weight` cannot be computed by spectral_norm: `u` of length 3 fits axis 0 and axis 1 of the weight's shape (3, 3); the sizes do not tell which
      at line 2
      hint: say it in the rule: `dim = 1` for a transposed convolution, `dim = 0` for any other module, as torch has it
    ");
    assert_snapshot!(rule("dim = 1"), @"d/kernel (3, 3) = a.weight [o i -> i o] line 2");
    assert_snapshot!(rule("dim = 2"), @"
    Shape: `a.weight` cannot be computed by spectral_norm: `u` of length 3 fits axis 0 and axis 1 of the weight's shape (3, 3); the sizes do not tell which
      at line 2
      hint: say it in the rule: `dim = 1` for a transposed convolution, `dim = 0` for any other module, as torch has it
    ");
    let layers = |class| check("[[layer]]\ntorch = 'a'\nkeras = 'd'", tensors, &[layer("d", class, square)]);
    assert_snapshot!(layers("Dense"), @"d/kernel (3, 3) = a.weight [o i -> i o] Dense, line 2");
    assert_snapshot!(one(&[("a.parametrizations.weight.original", &[2, 3]), ("a.parametrizations.weight.0._u", &[5]), ("a.parametrizations.weight.0._v", &[3])]), @"
    Shape: `a.weight` cannot be computed by spectral_norm: `u` has shape (5,), where the length of an axis of the weight's shape (2, 3) is needed, and as many values in `v`, whose shape is (3,), as the other axes have
      at line 2
    ");
}

/// What is the same of many tensors of a rule is said once.
#[test]
fn many_of_one_rule() {
    let keys: Vec<[String; 3]> = (0..3)
        .map(|i| {
            ["base_layer.weight", "lora_A.default.weight", "lora_B.default.weight"]
                .map(|key| format!("b.{i}.{key}"))
        })
        .collect();
    let tensors: Vec<(&str, &[usize])> = keys
        .iter()
        .flat_map(|[base, a, b]| [(base.as_str(), &[2, 3][..]), (a.as_str(), &[4, 3]), (b.as_str(), &[2, 4])])
        .collect();
    let rule = "[[layer]]\ntorch = 'b.{i}'\nkeras = 'd_{i}'\n";
    let layers = ["d_0", "d_1", "d_2"].map(|name| layer(name, "Dense", DENSE));
    assert_snapshot!(check(rule, &tensors, &layers), @"
    Rule: `b.0.weight` is changed by an adapter (LoRA), whose alpha the checkpoint does not tell
      at line 2
      hint: put PEFT's adapter_config.json beside the checkpoint, or say its `lora_alpha` in the schema: `lora = { alpha = 16 }` in [source]; the same is true of 2 more tensors of the rule, such as `b.2.weight`
    ");
    // One tensor of three variables.
    let attention: Tensors<'_> =
        &[("query/kernel", &[6, 2, 3]), ("key/kernel", &[6, 2, 3]), ("value/kernel", &[6, 2, 3])];
    let parts: Tensors<'_> =
        &[("a.in_proj_weight_g", &[7, 1]), ("a.in_proj_weight_v", &[18, 6]), ("a.in_proj_weight", &[18, 6])];
    let rule = "[[tensor]]\ntorch = { v = 'a.in_proj_weight_v', g = 'a.in_proj_weight_g' }\ncompute = 'weight_norm'\n\
                keras = ['a/query/kernel', 'a/key/kernel', 'a/value/kernel']\nlayout = '(h k) e -> e h k'";
    assert_snapshot!(check(rule, parts, &[layer("a", "Mine", attention)]), @"
    Shape: `a.in_proj_weight_v` cannot be computed by weight_norm: `g` has shape (7, 1), where one axis of the shape (18, 6) of `v` is needed, with a 1 for each other, or a single number
      at line 2
    Unexpected: `a.in_proj_weight` (18, 6) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    let forms: Tensors<'_> =
        &[("a.in_proj_weight_g", &[18, 1]), ("a.in_proj_weight_v", &[18, 6]), ("a.in_proj_weight", &[18, 6])];
    assert_snapshot!(check("[[layer]]\ntorch = 'a'\nkeras = 'a'", forms, &[layer("a", "MultiHeadAttention", attention)]), @"
    Ambiguous: `a.in_proj_weight` is there in several forms: a.in_proj_weight; weight_norm(a.in_proj_weight_g, a.in_proj_weight_v)
      at line 2
      hint: write a [[tensor]] rule that says how it is computed, with `compute`, and list the others in `source.ignore`
    ");
}

#[test]
fn rules_that_compute() {
    let rule = |rest: &str, tensors: Tensors<'_>| {
        check(
            &format!("[[tensor]]\nkeras = 'd/kernel'\nlayout = 'o i -> i o'\n{rest}"),
            tensors,
            &[layer("d", "Dense", DENSE)],
        )
    };
    let norm = "compute = 'weight_norm'\ntorch = { v = 'v', g = 'g' }";
    assert_snapshot!(rule(norm, &[("v", &[2, 3]), ("gg", &[2, 1])]), @"
    Missing: there is no tensor `g`, the `g` that the rule computes with
      at line 2
      hint: did you mean `gg`?
    Unexpected: `gg` (2, 1) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(rule(norm, &[("v", &[2, 3]), ("g", &[3, 1])]), @"
    Shape: `v` cannot be computed by weight_norm: `g` has shape (3, 1), where one axis of the shape (2, 3) of `v` is needed, with a 1 for each other, or a single number
      at line 2
    ");
    assert_snapshot!(rule(norm, &[("g", &[3, 1])]), @"
    Rule: the rule for `v` matches no tensor of the checkpoint
      at line 2
      hint: `ptw2k inspect` shows the names in the checkpoint; remove the rule, or say `optional = true` in it
    Missing: `d/kernel` (3, 2) gets no value
      hint: no unused tensor has the same sizes: where PyTorch keeps it with others in one tensor, split that with a [[tensor]] rule; a constant is [[fill]]
    Unexpected: `g` (3, 1) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(rule("compute = 'pruned'\ntorch = { weight = 'v', mask = 'm' }", &[("v", &[2, 3]), ("m", &[3, 2])]), @"
    Shape: `v` cannot be computed by pruned: `mask` has shape (3, 2), where the weight's shape (2, 3) is needed
      at line 2
    ");
    assert_snapshot!(rule("compute = 'mxfp4'\ntorch = { blocks = 'v', scales = 'm' }", &[("v", &[2, 1, 16]), ("m", &[2, 1])]), @"
    Shape: `v` cannot be computed by mxfp4: `blocks` is float32, where bytes (uint8) are needed
      at line 2
    ");
    assert_snapshot!(rule("compute = 'dequantize'\ntorch = { weight = 'v', scale = 'm' }", &[("v", &[2, 3]), ("m", &[2])]), @"
    Shape: `v` cannot be computed by dequantize: `weight` is float32, where whole numbers or floats of 8 bits are needed
      at line 2
    ");
}

/// One module after the other is a layer, whatever its weight is made of.
#[test]
fn sequences() {
    let tensors: Tensors<'_> = &[
        ("n.0.weight_g", &[2, 1]),
        ("n.0.weight_v", &[2, 3]),
        ("n.2.parametrizations.weight.original0", &[5, 1]),
        ("n.2.parametrizations.weight.original1", &[5, 2]),
        ("n.3.weight", &[7]),
        ("n.4.weight", &[3, 5]),
    ];
    let kernels: [Tensors<'_>; 3] = [&[("kernel", &[3, 2])], &[("kernel", &[2, 5])], &[("kernel", &[5, 3])]];
    let layers: Vec<Spec<'_>> =
        ["a", "b", "c"].into_iter().zip(kernels).map(|(name, kernel)| layer(name, "Dense", kernel)).collect();
    let schema =
        "[source]\nignore = 'n.3.*'\n[[sequence]]\ntorch = '{x:**}'\nkeras = '{y:*}'\nclass = 'Dense'";
    assert_snapshot!(check(schema, tensors, &layers), @"
    a/kernel (3, 2) = n.0.weight [o i -> i o] Dense, line 4
    b/kernel (2, 5) = n.2.weight [o i -> i o] Dense, line 4
    c/kernel (5, 3) = n.4.weight [o i -> i o] Dense, line 4
    unused: n.3.weight
    note: a, b, c: paired by [[sequence]] in the order of the files, which names do not confirm: where the graph branches, Keras orders layers by depth and PyTorch as they were defined
    ");
}

#[test]
fn arithmetic() {
    let rule = |rest: &str, dtype| {
        let mut model = architecture(Origin::Json, &[layer("d", "Dense", DENSE)]);
        model.variables[0].dtype = dtype;
        let tensors = [("a", &[3, 2][..]), ("b", &[2][..])];
        render(
            &format!("[[tensor]]\ntorch = 'a'\nkeras = 'd/kernel'\n{rest}"),
            &checkpoint(&tensors),
            model,
            &PlanOptions::default(),
        )
    };
    assert_snapshot!(rule("add = [{ torch = 'b', layout = 'i -> o i' }]", Dtype::F32), @"d/kernel (3, 2) = a + b [] line 2");
    assert_snapshot!(rule("add = [{ torch = 'c' }]", Dtype::F32), @"
    Missing: no tensor is `c`, which the rule adds
      at line 2
    Unexpected: `b` (2,) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(rule("add = [{ torch = 'b' }]", Dtype::F32), @"
    Shape: `b` (2,) does not fit `d/kernel` (3, 2)
      at line 2
    ");
    assert_snapshot!(rule("scale = 2\nadd = [{ torch = 'b', layout = 'i -> o i' }]", Dtype::I32), @"
    Dtype: `d/kernel` is int32, and `scale`, `offset` and `round` are for floats
      at line 2
      hint: whole numbers are copied or added; leave `scale`, `offset` and `round` out
    ");
}

/// A weight of bytes beside what bitsandbytes says of it, which may be anything.
#[test]
fn descriptions_of_four_bit_weights() {
    let with = |state: &str, packed: usize| {
        let length = [state.len()];
        let packed = [packed];
        let mut checkpoint = checkpoint(&[
            ("a.weight", &packed),
            ("a.weight.absmax", &[1]),
            ("a.weight.quant_map", &[16]),
            ("a.weight.quant_state.bitsandbytes__nf4", &length),
        ]);
        for (at, bytes) in [(0, vec![0x10; packed[0]]), (3, state.as_bytes().to_vec())] {
            let tensor = &mut checkpoint.tensors[at].tensor;
            tensor.dtype = Dtype::U8;
            tensor.storage = Bytes::held(bytes).into();
        }
        render(
            ONE,
            &checkpoint,
            architecture(Origin::Json, &[layer("d", "Dense", DENSE)]),
            &PlanOptions::default(),
        )
    };
    let state = |block: &str, dtype: &str, shape: &str| {
        format!(
            "{{\"quant_type\": \"nf4\", \"blocksize\": {block}, \"dtype\": \"{dtype}\", \"shape\": {shape}}}"
        )
    };
    assert_snapshot!(with(&state("64", "float16", "[2, 3]"), 3), @"d/kernel (3, 2) = a.weight [o i -> i o] line 2");
    assert_snapshot!(with(&state("64", "float16", "[2, 5]"), 3), @"
    Shape: `a.weight` cannot be computed by dequantize: `weight` has 3 values, where 5 are needed
      at line 2
    ");
    assert_snapshot!(with(&state("2", "float16", "[2, 3]"), 3), @"
    Shape: `a.weight` cannot be computed by dequantize: `absmax` has 1 values, where 3 are needed
      at line 2
    ");
    assert_snapshot!(with(&state("0", "float16", "[2, 3]"), 3), @"
    Rule: `a.weight` cannot be dequantized: its `quant_state` is not understood: it speaks of blocks of no numbers
      at line 2
    ");
    assert_snapshot!(with(&state("64", "int4", "[2, 3]"), 3), @"
    Rule: `a.weight` cannot be dequantized: its `quant_state` is not understood: it speaks of the type `int4`
      at line 2
    ");
    assert_snapshot!(with(&state("64", "float16", "[18446744073709551615, 3]"), 3), @"
    Rule: `a.weight` cannot be dequantized: its `quant_state` is not understood: the number of elements of shape [18446744073709551615, 3] overflows
      at line 2
    ");
    assert_snapshot!(with("{\"quant_type\": \"nf4\"}", 3), @"
    Rule: `a.weight` cannot be dequantized: its `quant_state` is not understood: missing field `blocksize` at line 1 column 21
      at line 2
    ");
    assert_snapshot!(with(&" ".repeat(5000), 3), @"
    Rule: `a.weight` cannot be dequantized: its `quant_state` is not understood: it is no text of at most 4096 bytes
      at line 2
    ");
}
