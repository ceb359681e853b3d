//! What the commands say when all is well.

use ptw2k::keras::file_layout::Format;
use ptw2k::keras::{Architecture, Variable, WeightsFile};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::run::{Folder, archive, check};

const CONVERT: [&str; 3] = ["weights.pt", "--schema", "schema.toml"];

#[test]
fn converts_and_verifies() {
    for case in ["simple_conv", "conv_block", "conditional_conv", "mnist"] {
        let folder = Folder::with_case(case);
        check(&format!("{case}_plan"), 0, &folder.run(&["plan", "weights.pt", "--schema", "schema.toml"]));
        check(&format!("{case}_convert"), 0, &folder.run(&CONVERT));
        let verify = ["verify", "weights.pt", "weights.weights.h5", "--schema", "schema.toml"];
        check(&format!("{case}_verify"), 0, &folder.run(&verify));
        check(&format!("{case}_inspect"), 0, &folder.run(&["inspect", "weights.pt"]));
        check(&format!("{case}_inspect_output"), 0, &folder.run(&["inspect", "weights.weights.h5"]));
        let diff = ["diff", "weights.weights.h5", "weights.weights.h5"];
        check(&format!("{case}_diff"), 0, &folder.run(&diff));
    }
}

/// The outputs against what real PyTorch and plain NumPy made of the same checkpoint, in every format.
#[test]
fn values_are_the_expected() {
    for case in ["simple_conv", "conv_block", "conditional_conv", "mnist"] {
        for (output, format, options) in [
            ("out.weights.h5", Format::WeightsH5, &[][..]),
            ("out.h5", Format::LegacyH5, &[]),
            ("out.h5", Format::WholeH5, &["--save", "model"]),
            ("out.keras", Format::Keras, &[]),
        ] {
            let folder = Folder::with_case(case);
            let said = folder.run(&[&CONVERT[..], &["-o", output], options].concat());
            assert!(said.starts_with("exit 0\n"), "{said}");
            let expected: Json = serde_json::from_slice(&folder.read("expected.json")).unwrap();
            let mut found = values(&folder, output, format);
            let mut wanted = expected["variables"].as_array().unwrap().clone();
            let path = |variable: &Json| variable["path"].as_str().unwrap().to_owned();
            found.sort_by_key(path);
            wanted.sort_by_key(path);
            assert_eq!(found, wanted, "{case} as {output}");

            let verify = folder.run(&["verify", "weights.pt", output, "--schema", "schema.toml"]);
            assert!(verify.starts_with("exit 0\n"), "{case} as {format:?}: {verify}");
            let plan = folder.run(&["plan", "weights.pt", "--schema", "schema.toml", "--json", "-q"]);
            let plan: Json =
                serde_json::from_str(plan.strip_prefix("exit 0\n----- stdout -----\n").unwrap()).unwrap();
            let unused: Vec<&Json> =
                plan["unused"].as_array().unwrap().iter().map(|one| &one["tensor"]).collect();
            assert_eq!(serde_json::json!(unused), expected["unused"], "{case}");
        }
    }
}

/// Every variable of a file as `expected.json` has it.
fn values(folder: &Folder, output: &str, format: Format) -> Vec<Json> {
    let architecture = Architecture::open(&folder.path("arch.json")).unwrap();
    let file = WeightsFile::open(&folder.path(output)).unwrap();
    assert_eq!(file.variables.len(), architecture.variables.len());
    let is_legacy = matches!(format, Format::LegacyH5 | Format::WholeH5);
    let places = if is_legacy { architecture.legacy_places() } else { architecture.weights_h5_places() };
    let value = |(at, variable): (usize, &Variable)| {
        let path = places[at].as_deref().unwrap();
        let stored = &file.variables.iter().find(|stored| stored.place() == path).unwrap().tensor;
        assert!(stored.view.is_contiguous() && stored.view.offset() == 0, "{path}");
        let digest = Sha256::digest(&stored.storage.ready().unwrap().as_slice()[..stored.byte_len()]);
        serde_json::json!({
            "path": variable.path.as_str(),
            "shape": stored.view.shape().sizes(),
            "dtype": stored.dtype.name(),
            "sha256": digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        })
    };
    architecture.variables.iter().enumerate().map(value).collect()
}

#[test]
fn for_machines() {
    let folder = Folder::with_case("conv_block");
    check("json_plan", 0, &folder.run(&["plan", "weights.pt", "--schema", "schema.toml", "--json"]));
    check("json_inspect", 0, &folder.run(&["inspect", "weights.pt", "--json"]));
    check("json_inspect_architecture", 0, &folder.run(&["inspect", "arch.json", "--json"]));
    check("json_schemas", 0, &folder.run(&["schemas", "--json"]));
    let convert = folder.run(&[&CONVERT[..], &["-o", "out.h5", "--json"]].concat());
    let seconds = regex::Regex::new("\"seconds\": [0-9.e-]+").unwrap();
    check("json_convert", 0, &seconds.replace(&convert, "\"seconds\": [SECONDS]"));
    check("json_inspect_weights", 0, &folder.run(&["inspect", "out.h5", "--json"]));
    let verify = ["verify", "weights.pt", "out.h5", "--schema", "schema.toml", "--json"];
    check("json_verify", 0, &folder.run(&verify));
    check("json_diff", 0, &folder.run(&["diff", "out.h5", "out.h5", "--json"]));
}

#[test]
fn the_report_has_every_variable() {
    let folder = Folder::with_case("conv_block");
    let convert = [&CONVERT[..], &["--report", "report.json", "--quiet"]].concat();
    check("report_is_silent", 0, &folder.run(&convert));
    let report: Json = serde_json::from_slice(&folder.read("report.json")).unwrap();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!("report", report);
    });
}

/// What `inspect` tells apart by content.
#[test]
fn inspects_every_kind() {
    let folder = Folder::with_case("conditional_conv");
    folder.write_safetensors("w.safetensors", &[3, 5, 2, 7], 1.0);
    folder.run(&[&CONVERT[..], &["-o", "out.h5"]].concat());
    check("inspect_configuration", 0, &folder.run(&["inspect", "arch.json"]));
    check("inspect_template", 0, &folder.run(&["inspect", "template.weights.h5"]));
    check("inspect_legacy_weights", 0, &folder.run(&["inspect", "out.h5"]));
    check("inspect_safetensors", 0, &folder.run(&["inspect", "w.safetensors"]));
    check("inspect_verbose", 0, &folder.run(&["inspect", "weights.pt", "-v"]));
}

/// A subclassed model by its template: the same values, under the template's names.
#[test]
fn through_a_template() {
    let folder = Folder::with_case("conditional_conv");
    let schema = ["--schema", "subclassed.toml"];
    check("template_plan", 0, &folder.run(&[&["plan", "weights.pt"], &schema[..]].concat()));
    check(
        "template_convert",
        0,
        &folder.run(&[&["weights.pt", "-o", "out.weights.h5"], &schema[..]].concat()),
    );
    let verify = [&["verify", "weights.pt", "out.weights.h5"], &schema[..]].concat();
    check("template_verify", 0, &folder.run(&verify));
}

#[test]
fn waivers() {
    let folder = Folder::with_case("conv_block");
    let schema =
        "schema = 1\n\n[target]\narchitecture = \"arch.json\"\n\n[[layer]]\ntorch = \"bn\"\nkeras = \"bn\"\n";
    folder.write("schema.toml", schema);
    let waivers = ["--allow-missing", "conv/*", "--allow-unexpected", "conv.*"];
    let plan = ["plan", "weights.pt", "--schema", "schema.toml"];
    check("waivers_plan_without", 6, &folder.run(&plan));
    check("waivers_plan", 0, &folder.run(&[&plan[..], &waivers].concat()));
    check("waivers_convert", 0, &folder.run(&[&CONVERT[..], &waivers].concat()));
    check("waivers_inspect", 0, &folder.run(&["inspect", "weights.weights.h5"]));
    let verify = ["verify", "weights.pt", "weights.weights.h5", "--schema", "schema.toml"];
    check("waivers_verify", 0, &folder.run(&[&verify[..], &waivers].concat()));
    // Keras reads legacy files by position, and by name only when told so.
    let legacy = [&CONVERT[..], &["-o", "out.h5"], &waivers].concat();
    check("waivers_convert_legacy", 0, &folder.run(&legacy));
}

#[test]
fn another_element_type() {
    let folder = Folder::with_case("simple_conv");
    let dtype = ["--dtype", "float16"];
    check("dtype_plan", 0, &folder.run(&[&["plan"], &CONVERT[..], &dtype].concat()));
    check("dtype_convert", 0, &folder.run(&[&CONVERT[..], &dtype].concat()));
    let verify = ["verify", "weights.pt", "weights.weights.h5", "--schema", "schema.toml"];
    check("dtype_verify", 0, &folder.run(&[&verify[..], &dtype].concat()));
    check("dtype_verify_without", 8, &folder.run(&verify));
}

/// Values that one rounding too many would spoil, single and in sums: what is written is what verify expects.
#[test]
fn low_bits() {
    // Around ties of every float type, with what a smaller type loses: a generator's numbers fill the rest.
    let values = |count: usize, seed: u64| -> Vec<f64> {
        let mut state = seed;
        let ties = [8, 11, 24].map(|bits| 2_f64.powi(-bits));
        let lows = [0.0, 2_f64.powi(-40), -(2_f64.powi(-40)), 2_f64.powi(-26), -(2_f64.powi(-26))];
        let value = |at: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let whole = 1.0 + (state >> 60) as f64 * ties[at % 3] * 2.0;
            (whole + ties[at % 3] + lows[at / 3 % 5]) * if state >> 59 & 1 == 0 { 1.0 } else { -1.0 }
        };
        (0..count).map(value).collect()
    };
    let doubles = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let singles =
        |values: &[f64]| values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect::<Vec<u8>>();
    let wholes = |values: &[f64]| {
        let whole = |&value: &f64| ((value * 2_f64.powi(62)) as i64).to_le_bytes();
        values.iter().flat_map(whole).collect::<Vec<u8>>()
    };
    let schema = "schema = 1\n\n[target]\narchitecture = \"arch.json\"\n\n\
        [[tensor]]\ntorch = \"weight\"\nkeras = \"conv/kernel\"\nlayout = \"o i h w -> h w i o\"\n\n\
        [[tensor]]\ntorch = \"{part:one|two}\"\nkeras = \"conv/bias\"\nlayout = \"o -> o\"\nreduce = \"sum\"\n";
    let (weight, one, two) = (values(16 * 27, 1), values(16, 2), values(16, 3));
    for (name, one, two) in [
        ("doubles", ("F64", doubles(&one)), ("F64", doubles(&two))),
        ("singles", ("F32", singles(&one)), ("F32", singles(&two))),
        ("mixed", ("F32", singles(&one)), ("F64", doubles(&two))),
        ("wholes", ("I64", wholes(&one)), ("I64", wholes(&two))),
    ] {
        let folder = Folder::with_case("simple_conv");
        folder.write("schema.toml", schema);
        for (kernel, bytes) in [("F64", doubles(&weight)), ("I64", wholes(&weight))] {
            folder.write_tensors(
                "w.safetensors",
                &[
                    ("one", one.0, &[16], &one.1),
                    ("two", two.0, &[16], &two.1),
                    ("weight", kernel, &[16, 3, 3, 3], &bytes),
                ],
            );
            for dtype in ["bfloat16", "float32", "float64"] {
                let source = ["--schema", "schema.toml", "--dtype", dtype];
                let said = folder.run(&[&["w.safetensors", "-o", "out.weights.h5"], &source[..]].concat());
                assert!(said.starts_with("exit 0\n"), "{name}: {said}");
                let said =
                    folder.run(&[&["verify", "w.safetensors", "out.weights.h5"], &source[..]].concat());
                assert!(said.starts_with("exit 0\n"), "{name} of {kernel} as {dtype}: {said}");
            }
        }
    }
}

/// A float32 tensor of shape (2, 3) on the one storage, as pickled by torch.
const TENSOR: &[u8] =
    b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x06tQ\
    K\x00K\x02K\x03\x86K\x03K\x01\x86\x89NtR";

/// Weights and their moving average, side by side.
#[test]
fn one_of_several_state_dicts() {
    let folder = Folder::new();
    let dict = |key: &str| [b"}(V", key.as_bytes(), b".weight\n", TENSOR, b"u"].concat();
    let root = [&b"\x80\x02}(Vone\n"[..], &dict("fc"), b"Vother\n", &dict("module.fc"), b"u."].concat();
    let values = [1; 24];
    folder.write("w.pt", archive(&[("w/data.pkl", &root), ("w/data/0", &values), ("w/version", b"3\n")]));
    check("key_not_given", 3, &folder.run(&["inspect", "w.pt"]));
    check("key_absent", 3, &folder.run(&["inspect", "w.pt", "--key", "three"]));
    check("key_given", 0, &folder.run(&["inspect", "w.pt", "--key", "other"]));
}

/// One bit of the output is turned: verify and diff say where.
#[test]
fn differences_are_found() {
    let folder = Folder::with_case("simple_conv");
    check("difference_convert", 0, &folder.run(&CONVERT));
    let mut bytes = folder.read("weights.weights.h5");
    // The bias is the last thing that PyTorch wrote: find its first value in the output.
    let value = first_bias(&folder);
    let at = bytes.windows(4).position(|window| window == value).unwrap();
    bytes[at] ^= 1;
    folder.write("other.weights.h5", &bytes);
    let verify = ["verify", "weights.pt", "other.weights.h5", "--schema", "schema.toml"];
    check("difference_verify", 8, &folder.run(&verify));
    check("difference_verify_json", 8, &folder.run(&[&verify[..], &["--json"]].concat()));
    let other = Folder::with_case("mnist");
    assert!(other.run(&CONVERT).starts_with("exit 0\n"));
    folder.write("mnist.weights.h5", other.read("weights.weights.h5"));
    check(
        "difference_verify_another_model",
        8,
        &folder.run(&["verify", "weights.pt", "mnist.weights.h5", "-s", "schema.toml"]),
    );
    let diff = ["diff", "weights.weights.h5", "other.weights.h5"];
    check("difference_diff", 8, &folder.run(&diff));
    check("difference_diff_json", 8, &folder.run(&[&diff[..], &["--json"]].concat()));
}

/// The first value of `conv.bias`: the start of the record `data/1`.
fn first_bias(folder: &Folder) -> Vec<u8> {
    use std::io::Read as _;
    let file = std::fs::File::open(folder.path("weights.pt")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut value = vec![0; 4];
    zip.by_name("weights/data/1").unwrap().read_exact(&mut value).unwrap();
    value
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::with_case("simple_conv");
    let names = folder.names();
    let plan = folder.run(&["plan", "weights.pt", "--schema", "schema.toml"]);
    assert_eq!(folder.run(&["weights.pt", "--schema", "schema.toml", "--dry-run"]), plan);
    assert_eq!(folder.names(), names);
}

#[test]
fn bundled_schemas() {
    let folder = Folder::new();
    check("schemas", 0, &folder.run(&["schemas"]));
    let text = folder.run(&["schemas", "torchvision/resnet"]);
    let file = include_str!("../../schemas/torchvision/resnet.toml");
    assert_eq!(text, format!("exit 0\n----- stdout -----\n{file}"));
}

/// What is stacked is shown as it is stacked, not by the names.
#[test]
fn tensors_in_the_order_of_the_rule() {
    let folder = Folder::new();
    let bytes = [0; 24];
    let tensors = ["w.a", "w.b", "w.c"].map(|key| (key, "F32", &[2, 3][..], &bytes[..]));
    folder.write_tensors("model.safetensors", &tensors);
    let input = serde_json::json!({ "class_name": "InputLayer", "config": { "name": "i", "batch_shape": [null, 3] } });
    let dense = serde_json::json!({ "class_name": "Dense", "config": { "name": "fc", "units": 6, "use_bias": false } });
    let config = serde_json::json!({ "name": "s", "layers": [input, dense] });
    let model = serde_json::json!({ "module": "keras", "class_name": "Sequential", "config": config });
    folder.write("arch.json", model.to_string());
    for (listed, order) in [("a|b|c", ["a", "b", "c"]), ("c|a|b", ["c", "a", "b"])] {
        let rule = format!("torch = 'w.{{g:{listed}}}'\nkeras = 'fc/kernel'\nlayout = 'o i -> i (g o)'\n");
        folder.write("s.toml", format!("schema = 1\n[[tensor]]\n{rule}"));
        let plan = ["plan", "model.safetensors", "-s", "s.toml", "-a", "arch.json"];
        let said = folder.run(&plan);
        assert!(said.contains(&order.map(|name| format!("w.{name}")).join(", ")), "{said}");
        let said = folder.run(&[&plan[..], &["--explain", "fc/kernel"]].concat());
        assert!(said.contains(&format!("{{g}} is {}", order.join(", "))), "{said}");
    }
}
