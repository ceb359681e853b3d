//! Rules that match nothing: what is near, and what the other side has instead.

use insta::assert_snapshot;
use ptw2k::keras::Origin;
use ptw2k::plan::{PlanOptions, plan};
use ptw2k::schema::{Glob, Schema};

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

/// All keys begin with a segment that the schema does not strip, or with another than it strips.
#[test]
fn prefixes() {
    let tensors: &[(&str, &[usize])] = &[("model.head.weight", &[5, 2]), ("model.net.fc.weight", &[2, 3])];
    let layers =
        || [layer("head", "Dense", &[("kernel", &[2, 5])]), layer("net_fc", "Dense", &[("kernel", &[3, 2])])];
    let check = |schema: &str, tensors| {
        let (checkpoint, architecture) = (checkpoint(tensors), architecture(Origin::Json, &layers()));
        render(schema, &checkpoint, architecture, &PlanOptions::default())
    };
    let rule = "[[layer]]\ntorch = 'head'\nkeras = 'head'\n";
    assert_snapshot!(check(&format!("source.prefix = 'module.'\n{rule}"), tensors), @r#"
    Rule: no key begins with `module.`; all 2 begin with `model.`
      hint: say `prefix = "model."` in [source]
    "#);
    let unknown = check(&format!("source.prefix = 'a.'\n{}", rule.replace("'head'", "'zzz'")), tensors);
    assert_snapshot!(unknown, @"
    Rule: no key begins with `a.`; all 2 begin with `model.`
      hint: `ptw2k inspect` shows the keys: say the `prefix` in [source] that they have
    ");
    assert_snapshot!(check(&format!("source.prefix = ['a.', 'b.']\n{rule}"), &[("head.weight", &[5, 2])]), @r#"
    Rule: no key begins with `a.` or `b.`
      hint: say `prefix = ""` in [source]
    "#);
    assert_snapshot!(check("extends = 'same-names'", tensors), @r#"
    Rule: all 2 keys begin with `model.`, and no rule leads from there to a layer
      hint: say `prefix = "model."` in [source]
    "#);
    let own = "extends = 'same-names'\nsource.prefix = 'model.'";
    assert_eq!(check(own, tensors).matches("Dense").count(), 2);
    // A bundled schema is not edited.
    let schema = Schema::bundled("same-names").unwrap();
    let faults =
        plan(&checkpoint(tensors), &schema, architecture(Origin::Json, &layers()), &PlanOptions::default());
    let faults = faults.unwrap_err().faults;
    assert_eq!(faults.len(), 1);
    assert_snapshot!(faults[0].hint.as_ref().unwrap(), @r#"write a schema of your own, with `extends = "same-names"`, and in its [source] `prefix = "model."`"#);
}

#[test]
fn classes() {
    let check = |rule: &str, origin, class| {
        let layers = [
            layer("block_conv", class, &[("kernel", &[3, 3, 2, 4])]),
            layer("block_bn", class, &[("gamma", &[4]), ("beta", &[4]), ("mean", &[4]), ("variance", &[4])]),
        ];
        let tensors: &[(&str, &[usize])] = &[("conv.weight", &[4, 2, 3, 3]), ("bn.weight", &[4])];
        let said = render(rule, &checkpoint(tensors), architecture(origin, &layers), &PlanOptions::default());
        said.lines().take_while(|line| !line.starts_with("Missing")).collect::<Vec<_>>().join("\n")
    };
    let rule = "[[layer]]\ntorch = 'conv'\nkeras = 'block_conv'\n";
    assert_snapshot!(check(&format!("{rule}class = 'conv2d'"), Origin::Template, ""), @"
    Rule: layer `block_conv` is a `conv2d`, for which there are no class rules
      at line 2
      hint: did you mean `Conv2D`?
    ");
    assert_snapshot!(check(&format!("{rule}class = 'MyLayer'"), Origin::Template, ""), @"
    Rule: layer `block_conv` is a `MyLayer`, for which there are no class rules
      at line 2
      hint: write [class.MyLayer] in the schema, or [[tensor]] rules for its variables
    ");
    assert_snapshot!(check(rule, Origin::Json, "MyConv2D"), @"
    Rule: layer `block_conv` is a `MyConv2D`, for which there are no class rules
      at line 2
      hint: write [class.MyConv2D] in the schema, or [[tensor]] rules for its variables
    ");
    // Two classes, and one rule.
    assert_snapshot!(check("[[layer]]\ntorch = '{m:conv|bn}'\nkeras = 'block_{m}'", Origin::Template, ""), @"
    Rule: the architecture does not tell the class of layer `block_conv`
      at line 2
      hint: a rule has one class, and these layers look like `BatchNormalization` and `Conv2D`: split the rule, and say the `class` in each
    Rule: the architecture does not tell the class of layer `block_bn`
      at line 2
      hint: a rule has one class, and these layers look like `BatchNormalization` and `Conv2D`: split the rule, and say the `class` in each
    ");
    // What a template calls its layers.
    assert_snapshot!(check("[[layer]]\ntorch = 'conv'\nkeras = 'zzz'", Origin::Template, ""), @"
    Rule: `conv` goes to `zzz`, which the architecture does not have
      at line 2
      hint: this template knows its layers as `block_conv`, `block_bn`: `ptw2k inspect model.json` lists them
    ");
}

/// Globs match keys with the prefix and without.
#[test]
fn globs() {
    let check = |source: &str, waived: &[&str]| {
        let tensors: &[(&str, &[usize])] = &[("model.head.weight", &[5, 2]), ("model.loss.weight", &[7])];
        let options = PlanOptions {
            allow_unexpected: waived.iter().map(|glob| Glob::new(glob).unwrap()).collect(),
            ..PlanOptions::default()
        };
        let schema =
            format!("source.prefix = 'model.'\n{source}\n[[layer]]\ntorch = 'head'\nkeras = 'head'\n");
        let layers = [layer("head", "Dense", &[("kernel", &[2, 5])])];
        let said = render(&schema, &checkpoint(tensors), architecture(Origin::Json, &layers), &options);
        assert!(said.contains("unused: model.loss.weight"), "{source} {waived:?}: {said}");
    };
    for glob in ["loss.*", "model.loss.*", "*.weight", "l*"] {
        check(&format!("source.ignore = '{glob}'"), &[]);
        check("", &[glob]);
    }
}
