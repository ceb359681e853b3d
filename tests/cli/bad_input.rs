//! Bad input of every kind: each has its exit code, says what is wrong and what to do, and leaves the
//! folder as it was.

use crate::run::{Folder, archive, check};

/// Converts in a folder of `simple_conv`, after `spoil`; nothing may be written.
#[track_caller]
fn check_spoilt(name: &str, code: u8, spoil: impl FnOnce(&Folder)) {
    check_arguments(name, code, &["weights.pt", "--schema", "schema.toml"], spoil);
}

#[track_caller]
fn check_arguments(name: &str, code: u8, arguments: &[&str], spoil: impl FnOnce(&Folder)) {
    let folder = Folder::with_case("simple_conv");
    spoil(&folder);
    let names = folder.names();
    let said = folder.run(arguments);
    assert_eq!(folder.names(), names, "{name} left something behind");
    check(&format!("bad_{name}"), code, &said);
}

/// As [`check_spoilt`], with these rules for the schema.
#[track_caller]
fn check_rules(name: &str, code: u8, rules: &str) {
    check_spoilt(name, code, |folder| {
        let head = "schema = 1\nname = \"test\"\n\n[target]\narchitecture = \"arch.json\"\n\n";
        folder.write("schema.toml", format!("{head}{rules}"));
    });
}

const CONV: &str = "[[layer]]\ntorch = \"conv\"\nkeras = \"conv\"\n";

#[test]
fn files_of_other_kinds() {
    check_spoilt("html", 3, |folder| folder.write("weights.pt", "<!DOCTYPE html>\n<html>Not found</html>\n"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 102530333\n";
    check_spoilt("git_lfs_pointer", 3, |folder| folder.write("weights.pt", pointer));
    check_spoilt("empty", 3, |folder| folder.write("weights.pt", ""));
    check_spoilt("absent", 3, |folder| std::fs::remove_file(folder.path("weights.pt")).unwrap());
    check_spoilt("text", 3, |folder| folder.write("weights.pt", "weights: none\n"));
    check_spoilt("keras_file", 3, |folder| folder.write("weights.pt", b"\x89HDF\r\n\x1a\n and so on"));
}

#[test]
fn truncated_checkpoint() {
    check_spoilt("truncated", 3, |folder| {
        let whole = folder.read("weights.pt");
        folder.write("weights.pt", &whole[..whole.len() / 2]);
    });
}

#[test]
fn truncated_safetensors() {
    check_arguments("truncated_safetensors", 3, &["w.safetensors", "-s", "schema.toml"], |folder| {
        folder.write_safetensors("w.safetensors", &[16, 3, 3, 3], 1.0);
        let mut cut = folder.read("w.safetensors");
        cut.truncate(cut.len() - 10);
        folder.write("w.safetensors", cut);
    });
}

/// `GLOBAL os system`, a command, `REDUCE`: what `pickle` would run.
#[test]
fn a_pickle_that_calls() {
    check_spoilt("pickle_call", 3, |folder| {
        let pickle = b"\x80\x02cos\nsystem\nX\x0d\x00\x00\x00touch hackedd\x85R.";
        folder.write("weights.pt", archive(&[("weights/data.pkl", pickle), ("weights/version", b"3\n")]));
    });
}

#[test]
fn schemas() {
    check_rules("unknown_schema_key", 5, &format!("{CONV}transposed = true\n"));
    check_rules("unknown_capture", 5, "[[layer]]\ntorch = \"conv\"\nkeras = \"conv_{i+1}\"\n");
    check_rules("same_target_twice", 5, &format!("{CONV}\n{CONV}"));
    check_rules("unbound_capture", 5, "[[layer]]\ntorch = \"conv\"\nkeras = \"conv_{i}\"\n");
    check_rules("not_toml", 5, "[[layer]\n");
    // Beyond the columns that a report can count.
    check_rules("not_toml_far_out", 5, &format!("[[layer]]\ntorch ={}\"conv\n", " ".repeat(70_000)));
    let absent = ["weights.pt", "--schema", "absent.toml"];
    check_arguments("absent_schema", 5, &absent, |_| {});
    let misnamed = ["weights.pt", "--schema", "torchvision/resnett"];
    check_arguments("misnamed_schema", 5, &misnamed, |_| {});
}

#[test]
fn no_architecture() {
    check_spoilt("no_architecture", 2, |folder| {
        folder.write("schema.toml", format!("schema = 1\nname = \"test\"\n\n{CONV}"));
    });
    check_spoilt("absent_architecture", 4, |folder| {
        std::fs::remove_file(folder.path("arch.json")).unwrap();
    });
}

#[test]
fn architectures() {
    check_spoilt("not_json", 4, |folder| folder.write("arch.json", "{\"module\": \n"));
    check_spoilt("architecture_not_built", 4, |folder| {
        let text = String::from_utf8(folder.read("arch.json")).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        take_away_shapes(&mut config);
        folder.write("arch.json", config.to_string());
    });
    check_spoilt("subclassed", 4, |folder| {
        let config = serde_json::json!({
            "module": null,
            "class_name": "ConditionalConv",
            "config": { "name": "conditional_conv", "trainable": true },
            "registered_name": "ConditionalConv",
            "build_config": null,
        });
        folder.write("arch.json", config.to_string());
    });
}

/// The layer has twice the filters of the module.
#[test]
fn another_width() {
    check_spoilt("another_width", 6, |folder| {
        let text = String::from_utf8(folder.read("arch.json")).unwrap();
        folder.write("arch.json", text.replace("\"filters\": 16", "\"filters\": 32"));
    });
}

/// A template has no graph, so it does not tell what was flattened.
#[test]
fn flattened_features_of_a_template() {
    let folder = Folder::with_case("mnist");
    let convert = ["weights.pt", "--schema", "schema.toml", "-o", "template.weights.h5"];
    assert!(folder.run(&convert).starts_with("exit 0\n"));
    let plan = ["plan", "weights.pt", "--schema", "schema.toml", "--arch", "template.weights.h5"];
    check("bad_flatten_untold", 6, &folder.run(&plan));
}

#[test]
fn quantized_layers() {
    let folder = Folder::with_case("simple_conv");
    let template = format!("{}/testdata/keras/quantized.weights.h5", env!("CARGO_MANIFEST_DIR"));
    folder.write("q.weights.h5", std::fs::read(template).unwrap());
    let rule = "schema = 1\n[[layer]]\ntorch = \"conv\"\nkeras = \"conv\"\nclass = \"Dense\"\n";
    folder.write("q.toml", rule);
    check("bad_quantized", 6, &folder.run(&["plan", "weights.pt", "-s", "q.toml", "-a", "q.weights.h5"]));
}

#[test]
fn keras_files() {
    let folder = Folder::with_case("simple_conv");
    let legacy = ["weights.pt", "--schema", "schema.toml", "-o", "legacy.h5"];
    assert!(folder.run(&legacy).starts_with("exit 0\n"));
    let onto_legacy = ["plan", "weights.pt", "--schema", "schema.toml", "--arch", "legacy.h5"];
    check("bad_legacy_architecture", 6, &folder.run(&onto_legacy));
    let onto_checkpoint = ["plan", "weights.pt", "--schema", "schema.toml", "--arch", "weights.pt"];
    check("bad_checkpoint_as_architecture", 4, &folder.run(&onto_checkpoint));
    check(
        "bad_verify_configuration",
        4,
        &folder.run(&["verify", "weights.pt", "arch.json", "-s", "schema.toml"]),
    );
    folder.run(&["weights.pt", "--schema", "schema.toml"]);
    let other = Folder::with_case("mnist");
    other.run(&["weights.pt", "--schema", "schema.toml", "-o", "other.h5"]);
    folder.write("other.h5", other.read("other.h5"));
    check("bad_diff_of_models", 2, &folder.run(&["diff", "weights.weights.h5", "other.h5"]));
    check("bad_diff_without_schema", 2, &folder.run(&["diff", "weights.pt", "weights.weights.h5"]));
    let mut cut = folder.read("legacy.h5");
    cut.truncate(cut.len() / 2);
    folder.write("cut.h5", cut);
    check("bad_cut_weights", 4, &folder.run(&["inspect", "cut.h5"]));
    check("bad_inspect_absent", 3, &folder.run(&["inspect", "absent"]));
}

/// As a Sequential is saved that has no Input and was never called.
fn take_away_shapes(config: &mut serde_json::Value) {
    match config {
        serde_json::Value::Object(fields) => {
            fields.remove("build_config");
            fields.remove("build_input_shape");
            for (_, value) in fields.iter_mut() {
                take_away_shapes(value);
            }
        }
        serde_json::Value::Array(values) => {
            values.retain(|value| value["class_name"] != "InputLayer");
            values.iter_mut().for_each(take_away_shapes);
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

#[test]
fn faults_of_plans() {
    check_rules("unused_rule", 6, &format!("{CONV}\n[[layer]]\ntorch = \"head\"\nkeras = \"head\"\n"));
    let again = "\n[[tensor]]\ntorch = \"conv.bias\"\nkeras = \"conv/bias\"\n";
    check_rules("two_rules_for_one", 6, &format!("{CONV}{again}"));
    let bias = "[[tensor]]\ntorch = \"conv.bias\"\nkeras = \"conv/bias\"\n";
    let kernel =
        "[[tensor]]\ntorch = \"conv.weight\"\nkeras = \"conv/kernel\"\nlayout = \"o i h w -> h w i o\"\n";
    check_rules("missing_tensor", 6, &format!("[source]\nignore = [\"conv.bias\"]\n\n{kernel}"));
    check_rules("unexpected_tensor", 6, &format!("[[fill]]\nkeras = \"conv/bias\"\nvalue = 0.0\n\n{kernel}"));
    let wrong =
        "[[tensor]]\ntorch = \"conv.weight\"\nkeras = \"conv/kernel\"\nlayout = \"o i h w -> i o h w\"\n";
    check_rules("shapes", 6, &format!("{bias}\n{wrong}"));
}

/// What follows from a rule that reaches nothing is said once.
#[test]
fn a_rule_that_reaches_nothing() {
    let folder = Folder::with_case("mnist");
    let rule = "[[layer]]\ntorch = \"model.{name}\"\nkeras = \"{name}\"\n";
    folder.write("schema.toml", format!("schema = 1\n\n[target]\narchitecture = \"arch.json\"\n\n{rule}"));
    check("bad_rule_reaches_nothing", 6, &folder.run(&["plan", "weights.pt", "--schema", "schema.toml"]));
}

#[test]
fn faults_for_machines() {
    let arguments = ["plan", "weights.pt", "--schema", "schema.toml", "--json"];
    check_arguments("faults_json", 6, &arguments, |folder| {
        folder.write("schema.toml", "schema = 1\n\n[target]\narchitecture = \"arch.json\"\n");
    });
}

#[test]
fn outputs() {
    let to = |output: &'static str| ["weights.pt", "--schema", "schema.toml", "-o", output];
    check_arguments("no_folder", 7, &to("absent/out.weights.h5"), |_| {});
    check_arguments("output_is_checkpoint", 7, &to("./old.weights.h5"), |folder| {
        std::fs::rename(folder.path("weights.pt"), folder.path("old.weights.h5")).unwrap();
        std::os::unix::fs::symlink("old.weights.h5", folder.path("weights.pt")).unwrap();
    });
    check_arguments("output_is_a_folder", 7, &to("out.weights.h5"), |folder| {
        std::fs::create_dir(folder.path("out.weights.h5")).unwrap();
    });
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/conditional_conv/template.weights.h5");
    let onto = ["weights.pt", "--schema", "schema.toml", "--arch", "t.weights.h5", "-o", "./t.weights.h5"];
    check_arguments("output_is_architecture", 7, &onto, |folder| {
        std::fs::copy(template, folder.path("t.weights.h5")).unwrap();
    });
    check_arguments("output_is_schemas_architecture", 7, &to("link.weights.h5"), |folder| {
        std::fs::rename(folder.path("arch.json"), folder.path("link.weights.h5")).unwrap();
        std::fs::hard_link(folder.path("link.weights.h5"), folder.path("arch.json")).unwrap();
    });
    check_arguments("output_is_schema", 7, &["weights.pt", "-s", "s.h5", "-o", "s.h5"], |folder| {
        std::fs::rename(folder.path("schema.toml"), folder.path("s.h5")).unwrap();
    });
}

/// Nobody writes into the pipe: opening it would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_opened() {
    for (name, arguments) in [
        ("pipe", &["pipe", "--schema", "schema.toml"] as &[&str]),
        ("pipe_inspected", &["inspect", "pipe"]),
        ("pipe_as_architecture", &["weights.pt", "--schema", "schema.toml", "--arch", "pipe"]),
    ] {
        let code = if name == "pipe_as_architecture" { 4 } else { 3 };
        check_arguments(name, code, arguments, |folder| {
            let made = std::process::Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap();
            assert!(made.success());
        });
    }
}

#[test]
fn reports() {
    let to = |report: &'static str| ["weights.pt", "--schema", "schema.toml", "--report", report];
    check_arguments("report_without_folder", 7, &to("absent/report.json"), |_| {});
    check_arguments("report_is_output", 2, &to("./weights.weights.h5"), |_| {});
    check_arguments("report_is_schema", 7, &to("schema.toml"), |_| {});
}

/// A value that the smaller type cannot hold.
#[test]
fn overflow() {
    let folder = Folder::with_case("simple_conv");
    folder.write_safetensors("large.safetensors", &[16, 3, 3, 3], 65520.0);
    let names = folder.names();
    let convert = ["large.safetensors", "--schema", "schema.toml", "--dtype", "float16"];
    check("bad_overflow", 7, &folder.run(&convert));
    assert_eq!(folder.names(), names, "something was left behind");
    check("overflow_waived", 0, &folder.run(&[&convert[..], &["--allow-overflow"]].concat()));
}

/// A sum of finite values that the type they are added in cannot hold.
#[test]
fn overflow_of_a_sum() {
    let folder = Folder::with_case("simple_conv");
    let rules = "[[tensor]]\ntorch = \"conv.weight\"\nkeras = \"conv/kernel\"\nlayout = \"o i h w -> h w i o\"\n\n\
        [[tensor]]\ntorch = \"{part:one|two}\"\nkeras = \"conv/bias\"\nlayout = \"o -> o\"\nreduce = \"sum\"\n";
    folder.write("schema.toml", format!("schema = 1\n\n[target]\narchitecture = \"arch.json\"\n\n{rules}"));
    let values = |count: usize| 3e38_f32.to_le_bytes().repeat(count);
    let (bias, kernel) = (values(16), values(16 * 27));
    let tensors: [(&str, &str, &[usize], &[u8]); 3] = [
        ("one", "F32", &[16], &bias),
        ("two", "F32", &[16], &bias),
        ("conv.weight", "F32", &[16, 3, 3, 3], &kernel),
    ];
    folder.write_tensors("large.safetensors", &tensors);
    let names = folder.names();
    let convert = ["large.safetensors", "--schema", "schema.toml", "-o", "out.weights.h5"];
    check("bad_overflow_of_a_sum", 7, &folder.run(&convert));
    assert_eq!(folder.names(), names, "something was left behind");
    let said = folder.run(&[&convert[..], &["--allow-overflow"]].concat());
    assert!(said.starts_with("exit 0\n"), "{said}");
    let verify = ["verify", "large.safetensors", "out.weights.h5", "--schema", "schema.toml"];
    assert!(folder.run(&verify).starts_with("exit 0\n"));
}

/// A file system of a few pages, where this user may mount one.
#[test]
fn a_full_file_system() {
    let mount = "mount -t tmpfs -o size=8k none disk";
    let folder = Folder::with_case("simple_conv");
    std::fs::create_dir(folder.path("disk")).unwrap();
    if folder.shell(&format!("unshare -rm sh -c '{mount}' && echo may")) != "may\n" {
        eprintln!("SKIPPED: this user may not mount a tmpfs, so no full file system was tried");
        return;
    }
    let convert = "\"$0\" weights.pt --schema schema.toml -o disk/out.weights.h5";
    let rest = "code=$?; ls -A disk >&2; cat disk/out.weights.h5 >&2; exit $code";
    let script =
        format!("unshare -rm sh -c '{mount} && echo old >disk/out.weights.h5; {convert}; {rest}' \"$0\"");
    // How much is free depends on the size of a page.
    let free = regex::Regex::new(r"\d+ are free").unwrap();
    check("bad_full_file_system", 7, &free.replace(&folder.run_shell(&script), "[FREE] are free"));
}

/// A file-size limit stands for a full disk: the write fails half-way.
#[test]
fn a_full_disk() {
    let folder = Folder::with_case("simple_conv");
    folder.write("weights.weights.h5", "the old file");
    let names = folder.names();
    // In blocks of 512 bytes; SIGXFSZ ignored, so that writing fails instead of the process.
    let said = folder.run_shell("trap '' XFSZ; ulimit -f 1; exec \"$0\" weights.pt --schema schema.toml");
    assert_eq!(folder.names(), names, "something was left behind");
    assert_eq!(folder.read("weights.weights.h5"), b"the old file");
    check("bad_full_disk", 7, &said);
}

/// A checkpoint stands where the schema goes, or a Keras file. (For the architecture: `architectures`.)
#[test]
fn files_in_places_of_others() {
    let swapped = ["schema.toml", "--schema", "weights.pt", "--arch", "arch.json"];
    check_arguments("checkpoint_as_schema", 5, &swapped, |_| {});
    check_arguments("keras_file_as_schema", 5, &["weights.pt", "--schema", "arch.json"], |_| {});
    check_spoilt("schema_in_latin_1", 5, |folder| folder.write("schema.toml", b"name = \"caf\xe9\"\n"));
}

/// A hundred faults of one kind are not shown to people, and another bundled schema fits all.
#[test]
fn a_schema_of_another_model() {
    let folder = Folder::new();
    let layer = |class: &str, config| serde_json::json!({ "module": "keras.layers", "class_name": class, "config": config });
    let dense = |k| layer("Dense", serde_json::json!({ "name": format!("classifier_{k}"), "units": 2 }));
    let input = layer("InputLayer", serde_json::json!({ "name": "input", "batch_shape": [null, 2] }));
    let layers: Vec<_> = std::iter::once(input).chain((0..12).map(dense)).collect();
    let config = serde_json::json!({ "name": "model", "layers": layers });
    let model = serde_json::json!({ "module": "keras", "class_name": "Sequential", "config": config });
    folder.write("arch.json", model.to_string());
    let tensor =
        |k| [(format!("classifier.{k}.weight"), &[2, 2][..]), (format!("classifier.{k}.bias"), &[2])];
    let tensors: Vec<(String, &[usize])> = (0..12).flat_map(tensor).collect();
    let rows: Vec<(&str, &str, &[usize], &[u8])> = tensors
        .iter()
        .map(|(name, shape)| (name.as_str(), "F32", *shape, &[0; 16][..4 * shape.iter().product::<usize>()]))
        .collect();
    folder.write_tensors("weights.safetensors", &rows);
    let plan = ["plan", "weights.safetensors", "--arch", "arch.json", "--schema", "torchvision/googlenet"];
    check("bad_schema_of_another_model", 6, &folder.run(&plan));
    let all = folder.run(&[&plan[..], &["--json"]].concat());
    assert_eq!(all.matches("gets no value").count(), 24, "{all}");
}
