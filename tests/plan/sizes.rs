//! Why the sizes of a layout cannot be solved: the equations, and what to say.

use insta::assert_snapshot;
use ptw2k::keras::Origin;
use ptw2k::plan::PlanOptions;

use crate::made::{architecture, checkpoint, layer};
use crate::rules::render;

/// One tensor `w` for one variable `d/v`.
fn one(rest: &str, tensor: &[usize], variable: &[usize]) -> String {
    several(&format!("torch = 'w'\nkeras = 'd/v'\n{rest}"), &[("w", tensor)], &[("v", variable)])
}

fn several(rule: &str, tensors: &[(&str, &[usize])], variables: &[(&str, &[usize])]) -> String {
    let model = architecture(Origin::Json, &[layer("d", "Mine", variables)]);
    render(&format!("[[tensor]]\n{rule}"), &checkpoint(tensors), model, &PlanOptions::default())
}

#[test]
fn what_nothing_determines() {
    let heads = "layout = '(h d) e -> e (d h)'";
    assert_snapshot!(one(heads, &[6, 5], &[5, 6]), @"
    Shape: `w` (6, 5) does not fit `d/v` (5, 6)
      by `(h d) e -> e (d h)`: the size of axis `d` follows from neither shape; give it as `sizes = { d = … }`
        `d` may be 1, 2, 3 or 6
        6 = h · d   axis 0 of the tensor
        5 = e       axis 1 of the tensor
        5 = e       axis 0 of the variable
        6 = d · h   axis 1 of the variable
      at line 5
    ");
    assert_snapshot!(one(heads, &[7, 5], &[5, 7]), @"
    Shape: `w` (7, 5) does not fit `d/v` (5, 7)
      by `(h d) e -> e (d h)`: the size of axis `d` follows from neither shape; give it as `sizes = { d = … }`
        `d` may be 1 or 7
        7 = h · d   axis 0 of the tensor
        5 = e       axis 1 of the tensor
        5 = e       axis 0 of the variable
        7 = d · h   axis 1 of the variable
      at line 5
    ");
    // Too many to choose from.
    assert_snapshot!(one(heads, &[720, 5], &[5, 720]), @"
    Shape: `w` (720, 5) does not fit `d/v` (5, 720)
      by `(h d) e -> e (d h)`: the size of axis `d` follows from neither shape; give it as `sizes = { d = … }`
        720 = h · d   axis 0 of the tensor
        5 = e         axis 1 of the tensor
        5 = e         axis 0 of the variable
        720 = d · h   axis 1 of the variable
      at line 5
    ");
    // Three names, of which one is said, and names that each stand in two products.
    assert_snapshot!(one("sizes = { q = 3 }\nlayout = '(q h d) -> (d h q)'", &[30], &[30]), @"
    Shape: `w` (30,) does not fit `d/v` (30,)
      by `(q h d) -> (d h q)`: the size of axis `d` follows from neither shape; give it as `sizes = { d = … }`
        `d` may be 1, 2, 5 or 10
        30 = q · h · d   axis 0 of the tensor
        30 = d · h · q   axis 0 of the variable
        3 = q            given
      at line 6
    ");
    assert_snapshot!(one("layout = '(h d) (k e) -> (d k) (h e)'", &[12, 18], &[9, 24]), @"
    Shape: `w` (12, 18) does not fit `d/v` (9, 24)
      by `(h d) (k e) -> (d k) (h e)`: the size of axis `d` follows from neither shape; give it as `sizes = { d = … }`
        `d` may be 1 or 3
        12 = h · d   axis 0 of the tensor
        18 = k · e   axis 1 of the tensor
        9 = d · k    axis 0 of the variable
        24 = h · e   axis 1 of the variable
      at line 5
    ");
    assert_snapshot!(one("layout = 'a -> a (b c)'", &[3], &[3, 10]), @"
    Shape: `w` (3,) does not fit `d/v` (3, 10)
      by `a -> a (b c)`: the size of axis `b` follows from neither shape; give it as `sizes = { b = … }`
        `b` may be 1, 2, 5 or 10
        3 = a        axis 0 of the tensor
        3 = a        axis 0 of the variable
        10 = b · c   axis 1 of the variable
      at line 5
    ");
}

#[test]
fn what_contradicts() {
    let heads = "layout = '(h d) e -> e h d'\n";
    assert_snapshot!(one(heads, &[12, 5], &[5, 3, 7]), @"
    Shape: `w` (12, 5) does not fit `d/v` (5, 3, 7)
      by `(h d) e -> e h d`: axis 0 of the tensor (12, 5) would have to be 21 (h=3 d=7)
        12 = h · d   axis 0 of the tensor
        5 = e        axis 1 of the tensor
        5 = e        axis 0 of the variable
        3 = h        axis 1 of the variable
        7 = d        axis 2 of the variable
      at line 5
    ");
    assert_snapshot!(one(&format!("{heads}sizes = {{ h = 2 }}"), &[12, 5], &[5, 3, 4]), @"
    Shape: `w` (12, 5) does not fit `d/v` (5, 3, 4)
      by `(h d) e -> e h d`: axis `d` is 6 in the tensor and 4 in the variable
        12 = h · d   axis 0 of the tensor
        5 = e        axis 1 of the tensor
        5 = e        axis 0 of the variable
        3 = h        axis 1 of the variable
        4 = d        axis 2 of the variable
        2 = h        given
      at line 5
    ");
    assert_snapshot!(one("layout = '(h d) -> d h'\nsizes = { h = 5 }", &[12], &[3, 4]), @"
    Shape: `w` (12,) does not fit `d/v` (3, 4)
      by `(h d) -> d h`: axis 0 of the tensor (12,) is not divisible by 5 (h d)
        12 = h · d   axis 0 of the tensor
        3 = d        axis 0 of the variable
        4 = h        axis 1 of the variable
        5 = h        given
      at line 5
    ");
    // Where each axis stands by itself, the reason says it all.
    assert_snapshot!(one("layout = 'o i -> i o'", &[12, 5], &[12, 5]), @"
    Shape: `w` (12, 5) does not fit `d/v` (12, 5)
      by `o i -> i o`: axis `i` is 5 in the tensor and 12 in the variable
      at line 5
      hint: the shapes match as they are, without a layout
    ");
    assert_snapshot!(one("layout = 'o 1 -> o'", &[12, 5], &[12]), @"
    Shape: `w` (12, 5) does not fit `d/v` (12,)
      by `o 1 -> o`: axis 1 of the tensor (12, 5) would have to be 1 (a unit axis)
      at line 5
    ");
}

#[test]
fn axes_that_are_cut() {
    assert_snapshot!(one("layout = 'v e -> v e'\nslice = { v = '2:' }", &[12, 5], &[11, 5]), @"
    Shape: `w` (12, 5) does not fit `d/v` (11, 5)
      by `v e -> v e`: axis `v` is 10 in the tensor and 11 in the variable
        12 = v       axis 0 of the tensor
        5 = e        axis 1 of the tensor
        11 = v'      axis 0 of the variable
        5 = e        axis 1 of the variable
        v' = v - 2   `slice`
      at line 5
    ");
    assert_snapshot!(one("layout = 'v e -> v e'\nslice = { v = '2:9' }", &[12, 5], &[11, 5]), @"
    Shape: `w` (12, 5) does not fit `d/v` (11, 5)
      by `v e -> v e`: axis 0 of the variable (11, 5) would have to be 7 (v=7)
        12 = v       axis 0 of the tensor
        5 = e        axis 1 of the tensor
        11 = v'      axis 0 of the variable
        5 = e        axis 1 of the variable
        v' = 9 - 2   `slice`
      at line 5
    ");
    assert_snapshot!(one("layout = 'v e -> v e'\nslice = { v = 'fit' }", &[10, 5], &[11, 5]), @"
    Shape: `w` (10, 5) does not fit `d/v` (11, 5)
      by `v e -> v e`: `slice` of axis `v` reaches past its size 10
        10 = v    axis 0 of the tensor
        5 = e     axis 1 of the tensor
        11 = v'   axis 0 of the variable
        5 = e     axis 1 of the variable
        v' ≤ v    `slice`
      at line 5
    ");
}

#[test]
fn captures_as_axes() {
    let stack = "torch = 'x.{g}.w'\nkeras = 'd/v'\nlayout = '(h d) -> g h d'";
    let tensors: &[(&str, &[usize])] = &[("x.0.w", &[6]), ("x.1.w", &[6])];
    assert_snapshot!(several(stack, tensors, &[("v", &[2, 2, 5])]), @"
    Shape: `x.0.w` (6,) does not fit `d/v` (2, 2, 5)
      by `(h d) -> g h d`: axis 0 of the tensor (6,) would have to be 10 (h=2 d=5)
        6 = h · d   axis 0 of the tensor
        2 = g       axis 0 of the variable
        2 = h       axis 1 of the variable
        5 = d       axis 2 of the variable
        2 = g       values of the capture
      at line 5
    ");
    assert_snapshot!(several(stack, tensors, &[("v", &[3, 2, 3])]), @"
    Shape: `x.0.w` (6,) does not fit `d/v` (3, 2, 3)
      by `(h d) -> g h d`: axis 0 of the variable (3, 2, 3) would have to be 2 (the parts 1 + 1 of `g`)
        6 = h · d   axis 0 of the tensor
        3 = g       axis 0 of the variable
        2 = h       axis 1 of the variable
        3 = d       axis 2 of the variable
        2 = g       values of the capture
      at line 5
    ");
    // The second of them does not fit.
    assert_snapshot!(several(stack, &[("x.0.w", &[6]), ("x.1.w", &[8])], &[("v", &[2, 2, 3])]), @"
    Shape: `x.0.w` (6,) does not fit `d/v` (2, 2, 3)
      by `(h d) -> g h d`: axis 0 of the tensor (8,) would have to be 6 (h=2 d=3)
        8 = h · d   axis 0 of the tensor
        2 = g       axis 0 of the variable
        2 = h       axis 1 of the variable
        3 = d       axis 2 of the variable
        2 = g       values of the capture
      at line 5
    ");
    let join = "torch = '{g:a|b}.w'\nkeras = 'd/v'\nlayout = 'o -> (g o)'";
    assert_snapshot!(several(join, &[("a.w", &[2]), ("b.w", &[3])], &[("v", &[6])]), @"
    Shape: `a.w` (2,) does not fit `d/v` (6,)
      by `o -> (g o)`: axis 0 of the variable (6,) would have to be 5 (the parts 2 + 3 of `g`)
        2 = o                     axis 0 of the tensor
        6 = the sum of o over g   axis 0 of the variable
        2 = g                     values of the capture
      at line 5
    ");
    let split = "torch = 'w'\nkeras = 'd/{p:q|k}'\nlayout = '(p h d) -> h d'";
    assert_snapshot!(several(split, &[("w", &[12])], &[("q", &[2, 3]), ("k", &[2, 4])]), @"
    Shape: `w` (12,) does not fit `d/q` (2, 3)
      by `(p h d) -> h d`: axis 0 of the tensor (12,) would have to be 14 (the parts 6 + 8 of `p`)
        12 = the sum of h · d over p   axis 0 of the tensor
        2 = h                          axis 0 of the variable
        3 = d                          axis 1 of the variable
        2 = p                          values of the capture
      at line 5
    ");
}

/// What is wrong with parts of an axis is no matter of the layout.
#[test]
fn parts_that_are_not_there() {
    let layers = [layer("f", "Dense", &[("kernel", &[6, 12])])];
    let rule = "[[tensor]]\ntorch = 'w'\nkeras = 'f/kernel'\nlayout = 'o e -> e o'\n";
    for part in ["take = {o = 99}", "order = {o = [0, 1]}", "slice = {o = '20:'}"] {
        let said = crate::rules::check(&format!("{rule}{part}\n"), &[("w", &[12, 6])], &layers);
        assert!(said.contains("does not fit") && !said.contains("hint"), "{part}: {said}");
    }
}

/// Keras' other GRU has one bias.
#[test]
fn gru_that_resets_before() {
    let layers =
        [layer("r", "GRUCell", &[("kernel", &[8, 15]), ("recurrent_kernel", &[5, 15]), ("bias", &[15])])];
    let tensors: &[(&str, &[usize])] =
        &[("r.weight_ih", &[15, 8]), ("r.weight_hh", &[15, 5]), ("r.bias_ih", &[15]), ("r.bias_hh", &[15])];
    let said = crate::rules::check("[[layer]]\ntorch = 'r'\nkeras = 'r'\n", tensors, &layers);
    assert!(said.contains("  hint: `reset_after=False` keeps one bias"), "{said}");
}
