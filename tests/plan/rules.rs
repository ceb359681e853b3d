//! Plans over checkpoints and architectures made in memory: what each rule binds, and every fault.

use std::fmt::Write as _;

use ptw2k::checkpoint::{Checkpoint, Role};
use ptw2k::keras::{Architecture, Origin, Weightless};
use ptw2k::plan::{FaultDetail, PlanOptions, Provenance, Value, plan};
use ptw2k::schema::{Position, Schema};
use ptw2k::tensor::Dtype;

use crate::made::{Spec, architecture, checkpoint, layer};

/// The plan, or the faults, as text.
pub(crate) fn render(
    schema: &str,
    checkpoint: &Checkpoint,
    architecture: Architecture,
    options: &PlanOptions,
) -> String {
    let schema = Schema::parse("schema.toml", &format!("schema = 1\n{schema}"), None).unwrap();
    let mut text = String::new();
    let at = |position: &Position| position.file.text[..position.span.start].matches('\n').count() + 1;
    match plan(checkpoint, &schema, architecture, options) {
        Ok(plan) => {
            for binding in &plan.bindings {
                let variable = &plan.architecture.variables[binding.variable];
                let value = match &binding.value {
                    Value::Fill(value) => format!("{value:?}"),
                    Value::Gather(terms) => {
                        let term = |parts: Vec<&str>| parts.join(", ");
                        let terms = terms
                            .iter()
                            .map(|term_| term(term_.parts.iter().map(|part| part.key.as_str()).collect()));
                        terms.collect::<Vec<_>>().join(" + ")
                    }
                };
                let rule = match &binding.provenance {
                    Provenance::Rule(position) => format!("line {}", at(position)),
                    Provenance::Class { class, rule } => format!("{class}, line {}", at(rule)),
                    Provenance::Waiver(waiver) => waiver.clone(),
                    Provenance::Role(role) => role.name().to_owned(),
                    Provenance::Initial => "Keras".to_owned(),
                };
                writeln!(text, "{} {} = {value} [{}] {rule}", variable.path, variable.shape, binding.layout)
                    .unwrap();
            }
            for (key, _) in &plan.unused {
                writeln!(text, "unused: {key}").unwrap();
            }
            for note in &plan.notes {
                writeln!(text, "note: {}: {}", note.about, note.text).unwrap();
            }
        }
        Err(faults) => {
            for fault in &faults.faults {
                writeln!(text, "{:?}: {fault}", fault.kind()).unwrap();
                if let Some(position) = &fault.position {
                    writeln!(text, "  at line {}", at(position)).unwrap();
                }
                if let Some(hint) = &fault.hint {
                    writeln!(text, "  hint: {hint}").unwrap();
                }
            }
        }
    }
    text
}

pub(crate) fn check(schema: &str, tensors: &[(&str, &[usize])], layers: &[Spec<'_>]) -> String {
    render(schema, &checkpoint(tensors), architecture(Origin::Json, layers), &PlanOptions::default())
}

const CONV: &[(&str, &[usize])] = &[("kernel", &[5, 7, 3, 16]), ("bias", &[16])];

/// What float8 training keeps beside the kernel is filled with what Keras begins with, unless a rule says else.
#[test]
fn bookkeeping_that_no_checkpoint_has() {
    let variables: &[(&str, &[usize])] =
        &[("kernel", &[3, 2]), ("inputs_scale", &[]), ("inputs_amax_history", &[7])];
    let planned = |schema: &str| {
        let mut model = architecture(Origin::Json, &[layer("d", "Dense", variables)]);
        model.variables[1].initial = Some(1.0);
        model.variables[2].initial = Some(0.0);
        render(schema, &checkpoint(&[("d.weight", &[2, 3])]), model, &PlanOptions::default())
    };
    insta::assert_snapshot!(planned("[[layer]]\ntorch = '{m:*}'\nkeras = '{m}'\n"), @r"
    d/kernel (3, 2) = d.weight [o i -> i o] Dense, line 2
    d/inputs_scale () = 1.0 [] Keras
    d/inputs_amax_history (7,) = 0.0 [] Keras
    note: d/inputs_scale, d/inputs_amax_history: bookkeeping of float8 training, which no checkpoint has: filled with what Keras begins with
    ");
    insta::assert_snapshot!(planned(
        "[[layer]]\ntorch = '{m:*}'\nkeras = '{m}'\n[[fill]]\nkeras = 'd/inputs_scale'\nvalue = 0.5\n"
    ), @r"
    d/kernel (3, 2) = d.weight [o i -> i o] Dense, line 2
    d/inputs_scale () = 0.5 [] line 5
    d/inputs_amax_history (7,) = 0.0 [] Keras
    note: d/inputs_amax_history: bookkeeping of float8 training, which no checkpoint has: filled with what Keras begins with
    ");
}

#[test]
fn a_layer_by_its_class() {
    insta::assert_snapshot!(check(
        "[[layer]]\ntorch = '{m:*}'\nkeras = '{m}'\n",
        &[
            ("conv.weight", &[16, 3, 5, 7]),
            ("conv.bias", &[16]),
            ("bn.weight", &[16]),
            ("bn.bias", &[16]),
            ("bn.running_mean", &[16]),
            ("bn.running_var", &[16]),
            ("bn.num_batches_tracked", &[]),
        ],
        &[
            layer("conv", "Conv2D", CONV),
            layer("bn", "BatchNormalization", &[
                ("gamma", &[16]),
                ("beta", &[16]),
                ("moving_mean", &[16]),
                ("moving_variance", &[16]),
            ]),
        ],
    ), @"
    conv/kernel (5, 7, 3, 16) = conv.weight [o i h w -> h w i o] Conv2D, line 2
    conv/bias (16,) = conv.bias [o -> o] Conv2D, line 2
    bn/gamma (16,) = bn.weight [c -> c] BatchNormalization, line 2
    bn/beta (16,) = bn.bias [c -> c] BatchNormalization, line 2
    bn/moving_mean (16,) = bn.running_mean [c -> c] BatchNormalization, line 2
    bn/moving_variance (16,) = bn.running_var [c -> c] BatchNormalization, line 2
    unused: bn.num_batches_tracked
    ");
}

#[test]
fn settings_of_layers_without_variables() {
    let mut model = architecture(Origin::Json, &[layer("d", "Dense", &[("kernel", &[4, 3])])]);
    let settings = [
        ("pool", "MaxPooling2D", r#"{"padding": "same", "pool_size": [3, 3], "strides": [2, 2]}"#),
        ("valid", "MaxPooling2D", r#"{"padding": "valid", "pool_size": [3, 3], "strides": [2, 2]}"#),
        ("mean", "AveragePooling2D", r#"{"padding": "same", "pool_size": [3, 3], "strides": [1, 1]}"#),
        ("leaky", "LeakyReLU", r#"{"negative_slope": 0.3}"#),
        ("torch_leaky", "LeakyReLU", r#"{"negative_slope": 0.01}"#),
        ("act", "Activation", r#"{"activation": "leaky_relu"}"#),
        ("elu", "ELU", r#"{"alpha": 0.5}"#),
    ];
    for (path, class, config) in settings {
        model.weightless.push(Weightless {
            path: path.to_owned(),
            class: class.to_owned(),
            config: serde_json::from_str::<serde_json::Value>(config).unwrap().into(),
        });
    }
    let rule = "[[layer]]\ntorch = 'd'\nkeras = 'd'\n";
    let text = render(rule, &checkpoint(&[("d.weight", &[3, 4])]), model, &PlanOptions::default());
    insta::assert_snapshot!(text, @r#"
    d/kernel (4, 3) = d.weight [o i -> i o] Dense, line 2
    note: elu: alpha is 0.5; PyTorch's default is 1
    note: mean: padding is "same" in an average: Keras does not count the padding; PyTorch does, unless count_include_pad=False
    note: pool: padding is "same" in max pooling with strides above 1: Keras pads more at the end than at the beginning, PyTorch evenly, both with −∞; padding="valid" agrees with PyTorch after ZeroPadding where no value is negative (after a ReLU), else after `keras.ops.pad(…, constant_values=-1e30)`
    note: act: the slope of the leaky ReLU is 0.2; PyTorch's default is 0.01
    note: leaky: the slope of the leaky ReLU is 0.3; PyTorch's default is 0.01
    "#);
}

#[test]
fn tensors_by_layout() {
    insta::assert_snapshot!(check(
        "[[tensor]]\ntorch = 'h.{i}.attn.weight'\nkeras = 'block_{i+1}/{p:query|key|value}/kernel'\n\
         layout = 'd (p h k) -> d h k'\n\
         [[tensor]]\ntorch = 'h.{i}.{g:gate|up}.weight'\nkeras = 'block_{i+1}/mlp/kernel'\nlayout = 'o i -> i (g o)'\n\
         [[tensor]]\ntorch = 'bias_{b:ih|hh}'\nkeras = 'rnn/bias'\nlayout = 'g -> g'\nreduce = 'sum'\n",
        &[
            ("h.0.attn.weight", &[5, 18]),
            ("h.0.gate.weight", &[7, 5]),
            ("h.0.up.weight", &[9, 5]),
            ("bias_ih", &[4]),
            ("bias_hh", &[4]),
        ],
        &[
            layer("block_1/query", "EinsumDense", &[("kernel", &[5, 2, 3])]),
            layer("block_1/key", "EinsumDense", &[("kernel", &[5, 2, 3])]),
            layer("block_1/value", "EinsumDense", &[("kernel", &[5, 2, 3])]),
            layer("block_1/mlp", "Dense", &[("kernel", &[5, 16])]),
            layer("rnn", "Custom", &[("bias", &[4])]),
        ],
    ), @"
    block_1/query/kernel (5, 2, 3) = h.0.attn.weight [d (p h k) -> d h k] line 2
    block_1/key/kernel (5, 2, 3) = h.0.attn.weight [d (p h k) -> d h k] line 2
    block_1/value/kernel (5, 2, 3) = h.0.attn.weight [d (p h k) -> d h k] line 2
    block_1/mlp/kernel (5, 16) = h.0.gate.weight, h.0.up.weight [o i -> i (g o)] line 6
    rnn/bias (4,) = bias_hh + bias_ih [g -> g] line 10
    ");
}

#[test]
fn sequences() {
    let conv = |path| layer(path, "Conv2D", &[("kernel", &[5, 7, 3, 16])]);
    let rule = "[[sequence]]\ntorch = 'features.{k}'\nkeras = 'block{b}_conv{c}'\n";
    let tensors: &[(&str, &[usize])] =
        &[("features.10.weight", &[16, 3, 5, 7]), ("features.2.weight", &[16, 3, 5, 7])];
    insta::assert_snapshot!(check(rule, tensors, &[conv("block2_conv1"), conv("block1_conv1")]), @"
    block2_conv1/kernel (5, 7, 3, 16) = features.10.weight [o i h w -> h w i o] Conv2D, line 2
    block1_conv1/kernel (5, 7, 3, 16) = features.2.weight [o i h w -> h w i o] Conv2D, line 2
    ");
    insta::assert_snapshot!(check(rule, tensors, &[conv("block2_conv1")]), @"
    Rule: the sequence pairs 2 modules with 1 layers
      at line 2
      hint: modules: features.2, features.10; layers: block2_conv1
    ");
}

#[test]
fn fills_and_prefixes() {
    insta::assert_snapshot!(check(
        "[source]\nprefix = ['bert.', '']\nignore = ['cls.**']\n\
         [[layer]]\ntorch = 'pooler'\nkeras = 'pooler'\n[[fill]]\nkeras = '{l:**}/bias'\nvalue = 0.5\n",
        &[("bert.pooler.weight", &[3, 4]), ("cls.x.y", &[2])],
        &[layer("pooler", "Dense", &[("kernel", &[4, 3]), ("bias", &[3])])],
    ), @"
    pooler/kernel (4, 3) = bert.pooler.weight [o i -> i o] Dense, line 5
    pooler/bias (3,) = 0.5 [] line 8
    unused: cls.x.y
    ");
}

#[test]
fn every_fault_at_once() {
    insta::assert_snapshot!(check(
        "[[layer]]\ntorch = 'conv'\nkeras = 'conv'\n\
         [[layer]]\ntorch = 'fcc'\nkeras = 'fc'\n\
         [[tensor]]\ntorch = 'conv.bias'\nkeras = 'conv/bias'\n\
         [[layer]]\ntorch = 'norm'\nkeras = 'nrm'\n\
         [[layer]]\ntorch = 'rnn'\nkeras = 'rnn'\n",
        &[
            ("conv.weight", &[16, 3, 7, 5]),
            ("conv.bias", &[16]),
            ("fc.weight", &[11, 24]),
            ("norm.weight", &[4]),
            ("rnn.weight_ih", &[4]),
        ],
        &[
            layer("conv", "Conv2D", CONV),
            layer("fc", "Dense", &[("kernel", &[24, 11])]),
            layer("norm", "LayerNormalization", &[("gamma", &[4])]),
            layer("rnn", "Mystery", &[("kernel", &[4])]),
        ],
    ), @"
    Rule: the rule for `fcc` matches no tensor of the checkpoint
      at line 5
      hint: did you mean `fc`?
    Rule: layer `rnn` is a `Mystery`, for which there are no class rules
      at line 14
      hint: write [class.Mystery] in the schema, or [[tensor]] rules for its variables
    Rule: `norm` goes to `nrm`, which the architecture does not have
      at line 11
      hint: did you mean `norm`?
    Duplicate: `conv/bias` is bound twice, by schema.toml:2 and by schema.toml:8
      at line 8
      hint: remove one of the rules, or narrow its pattern
    Shape: `conv.weight` (16, 3, 7, 5) does not fit `conv/kernel` (5, 7, 3, 16)
      by `o i h w -> h w i o`: axis `h` is 7 in the tensor and 5 in the variable
      at line 2
      hint: the shapes match after transposing: layout = `a b c d -> d c b a`; the class has another: are two axes exchanged in the model?
    Missing: `fc/kernel` (24, 11) gets no value
      hint: `fc.weight` is unused and has the same sizes: map it with a rule
    Missing: `norm/gamma` (4,) gets no value
    Unexpected: `fc.weight` (11, 24) float32 has no use
      hint: map it with a rule, or list it in `source.ignore`
    ");
}

#[test]
fn two_layouts_that_fit() {
    insta::assert_snapshot!(check(
        "[[tensor]]\ntorch = 'w'\nkeras = 'd/kernel'\nlayout = ['o i -> i o', 'i o -> i o']\n",
        &[("w", &[3, 3])],
        &[layer("d", "Dense", &[("kernel", &[3, 3])])],
    ), @"
    Ambiguous: `o i -> i o` and `i o -> i o` both fit `w` (3, 3) to `d/kernel` (3, 3), and differ
      at line 5
      hint: say the one that is meant, as `layout = …` in a [[tensor]] rule
    ");
    // They agree where an axis is one.
    insta::assert_snapshot!(check(
        "[[tensor]]\ntorch = 'w'\nkeras = 'd/kernel'\nlayout = ['o 1 -> 1 o', 'o i -> i o']\n",
        &[("w", &[3, 1])],
        &[layer("d", "Dense", &[("kernel", &[1, 3])])],
    ), @"d/kernel (1, 3) = w [o 1 -> 1 o] line 2");
}

#[test]
fn dtypes_are_converted_with_a_note() {
    let options = PlanOptions { dtype: Some(Dtype::F16), ..PlanOptions::default() };
    let text = render(
        "[[layer]]\ntorch = 'd'\nkeras = 'd'\n",
        &checkpoint(&[("d.weight", &[3, 4])]),
        architecture(Origin::Json, &[layer("d", "Dense", &[("kernel", &[4, 3])])]),
        &options,
    );
    insta::assert_snapshot!(text, @"
    d/kernel (4, 3) = d.weight [o i -> i o] Dense, line 2
    note: d/kernel: values are rounded from float32 to float16
    ");
}

#[test]
fn faults_have_stable_details() {
    let schema = Schema::parse("s.toml", "schema = 1\n[[layer]]\ntorch = 'a'\nkeras = 'a'\n", None).unwrap();
    let faults = plan(
        &checkpoint(&[("b.weight", &[3])]),
        &schema,
        architecture(Origin::Json, &[]),
        &PlanOptions::default(),
    )
    .unwrap_err();
    assert!(matches!(faults.faults[0].detail, FaultDetail::UnusedRule { keras: false, .. }));
    assert!(matches!(faults.faults[1].detail, FaultDetail::Unexpected { .. }));
}

#[test]
fn a_rule_that_leads_nowhere() {
    insta::assert_snapshot!(check(
        "[[layer]]\ntorch = 'fc'\nkeras = 'fc'\n[[layer]]\ntorch = 'fc'\nkeras = 'head'\n",
        &[("fc.weight", &[3, 4])],
        &[layer("fc", "Dense", &[("kernel", &[4, 3])])],
    ), @"
    Rule: `fc` goes to `head`, which the architecture does not have
      at line 5
      hint: `ptw2k inspect model.json` lists the layers
    ");
}

#[test]
fn kept_variables() {
    let rules = "[[layer]]\ntorch = 'fc'\nkeras = 'fc'\n[[keep]]\nkeras = 'count/total'\n";
    let layers = [layer("fc", "Dense", &[("kernel", &[4, 3])]), layer("count", "Custom", &[("total", &[2])])];
    let tensors = checkpoint(&[("fc.weight", &[3, 4])]);
    insta::assert_snapshot!(
        render(rules, &tensors, architecture(Origin::Json, &layers), &PlanOptions::default()), @"
    Rule: `count/total` is to be kept, but the architecture file holds no values
      at line 5
      hint: use a template (`model.save_weights`) or a `.keras` file as the architecture, or [[fill]]
    ");
    let mut valued = architecture(Origin::Archive, &layers);
    valued.variables[1].value = Some(Box::new(checkpoint(&[("total", &[2])]).tensors[0].tensor.clone()));
    insta::assert_snapshot!(render(rules, &tensors, valued, &PlanOptions::default()), @"
    fc/kernel (4, 3) = fc.weight [o i -> i o] Dense, line 2
    count/total (2,) =  [] line 5
    ");
}

#[test]
fn tensors_of_no_state_dict_need_no_use_and_may_have_one() {
    let mut checkpoint = checkpoint(&[
        ("fc.weight", &[5, 3]),
        ("fc.bias", &[5]),
        ("fc.table", &[7]),
        ("mask", &[2]),
        ("CONSTANTS.c0", &[4]),
        ("more", &[6]),
    ]);
    let roles = [
        Role::Parameter,
        Role::Parameter,
        Role::Attribute,
        Role::NonPersistentBuffer,
        Role::Attribute,
        Role::Buffer,
    ];
    for (tensor, role) in checkpoint.tensors.iter_mut().zip(roles) {
        tensor.role = role;
    }
    let layers = [
        layer("fc", "Dense", &[("kernel", &[3, 5]), ("bias", &[5])]),
        layer("scale", "", &[("value", &[4])]),
        layer("rest", "", &[("value", &[6])]),
    ];
    let rules = r#"
        [[layer]]
        torch = "fc"
        keras = "fc"
        [[tensor]]
        torch = "CONSTANTS.c0"
        keras = "scale/value"
        layout = "a -> a"
    "#;
    let more = r#"
        [[tensor]]
        torch = "more"
        keras = "rest/value"
        layout = "a -> a"
    "#;
    let used = Schema::parse("schema.toml", &format!("schema = 1\n{rules}{more}"), None).unwrap();
    let architecture = || architecture(Origin::Json, &layers);
    let plan = plan(&checkpoint, &used, architecture(), &PlanOptions::default()).unwrap();
    let unused: Vec<(&str, Role)> = plan
        .unused
        .iter()
        .map(|(key, reason)| match reason {
            Provenance::Role(role) => (key.as_str(), *role),
            other => panic!("{key}: {other:?}"),
        })
        .collect();
    assert_eq!(unused, [("fc.table", Role::Attribute), ("mask", Role::NonPersistentBuffer)]);
    assert_eq!(plan.bindings.len(), 4);

    // A buffer of the state_dict needs a use.
    let unused = Schema::parse("schema.toml", &format!("schema = 1\n{rules}"), None).unwrap();
    let faults =
        ptw2k::plan::plan(&checkpoint, &unused, architecture(), &PlanOptions::default()).unwrap_err();
    let unexpected: Vec<&str> = faults
        .faults
        .iter()
        .filter_map(|fault| match &fault.detail {
            FaultDetail::Unexpected { key, .. } => Some(key.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(unexpected, ["more"]);
}
