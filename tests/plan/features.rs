//! The order of features around a Flatten and a Reshape, by the layer's class.

use ptw2k::keras::{Architecture, FeatureOrder, Origin};
use ptw2k::plan::PlanOptions;

use crate::made::{Spec, architecture, checkpoint};
use crate::rules::{check, render};

#[test]
fn a_dense_after_a_flatten() {
    let dense = |features| Spec("fc", "Dense", features, &[("kernel", &[24, 11]), ("bias", &[11])]);
    let tensors: &[(&str, &[usize])] = &[("fc.weight", &[11, 24]), ("fc.bias", &[11])];
    let rule = "[[layer]]\ntorch = 'fc'\nkeras = 'fc'\n";
    insta::assert_snapshot!(check(rule, tensors, &[dense(FeatureOrder::Flattened(vec![2, 3, 4]))]), @"
    fc/kernel (24, 11) = fc.weight [o (c h w) -> (h w c) o, h=2 w=3 c=4] Dense, line 2
    fc/bias (11,) = fc.bias [o -> o] Dense, line 2
    ");
    insta::assert_snapshot!(check(rule, tensors, &[dense(FeatureOrder::Plain)]), @"
    fc/kernel (24, 11) = fc.weight [o i -> i o] Dense, line 2
    fc/bias (11,) = fc.bias [o -> o] Dense, line 2
    ");
    insta::assert_snapshot!(check(rule, tensors, &[dense(FeatureOrder::Unknown("a Lambda".to_owned()))]), @r#"
    Ambiguous: `fc/kernel` reads features whose order is not known: a Lambda
      at line 2
      hint: say in the rule what was flattened before the layer: `flatten = [height, width, channels]`, or `flatten = []` when nothing was; a [[tensor]] rule can spell any order out, as in `layout = "o (c h w) -> (h w c) o", sizes = { h = 5, w = 7 }`
    "#);
    let told = format!("{rule}flatten = [2, 3, 4]\n");
    insta::assert_snapshot!(check(&told, tensors, &[dense(FeatureOrder::Unknown("a Lambda".to_owned()))]), @"
    fc/kernel (24, 11) = fc.weight [o (c h w) -> (h w c) o, h=2 w=3 c=4] Dense, line 2
    fc/bias (11,) = fc.bias [o -> o] Dense, line 2
    ");
    let plain = format!("{rule}flatten = []\n");
    insta::assert_snapshot!(check(&plain, tensors, &[dense(FeatureOrder::Unknown("a Lambda".to_owned()))]), @"
    fc/kernel (24, 11) = fc.weight [o i -> i o] Dense, line 2
    fc/bias (11,) = fc.bias [o -> o] Dense, line 2
    ");
}

/// What a [[tensor]] rule says is done, and told where it leaves the features of a map as they are.
#[test]
fn a_layout_beside_a_map() {
    let tensors: &[(&str, &[usize])] = &[("fc.weight", &[11, 24])];
    let rule = |layout: &str| {
        let dense = Spec("fc", "Dense", FeatureOrder::Flattened(vec![2, 3, 4]), &[("kernel", &[24, 11])]);
        check(&format!("[[tensor]]\ntorch = 'fc.weight'\nkeras = 'fc/kernel'\n{layout}"), tensors, &[dense])
    };
    insta::assert_snapshot!(rule("layout = 'o i -> i o'"), @"
    fc/kernel (24, 11) = fc.weight [o i -> i o] line 2
    note: fc/kernel: reads a flattened map of 2 × 3 × 4, the channels last, and the rule's layout is not `o (c h w) -> (h w c) o`: right only if the PyTorch module flattens channels last too
    ");
    insta::assert_snapshot!(rule("layout = 'o (c h w) -> (h w c) o'\nsizes = { h = 2, w = 3 }"), @"fc/kernel (24, 11) = fc.weight [o (c h w) -> (h w c) o] line 2");
    insta::assert_snapshot!(rule("layout = 'o i -> o i'"), @r#"
    Shape: `fc.weight` (11, 24) does not fit `fc/kernel` (24, 11)
      by `o i -> o i`: axis `i` is 24 in the tensor and 11 in the variable
      at line 5
      hint: the layer reads a flattened map of 2 × 3 × 4, the channels last: pair the module with it in a [[layer]] rule, or say `layout = "o (c h w) -> (h w c) o"` and `sizes = { c = 4, h = 2, w = 3 }`
    "#);
    let outputs = before_reshape(
        "Dense",
        FeatureOrder::Plain,
        FeatureOrder::Flattened(vec![2, 3, 4]),
        &[("bias", &[24])],
    );
    let bias = "[[tensor]]\ntorch = 'fc.bias'\nkeras = 'fc/bias'\n";
    insta::assert_snapshot!(render(bias, &checkpoint(&[("fc.bias", &[24])]), outputs, &PlanOptions::default()), @"
    fc/bias (24,) = fc.bias [] line 2
    note: fc/bias: makes a flattened map of 2 × 3 × 4, the channels last, and the rule's layout is not `(c h w) -> (h w c)`: right only if the PyTorch module flattens channels last too
    ");
}

/// A layer whose output is reordered.
fn before_reshape<'a>(
    class: &'a str,
    features: FeatureOrder,
    outputs: FeatureOrder,
    variables: &'a [(&'a str, &'a [usize])],
) -> Architecture {
    let mut architecture = architecture(Origin::Json, &[Spec("fc", class, features, variables)]);
    architecture.layers[0].outputs = outputs;
    architecture
}

#[test]
fn a_dense_before_a_reshape() {
    let variables: &[(&str, &[usize])] = &[("kernel", &[11, 24]), ("bias", &[24])];
    let tensors = checkpoint(&[("fc.weight", &[24, 11]), ("fc.bias", &[24])]);
    let rule = "[[layer]]\ntorch = 'fc'\nkeras = 'fc'\n";
    let map = || FeatureOrder::Flattened(vec![2, 3, 4]);
    let unknown = || FeatureOrder::Unknown("a Lambda".to_owned());
    let check = |rule: &str, features, outputs| {
        let dense = before_reshape("Dense", features, outputs, variables);
        render(rule, &tensors, dense, &PlanOptions::default())
    };
    insta::assert_snapshot!(check(rule, FeatureOrder::Plain, map()), @"
    fc/kernel (11, 24) = fc.weight [(c h w) i -> i (h w c), h=2 w=3 c=4] Dense, line 2
    fc/bias (24,) = fc.bias [(c h w) -> (h w c), h=2 w=3 c=4] Dense, line 2
    ");
    insta::assert_snapshot!(check(rule, FeatureOrder::Plain, unknown()), @r#"
    Ambiguous: `fc/kernel` makes features whose order is not known: a Lambda
      at line 2
      hint: say in the rule what the output is reshaped to: `unflatten = [height, width, channels]`, or `unflatten = []` when to no map; a [[tensor]] rule can spell any order out, as in `layout = "(c h w) i -> i (h w c)", sizes = { h = 5, w = 7 }`
    Ambiguous: `fc/bias` makes features whose order is not known: a Lambda
      at line 2
      hint: say in the rule what the output is reshaped to: `unflatten = [height, width, channels]`, or `unflatten = []` when to no map; a [[tensor]] rule can spell any order out, as in `layout = "(c h w) i -> i (h w c)", sizes = { h = 5, w = 7 }`
    "#);
    let told = format!("{rule}unflatten = [2, 3, 4]\n");
    insta::assert_snapshot!(check(&told, FeatureOrder::Plain, unknown()), @"
    fc/kernel (11, 24) = fc.weight [(c h w) i -> i (h w c), h=2 w=3 c=4] Dense, line 2
    fc/bias (24,) = fc.bias [(c h w) -> (h w c), h=2 w=3 c=4] Dense, line 2
    ");
    let plain = format!("{rule}unflatten = []\n");
    insta::assert_snapshot!(check(&plain, FeatureOrder::Plain, unknown()), @"
    fc/kernel (11, 24) = fc.weight [o i -> i o] Dense, line 2
    fc/bias (24,) = fc.bias [o -> o] Dense, line 2
    ");
    insta::assert_snapshot!(check(rule, FeatureOrder::Flattened(vec![1, 11, 1]), map()), @"
    Ambiguous: `fc/kernel` reads a flattened map and makes one, and its class has no layout for both
      at line 2
      hint: write a [[tensor]] rule; for a kernel, the layout `(a b c) (d e f) -> (e f d) (b c a)` with the `sizes` of its axes (a and d are the channels)
    ");
    let five = FeatureOrder::Flattened(vec![1, 2, 3, 2, 2]);
    insta::assert_snapshot!(check(rule, FeatureOrder::Plain, five), @r#"
    Ambiguous: `fc/kernel` makes features whose order is not known: the class has no layout for a map of 5 axes
      at line 2
      hint: say in the rule what the output is reshaped to: `unflatten = [height, width, channels]`, or `unflatten = []` when to no map; a [[tensor]] rule can spell any order out, as in `layout = "(c h w) i -> i (h w c)", sizes = { h = 5, w = 7 }`
    Ambiguous: `fc/bias` makes features whose order is not known: the class has no layout for a map of 5 axes
      at line 2
      hint: say in the rule what the output is reshaped to: `unflatten = [height, width, channels]`, or `unflatten = []` when to no map; a [[tensor]] rule can spell any order out, as in `layout = "(c h w) i -> i (h w c)", sizes = { h = 5, w = 7 }`
    "#);
}

#[test]
fn a_normalization_beside_a_reshape() {
    let variables: &[(&str, &[usize])] = &[("gamma", &[24])];
    let tensors = checkpoint(&[("fc.weight", &[24])]);
    let rule = "[[layer]]\ntorch = 'fc'\nkeras = 'fc'\n";
    let map = |channels| FeatureOrder::Flattened(vec![2, 12 / channels, channels]);
    let check = |class: &str, features, outputs| {
        let norm = before_reshape(class, features, outputs, variables);
        render(rule, &tensors, norm, &PlanOptions::default())
    };
    insta::assert_snapshot!(check("LayerNormalization", FeatureOrder::Plain, map(4)), @"fc/gamma (24,) = fc.weight [(c h w) -> (h w c), h=2 w=3 c=4] LayerNormalization, line 2");
    insta::assert_snapshot!(check("LayerNormalization", map(4), map(4)), @"fc/gamma (24,) = fc.weight [(c h w) -> (h w c), h=2 w=3 c=4] LayerNormalization, line 2");
    insta::assert_snapshot!(check("LayerNormalization", map(4), map(3)), @"
    Ambiguous: `fc/gamma` reads a flattened map and makes one, and its class has no layout for both
      at line 2
      hint: write a [[tensor]] rule; for a kernel, the layout `(a b c) (d e f) -> (e f d) (b c a)` with the `sizes` of its axes (a and d are the channels)
    ");
    insta::assert_snapshot!(check("GroupNormalization", FeatureOrder::Plain, map(4)), @"
    Ambiguous: `fc/gamma` makes features whose order is not known: they become a map, for which the class GroupNormalization has no layout
      at line 2
      hint: write [[tensor]] rules that put the layer's output features in Keras' order
    ");
}
