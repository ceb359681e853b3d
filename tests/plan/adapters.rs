//! Low-rank adapters: what is merged, by what is said or read, and what is refused.

use insta::assert_snapshot;
use ptw2k::checkpoint::AdapterConfig;
use ptw2k::keras::Origin;
use ptw2k::plan::PlanOptions;

use crate::computed::{DENSE, ONE, Tensors, check, one};
use crate::made::{architecture, checkpoint, layer};
use crate::rules::render;

#[test]
fn adapters() {
    let base = ("a.base_layer.weight", &[2, 3][..]);
    let a = ("a.lora_A.default.weight", &[4, 3][..]);
    let b = ("a.lora_B.default.weight", &[2, 4][..]);
    let with = |tensors: Tensors<'_>| {
        check(&format!("[source]\nlora = {{ alpha = 8 }}\n{ONE}"), tensors, &[layer("d", "Dense", DENSE)])
    };
    assert_snapshot!(with(&[base, a, b]), @"d/kernel (3, 2) = a.weight [o i -> i o] line 4");
    assert_snapshot!(with(&[base]), @"d/kernel (3, 2) = a.weight [o i -> i o] line 4");
    assert_snapshot!(one(&[base, a, b]), @"
    Rule: `a.weight` is changed by an adapter (LoRA), whose alpha the checkpoint does not tell
      at line 2
      hint: put PEFT's adapter_config.json beside the checkpoint, or say its `lora_alpha` in the schema: `lora = { alpha = 16 }` in [source]
    ");
    assert_snapshot!(with(&[base, a, ("a.lora_B.default.weight", &[2, 5])]), @"
    Shape: `a.weight` cannot be computed by lora: `b` has shape (2, 5), where (2, 4) is needed: the outputs of the weight and the rank of `a`
      at line 4
    ");
    assert_snapshot!(with(&[base, ("a.lora_A.default.weight", &[4, 5]), b]), @"
    Shape: `a.weight` cannot be computed by lora: `a` has shape (4, 5), where (rank, in …) of the weight's shape (2, 3) is needed
      at line 4
    ");
    assert_snapshot!(with(&[base, a, b, ("a.lora_A.other.weight", &[4, 3]), ("a.lora_B.other.weight", &[2, 4])]), @"
    Ambiguous: `a.weight` is there in several forms: lora(a.base_layer.weight, a.lora_A.default.weight, a.lora_B.default.weight); lora(a.base_layer.weight, a.lora_A.other.weight, a.lora_B.other.weight)
      at line 4
      hint: write a [[tensor]] rule that says how it is computed, with `compute`, and list the others in `source.ignore`
    ");
    // DoRA is never taken for LoRA, by whatever rule.
    let dora: Tensors<'_> = &[base, a, b, ("a.lora_magnitude_vector.default.weight", &[2])];
    assert_snapshot!(with(dora), @"
    Rule: `a.weight` is changed by a DoRA adapter (`a.lora_magnitude_vector.default.weight`), which is not merged: it is more than the sum of LoRA
      at line 4
      hint: merge it first, in Python, where PEFT can: `model.merge_and_unload()`, and save the `state_dict()` of what that returns
    ");
    assert_snapshot!(check(&format!("{LORA}alpha = 8\n"), dora, &[layer("d", "Dense", DENSE)]), @"
    Rule: `a.base_layer.weight` is changed by a DoRA adapter (`a.lora_magnitude_vector.default.weight`), which is not merged: it is more than the sum of LoRA
      at line 2
      hint: merge it first, in Python, where PEFT can: `model.merge_and_unload()`, and save the `state_dict()` of what that returns
    ");
    assert_snapshot!(check(&format!("[source]\nignore = '*vector*'\n{LORA}alpha = 8\n"), dora, &[layer("d", "Dense", DENSE)]), @"
    Rule: `a.base_layer.weight` is changed by a DoRA adapter (`a.lora_magnitude_vector.default.weight`), which is not merged: it is more than the sum of LoRA
      at line 4
      hint: merge it first, in Python, where PEFT can: `model.merge_and_unload()`, and save the `state_dict()` of what that returns
    ");
}

const LORA: &str = "[[tensor]]\nkeras = 'd/kernel'\nlayout = 'o i -> i o'\ncompute = 'lora'\n\
                    torch = { weight = 'a.base_layer.weight', a = 'a.lora_A.default.weight', \
                    b = 'a.lora_B.default.weight' }\n";

/// What PEFT keeps beside a checkpoint, and what a schema says before it.
#[test]
fn adapters_as_peft_says() {
    let config = || AdapterConfig {
        path: "adapter_config.json".into(),
        alpha: 7.0,
        rank: 4,
        by_root: false,
        transposed: false,
        alpha_pattern: Vec::new(),
        rank_pattern: Vec::new(),
        variant: None,
    };
    let check = |schema: &str, change: fn(&mut AdapterConfig)| {
        let prefix = "base_model.model.m.a";
        let keys = ["base_layer.weight", "lora_A.default.weight", "lora_B.default.weight"]
            .map(|key| format!("{prefix}.{key}"));
        let tensors = [(keys[0].as_str(), &[2, 3][..]), (&keys[1], &[4, 3]), (&keys[2], &[2, 4])];
        let mut checkpoint = checkpoint(&tensors);
        let mut config = config();
        change(&mut config);
        checkpoint.adapter = Some(config);
        let schema =
            if schema.contains("[source]") { schema.to_owned() } else { format!("[source]\n{schema}") };
        let schema = schema.replace("[source]", "[source]\nprefix = 'base_model.model.m.'");
        let model = architecture(Origin::Json, &[layer("d", "Dense", DENSE)]);
        render(&schema, &checkpoint, model, &PlanOptions::default())
    };
    let same: fn(&mut AdapterConfig) = |_| {};
    assert_snapshot!(check(ONE, same), @"
    d/kernel (3, 2) = base_model.model.m.a.weight [o i -> i o] line 4
    note: base_model.model.m.a.weight: an adapter is added with alpha 7 over its rank 4, as adapter_config.json beside the checkpoint says
    ");
    assert_snapshot!(check(ONE, |config| config.by_root = true), @"
    d/kernel (3, 2) = base_model.model.m.a.weight [o i -> i o] line 4
    note: base_model.model.m.a.weight: an adapter is added with alpha 7 over the root of its rank 4, as adapter_config.json beside the checkpoint says
    ");
    assert_snapshot!(check(LORA, same), @"
    d/kernel (3, 2) = base_model.model.m.a.base_layer.weight [o i -> i o] line 4
    note: base_model.model.m.a.base_layer.weight: an adapter is added with alpha 7 over its rank 4, as adapter_config.json beside the checkpoint says
    ");
    assert_snapshot!(check(ONE, |config| config.alpha_pattern = vec![("b".to_owned(), 1.0), ("m.a".to_owned(), 2.5)]), @"
    d/kernel (3, 2) = base_model.model.m.a.weight [o i -> i o] line 4
    note: base_model.model.m.a.weight: an adapter is added with alpha 2.5 over its rank 4, as adapter_config.json beside the checkpoint says
    ");
    assert_snapshot!(check(ONE, |config| config.alpha_pattern = vec![("b.*".to_owned(), 1.0)]), @r#"
    Rule: `base_model.model.m.a.weight` is changed by an adapter (LoRA), and adapter_config.json may say another value for it by `b.*` in `alpha_pattern`, a regular expression that is not read
      at line 4
      hint: say alpha of this weight in a [[tensor]] rule with `compute = "lora"`, which counts before the file
    "#);
    assert_snapshot!(check(ONE, |config| config.rank = 5), @"
    Rule: `base_model.model.m.a.weight` is changed by an adapter (LoRA), and its rank is 4, where adapter_config.json beside the checkpoint says 5: the file is another checkpoint's
      at line 4
      hint: put the checkpoint's own file beside it, or move it away and say `lora = { alpha = 16 }` in [source]
    ");
    assert_snapshot!(check(ONE, |config| (config.rank, config.rank_pattern) = (5, vec![("a".to_owned(), 4)])), @"
    d/kernel (3, 2) = base_model.model.m.a.weight [o i -> i o] line 4
    note: base_model.model.m.a.weight: an adapter is added with alpha 7 over its rank 4, as adapter_config.json beside the checkpoint says
    ");
    assert_snapshot!(check(ONE, |config| config.variant = Some("use_dora")), @"
    Rule: `base_model.model.m.a.weight` is changed by an adapter (LoRA), and adapter_config.json says `use_dora`, which is not merged: it is more than the sum of LoRA
      at line 4
      hint: merge it first, in Python, where PEFT can: `model.merge_and_unload()`, and save the `state_dict()` of what that returns
    ");
    assert_snapshot!(check(ONE, |config| config.transposed = true), @"
    Shape: `base_model.model.m.a.weight` cannot be computed by lora: `a` has shape (4, 3), where (rank, in …) of the transposed weight's shape (2, 3) is needed
      at line 4
    ");
    // What the schema says counts; where the file says another thing, one of them is wrong.
    let said = |lora: &str| format!("[source]\nlora = {{ {lora} }}\n{ONE}");
    assert_snapshot!(check(&said("alpha = 7"), same), @"d/kernel (3, 2) = base_model.model.m.a.weight [o i -> i o] line 5");
    assert_snapshot!(check(&said("alpha = 8"), same), @r#"
    Rule: `base_model.model.m.a.weight` is changed by an adapter (LoRA), and the schema's [source] says `alpha = 8`, and adapter_config.json beside the checkpoint `lora_alpha` 7
      at line 5
      hint: leave it out of `source.lora` if the file belongs to the checkpoint, and move the file away if not; a [[tensor]] rule with `compute = "lora"` counts before the file
    "#);
    assert_snapshot!(check(&said("alpha = 7"), |config| config.by_root = true), @"
    d/kernel (3, 2) = base_model.model.m.a.weight [o i -> i o] line 5
    note: base_model.model.m.a.weight: an adapter is added with alpha 7 over the root of its rank 4, as adapter_config.json beside the checkpoint says
    ");
    assert_snapshot!(check(&said("alpha = 7, rslora = false"), |config| config.by_root = true), @r#"
    Rule: `base_model.model.m.a.weight` is changed by an adapter (LoRA), and the schema's [source] says `rslora = false`, and adapter_config.json beside the checkpoint `use_rslora` true
      at line 5
      hint: leave it out of `source.lora` if the file belongs to the checkpoint, and move the file away if not; a [[tensor]] rule with `compute = "lora"` counts before the file
    "#);
    assert_snapshot!(check(&said("fan_in_fan_out = true"), same), @r#"
    Rule: `base_model.model.m.a.weight` is changed by an adapter (LoRA), and the schema's [source] says `fan_in_fan_out = true`, and adapter_config.json beside the checkpoint `fan_in_fan_out` false
      at line 5
      hint: leave it out of `source.lora` if the file belongs to the checkpoint, and move the file away if not; a [[tensor]] rule with `compute = "lora"` counts before the file
    "#);
    assert_snapshot!(check(&format!("{LORA}alpha = 8\n"), |config| config.rank = 5), @"d/kernel (3, 2) = base_model.model.m.a.base_layer.weight [o i -> i o] line 4");
    assert_snapshot!(check(&format!("{LORA}rslora = true\n"), same), @"
    d/kernel (3, 2) = base_model.model.m.a.base_layer.weight [o i -> i o] line 4
    note: base_model.model.m.a.base_layer.weight: an adapter is added with alpha 7 over the root of its rank 4, as adapter_config.json beside the checkpoint says
    ");
}
