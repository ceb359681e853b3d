//! Conversions that would go wrong in silence if anything were guessed.

use ptw2k::keras::{Architecture, Origin};
use ptw2k::plan::{FaultKind, PlanOptions, plan};
use ptw2k::schema::Schema;

use crate::made::{architecture, checkpoint, layer};

/// The kinds and messages of the faults of a plan; none for a plan without.
fn faults(
    schema: &str,
    tensors: &[(&str, &[usize])],
    architecture: Architecture,
) -> Vec<(FaultKind, String)> {
    let schema = Schema::parse("schema.toml", &format!("schema = 1\n{schema}"), None).unwrap();
    match plan(&checkpoint(tensors), &schema, architecture, &PlanOptions::default()) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.faults.iter().map(|fault| (fault.kind(), fault.to_string())).collect(),
    }
}

fn check(found: &[(FaultKind, String)], expected: &[(FaultKind, &str)]) {
    let found: Vec<(FaultKind, &str)> = found.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_axis_of_any_text() {
    let rule = "schema = 1\n[[tensor]]\ntorch = 'e.{e:*}.w'\nkeras = 'm/v'\nlayout = 'o -> e o'\n";
    let error = Schema::parse("schema.toml", rule, None).unwrap_err();
    assert!(error.to_string().contains("the capture `e` is an axis, but its values are any text"), "{error}");
}

#[test]
fn a_stack_with_a_gap() {
    let rule = "[[tensor]]\ntorch = 'e.{e}.w'\nkeras = 'm/v'\nlayout = 'o -> e o'\n";
    let tensors: &[(&str, &[usize])] = &[("e.0.w", &[5]), ("e.1.w", &[5]), ("e.3.w", &[5])];
    check(
        &faults(rule, tensors, architecture(Origin::Json, &[layer("m", "X", &[("v", &[3, 5])])])),
        &[(FaultKind::Missing, "`m/v` joins the tensors of `e`, of which `2` is missing")],
    );
}

#[test]
fn a_sequence_without_an_order() {
    let rule = "[[sequence]]\ntorch = 'f.{k}'\nkeras = '{x:**}'\n";
    let tensors: &[(&str, &[usize])] = &[("f.0.weight", &[5, 5]), ("f.2.weight", &[5, 5])];
    let layers =
        [layer("inp", "Dense", &[("kernel", &[5, 5])]), layer("hidden", "Dense", &[("kernel", &[5, 5])])];
    let found = faults(rule, tensors, architecture(Origin::Template, &layers));
    assert_eq!(
        found[0],
        (
            FaultKind::Rule,
            "`{x:**}` captures text, and this template is sorted by name: it has no order to follow"
                .to_owned()
        )
    );
    check(&faults(rule, tensors, architecture(Origin::Json, &layers)), &[]);
}

#[test]
fn a_square_kernel_without_a_layout() {
    let made = || architecture(Origin::Json, &[layer("d", "Dense", &[("kernel", &[6, 6]), ("bias", &[6])])]);
    let rule = "[[tensor]]\ntorch = 'd.{p:weight|bias}'\nkeras = 'd/{N[p]}'\n[table]\n\
                N = { weight = 'kernel', bias = 'bias' }\n";
    let tensors: &[(&str, &[usize])] = &[("d.weight", &[6, 6]), ("d.bias", &[6])];
    check(
        &faults(rule, tensors, made()),
        &[(
            FaultKind::Ambiguous,
            "`no layout: a copy` and `o i -> i o` both fit `d.weight` (6, 6) to `d/kernel` (6, 6), and differ",
        )],
    );
    let told = rule.replace("[table]", "layout = ['i o -> i o', 'o -> o']\n[table]");
    check(&faults(&told, tensors, made()), &[]);
}

#[test]
fn names_that_meet_under_a_prefix() {
    let made = || architecture(Origin::Json, &[layer("m", "X", &[("v", &[3])])]);
    let tensors: &[(&str, &[usize])] = &[("w", &[3]), ("ema.w", &[3])];
    for rule in ["torch = 'w'\nkeras = 'm/v'\n", "torch = '{p:w|x}'\nkeras = 'm/v'\nlayout = 'a -> a'\n"] {
        let both = format!("[source]\nprefix = ['ema.', '']\n[[tensor]]\n{rule}");
        check(
            &faults(&both, tensors, made()),
            &[(FaultKind::Ambiguous, "`m/v` could take its value from any of `w`, `ema.w`")],
        );
        // Alone, the prefix hides what lacks it.
        let alone = format!("[source]\nprefix = 'ema.'\n[[tensor]]\n{rule}");
        check(&faults(&alone, tensors, made()), &[(FaultKind::Unexpected, "`w` (3,) float32 has no use")]);
        let ignored = alone.replace("prefix = 'ema.'", "prefix = 'ema.'\nignore = ['w']");
        check(&faults(&ignored, &[("w", &[3]), ("ema.w", &[3])], made()), &[]);
    }
}

#[test]
fn a_class_that_only_a_name_tells() {
    let made = |sizes: &'static [usize]| {
        let variables: &'static [(&str, &[usize])] = Box::leak(Box::new([("embeddings", sizes)]));
        let mut made = architecture(Origin::Template, &[layer("embedding", "Embedding", variables)]);
        made.layers[0].class_from_name = true;
        made
    };
    let rule = "[[layer]]\ntorch = 'm'\nkeras = 'embedding'\n";
    check(
        &faults(rule, &[("m.weight", &[6, 6])], made(&[6, 6])),
        &[(
            FaultKind::Ambiguous,
            "`v e -> v e` and `o i -> i o` both fit `m.weight` (6, 6) to `embedding/embeddings` (6, 6), and differ",
        )],
    );
    let told = |class: &str| format!("{rule}class = '{class}'\n");
    check(&faults(&told("Embedding"), &[("m.weight", &[6, 6])], made(&[6, 6])), &[]);
    check(&faults(&told("Dense"), &[("m.weight", &[5, 6])], made(&[6, 5])), &[]);
    // Another shape tells that it is none.
    check(&faults(rule, &[("m.weight", &[6, 5])], made(&[6, 5])), &[]);
}

#[test]
fn a_layer_that_would_be_filled_in_part() {
    let made = architecture(Origin::Json, &[layer("d", "Dense", &[("kernel", &[4, 3]), ("bias", &[3])])]);
    let schema =
        Schema::parse("schema.toml", "schema = 1\n[[layer]]\ntorch = 'd'\nkeras = 'd'\n", None).unwrap();
    let options = PlanOptions {
        allow_missing: vec![ptw2k::schema::Glob::new("d/bias").unwrap()],
        ..PlanOptions::default()
    };
    let faults = plan(&checkpoint(&[("d.weight", &[3, 4])]), &schema, made, &options).unwrap_err();
    let found: Vec<(FaultKind, String)> =
        faults.faults.iter().map(|fault| (fault.kind(), fault.to_string())).collect();
    check(
        &found,
        &[(
            FaultKind::Missing,
            "`d/bias` would be left out, and Keras loads a layer whole or not at all: `d/kernel` would not be loaded \
         either",
        )],
    );
}
