//! Rules that match nothing: what is near, and what the other side has instead.

use insta::assert_snapshot;
use ptw2k::keras::Origin;
use ptw2k::plan::PlanOptions;

use crate::made::{architecture, checkpoint, layer};
use crate::rules::render;

/// The faults of the rule alone, of a model with two layers.
fn check(rule: &str) -> String {
    let tensors: &[(&str, &[usize])] = &[("net.encoder.0.fc.weight", &[2, 3]), ("net.head.weight", &[5, 2])];
    let layers =
        [layer("encoder_0", "Dense", &[("kernel", &[3, 2])]), layer("head", "Dense", &[("kernel", &[2, 5])])];
    let said =
        render(rule, &checkpoint(tensors), architecture(Origin::Json, &layers), &PlanOptions::default());
    let of_rules =
        said.lines().take_while(|line| !line.starts_with("Missing") && !line.starts_with("Unexpected"));
    of_rules.collect::<Vec<_>>().join("\n")
}

#[test]
fn names_of_the_checkpoint() {
    assert_snapshot!(check("[[layer]]\ntorch = 'net.haed'\nkeras = 'head'"), @"
    Rule: the rule for `net.haed` matches no tensor of the checkpoint
      at line 2
      hint: did you mean `net.head` or `net.encoder` or `net`?
    ");
    assert_snapshot!(check("[[tensor]]\ntorch = 'net.head.weigth'\nkeras = 'head/kernel'"), @"
    Rule: the rule for `net.head.weigth` matches no tensor of the checkpoint
      at line 2
      hint: did you mean `net.head.weight` or `net.encoder.0.fc.weight`?
    ");
    assert_snapshot!(check("[[layer]]\ntorch = 'net.head.weight'\nkeras = 'head'"), @"
    Rule: the rule for `net.head.weight` matches no tensor of the checkpoint
      at line 2
      hint: `net.head.weight` is a tensor; [[layer]] and [[sequence]] name the module: `net.head`
    ");
    assert_snapshot!(check("[[layer]]\ntorch = 'zzz'\nkeras = 'head'"), @"
    Rule: the rule for `zzz` matches no tensor of the checkpoint
      at line 2
      hint: `ptw2k inspect` shows the names in the checkpoint; remove the rule, or say `optional = true` in it
    ");
    // A prefix too few, and one too many.
    assert_snapshot!(check("[[layer]]\ntorch = 'encoder.{i}.fc'\nkeras = 'encoder_{i}'"), @r#"
    Rule: the rule for `encoder.{i}.fc` matches no tensor of the checkpoint
      at line 2
      hint: `net.encoder.0.fc` matches without `net.`: say `prefix = "net."` in [source], or name it whole
    "#);
    assert_snapshot!(check("[[tensor]]\ntorch = 'model.net.head.weight'\nkeras = 'head/kernel'"), @"
    Rule: the rule for `model.net.head.weight` matches no tensor of the checkpoint
      at line 2
      hint: without its `model.` the rule matches `net.head.weight`
    ");
    assert_snapshot!(check("[[layer]]\ntorch = 'model.net.{m:*}'\nkeras = '{m}'"), @"
    Rule: the rule for `model.net.{m:*}` matches no tensor of the checkpoint
      at line 2
      hint: without its `model.` the rule matches `net.encoder`
    ");
}

#[test]
fn names_of_the_architecture() {
    assert_snapshot!(check("[[layer]]\ntorch = 'net.head'\nkeras = 'haed'"), @"
    Rule: `net.head` goes to `haed`, which the architecture does not have
      at line 2
      hint: did you mean `head`?
    ");
    assert_snapshot!(check("[[layer]]\ntorch = 'net.encoder.{i}.fc'\nkeras = 'encoder_{i+1}'"), @"
    Rule: `net.encoder.0.fc` goes to `encoder_1`, which the architecture does not have
      at line 2
      hint: did you mean `encoder_0`?
    ");
    assert_snapshot!(check("[[tensor]]\ntorch = 'net.head.weight'\nkeras = 'head/weight'"), @"
    Rule: `net.head.weight` goes to `head/weight`, which the architecture does not have
      at line 2
      hint: layer `head` has `kernel`
    ");
    assert_snapshot!(check("[[tensor]]\ntorch = 'net.head.weight'\nkeras = 'model/head/kernel'"), @"
    Rule: `net.head.weight` goes to `model/head/kernel`, which the architecture does not have
      at line 2
      hint: the root model's own name is no part of a path: `head/kernel`
    ");
    assert_snapshot!(check("[[fill]]\nvalue = 0.0\nkeras = '{m:*}/bias'"), @"
    Rule: the rule for `{m:*}/bias` matches no variable of the architecture
      at line 2
      hint: `ptw2k inspect` shows the names in the architecture; remove the rule, or say `optional = true` in it
    ");
    assert_snapshot!(check("[[tensor]]\ntorch = 'net.head.weight'\nkeras = 'zzz'"), @"
    Rule: `net.head.weight` goes to `zzz`, which the architecture does not have
      at line 2
      hint: `ptw2k inspect model.json` lists the layers
    ");
}

#[test]
fn two_rules_for_one_variable() {
    assert_snapshot!(check("[[layer]]\ntorch = 'net.{m:*}'\nkeras = '{m}'\n[[tensor]]\ntorch = 'net.head.weight'\nkeras = 'head/kernel'\nlayout = 'o i -> i o'"), @"
    Duplicate: `head/kernel` is bound twice, by schema.toml:2 and by schema.toml:5
      at line 5
      hint: remove one of the rules, or narrow its pattern
    ");
}

/// Of a module of one segment there is one spelling, and of others there are three.
#[test]
fn spellings_of_same_names() {
    let tensors: &[(&str, &[usize])] = &[("head.weight", &[5, 2]), ("net.fc.weight", &[2, 3])];
    let layers =
        [layer("haed", "Dense", &[("kernel", &[2, 5])]), layer("net_fcc", "Dense", &[("kernel", &[3, 2])])];
    let said = render(
        "extends = 'same-names'",
        &checkpoint(tensors),
        architecture(Origin::Json, &layers),
        &PlanOptions::default(),
    );
    assert_snapshot!(said, @"
    Rule: `head` goes to `head`, which the architecture does not have
      at line 15
      hint: did you mean `haed`?
    Rule: `net.fc` goes to `net/fc`, `net_fc` or `net.fc`, none of which the architecture has
      at line 15
      hint: did you mean `net_fcc`?
    Missing: `haed/kernel` (2, 5) gets no value
      hint: `head.weight` is unused and has the same sizes: map it with a rule
    Missing: `net_fcc/kernel` (3, 2) gets no value
      hint: `net.fc.weight` is unused and has the same sizes: map it with a rule
    ");
}

/// Two layers that one module is named like: neither is meant more than the other.
#[test]
fn two_layers_of_one_name() {
    let dense: &[(&str, &[usize])] = &[("kernel", &[3, 2])];
    let layers = [layer("a_b", "Dense", dense), layer("a.b", "Dense", dense)];
    let said = render(
        "extends = 'same-names'\n",
        &checkpoint(&[("a.b.weight", &[2, 3])]),
        architecture(Origin::Json, &layers),
        &PlanOptions::default(),
    );
    assert_snapshot!(said.lines().filter(|line| !line.contains("at line")).collect::<Vec<_>>().join("\n"), @"
    Ambiguous: module `a.b` is named like two layers, `a_b` and `a.b`
      hint: rename one of the layers, or write a schema of your own that says what each of them gets
    ");
}
