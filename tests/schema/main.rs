//! Schemas as a user meets them: the reference's examples, and every diagnostic.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod composition;
mod names;

use std::path::Path;

use insta::assert_snapshot;
use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;
use ptw2k::schema::{Error, Fault, RuleKind, Schema};

/// The diagnostics of a schema, as a terminal without colours shows them.
fn render(error: &Error) -> String {
    let mut text = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::none())
        .with_width(100)
        .with_links(false)
        .render_report(&mut text, error)
        .unwrap();
    text
}

fn diagnose(text: &str) -> String {
    render(&Schema::parse("test.toml", text, None).unwrap_err())
}

/// The faults of a schema after `schema = 1`, one a line: place, what stands there, message, help.
fn faults(text: &str) -> String {
    let text = format!("schema = 1\n{text}");
    let Err(Error::Invalid { faults, .. }) = Schema::parse("t", &text, None) else {
        panic!("the schema is valid: {text}")
    };
    let line = |fault: &Fault| {
        let help = fault.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{} `{}`: {fault}{help}", fault.position, fault.position.snippet())
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The blocks of the reference.
fn examples() -> Vec<String> {
    let readme = include_str!("../../schemas/README.md");
    let blocks = readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let whole = |block: &str| {
        if block.contains("schema = 1") { block.to_owned() } else { format!("schema = 1\n{block}") }
    };
    blocks.map(whole).collect()
}

#[test]
fn the_reference_is_right() {
    let examples = examples();
    assert!(examples.len() >= 6);
    for example in examples {
        Schema::parse("README.md", &example, None).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}

#[test]
fn reads_a_schema() {
    let schema = Schema::parse("bert.toml", &examples()[0], Some(Path::new("zoo"))).unwrap();
    assert_eq!(schema.prefixes, ["bert.", ""]);
    assert_eq!(schema.architecture.as_deref(), Some(Path::new("zoo/bert.weights.h5")));
    assert!(schema.ignore[0].matches("bert.embeddings.position_ids"));
    let [layer, tensor] = schema.rules.as_slice() else { panic!("{:?}", schema.rules) };
    assert_eq!(layer.position.to_string(), "bert.toml:12:1");
    assert!(layer.position.snippet().ends_with("feedforward_intermediate_dense\""));
    let RuleKind::Tensor(tensor) = &tensor.kind else { panic!("{tensor:?}") };
    let values = tensor.torch.matches("encoder.layer.3.attention.self.key.weight").unwrap();
    let path = tensor.keras[0].substitute(&values, &schema.scope.tables).unwrap();
    assert_eq!(path.literal(), Some("transformer_layer_3/self_attention_layer/key/kernel"));
    // The keras side has the kind that the torch side declares.
    assert_eq!(tensor.keras[0].matches("transformer_layer_3/self_attention_layer/key/kernel"), Some(values));
}

#[test]
fn layer_classes() {
    let schema = Schema::parse("t", "schema = 1", None).unwrap();
    let names: Vec<&str> = schema.scope.classes.keys().map(String::as_str).collect();
    assert_snapshot!(names.join(" "), @"BatchNormalization Bidirectional Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM1DCell ConvLSTM2D ConvLSTM2DCell ConvLSTM3D ConvLSTM3DCell Dense DepthwiseConv1D DepthwiseConv2D EinsumDense Embedding GRU GRUCell GroupNormalization GroupedQueryAttention LSTM LSTMCell LayerNormalization MultiHeadAttention PReLU RMSNormalization RNN ReversibleEmbedding SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell SpectralNormalization StackedRNNCells TimeDistributed");
    let statistics = &schema.scope.classes["BatchNormalization"];
    let names: Vec<&str> = statistics.variables.iter().map(|variable| variable.name()).collect();
    assert_eq!(names, ["gamma", "beta", "moving_mean", "moving_variance"]);
    assert!(statistics.ignore[0].matches("num_batches_tracked"));
    let text = "schema = 1\n[class.Dense]\nvariables = [{ keras = \"kernel\", torch = \"weight\" }]";
    let own = Schema::parse("t", text, None).unwrap();
    assert_eq!(own.scope.classes["Dense"].variables.len(), 1);
    assert_eq!(own.scope.classes.len(), schema.scope.classes.len());
}

/// The schemas of the cases under `testdata/`.
#[test]
fn schemas_of_the_cases_are_valid() {
    let mut found = 0;
    for case in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")).unwrap() {
        let path = case.unwrap().path().join("schema.toml");
        if path.is_file() {
            Schema::open(&path).unwrap_or_else(|error| panic!("{error}"));
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn unknown_schema() {
    let error = Schema::load("no-such-schema").unwrap_err();
    assert!(matches!(&error, Error::Unknown { near, .. } if near.is_empty()), "{error}");
    let error = Schema::load("resnet").unwrap_err();
    assert!(
        matches!(&error, Error::Unknown { near, .. } if near == &["kerashub/resnet", "torchvision/resnet"]),
        "{error}"
    );
    let error = Schema::load("no-such-schema.toml").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn all_faults_together() {
    assert_snapshot!(diagnose(
        r#"schema = 1
nmae = "typo"

[[tensor]]
torch = "blocks.{i}.{p:query|key.weight"
keras = "block_{i/2}/kernel"
layout = "o i -> i (o"

[[layer]]
torch = "head.{i}"
keras = "head"

[[keep]]
keras = "scale"

[[fill]]
keras = "scale"
value = 0
"#
    ), @r#"
      x the schema test.toml is not valid
      |   test.toml:2:1: unknown key `nmae` in the schema
      |   test.toml:5:21: this brace has no partner
      |   test.toml:6:18: `/` cannot stand here in an expression
      |   test.toml:7:20: this parenthesis has no partner
      |   test.toml:10:9: the capture `i` stands only on the torch side of a layer rule
      |   test.toml:16:1: `scale` is the target of two rules

    Error: 
      x unknown key `nmae` in the schema
       ,-[test.toml:2:1]
     1 | schema = 1
     2 | nmae = "typo"
       : ^^|^
       :   `-- not a key of the language
     3 | 
       `----
      help: did you mean `name`?

    Error: 
      x this brace has no partner
       ,-[test.toml:5:21]
     4 | [[tensor]]
     5 | torch = "blocks.{i}.{p:query|key.weight"
       :                     |
       :                     `-- in this name
     6 | keras = "block_{i/2}/kernel"
       `----
      help: close the capture with `}`; write `{{` and `}}` for braces in a name

    Error: 
      x `/` cannot stand here in an expression
       ,-[test.toml:6:18]
     5 | torch = "blocks.{i}.{p:query|key.weight"
     6 | keras = "block_{i/2}/kernel"
       :                  |
       :                  `-- in this name
     7 | layout = "o i -> i (o"
       `----
      help: an expression has captures, integers, `+ - * // %`, parentheses and `TABLE[index]`

    Error: 
      x this parenthesis has no partner
       ,-[test.toml:7:20]
     6 | keras = "block_{i/2}/kernel"
     7 | layout = "o i -> i (o"
       :                    |
       :                    `-- in this layout
     8 | 
       `----

    Error: 
      x the capture `i` stands only on the torch side of a layer rule
        ,-[test.toml:10:9]
      9 | [[layer]]
     10 | torch = "head.{i}"
        :         ^^^^^|^^^^
        :              `-- on this side only
     11 | keras = "head"
        :         ^^^|^^
        :            `-- not here
     12 | 
        `----
      help: a layer rule pairs one module with one layer; spell tensors out in `[[tensor]]`, or pair
            by order in `[[sequence]]`

    Error: 
      x `scale` is the target of two rules
        ,-[test.toml:16:1]
     12 |     
     13 | ,-> [[keep]]
     14 | |-> keras = "scale"
        : `---- written here
     15 |     
     16 | ,-> [[fill]]
     17 | |   keras = "scale"
     18 | |-> value = 0
        : `---- written again here
        `----
      help: remove one, or mark both `optional = true` if a checkpoint has only one of them
    "#);
    assert_snapshot!(Schema::parse("test.toml", "schema = 2\nname = 1", None).unwrap_err(), @"
    the schema test.toml is not valid
      test.toml:1:10: schema version 2 is not known
      test.toml:2:8: `name` must be a string, not an integer
    ");
}

#[test]
fn syntax() {
    assert_snapshot!(diagnose("schema = 1\n[source\nprefix = \"a\"\n"), @r#"
      x the schema test.toml is not valid
      |   test.toml:2:8: not TOML: unclosed table, expected `]`

    Error: 
      x not TOML: unclosed table, expected `]`
       ,-[test.toml:2:8]
     1 | schema = 1
     2 | [source
       :        ^
       :        `-- here
     3 | prefix = "a"
       `----
    "#);
}

#[test]
fn file_faults() {
    assert_snapshot!(faults("[source]\nprefix = \"bert\"\nignore = [\"a[0]\", \"\", 3]"), @r#"
    t:3:10 `"bert"`: `prefix` must be empty or end in a dot | write `bert.`
    t:4:11 `"a[0]"`: `[` has no meaning in a glob: there are `*` for any characters and `?` for one
    t:4:19 `""`: a glob cannot be empty
    t:4:23 `3`: `ignore` must be a string or a list of strings, not an integer
    "#);
    assert_snapshot!(faults("[table]\nT = [1, -1, 2.5]\nU = 3"), @"
    t:3:9 `-1`: `T` must be made of strings and integers from 0
    t:3:13 `2.5`: `T` must be made of strings and integers from 0, not a number with a fraction
    t:4:5 `3`: `U` must be a list or a table, not an integer
    ");
    assert_snapshot!(faults("layer = 3\n[fill]\nkeras = \"a\""), @"
    t:2:9 `3`: `layer` must be a list of tables: two brackets on each side, not an integer
    t:3:1 `[fill]`: `fill` must be a list of tables: two brackets on each side, not a table
    ");
    assert_snapshot!(faults("[target]\narchitectur = 1\n[source]\nprefix = []"), @"
    t:3:1 `architectur`: unknown key `architectur` in [target] | did you mean `architecture`?
    t:5:10 `[]`: `prefix` must be a string or a list that is not empty
    ");
}

#[test]
fn rule_faults() {
    assert_snapshot!(faults("[[layer]]\ntorch = \"a\"\nkeras = \"a\"\nunflatten = [3, 0]"), @"t:5:17 `0`: `unflatten` must be an integer from 1");
    assert_snapshot!(faults("[[layer]]\ntorch = \"a\"\nkeras = \"a\"\nunflatten = [1, 2, 3, 4, 5]"), @"t:5:13 `[1, 2, 3, 4, 5]`: `unflatten` must be the sizes of the map that the output becomes, channels last: `[height, width, channels]`, or `[]` when it becomes none");
    assert_snapshot!(faults("[[layer]]\ntorch = \"a\"\nkeras = \"a\"\ngroups = 1"), @"t:5:10 `1`: `groups` must be an integer above 1");
    assert_snapshot!(faults("[[sequence]]\ntorch = \"a\"\nkeras = \"a\"\ngroups = \"2\""), @r#"t:5:10 `"2"`: `groups` must be an integer above 1, not a string"#);
    assert_snapshot!(faults("[[layer]]\nkeras = \"a\"\nflatten = [3]\noptional = 1"), @"
    t:2:1 `[[layer]]`: [[layer]] needs `torch`
    t:4:11 `[3]`: `flatten` must be the sizes of the flattened map, channels last: `[height, width, channels]`, or `[]` when nothing was flattened
    t:5:12 `1`: `optional` must be true or false, not an integer
    ");
    assert_snapshot!(faults("[[layer]]\ntorch = \"a.{i}\"\nkeras = \"a{j}\""), @r#"
    t:3:9 `"a.{i}"`: the capture `i` stands only on the torch side of a layer rule | a layer rule pairs one module with one layer; spell tensors out in `[[tensor]]`, or pair by order in `[[sequence]]`
    t:4:9 `"a{j}"`: the capture `j` stands only on the keras side of a layer rule | a layer rule pairs one module with one layer; spell tensors out in `[[tensor]]`, or pair by order in `[[sequence]]`
    "#);
    assert_snapshot!(faults("[[layer]]\ntorch = \"a.{i+1}\"\nkeras = \"a\""), @r#"t:3:9 `"a.{i+1}"`: a state_dict key cannot compute: names of tensors are matched, names of variables are made | capture on the torch side and compute on the keras side: `torch = "a.{i}"`, `keras = "a_{i+1}"`"#);
    let table = "[table]\nSTAGE = [1]\n";
    assert_snapshot!(faults(&format!(
        "{table}[[layer]]\ntorch = \"a.{{i}}\"\nkeras = \"a{{STAG[i]}}{{k+1}}\""
    )), @r#"
    t:6:9 `"a{STAG[i]}{k+1}"`: the capture `k` is not bound: the torch side does not have it | the torch side captures `i`
    t:6:9 `"a{STAG[i]}{k+1}"`: there is no table `STAG` | did you mean `STAGE`?
    "#);
    assert_snapshot!(faults("[[tensor]]\ntorch = \"a.{x:a|b}\"\nkeras = \"{x:a|c}\""), @"t:4:10 `{x:a|c}`: the capture `x` is declared in two different ways | declare it once and write the bare `{name}` in the other places");
    assert_snapshot!(faults("[[fill]]\nkeras = \"a{i+1}\""), @r#"
    t:2:1 `[[fill]]`: [[fill]] needs `value`
    t:3:9 `"a{i+1}"`: the capture `i` is not bound: the torch side does not have it | this rule has no torch side to compute from; write the capture itself, as in `{i}`
    "#);
    assert_snapshot!(faults("[[keep]]\nkeras = \"a\"\n[[keep]]\nkeras = [\"b\", \"a\"]"), @r#"
    t:4:1 `[[keep]]
    keras = ["b", "a"]`: `a` is the target of two rules | remove one, or mark both `optional = true` if a checkpoint has only one of them
    "#);
}

#[test]
fn tensor_faults() {
    let tensor = |rest: &str| faults(&format!("[[tensor]]\ntorch = \"a.{{e}}.w\"\n{rest}"));
    assert_snapshot!(tensor("keras = \"k\"\nlayout = \"e i -> i e\""), @r#"t:5:10 `"e i -> i e"`: `e` is both a capture of one side and an axis that the tensor has itself | rename one of the two: the capture in both names, or the axis in the layout"#);
    assert_snapshot!(tensor("keras = \"k{e}/{p:q|k}\"\nlayout = \"o i -> i o\""), @r#"t:4:9 `"k{e}/{p:q|k}"`: the capture `p` is not bound: the torch side does not have it | to split the tensor, name `p` as an axis on the left of the layout; to write it to several variables, list them: `keras = [..]`"#);
    assert_snapshot!(tensor("keras = \"k{e}\"\nlayout = [\"o i x -> i o\", \"o i -> o\"]"), @r#"
    t:5:11 `"o i x -> i o"`: the axis `x` stands on the left only: its elements would be lost | name `x` on the right too, write `1` if its size is one, or choose an index: `take = { x = 0 }`
    t:5:27 `"o i -> o"`: the axis `i` stands on the left only: its elements would be lost | name `i` on the right too, write `1` if its size is one, or choose an index: `take = { i = 0 }`
    "#);
    assert_snapshot!(tensor("keras = \"k{e}\"\nlayout = [\"o i -> i o\", \"o 2 -> o\"]"), @"t:5:28 `2`: `2` is not an axis: a name is a letter followed by letters, digits or `_`; `1` is a unit axis");
    assert_snapshot!(tensor(
        "keras = \"k{e}\"\nsizes = { h = 0 }\norder = { g = [0, 0] }\ntake = { c = -1 }"
    ), @"
    t:5:15 `0`: `sizes` must be an integer from 1
    t:6:15 `[0, 0]`: `order` must be a permutation: each index from 0 once, as in `[1, 0, 2]`
    t:7:14 `-1`: `take` must be an integer from 0
    ");
    assert_snapshot!(tensor("keras = \"k{e}\"\nslice = { a = \"2\", b = \"3:2\" }\nreduce = \"summ\""), @r#"
    t:5:15 `"2"`: `slice` must be `"start:end"`, `"start:"`, `":end"` or `"fit"` | indices count from 0, and the end is past the start
    t:5:24 `"3:2"`: `slice` must be `"start:end"`, `"start:"`, `":end"` or `"fit"` | indices count from 0, and the end is past the start
    t:6:10 `"summ"`: `reduce` must be "sum" | did you mean `sum`?
    "#);
    assert_snapshot!(tensor("keras = \"k{e}\"\ntake = { c = 1 }"), @r#"t:5:10 `c`: `take` needs a `layout` that names the axes | as in `layout = "o i -> i o"`"#);
    assert_snapshot!(tensor(
        "keras = \"k{e}\"\nlayout = \"a -> b a\"\ntake = { b = 1 }\nsizes = { b = 2, c = 3 }"
    ), @"
    t:6:10 `b`: `take` names the axis `b`, which no layout of the rule has where it must | name it on the left side, or leave it out here
    t:7:18 `c`: `sizes` names the axis `c`, which no layout of the rule has where it must | name it in the layout, or leave it out here
    ");
}

#[test]
fn compute_faults() {
    let tensor = |rest: &str| faults(&format!("[[tensor]]\nkeras = \"k\"\n{rest}"));
    assert_snapshot!(tensor("torch = \"a\"\ncompute = \"lora\""), @r#"t:4:9 `"a"`: `compute = "lora"` takes a table of tensors | write `torch = { weight = "…", a = "…", b = "…" }`"#);
    assert_snapshot!(tensor("torch = { g = \"a\", v = \"b\" }\ncompute = \"weightnorm\""), @r#"t:5:11 `"weightnorm"`: `weightnorm` is no formula that `compute` knows | did you mean `weight_norm`?"#);
    assert_snapshot!(tensor("torch = { g = \"a\", v = \"b\" }\ncompute = \"svd\""), @r#"t:5:11 `"svd"`: `svd` is no formula that `compute` knows | the formulas are `weight_norm`, `spectral_norm`, `pruned`, `lora`, `mxfp4`, `dequantize`, `block_diagonal`"#);
    assert_snapshot!(tensor("torch = { g = \"a\", v = \"b\" }"), @r#"t:4:9 `{ g = "a", v = "b" }`: `torch` must be a string, not a table | several tensors become one by `compute = "…"`"#);
    assert_snapshot!(tensor("torch = { g = \"a\", w = \"b\" }\ncompute = \"weight_norm\""), @r#"
    t:4:9 `{ g = "a", w = "b" }`: `torch` needs `v` | `weight_norm` is computed from `torch = { v = "…", g = "…" }`
    t:4:20 `w`: unknown key `w` in `torch` | the keys here are `v`, `g`
    "#);
    assert_snapshot!(tensor("torch = { weight = \"a\", a = \"b\", b = \"c\" }\ncompute = \"lora\"\nalpha = 0"), @"t:6:9 `0`: `alpha` must be a number above 0");
    assert_snapshot!(tensor("torch = { v = \"a\", g = \"{x:*}\" }\ncompute = \"weight_norm\"\nalpha = 2\ndim = 1"), @r#"
    t:4:24 `"{x:*}"`: the capture `x` is not bound: the torch side does not have it | the tensors are found by the captures of `v`
    t:6:9 `2`: `alpha` is a key of `compute = "lora"`, not of "weight_norm"
    t:7:7 `1`: `dim` is a key of `compute = "spectral_norm" or "dequantize"`, not of "weight_norm"
    "#);
    assert_snapshot!(tensor("torch = \"a\"\nrslora = true"), @r#"t:5:10 `true`: `rslora` is a key of `compute = "lora"`, which the rule does not have | of adapters that the checkpoint's names tell, say it in `[source]`: `lora = { alpha = 16 }`"#);
    assert_snapshot!(tensor("torch = \"a\"\ngroups = 2"), @r#"t:5:10 `2`: `groups` is a key of `compute = "block_diagonal"`, which the rule does not have | write `compute = "block_diagonal"` with `torch = { weight = "…" }`"#);
    assert_snapshot!(tensor("torch = \"a\"\ncompute = \"block_diagonal\"\ngroups = 2"), @r#"t:4:9 `"a"`: `compute = "block_diagonal"` takes a table of tensors | write `torch = { weight = "…" }`"#);
    assert_snapshot!(tensor("torch = { weight = \"a\" }\ncompute = \"block_diagonal\"\nalpha = 2"), @r#"
    t:2:1 `[[tensor]]`: `compute = "block_diagonal"` needs `groups` | the `groups` of the PyTorch module
    t:6:9 `2`: `alpha` is a key of `compute = "lora"`, not of "block_diagonal"
    "#);
    assert_snapshot!(tensor("torch = { weight = \"a\" }\ncompute = \"block_diagonal\"\ngroups = 1"), @"t:6:10 `1`: `groups` must be an integer above 1");
    assert_snapshot!(tensor("torch = { weight = \"a\", mask = \"b\" }\ncompute = \"pruned\"\ngroups = 2"), @r#"t:6:10 `2`: `groups` is a key of `compute = "block_diagonal"`, not of "pruned""#);
    assert_snapshot!(faults("[source]\nlora = 3"), @"t:3:8 `3`: `lora` must be a table, as in `{ alpha = 16 }`, not an integer");
    assert_snapshot!(faults("[source]\nlora = { alfa = 3 }"), @"
    t:3:10 `alfa`: unknown key `alfa` in `source.lora` | did you mean `alpha`?
    ");
}

#[test]
fn arithmetic_faults() {
    let tensor = |rest: &str| {
        faults(&format!(
            "[[tensor]]\ntorch = \"a{{i}}\"\nkeras = \"k{{i}}/{{p:q|k}}\"\nlayout = \"p a -> a\"\n{rest}"
        ))
    };
    assert_snapshot!(tensor("scale = 0\noffset = inf\nround = \"float8\""), @r#"
    t:6:9 `0`: `scale` must be a finite number other than 0
    t:7:10 `inf`: `offset` must be a finite number
    t:8:9 `"float8"`: `round` must be "float16" or "bfloat16"
    "#);
    assert_snapshot!(tensor("scale = \"2\"\nadd = []"), @r#"
    t:6:9 `"2"`: `scale` must be a number, not a string
    t:7:7 `[]`: `add` must be a list that is not empty
    "#);
    assert_snapshot!(tensor("add = { torch = \"b\" }"), @r#"t:6:7 `{ torch = "b" }`: `add` must be a list of tables, not a table"#);
    assert_snapshot!(tensor("add = [{ torch = \"b{p}\" }, { torch = \"b{i+1}\" }, { layout = \"a -> a\", reduce = \"sum\" }]"), @r#"
    t:6:18 `"b{p}"`: the term captures `p`, by which the rule splits its tensor | write a rule for each of the variables, with its own term
    t:6:38 `"b{i+1}"`: a state_dict key cannot compute: names of tensors are matched, names of variables are made
    t:6:50 `{ layout = "a -> a", reduce = "sum" }`: a term of `add` needs `torch`
    t:6:71 `reduce`: unknown key `reduce` in a term of `add` | the keys here are `torch`, `layout`, `sizes`, `order`, `slice`, `take`
    "#);
    assert_snapshot!(tensor("add = [{ torch = \"b\", layout = \"a b -> a\" }, { torch = \"b{i\" }]"), @r#"
    t:6:32 `"a b -> a"`: the axis `b` stands on the left only: its elements would be lost | name `b` on the right too, write `1` if its size is one, or choose an index: `take = { b = 0 }`
    t:6:58 `{`: this brace has no partner | close the capture with `}`; write `{{` and `}}` for braces in a name
    "#);
}

#[test]
fn class_faults() {
    let variables = |list: &str| faults(&format!("[class.B]\nvariables = [{list}]"));
    assert_snapshot!(faults("[class.A]\nvariable = []"), @"
    t:2:1 `[class.A]`: [class.X] needs `variables`
    t:3:1 `variable`: unknown key `variable` in [class.X] | did you mean `variables`?
    ");
    assert_snapshot!(variables("{ torch = \"a\" }, { keras = \"{x:*}\", torch = \"{x:*}\" }"), @r#"
    t:3:14 `{ torch = "a" }`: a variable of a class needs `keras`
    "#);
    assert_snapshot!(variables("{ keras = \"k\", torch = \"a\" }, { keras = \"k\", torch = \"a\" }"), @r#"t:3:54 `"k"`: `k` is the target of two rules"#);
    assert_snapshot!(variables("{ keras = \"k\", torch = \"a\", expands = 1 }"), @"t:3:52 `1`: `expands` must be true or false, not an integer");
    assert_snapshot!(variables("{ keras = \"k\", torch = { weight = \"a\" }, compute = \"block_diagonal\", groups = 2, expands = true }"), @"t:3:105 `true`: `expands` must be false where the variable has `groups` of its own");
    assert_snapshot!(variables("{ keras = \"k\", torch = \"a\", flatten = \"a\", optional = true }"), @"
    t:3:53 `a`: a layout has one `->` between the source's axes and the target's, as in `o i -> i o`
    t:3:57 `optional`: unknown key `optional` in a variable of a class | the keys here are `torch`, `keras`, `layout`, `sizes`, `order`, `slice`, `take`, `reduce`, `compute`, `dim`, `alpha`, `rslora`, `fan_in_fan_out`, `groups`, `add`, `scale`, `offset`, `round`, `flatten`, `unflatten`, `expands`
    ");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn mutated_schemas_never_panic(
        example in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[ -~\\né]{0,3}", 0_usize..6), 1..6),
    ) {
        let examples = examples();
        let mut text: Vec<char> = example.get(&examples).chars().collect();
        for (at, insert, remove) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + remove).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = Schema::parse("mutated", &text, None) {
            prop_assert!(!render(&error).is_empty());
            let Error::Invalid { faults, .. } = error else { panic!("{error}") };
            prop_assert!(!faults.is_empty());
        }
    }
}
