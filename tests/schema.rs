//! Schemas as a user meets them: the reference's examples, and every diagnostic.

#![cfg(feature = "cli")]

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
    let readme = include_str!("../schemas/README.md");
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
    let path = tensor.keras[0].substitute(&values, &schema.tables).unwrap();
    assert_eq!(path.literal(), Some("transformer_layer_3/self_attention_layer/key/kernel"));
    // The keras side has the kind that the torch side declares.
    assert_eq!(tensor.keras[0].matches("transformer_layer_3/self_attention_layer/key/kernel"), Some(values));
}

#[test]
fn layer_classes() {
    let schema = Schema::parse("t", "schema = 1", None).unwrap();
    let names: Vec<&str> = schema.classes.keys().map(String::as_str).collect();
    assert_snapshot!(names.join(" "));
    let statistics = &schema.classes["BatchNormalization"];
    let names: Vec<&str> = statistics.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["gamma", "beta", "moving_mean", "moving_variance"]);
    assert!(statistics.ignore[0].matches("num_batches_tracked"));
    let text = "schema = 1\n[class.Dense]\nvariables = [{ keras = \"kernel\", torch = \"weight\" }]";
    let own = Schema::parse("t", text, None).unwrap();
    assert_eq!(own.classes["Dense"].variables.len(), 1);
    assert_eq!(own.classes.len(), schema.classes.len());
}

#[test]
fn unknown_schema() {
    let error = Schema::load("no-such-schema").unwrap_err();
    assert!(matches!(&error, Error::Unknown { near, .. } if near.is_empty()), "{error}");
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
keras = "block_{j+1}/kernel"
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
    ));
    assert_snapshot!(Schema::parse("test.toml", "schema = 2\nname = 1", None).unwrap_err());
}

#[test]
fn syntax() {
    assert_snapshot!(diagnose("schema = 1\n[source\nprefix = \"a\"\n"));
}

#[test]
fn file_faults() {
    assert_snapshot!(faults("extends = \"x\"\n[[use]]\na = 1"));
    assert_snapshot!(faults("[source]\nprefix = \"bert\"\nignore = [\"a[0]\", \"\", 3]"));
    assert_snapshot!(faults("[table]\nT = [1, -1, 2.5]\nU = 3"));
    assert_snapshot!(faults("layer = 3\n[fill]\nkeras = \"a\""));
    assert_snapshot!(faults("[target]\narchitectur = 1\n[source]\nprefix = []"));
}

#[test]
fn rule_faults() {
    assert_snapshot!(faults("[[layer]]\nkeras = \"a\"\nflatten = [3]\noptional = 1"));
    assert_snapshot!(faults("[[layer]]\ntorch = \"a.{i}\"\nkeras = \"a{j}\""));
    assert_snapshot!(faults("[[layer]]\ntorch = \"a.{i+1}\"\nkeras = \"a\""));
    let table = "[table]\nSTAGE = [1]\n";
    assert_snapshot!(faults(&format!(
        "{table}[[layer]]\ntorch = \"a.{{i}}\"\nkeras = \"a{{STAG[i]}}{{k+1}}\""
    )));
    assert_snapshot!(faults("[[tensor]]\ntorch = \"a.{x:a|b}\"\nkeras = \"{x:a|c}\""));
    assert_snapshot!(faults("[[fill]]\nkeras = \"a{i+1}\""));
    assert_snapshot!(faults("[[keep]]\nkeras = \"a\"\n[[keep]]\nkeras = [\"b\", \"a\"]"));
}

#[test]
fn tensor_faults() {
    let tensor = |rest: &str| faults(&format!("[[tensor]]\ntorch = \"a.{{e}}.w\"\n{rest}"));
    assert_snapshot!(tensor("keras = \"k\"\nlayout = \"e i -> i e\""));
    assert_snapshot!(tensor("keras = \"k{e}/{p:q|k}\"\nlayout = \"o i -> i o\""));
    assert_snapshot!(tensor("keras = \"k{e}\"\nlayout = [\"o i x -> i o\", \"o i -> o\"]"));
    assert_snapshot!(tensor("keras = \"k{e}\"\nlayout = [\"o i -> i o\", \"o 2 -> o\"]"));
    assert_snapshot!(tensor(
        "keras = \"k{e}\"\nsizes = { h = 0 }\norder = { g = [0, 0] }\ntake = { c = -1 }"
    ));
    assert_snapshot!(tensor("keras = \"k{e}\"\nslice = { a = \"2\", b = \"3:2\" }\nreduce = \"summ\""));
    assert_snapshot!(tensor("keras = \"k{e}\"\ntake = { c = 1 }"));
    assert_snapshot!(tensor(
        "keras = \"k{e}\"\nlayout = \"a -> b a\"\ntake = { b = 1 }\nsizes = { b = 2, c = 3 }"
    ));
    assert_snapshot!(tensor("keras = \"k{e}\"\ncompute = \"lora\""));
}

#[test]
fn class_faults() {
    let variables = |list: &str| faults(&format!("[class.B]\nvariables = [{list}]"));
    assert_snapshot!(faults("[class.A]\nvariable = []"));
    assert_snapshot!(variables("{ torch = \"a\" }, { keras = \"{x:*}\", torch = \"{x:*}\" }"));
    assert_snapshot!(variables("{ keras = \"k\", torch = \"a\" }, { keras = \"k\", torch = \"b\" }"));
    assert_snapshot!(variables("{ keras = \"k\", torch = \"a\", flatten = \"a\", optional = true }"));
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
