//! Models that five versions of Keras saved in every form they know (`testdata/keras_files/make.py`).

use std::path::{Path, PathBuf};

use ptw2k::keras::{Architecture, Origin, WeightsFile, WeightsForm};
use ptw2k::lazy::LazyTensor;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn file(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras_files").join(version).join(name)
}

/// Shape and SHA-256 of every variable, sorted: forms differ in order.
fn expected(version: &str, model: &str) -> Vec<String> {
    let text = std::fs::read(file(version, &format!("{model}.expected.json"))).unwrap();
    let rows: Value = serde_json::from_slice(&text).unwrap();
    let mut lines: Vec<String> =
        rows.as_array().unwrap().iter().map(|row| format!("{} {}", row[1], row[2])).collect();
    lines.sort();
    lines
}

fn line(tensor: &LazyTensor) -> String {
    let digest = Sha256::digest(tensor.contiguous().unwrap());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {}", json!(tensor.view.shape().sizes()), json!(digest))
}

fn sorted<'a>(tensors: impl Iterator<Item = &'a LazyTensor>) -> Vec<String> {
    let mut lines: Vec<String> = tensors.map(line).collect();
    lines.sort();
    lines
}

/// Every form of a model has the variables that Keras says, and the state of the optimizer apart.
fn check(version: &str, model: &str, forms: &[(&str, Origin, WeightsForm)]) {
    let expected = expected(version, model);
    for (end, origin, form) in forms {
        let path = file(version, &format!("{model}{end}"));
        let named = |error| panic!("{version} {model}{end}: {error:?}");
        let architecture = Architecture::open(&path).unwrap_or_else(named);
        assert_eq!(architecture.origin, *origin, "{version} {model}{end}");
        let values = architecture.variables.iter().map(|variable| variable.value.as_deref().unwrap());
        assert_eq!(sorted(values), expected, "{version} {model}{end}");
        let weights = WeightsFile::open(&path).unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
        assert_eq!(weights.form, *form);
        assert_eq!(sorted(weights.variables.iter().map(|stored| &stored.tensor)), expected, "{path:?}");
        let has_optimizer = *form != WeightsForm::LegacyH5;
        assert_eq!(!architecture.carried.optimizer.is_empty(), has_optimizer, "{path:?}");
        assert_eq!(!weights.state.is_empty(), has_optimizer, "{path:?}");
    }
}

const WEIGHTS: (&str, Origin, WeightsForm) = (".weights.h5", Origin::Template, WeightsForm::WeightsH5);
const LEGACY: (&str, Origin, WeightsForm) = (".legacy.h5", Origin::LegacyTemplate, WeightsForm::LegacyH5);
const SHARDS: (&str, Origin, WeightsForm) = (".weights.json", Origin::ShardedTemplate, WeightsForm::Sharded);

#[test]
fn templates() {
    for version in ["3.15.1", "3.10.0"] {
        check(version, "trained", &[WEIGHTS, LEGACY, SHARDS]);
        check(version, "own", &[WEIGHTS, LEGACY, SHARDS]);
    }
    check("3.0.5", "trained", &[WEIGHTS]);
    check("3.0.5", "own", &[WEIGHTS]);
    for version in ["2.15.0", "2.13.1"] {
        check(version, "trained", &[WEIGHTS, LEGACY]);
        check(version, "own", &[WEIGHTS]);
    }
    check("2.15.0", "slashed", &[WEIGHTS, LEGACY]);
}

#[test]
fn whole_models() {
    let archive = (".keras", Origin::Archive, WeightsForm::Archive);
    let folder = (".folder", Origin::Folder, WeightsForm::Folder);
    let whole = (".whole.h5", Origin::WholeH5, WeightsForm::WholeH5);
    for version in ["3.15.1", "3.10.0"] {
        check(version, "trained", &[archive, folder, whole]);
    }
    check("3.0.5", "trained", &[archive]);
    check("2.15.0", "trained", &[archive, whole]);
    check("2.15.0", "slashed", &[archive, whole]);
    check("2.13.1", "trained", &[archive, whole]);
}

/// The paths of a legacy file are those that the model's variables have in the other templates.
#[test]
fn legacy_paths() {
    let paths = |end: &str| {
        let model = Architecture::open(&file("3.15.1", &format!("trained{end}"))).unwrap();
        let mut paths: Vec<String> =
            model.variables.iter().map(|variable| variable.path.to_string()).collect();
        paths.sort();
        paths
    };
    assert_eq!(paths(".legacy.h5"), paths(".weights.h5"));
    let old = Architecture::open(&file("2.15.0", "trained.legacy.h5")).unwrap();
    let found: Vec<&str> = old.variables.iter().map(|variable| variable.path.as_str()).collect();
    for path in [
        "both/forward_lstm/lstm_cell/kernel",
        "heads/query/bias",
        "inner/still/moving_mean",
        "tail/last/kernel",
    ] {
        assert!(found.contains(&path), "{path} in {found:?}");
    }
    assert!(old.weights_h5_places().iter().all(Option::is_none));
    assert_eq!(old.legacy_places()[0].as_deref(), Some("both/both/forward_lstm/lstm_cell/kernel:0"));
}

/// Keras 2.13 called the layers of a model by another name, and its attention layers have private projections.
#[test]
fn old_groups() {
    let model = Architecture::open(&file("2.13.1", "trained.weights.h5")).unwrap();
    let places: Vec<String> = model.weights_h5_places().into_iter().flatten().collect();
    assert!(places.contains(&"layers/functional/layers/dense/vars/0".to_owned()), "{places:?}");
    let layer = |path: &str| model.layers.iter().find(|layer| layer.path == path).unwrap();
    assert_eq!(layer("multi_head_attention/query").group, "layers/multi_head_attention/_query_dense");
    assert_eq!(layer("multi_head_attention/query").class.as_deref(), Some("EinsumDense"));
}
