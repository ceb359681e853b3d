//! Tensors that are computed from others, against what real torch and real bitsandbytes make of the same.

use ptw2k::checkpoint::{Checkpoint, OpenOptions};
use ptw2k::keras::{Architecture, WeightsFile};
use ptw2k::lazy::LazyTensor;
use ptw2k::tensor::Dtype;

use crate::run::{Folder, check};

/// How far values may be from torch's.
enum Near {
    /// Not at all.
    Equal,
    /// So far, absolutely: sums that torch adds in an order of its own. The values are about 1.
    Within(f64),
}

const SCHEMA: [&str; 2] = ["--schema", "schema.toml"];

fn run(case: &str, near: impl Fn(&str) -> Near) {
    let folder = Folder::with_case(case);
    check(&format!("{case}_plan"), 0, &folder.run(&[&["plan", "weights.pt"], &SCHEMA[..]].concat()));
    let said = folder.run(&[&["weights.pt", "-o", "out.weights.h5"], &SCHEMA[..]].concat());
    assert!(said.starts_with("exit 0\n"), "{said}");
    let said = folder.run(&[&["verify", "weights.pt", "out.weights.h5"], &SCHEMA[..]].concat());
    assert!(said.starts_with("exit 0\n"), "{said}");

    let expected = Checkpoint::open(&folder.path("expected.pt"), &OpenOptions::default()).unwrap();
    let file = WeightsFile::open(&folder.path("out.weights.h5")).unwrap();
    assert_eq!(expected.tensors.len(), file.variables.len());
    let architecture = Architecture::open(&folder.path("arch.json")).unwrap();
    let places = architecture.weights_h5_places();
    for (variable, place) in architecture.variables.iter().zip(places) {
        let name = variable.path.as_str();
        let wanted = expected.tensors.iter().find(|tensor| tensor.key.as_str() == name).unwrap();
        let found = file.variables.iter().find(|stored| Some(&stored.path) == place.as_ref()).unwrap();
        let (wanted, found) = (values(&wanted.tensor), values(&found.tensor));
        assert_eq!(wanted.len(), found.len(), "{name}");
        match near(name) {
            Near::Equal => assert_eq!(wanted, found, "{name}"),
            Near::Within(limit) => {
                let pairs = wanted.iter().zip(&found);
                let far = pairs.map(|(one, other)| f64::from(one - other).abs()).fold(0.0, f64::max);
                assert!(far <= limit, "{name}: {far}");
            }
        }
    }
}

fn values(tensor: &LazyTensor) -> Vec<f32> {
    assert_eq!(tensor.dtype, Dtype::F32);
    let bytes = tensor.contiguous().unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn parametrized() {
    run("parametrized", |variable| match variable.split_once('/') {
        Some((layer, "kernel")) if layer.starts_with("spectral") || layer == "normed_columns" => {
            Near::Within(1e-6)
        }
        Some((layer, "kernel" | "embeddings")) if layer.starts_with("adapted") => Near::Within(2e-6),
        _ => Near::Equal,
    });
}

#[test]
fn bitsandbytes() {
    run("bitsandbytes", |_| Near::Equal);
}

/// Convolutions with groups, whose kernels torch shows by what it makes of single ones.
#[test]
fn grouped() {
    run("grouped", |_| Near::Equal);
    let folder = Folder::with_case("grouped");
    let explain = |variable: &str, more: &[&str]| {
        folder.run(&[&["plan", "weights.pt", "--explain", variable], &SCHEMA[..], more].concat())
    };
    check("explain_groups", 0, &explain("up1/kernel", &[]));
    check("explain_computed_groups", 0, &explain("normed/kernel", &[]));
    check("explain_groups_json", 0, &explain("up2/kernel", &["--json"]));
}

/// One binding in full, of each kind: a sum with arithmetic, a formula, a copy; and a variable that there is not.
#[test]
fn explains() {
    let folder = Folder::with_case("parametrized");
    let explain = |variable: &str, more: &[&str]| {
        folder.run(&[&["plan", "weights.pt", "--explain", variable], &SCHEMA[..], more].concat())
    };
    check("explain_sum", 0, &explain("table/embeddings", &[]));
    check("explain_formula", 0, &explain("normed/kernel", &[]));
    check("explain_copy", 0, &explain("normed/bias", &[]));
    check("explain_compute", 0, &explain("quantized/kernel", &[]));
    check("explain_json", 0, &explain("normed/kernel", &["--json"]));
    check("explain_absent", 2, &explain("normed/kernels", &[]));
}
