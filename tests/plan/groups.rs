//! Modules with groups, to layers that have none.

use insta::assert_snapshot;
use ptw2k::keras::Origin;
use ptw2k::plan::{Plan, PlanOptions, plan};
use ptw2k::schema::Schema;
use ptw2k::tensor::Dtype;

use crate::made::{Spec, architecture, checkpoint, layer};
use crate::rules::render;

type Tensors<'a> = &'a [(&'a str, &'a [usize])];

const PAIR: &str = "[[layer]]\ntorch = '{m:*}'\nkeras = '{m}'\n";
const TENSOR: &str = "[[tensor]]\nkeras = 'up/kernel'\nlayout = 'i o h w -> h w o i'\n";
/// `nn.ConvTranspose2d(6, 4, (3, 5), groups=2)`.
const UP: Tensors<'_> = &[("up.weight", &[6, 2, 3, 5]), ("up.bias", &[4])];
const KERAS_UP: Tensors<'_> = &[("kernel", &[3, 5, 4, 6]), ("bias", &[4])];

fn check(schema: &str, tensors: Tensors<'_>, layers: &[Spec<'_>]) -> String {
    render(schema, &checkpoint(tensors), architecture(Origin::Json, layers), &PlanOptions::default())
}

/// The plan of one layer whose rule says more.
fn one(more: &str, tensors: Tensors<'_>, class: &str, variables: Tensors<'_>) -> String {
    check(&format!("{PAIR}{more}"), tensors, &[layer("up", class, variables)])
}

fn planned(schema: &str, tensors: Tensors<'_>, layers: &[Spec<'_>]) -> Plan {
    let schema = Schema::parse("schema.toml", &format!("schema = 1\n{schema}"), None).unwrap();
    let architecture = architecture(Origin::Json, layers);
    plan(&checkpoint(tensors), &schema, architecture, &PlanOptions::default()).unwrap()
}

/// The formula that a variable's values are made by, and the values in Keras' order.
fn values(plan: &Plan, variable: usize) -> (String, Vec<f32>) {
    let binding = plan.bindings.iter().find(|binding| binding.variable == variable).unwrap();
    let parts: Vec<_> = binding.parts().collect();
    let [part] = parts.as_slice() else { panic!("one tensor") };
    let loaded = part.source.loaded().unwrap();
    assert_eq!(loaded.dtype, Dtype::F32);
    let bytes = loaded.storage.load().unwrap();
    let element = |at: usize| f32::from_le_bytes(bytes.as_slice()[4 * at..][..4].try_into().unwrap());
    let mut values = vec![f32::NAN; plan.architecture.variables[variable].shape.numel()];
    for step in 0..part.copy.numel() {
        let mut rest = step;
        let (mut from, mut to) = (part.copy.source_offset, part.copy.target_offset);
        for axis in &part.copy.axes {
            from += rest % axis.size * axis.source_stride;
            to += rest % axis.size * axis.target_stride;
            rest /= axis.size;
        }
        values[to] = element(from);
    }
    (part.derivation.as_ref().unwrap().formula.clone(), values)
}

/// Each class that has such a kernel, with distinct sizes on every axis: the weight counts 0, 1, 2, … in PyTorch's
/// order, and stands in the kernel's blocks.
#[test]
fn every_class() {
    let (groups, rows, columns) = (3, 6, 4);
    for space in [&[5][..], &[5, 7], &[5, 7, 2]] {
        for end in ["", "Transpose"] {
            let class = format!("Conv{}D{end}", space.len());
            let weight = [&[rows, columns], space].concat();
            let kernel = [space, &[groups * columns, rows]].concat();
            let schema = format!("{PAIR}groups = {groups}\n");
            let kernel: Tensors<'_> = &[("kernel", &kernel)];
            let layers = [layer("conv", &class, kernel)];
            let plan = planned(&schema, &[("conv.weight", &weight)], &layers);
            let (formula, found) = values(&plan, 0);
            assert_eq!(formula, "block_diagonal(weight; 3 groups)");
            let area: usize = space.iter().product();
            for (at, value) in found.into_iter().enumerate() {
                let (place, column, row) =
                    (at / rows / (groups * columns), at / rows % (groups * columns), at % rows);
                let is_own = column / columns == row / (rows / groups);
                let place = (row * columns + column % columns) * area + place;
                assert_eq!(value, if is_own { place as f32 } else { 0.0 }, "{class} {at}");
            }
        }
    }
}

#[test]
fn said_and_not_said() {
    let class = "Conv2DTranspose";
    assert_snapshot!(one("groups = 2", UP, class, KERAS_UP), @"
    up/kernel (3, 5, 4, 6) = up.weight [i o h w -> h w o i] Conv2DTranspose, line 2
    up/bias (4,) = up.bias [o -> o] Conv2DTranspose, line 2
    ");
    assert_snapshot!(one("", UP, class, KERAS_UP), @"
    Shape: `up.weight` (6, 2, 3, 5) does not fit `up/kernel` (3, 5, 4, 6)
      by `i o h w -> h w o i`: axis `o` is 2 in the tensor and 4 in the variable
      at line 2
      hint: the shapes fit a convolution with 2 groups: if the module has `groups = 2`, say `groups = 2` in the rule
    ");
    // Another number, and one that divides nothing.
    assert_snapshot!(one("groups = 3", UP, class, KERAS_UP), @"
    Shape: `up.weight` (6, 6, 3, 5) does not fit `up/kernel` (3, 5, 4, 6)
      by `i o h w -> h w o i`: axis `o` is 6 in the tensor and 4 in the variable
      at line 2
      hint: `groups = 3` makes (6, 6, 3, 5) of (6, 2, 3, 5); the shapes fit a convolution with 2 groups
    ");
    assert_snapshot!(one("groups = 4", UP, class, KERAS_UP), @"
    Shape: `up.weight` cannot be computed by block_diagonal: `weight` has shape (6, 2, 3, 5), where a first axis that 4 groups divide is needed
      at line 2
    ");
    // No groups fit.
    assert_snapshot!(one("", UP, class, &[("kernel", &[3, 5, 5, 6]), ("bias", &[4])]), @"
    Shape: `up.weight` (6, 2, 3, 5) does not fit `up/kernel` (3, 5, 5, 6)
      by `i o h w -> h w o i`: axis `o` is 2 in the tensor and 5 in the variable
      at line 2
    ");
    assert_snapshot!(one("groups = 2", UP, class, &[("kernel", &[3, 5, 5, 6]), ("bias", &[4])]), @"
    Shape: `up.weight` (6, 4, 3, 5) does not fit `up/kernel` (3, 5, 5, 6)
      by `i o h w -> h w o i`: axis `o` is 4 in the tensor and 5 in the variable
      at line 2
      hint: `groups = 2` makes (6, 4, 3, 5) of (6, 2, 3, 5)
    ");
    // A convolution with as many groups on both sides, and one with a group for each channel.
    let conv: Tensors<'_> = &[("up.weight", &[6, 2, 3, 5]), ("up.bias", &[6])];
    let keras: Tensors<'_> = &[("kernel", &[3, 5, 2, 6]), ("bias", &[6])];
    assert_snapshot!(one("", conv, "Conv2D", keras), @"
    up/kernel (3, 5, 2, 6) = up.weight [o i h w -> h w i o] Conv2D, line 2
    up/bias (6,) = up.bias [o -> o] Conv2D, line 2
    ");
    assert_snapshot!(one("groups = 2", conv, "Conv2D", keras), @"
    Shape: `up.weight` (6, 4, 3, 5) does not fit `up/kernel` (3, 5, 2, 6)
      by `o i h w -> h w i o`: axis `i` is 4 in the tensor and 2 in the variable
      at line 2
      hint: `groups = 2` makes (6, 4, 3, 5) of (6, 2, 3, 5), which fits as it is: leave `groups` out of the rule
    ");
    let depthwise: Tensors<'_> = &[("up.weight", &[6, 1, 3, 5])];
    assert_snapshot!(one("", depthwise, "Conv2D", &[("kernel", &[3, 5, 6, 6])]), @"
    Shape: `up.weight` (6, 1, 3, 5) does not fit `up/kernel` (3, 5, 6, 6)
      by `o i h w -> h w i o`: axis `i` is 1 in the tensor and 6 in the variable
      at line 2
      hint: the shapes fit a convolution with 6 groups: if the module has `groups = 6`, say `groups = 6` in the rule
    ");
    assert_snapshot!(one("groups = 6", depthwise, "Conv2D", &[("kernel", &[3, 5, 6, 6])]), @"up/kernel (3, 5, 6, 6) = up.weight [o i h w -> h w i o] Conv2D, line 2");
    // A class without such a kernel.
    assert_snapshot!(one("groups = 6", depthwise, "DepthwiseConv2D", &[("kernel", &[3, 5, 6, 1])]), @"
    Rule: the rule says `groups` for layer `up`, and class `DepthwiseConv2D` has no variable for a dense weight of them
      at line 2
      hint: leave `groups` out of the rule; in [class], `expands = true` names a variable that is the dense weight of them
    ");
    let dense: Tensors<'_> = &[("up.weight", &[6, 2])];
    assert_snapshot!(one("groups = 2", dense, "Dense", &[("kernel", &[4, 6])]), @"
    Rule: the rule says `groups` for layer `up`, and class `Dense` has no variable for a dense weight of them
      at line 2
      hint: leave `groups` out of the rule; in [class], `expands = true` names a variable that is the dense weight of them
    ");
    assert_snapshot!(one("", dense, "Dense", &[("kernel", &[4, 6])]), @"
    Shape: `up.weight` (6, 2) does not fit `up/kernel` (4, 6)
      by `o i -> i o`: axis `i` is 2 in the tensor and 4 in the variable
      at line 2
    ");
}

/// What the layer's own configuration says.
#[test]
fn groups_on_both_sides() {
    let check_of = |schema: &str, own: serde_json::Value| {
        // Four groups in PyTorch, two in Keras: the shapes would fit blocks that mean something else.
        let mut model = architecture(Origin::Json, &[layer("up", "Conv2D", &[("kernel", &[3, 5, 4, 8])])]);
        model.layers[0].config = Some(own.into());
        render(schema, &checkpoint(&[("up.weight", &[8, 2, 3, 5])]), model, &PlanOptions::default())
    };
    let check = |own| check_of(&format!("{PAIR}groups = 2\n"), own);
    assert_snapshot!(check(serde_json::json!({"groups": 2})), @"
    Rule: the rule says `groups = 2` for layer `up`, which has 2 groups itself
      at line 2
      hint: leave `groups` out of the rule: with as many groups in the module, the kernel is the same on both sides; with more, no rule makes one of the other
    ");
    assert_snapshot!(check(serde_json::json!({"groups": 1})), @"up/kernel (3, 5, 4, 8) = up.weight [o i h w -> h w i o] Conv2D, line 2");
    let schema = "[[tensor]]\nkeras = 'up/kernel'\ntorch = { weight = 'up.weight' }\ncompute = 'block_diagonal'\n\
                  groups = 2\nlayout = 'o i h w -> h w i o'\n";
    assert_snapshot!(check_of(schema, serde_json::json!({"groups": 2})), @"
    Rule: the rule says `groups = 2` for layer `up`, which has 2 groups itself
      at line 2
      hint: leave `groups` out of the rule: with as many groups in the module, the kernel is the same on both sides; with more, no rule makes one of the other
    ");
    // What Keras has in two groups, and PyTorch in four, is not told of two.
    assert_snapshot!(check_of(PAIR, serde_json::json!({"groups": 2})), @"
    Shape: `up.weight` (8, 2, 3, 5) does not fit `up/kernel` (3, 5, 4, 8)
      by `o i h w -> h w i o`: axis `i` is 2 in the tensor and 4 in the variable
      at line 2
    ");
    assert_snapshot!(check(serde_json::json!({})), @"up/kernel (3, 5, 4, 8) = up.weight [o i h w -> h w i o] Conv2D, line 2");
}

/// Weights that are computed are so first, along the axes that they have in groups.
#[test]
fn computed_weights() {
    let class = "Conv2DTranspose";
    let kernel: Tensors<'_> = &[("kernel", &[3, 5, 4, 6])];
    let check = |tensors: Tensors<'_>| {
        let plan = planned(&format!("{PAIR}groups = 2\n"), tensors, &[layer("up", class, kernel)]);
        let (formula, values) = values(&plan, 0);
        let zeros = values.iter().filter(|&&value| value == 0.0).count();
        (formula, zeros)
    };
    // Half of all is zero, and so is what the formula makes of the first element, which is zero.
    let half = 3 * 5 * 4 * 6 / 2 + 1;
    let norm: Tensors<'_> = &[("up.weight_g", &[6, 1, 1, 1]), ("up.weight_v", &[6, 2, 3, 5])];
    // The first magnitude is zero too, and with it a row.
    assert_eq!(check(norm), ("block_diagonal(weight_norm(g, v); 2 groups)".to_owned(), half + 29));
    let spectral: Tensors<'_> =
        &[("up.weight_orig", &[6, 2, 3, 5]), ("up.weight_u", &[2]), ("up.weight_v", &[90])];
    assert_eq!(
        check(spectral),
        ("block_diagonal(spectral_norm(weight, u, v; dim 1); 2 groups)".to_owned(), half)
    );
    // A rule of tensors finds them as well.
    let rule = "compute = 'block_diagonal'\ntorch = { weight = 'up.weight' }\ngroups = 2\n";
    let plan = planned(&format!("{TENSOR}{rule}"), spectral, &[layer("up", class, kernel)]);
    assert_eq!(values(&plan, 0).0, "block_diagonal(spectral_norm(weight, u, v; dim 1); 2 groups)");
}

#[test]
fn rules_of_tensors() {
    let rule = |more: &str, tensors: Tensors<'_>| {
        let kernel: Tensors<'_> = &[("kernel", &[3, 5, 4, 6])];
        check(&format!("{TENSOR}{more}"), tensors, &[layer("up", "Conv2DTranspose", kernel)])
    };
    let dense = |groups: usize| {
        format!("compute = 'block_diagonal'\ntorch = {{ weight = 'up.weight' }}\ngroups = {groups}\n")
    };
    assert_snapshot!(rule(&dense(2), &UP[..1]), @"up/kernel (3, 5, 4, 6) = up.weight [i o h w -> h w o i] line 2");
    assert_snapshot!(rule(&dense(3), &UP[..1]), @"
    Shape: `up.weight` (6, 6, 3, 5) does not fit `up/kernel` (3, 5, 4, 6)
      by `i o h w -> h w o i`: axis `o` is 6 in the tensor and 4 in the variable
      at line 4
      hint: `groups = 3` makes (6, 6, 3, 5) of (6, 2, 3, 5); the shapes fit a convolution with 2 groups
    ");
    assert_snapshot!(rule(&dense(5), &UP[..1]), @"
    Shape: `up.weight` cannot be computed by block_diagonal: `weight` has shape (6, 2, 3, 5), where a first axis that 5 groups divide is needed
      at line 2
    ");
    assert_snapshot!(rule(&dense(2), &[("up.weight", &[6])]), @"
    Shape: `up.weight` cannot be computed by block_diagonal: `weight` has shape (6,), where two axes or more are needed
      at line 2
    ");
    assert_snapshot!(rule("torch = 'up.weight'\n", &UP[..1]), @r#"
    Shape: `up.weight` (6, 2, 3, 5) does not fit `up/kernel` (3, 5, 4, 6)
      by `i o h w -> h w o i`: axis `o` is 2 in the tensor and 4 in the variable
      at line 4
      hint: the shapes fit a convolution with 2 groups: if the module has `groups = 2`, say `compute = "block_diagonal"`, `torch = { weight = "…" }` and `groups = 2` in the rule
    "#);
}

/// What stands around a layer hands `groups` on to it.
#[test]
fn wrappers() {
    let conv: Tensors<'_> = &[("up.weight", &[6, 2, 3, 5]), ("up.bias", &[6])];
    let kernel: Tensors<'_> = &[("kernel", &[3, 5, 4, 6]), ("bias", &[6])];
    let schema = format!("{PAIR}groups = 2\n");
    let steps = [layer("up", "TimeDistributed", &[]), layer("up/conv2d", "Conv2D", kernel)];
    assert_snapshot!(check(&schema, conv, &steps), @"
    up/conv2d/kernel (3, 5, 4, 6) = up.weight [o i h w -> h w i o] Conv2D, line 2
    up/conv2d/bias (6,) = up.bias [o -> o] Conv2D, line 2
    ");
    let norm: Tensors<'_> = &[
        ("up.weight_orig", &[6, 2, 3, 5]),
        ("up.weight_u", &[6]),
        ("up.weight_v", &[30]),
        ("up.bias", &[6]),
    ];
    let normed: Tensors<'_> = &[("kernel", &[3, 5, 4, 6]), ("vector_u", &[1, 6])];
    let around = [layer("up", "SpectralNormalization", normed), layer("up/conv2d", "Conv2D", kernel)];
    assert_snapshot!(check(&schema, norm, &around), @"
    up/kernel (3, 5, 4, 6) = up.weight [o i h w -> h w i o] SpectralNormalization, line 2
    up/vector_u (1, 6) = up.weight_u [o -> 1 o] SpectralNormalization, line 2
    up/conv2d/kernel (3, 5, 4, 6) = up.weight [o i h w -> h w i o] Conv2D, line 2
    up/conv2d/bias (6,) = up.bias [o -> o] Conv2D, line 2
    ");
    let dense: Tensors<'_> = &[("up.weight", &[6, 2])];
    let steps = [layer("up", "TimeDistributed", &[]), layer("up/dense", "Dense", &[("kernel", &[4, 6])])];
    assert_snapshot!(check(&schema, dense, &steps), @"
    Rule: the rule says `groups` for layer `up/dense`, and class `Dense` has no variable for a dense weight of them
      at line 2
      hint: leave `groups` out of the rule; in [class], `expands = true` names a variable that is the dense weight of them
    ");
}

/// A class of layers that hold others, of which this one has none.
#[test]
fn nothing_inside() {
    let schema = format!(
        "[class.Mine]\ninside = [{{ keras = 'conv' }}]\nvariables = [{{ keras = 'kernel', torch = 'weight' }}]\n\
         {PAIR}groups = 2\n"
    );
    let kernel: Tensors<'_> = &[("kernel", &[6, 2])];
    assert_snapshot!(check(&schema, &[("up.weight", &[6, 2])], &[layer("up", "Mine", kernel)]), @"
    Rule: the rule says `groups` for layer `up`, and class `Mine` has no variable for a dense weight of them
      at line 5
      hint: leave `groups` out of the rule; in [class], `expands = true` names a variable that is the dense weight of them
    ");
}

/// One module after the other.
#[test]
fn sequences() {
    let tensors: Tensors<'_> = &[("a.0.weight", &[6, 2, 3]), ("a.2.weight", &[8, 3, 5])];
    let layers = [
        layer("one", "Conv1DTranspose", &[("kernel", &[3, 4, 6])]),
        layer("two", "Conv1DTranspose", &[("kernel", &[5, 6, 8])]),
    ];
    let schema =
        "[[sequence]]\ntorch = 'a.{k}'\nkeras = '{x:one|two}'\nclass = 'Conv1DTranspose'\ngroups = 2\n";
    assert_snapshot!(check(schema, tensors, &layers), @"
    one/kernel (3, 4, 6) = a.0.weight [i o w -> w o i] Conv1DTranspose, line 2
    two/kernel (5, 6, 8) = a.2.weight [i o w -> w o i] Conv1DTranspose, line 2
    ");
}
