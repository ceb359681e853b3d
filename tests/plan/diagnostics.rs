//! Diagnostics that no other test meets.

use insta::assert_snapshot;

use ptw2k::keras::Origin;
use ptw2k::plan::PlanOptions;

use crate::made::{architecture, checkpoint, layer};
use crate::rules::{check, render};

type Tensors<'a> = &'a [(&'a str, &'a [usize])];

/// A rule for a kernel of (3, 5).
fn kernel(rest: &str, tensors: Tensors<'_>) -> String {
    check(rest, tensors, &[layer("d", "Dense", &[("kernel", &[3, 5])])])
}

/// What becomes of module `a.7`.
fn computed(keras: &str) -> String {
    let rule = format!("[table]\nT = ['x', 'y']\n[[layer]]\ntorch = 'a.{{i:*}}'\nkeras = \"{keras}\"\n");
    kernel(&rule, &[("a.seven.weight", &[5, 3])])
}

fn numbered(keras: &str) -> String {
    let rule = format!("[table]\nT = ['x', 'y']\n[[layer]]\ntorch = 'a.{{i}}'\nkeras = \"{keras}\"\n");
    kernel(&rule, &[("a.7.weight", &[5, 3])])
}

#[test]
fn names_that_cannot_be_computed() {
    assert_snapshot!(computed("d_{i+1}"), @"
    Rule: the keras path of `a.seven` cannot be computed: `seven` is not an integer and cannot be computed with in `{i+1}`
      at line 4
    Missing: `d/kernel` (3, 5) gets no value
      hint: `a.seven.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `a.seven.weight` (5, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(numbered("d_{i-8}"), @"
    Rule: the keras path of `a.7` cannot be computed: `{i-8}` leaves the integers from 0 to 2^64 - 1
      at line 4
    Missing: `d/kernel` (3, 5) gets no value
      hint: `a.7.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `a.7.weight` (5, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(numbered("d_{1//(i-7)}"), @"
    Rule: the keras path of `a.7` cannot be computed: `{1//(i-7)}` divides by zero
      at line 4
    Missing: `d/kernel` (3, 5) gets no value
      hint: `a.7.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `a.7.weight` (5, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    assert_snapshot!(numbered("d_{T[i]}"), @"
    Rule: the keras path of `a.7` cannot be computed: the table `T` has no entry `7`
      at line 4
    Missing: `d/kernel` (3, 5) gets no value
      hint: `a.7.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `a.7.weight` (5, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
}

/// A name comes before an alias, and what leads to two layers by aliases means neither.
#[test]
fn aliases() {
    let said = |rule: &str| {
        let dense: &[(&str, &[usize])] = &[("kernel", &[3, 5])];
        let mut made = architecture(Origin::Json, &["a", "b", "c"].map(|path| layer(path, "Dense", dense)));
        for (layer, aliases) in made.layers.iter_mut().zip([&["b", "x"][..], &["x", "y"], &[]]) {
            layer.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        }
        render(rule, &checkpoint(&[("m.weight", &[5, 3])]), made, &PlanOptions::default())
    };
    let named = |name| said(&format!("[[layer]]\ntorch = 'm'\nkeras = '{name}'\n"));
    let tensor = |path: &str| {
        said(&format!("[[tensor]]\ntorch = 'm.weight'\nkeras = '{path}'\nlayout = 'o i -> i o'\n"))
    };
    for name in ["b", "y"] {
        for said in [named(name), tensor(&format!("{name}/kernel"))] {
            let is_missing = |layer: &str| said.contains(&format!("Missing: `{layer}/kernel`"));
            assert_eq!(["a", "b", "c"].map(is_missing), [true, false, true], "{said}");
        }
    }
    for said in [named("x"), tensor("x/kernel"), tensor("b/0")] {
        assert!(said.contains("names more than one"), "{said}");
    }
}

#[test]
fn a_name_of_two_layers() {
    let mut layers =
        [layer("d", "Dense", &[("kernel", &[3, 5])]), layer("e", "Dense", &[("kernel", &[3, 5])])];
    layers[1].0 = "d";
    let rule = "[[layer]]\ntorch = 'a'\nkeras = 'd'\n";
    assert_snapshot!(check(rule, &[("a.weight", &[5, 3])], &layers), @"
    Rule: `d` names more than one layer of the architecture; use its group's path
      at line 2
    Missing: `d/kernel` (3, 5) gets no value
      hint: `a.weight` is unused and has the same sizes: map it with a rule
    Missing: `d/kernel` (3, 5) gets no value
      hint: `a.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `a.weight` (5, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
}

#[test]
fn another_class_than_the_architecture_tells() {
    let rule = "[[layer]]\ntorch = 'a'\nkeras = 'd'\nclass = 'EinsumDense'\n";
    assert_snapshot!(kernel(rule, &[("a.weight", &[5, 3])]), @"
    Rule: layer `d` is a `Dense`, and the rule says `EinsumDense`
      at line 2
      hint: leave `class` out of the rule: it is for layers whose class the architecture does not tell
    ");
}

#[test]
fn layouts_that_do_not_fit() {
    let rule = |rest: &str| format!("[[tensor]]\ntorch = 'a.weight'\nkeras = 'd/kernel'\n{rest}");
    let square: Tensors<'_> = &[("a.weight", &[5, 3])];
    assert_snapshot!(kernel(&rule("layout = 'o i h -> i o h'"), square), @"
    Shape: `a.weight` (5, 3) does not fit `d/kernel` (3, 5)
      by `o i h -> i o h`: the tensor has shape (5, 3), of 2 axes, where the layout names 3
      at line 5
      hint: `o i -> i o` fits, the layout of the `kernel` of a Dense: say it in the rule, or pair the module with the layer in a [[layer]] rule
    ");
    assert_snapshot!(kernel(&rule("layout = 'o i -> i o'\norder = { o = [0, 1, 2, 3] }"), square), @"
    Shape: `a.weight` (5, 3) does not fit `d/kernel` (3, 5)
      by `o i -> i o`: `order` of axis `o` must name each of its 5 indices once
      at line 5
    ");
    let stacked = "[[tensor]]\ntorch = 'a.{e:x|y|z}.{f:p|q}'\nkeras = 'd/kernel'\nlayout = 'i -> (e f) i'\n";
    assert_snapshot!(kernel(stacked, &[("a.x.p", &[5]), ("a.x.q", &[5]), ("a.y.p", &[5])]), @"
    Missing: `d/kernel` joins the tensors of `e`, of which `z` is missing
      at line 2
    ");
}
