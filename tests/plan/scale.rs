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

/// The same faults and bindings in the same order, however many threads bind them while others are claimed. Every
/// `wrong`th layer has a shape that its module does not; from that `computed` on, every eleventh module has tensors that
/// are computed.
fn check_threads(wrong: Option<usize>, computed: usize) {
    const MODULES: usize = 2500;
    let is_wrong = |at: usize| wrong.is_some_and(|wrong| at.is_multiple_of(wrong));
    let is_computed = |at: usize| at >= computed && at % 11 == 5;
    assert_eq!((0..MODULES).any(is_computed), computed < MODULES);
    let mut keys = Vec::new();
    for at in 0..MODULES {
        let rows = if is_wrong(at) { 5 } else { 3 };
        if is_computed(at) {
            keys.push((format!("l.{at}.weight_g"), [rows, 1]));
            keys.push((format!("l.{at}.weight_v"), [rows, 2]));
        } else {
            keys.push((format!("l.{at}.weight"), [rows, 2]));
        }
    }
    let tensors: Vec<_> = keys.iter().map(|(key, sizes)| (key.as_str(), sizes.as_slice())).collect();
    let tensors = checkpoint(&tensors);
    let paths: Vec<String> = (0..MODULES).map(|at| format!("l_{at}")).collect();
    let kernel: &[(&str, &[usize])] = &[("kernel", &[2, 3])];
    let layers: Vec<_> = paths.iter().map(|path| layer(path, "Dense", kernel)).collect();
    let said = |threads: usize| {
        let options = PlanOptions { threads: NonZeroUsize::new(threads), ..PlanOptions::default() };
        let model = architecture(Origin::Json, &layers);
        render("[[layer]]\ntorch = 'l.{i}'\nkeras = 'l_{i}'\n", &tensors, model, &options)
    };
    let expected = said(1);
    let wrongs = (0..MODULES).filter(|&at| is_wrong(at)).count();
    assert_eq!(expected.matches("Shape: ").count(), wrongs, "{expected}");
    if wrongs == 0 {
        let begins = |at: usize| format!("l_{at}/kernel (2, 3) = l.{at}.weight [");
        let lines: Vec<&str> = expected.lines().collect();
        assert_eq!(lines.len(), MODULES, "{expected}");
        assert!((0..MODULES).all(|at| lines[at].starts_with(&begins(at))), "{expected}");
    }
    for threads in [2, 3, 7] {
        assert_eq!(said(threads), expected, "{threads} threads, {wrong:?}, {computed}");
    }
}

#[test]
fn threads_change_nothing() {
    for computed in [0, 700, 2490, usize::MAX] {
        check_threads(Some(7), computed);
        check_threads(None, computed);
    }
}

/// A rule that leads nowhere is told, though many claims of another were made before it, and whoever binds them.
#[test]
fn a_rule_that_leads_nowhere() {
    let keys: Vec<String> = (0..1500).map(|at| format!("l.{at}.weight")).collect();
    let tensors: Vec<_> = keys.iter().map(|key| (key.as_str(), &[3, 2][..])).collect();
    let tensors = checkpoint(&tensors);
    let paths: Vec<String> = (0..keys.len()).map(|at| format!("l_{at}")).collect();
    let kernel: &[(&str, &[usize])] = &[("kernel", &[2, 3])];
    let layers: Vec<_> = paths.iter().map(|path| layer(path, "Dense", kernel)).collect();
    let rule = |keras: &str| {
        format!("[[tensor]]\ntorch = 'l.{{i}}.weight'\nkeras = '{keras}'\nlayout = 'o i -> i o'\n")
    };
    for (schema, begins) in [
        (rule("l_{i}/kernel"), "l_0/kernel (2, 3) = l.0.weight ["),
        (rule("l_{i}/kernel") + &rule("m_{i}/kernel"), "Rule: `l.0.weight` goes to `m_0/kernel`"),
    ] {
        let said = |threads: usize| {
            let options = PlanOptions { threads: NonZeroUsize::new(threads), ..PlanOptions::default() };
            render(&schema, &tensors, architecture(Origin::Json, &layers), &options)
        };
        let expected = said(1);
        assert!(expected.lines().any(|line| line.starts_with(begins)), "{schema}: {expected}");
        assert_eq!(said(3), expected, "{schema}");
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
