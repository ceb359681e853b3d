//! What the commands say when all is well.

use crate::run::{Folder, check};

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

#[test]
fn for_machines() {
    let folder = Folder::with_case("mnist");
    check("json_plan", 0, &folder.run(&["plan", "weights.pt", "--schema", "schema.toml", "--json"]));
    check("json_inspect", 0, &folder.run(&["inspect", "weights.pt", "--json"]));
    check("json_inspect_architecture", 0, &folder.run(&["inspect", "arch.json", "--json"]));
    let report = ["weights.pt", "--schema", "schema.toml", "--report", "report.json", "--quiet"];
    check("report_is_silent", 0, &folder.run(&report));
    let report: serde_json::Value = serde_json::from_slice(&folder.read("report.json")).unwrap();
    assert_eq!(report["variables"].as_array().map(Vec::len), Some(8));
    assert_eq!(report["output"]["path"], "weights.weights.h5");
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
fn threads_do_not_change_the_file() {
    let folder = Folder::with_case("mnist");
    for (threads, output) in [("1", "one.weights.h5"), ("7", "seven.weights.h5")] {
        let said = folder.run(&[&CONVERT[..], &["--threads", threads, "-o", output]].concat());
        assert!(said.starts_with("exit 0\n"), "{said}");
    }
    assert!(folder.read("one.weights.h5") == folder.read("seven.weights.h5"));
}

#[test]
fn bundled_schemas() {
    let folder = Folder::new();
    check("schemas", 0, &folder.run(&["schemas"]));
    let text = folder.run(&["schemas", "torchvision/resnet"]);
    let file = include_str!("../../schemas/torchvision/resnet.toml");
    assert_eq!(text, format!("exit 0\n----- stdout -----\n{file}"));
}
