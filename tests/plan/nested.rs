//! Models in models, and layers that only hold others: rules with captures pass over them.

use insta::assert_snapshot;
use ptw2k::keras::Origin;
use ptw2k::plan::PlanOptions;

use crate::made::{Spec, architecture, checkpoint, layer};
use crate::rules::render;

const TENSORS: &[(&str, &[usize])] =
    &[("net.0.fc1.weight", &[3, 2]), ("net.0.fc2.weight", &[4, 3]), ("head.weight", &[5, 4])];

/// Three levels; a template tells no class of a layer that its author wrote.
fn nested(class: &'static str) -> [Spec<'static>; 5] {
    [
        layer("net", class, &[]),
        layer("net/0", class, &[]),
        layer("net/0/fc1", "Dense", &[("kernel", &[2, 3])]),
        layer("net/0/fc2", "Dense", &[("kernel", &[3, 4])]),
        layer("head", "Dense", &[("kernel", &[4, 5])]),
    ]
}

fn planned(origin: Origin, schema: &str, layers: &[Spec<'_>]) -> String {
    let said = render(schema, &checkpoint(TENSORS), architecture(origin, layers), &PlanOptions::default());
    said.lines().filter(|line| !line.trim_start().starts_with("at line")).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_with_captures() {
    let every = "[[layer]]\ntorch = '{m:**}'\nkeras = '{m}'\n";
    let bound = planned(Origin::Json, every, &nested("Functional"));
    assert_snapshot!(bound, @"
    net/0/fc1/kernel (2, 3) = net.0.fc1.weight [o i -> i o] Dense, line 2
    net/0/fc2/kernel (3, 4) = net.0.fc2.weight [o i -> i o] Dense, line 2
    head/kernel (4, 5) = head.weight [o i -> i o] Dense, line 2
    ");
    assert_eq!(planned(Origin::Json, every, &nested("Sequential")), bound);
    assert_eq!(planned(Origin::Template, every, &nested("")), bound);
    let head = "[[layer]]\ntorch = 'head'\nkeras = 'head'\n";
    let deep = format!("[[layer]]\ntorch = 'net.{{m:**}}'\nkeras = 'net/{{m}}'\n{head}");
    assert_eq!(
        planned(Origin::Json, &deep, &nested("Block")),
        bound.replace("line 2", "line 5").replacen("line 5", "line 2", 2)
    );
    let same = planned(Origin::Json, "extends = 'same-names'", &nested("Sequential"));
    assert_eq!(same.replace("line 15", "line 2"), bound);
}

/// One style for the path of the block, and another within it, takes a rule beside those of the same names.
#[test]
fn blocks_of_another_style() {
    let layers = [
        layer("net_0", "", &[]),
        layer("net_0/fc1", "Dense", &[("kernel", &[2, 3])]),
        layer("net_0/fc2", "Dense", &[("kernel", &[3, 4])]),
        layer("head", "Dense", &[("kernel", &[4, 5])]),
    ];
    let rule = "extends = 'same-names'\n[[layer]]\ntorch = 'net.{i}.{m:**}'\nkeras = 'net_{i}/{m}'\n";
    assert_snapshot!(planned(Origin::Template, rule, &layers), @"
    net_0/fc1/kernel (2, 3) = net.0.fc1.weight [o i -> i o] Dense, line 3
    net_0/fc2/kernel (3, 4) = net.0.fc2.weight [o i -> i o] Dense, line 3
    head/kernel (4, 5) = head.weight [o i -> i o] Dense, line 15
    ");
}

/// Rules that name such a layer, or that reach nothing else.
#[test]
fn rules_for_the_layer_itself() {
    let rule = "[[layer]]\ntorch = 'head'\nkeras = 'head'\n[[layer]]\n";
    let check = |own: &str, class| planned(Origin::Json, &format!("{rule}{own}"), &nested(class));
    assert_snapshot!(check("torch = 'net.0'\nkeras = 'net/0'", "Functional"), @"
    Rule: layer `net/0` is a `Functional`, a model of its own: its variables are those of the layers inside
      hint: name the layers inside, such as `net/0/fc1`
    Missing: `net/0/fc1/kernel` (2, 3) gets no value
      hint: `net.0.fc1.weight` is unused and has the same sizes: map it with a rule
    Missing: `net/0/fc2/kernel` (3, 4) gets no value
      hint: `net.0.fc2.weight` is unused and has the same sizes: map it with a rule
    ");
    assert_snapshot!(check("torch = 'net.0'\nkeras = 'net/0'", "Block"), @"
    Rule: layer `net/0` is a `Block`, a model of its own: its variables are those of the layers inside
      hint: name the layers inside, such as `net/0/fc1`, or write [class.Block] in the schema
    Missing: `net/0/fc1/kernel` (2, 3) gets no value
      hint: `net.0.fc1.weight` is unused and has the same sizes: map it with a rule
    Missing: `net/0/fc2/kernel` (3, 4) gets no value
      hint: `net.0.fc2.weight` is unused and has the same sizes: map it with a rule
    ");
    assert_snapshot!(check("torch = 'net.0'\nkeras = 'net/0'\nclass = 'Block'", "Block"), @"
    Rule: layer `net/0` is a `Block`, for which there are no class rules
      hint: write [class.Block] in the schema, or [[tensor]] rules for its variables
    Missing: `net/0/fc1/kernel` (2, 3) gets no value
      hint: `net.0.fc1.weight` is unused and has the same sizes: map it with a rule
    Missing: `net/0/fc2/kernel` (3, 4) gets no value
      hint: `net.0.fc2.weight` is unused and has the same sizes: map it with a rule
    ");
    assert_snapshot!(check("torch = 'net.{i}'\nkeras = 'net/{i}'", "Sequential"), @"
    Rule: layer `net/0` is a `Sequential`, a model of its own: its variables are those of the layers inside
      hint: name the layers inside, such as `net/0/fc1`
    Missing: `net/0/fc1/kernel` (2, 3) gets no value
      hint: `net.0.fc1.weight` is unused and has the same sizes: map it with a rule
    Missing: `net/0/fc2/kernel` (3, 4) gets no value
      hint: `net.0.fc2.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `net.0.fc1.weight` (3, 2) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    Unexpected: `net.0.fc2.weight` (4, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
    // Beside layers that it is for.
    let each = "[[layer]]\ntorch = '{m:*}'\nkeras = '{m}'\n";
    assert_snapshot!(planned(Origin::Json, each, &nested("Sequential")), @"
    Rule: layer `net` is a `Sequential`, a model of its own: its variables are those of the layers inside
      hint: name the layers inside, such as `net/0`
    Missing: `net/0/fc1/kernel` (2, 3) gets no value
      hint: `net.0.fc1.weight` is unused and has the same sizes: map it with a rule
    Missing: `net/0/fc2/kernel` (3, 4) gets no value
      hint: `net.0.fc2.weight` is unused and has the same sizes: map it with a rule
    Unexpected: `net.0.fc1.weight` (3, 2) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    Unexpected: `net.0.fc2.weight` (4, 3) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
}
