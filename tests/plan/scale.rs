//! Plans of tens of thousands of variables, which have to end in reasonable time: nothing compares every name with
//! every other.

use std::num::NonZeroUsize;

use ptw2k::keras::Origin;
use ptw2k::plan::PlanOptions;

use crate::made::{architecture, checkpoint, layer};
use crate::rules::render;

const LAYERS: usize = 10_000;

/// The lines that are said of as many modules `enc.l.{i}.fc` and layers `enc_l_{i}_fc`, of two variables each.
fn check(schema: &str) -> Vec<String> {
    let keys: Vec<[String; 2]> =
        (0..LAYERS).map(|at| ["weight", "bias"].map(|name| format!("enc.l.{at}.fc.{name}"))).collect();
    let tensors: Vec<(&str, &[usize])> = keys
        .iter()
        .flat_map(|[weight, bias]| [(weight.as_str(), &[3, 2][..]), (bias.as_str(), &[3][..])])
        .collect();
    let paths: Vec<String> = (0..LAYERS).map(|at| format!("enc_l_{at}_fc")).collect();
    let dense: &[(&str, &[usize])] = &[("kernel", &[2, 3]), ("bias", &[3])];
    let layers: Vec<_> = paths.iter().map(|path| layer(path, "Dense", dense)).collect();
    let model = architecture(Origin::Json, &layers);
    let said = render(schema, &checkpoint(&tensors), model, &PlanOptions::default());
    said.lines().map(str::to_owned).collect()
}

#[test]
fn every_layer_is_found() {
    for schema in [
        "extends = 'same-names'\n",
        "[[layer]]\ntorch = 'enc.l.{i}.fc'\nkeras = 'enc_l_{i}_fc'\n",
        "[[layer]]\ntorch = '{m:*}.{n:**}'\nkeras = '{m}_{n|_}'\n",
        "[[tensor]]\ntorch = 'enc.l.{i}.fc.{w:weight}'\nkeras = 'enc_l_{i}_fc/kernel'\nlayout = 'o i -> i o'\n\
         [[tensor]]\ntorch = 'enc.l.{i}.fc.bias'\nkeras = 'enc_l_{i}_fc/bias'\nlayout = 'o -> o'\n",
    ] {
        let said = check(schema);
        assert_eq!(said.len(), 2 * LAYERS, "{schema}: {}", said[0]);
        assert!(said.iter().all(|line| line.contains(" = enc.l.")), "{schema}: {}", said[0]);
    }
}

/// The same faults and bindings in the same order, however many threads bind them.
#[test]
fn threads_change_nothing() {
    let keys: Vec<String> = (0..2500).map(|at| format!("l.{at}.weight")).collect();
    // Every seventh has a shape that its layer does not.
    let sizes = |at: usize| if at.is_multiple_of(7) { &[5, 2][..] } else { &[3, 2][..] };
    let tensors: Vec<_> = keys.iter().enumerate().map(|(at, key)| (key.as_str(), sizes(at))).collect();
    let paths: Vec<String> = (0..keys.len()).map(|at| format!("l_{at}")).collect();
    let kernel: &[(&str, &[usize])] = &[("kernel", &[2, 3])];
    let layers: Vec<_> = paths.iter().map(|path| layer(path, "Dense", kernel)).collect();
    let said = |keys: usize, threads: usize| {
        let options = PlanOptions { threads: NonZeroUsize::new(threads), ..PlanOptions::default() };
        let model = architecture(Origin::Json, &layers[..keys]);
        render(
            "[[layer]]\ntorch = 'l.{i}'\nkeras = 'l_{i}'\n",
            &checkpoint(&tensors[..keys]),
            model,
            &options,
        )
    };
    let expected = said(keys.len(), 1);
    assert_eq!(expected.matches("Shape: ").count(), keys.len().div_ceil(7), "{expected}");
    for threads in [2, 3, 7] {
        assert_eq!(said(keys.len(), threads), expected, "{threads} threads");
    }
}

/// All faults are told, and the first ones with what was nearly right.
#[test]
fn no_layer_is_found() {
    for (schema, hint) in [
        ("[[layer]]\ntorch = 'enc.l.{i}.fc'\nkeras = 'enc_l_{i}_fx'\n", "  hint: did you mean `enc_l_0_fc`"),
        ("[[layer]]\ntorch = 'enc.l.{i}.fx'\nkeras = 'enc_l_{i}_fc'\n", "  hint: did you mean `enc.l.0.fc`"),
    ] {
        let said = check(schema);
        let missing = said.iter().filter(|line| line.starts_with("Missing: ")).count();
        assert_eq!(missing, 2 * LAYERS);
        assert!(said.iter().any(|line| line.starts_with(hint)), "{hint}");
    }
}

/// A name of half a million modules has a tensor, and its rules have their answers.
#[test]
fn a_deep_name() {
    let deep = "a.0.".repeat(250_000);
    let key = format!("{deep}weight");
    let tensors = checkpoint(&[(&key, &[3, 2])]);
    for (schema, expected) in [
        (
            "[[tensor]]\ntorch = '{m:**}.weight'\nkeras = 'fc/kernel'\nlayout = 'o i -> i o'\n",
            "fc/kernel (2, 3) = a.0.",
        ),
        ("[[tensor]]\ntorch = '{m:**}.a.{i}.{k:*}.b{j}'\nkeras = 'fc/kernel'\n", "Missing: "),
        ("[[layer]]\ntorch = 'a.0.{x:*}'\nkeras = '{x}'\n", "Missing: "),
    ] {
        let model = architecture(Origin::Json, &[layer("fc", "Dense", &[("kernel", &[2, 3])])]);
        let said = render(schema, &tensors, model, &PlanOptions::default());
        let start = said.get(..said.len().min(200));
        assert!(said.contains(expected), "{schema}: {start:?}");
    }
}
