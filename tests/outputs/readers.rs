//! What depends on the Keras that reads.

use ptw2k::keras::Architecture;
use ptw2k::keras::file_layout::{Format, LayoutError, dataset_aliases};
use ptw2k::tensor::Dtype;
use ptw2k::writer::Error;
use tempfile::TempDir;

use crate::made::{FILL, convert, form, plan, stored, testdata, write};

/// The projections of attention under both names, one set of bytes.
#[test]
fn attention_for_both_generations() {
    let folder = TempDir::new().unwrap();
    let layers = testdata("all_layers.json");
    let (one, both) = (folder.path().join("one.weights.h5"), folder.path().join("both.weights.h5"));
    convert(&layers, FILL, &form(Format::WeightsH5, "3"), &one);
    convert(&layers, FILL, &form(Format::WeightsH5, "2.15"), &both);
    let paths = |file| stored(file).into_iter().map(|(path, ..)| path).collect::<Vec<_>>();
    // A dataset with two names is read once.
    assert_eq!(paths(&both), paths(&one));
    let has = |file: &std::path::Path, dataset: &str| {
        hdf5_reader::Hdf5File::open(file).unwrap().dataset(dataset).is_ok()
    };
    let architecture = Architecture::open(&layers).unwrap();
    let aliases: Vec<String> =
        (0..architecture.variables.len()).flat_map(|at| dataset_aliases(&architecture, at)).collect();
    assert!(aliases.len() >= 8 && aliases.iter().all(|path| path.contains("/_")), "{aliases:?}");
    assert!(aliases.iter().all(|path| has(&both, path) && !has(&one, path)));
    let len = |file: &std::path::Path| file.metadata().unwrap().len();
    // Names and index alone: the datasets stand once.
    assert!(len(&both) - len(&one) < 4096);
}

/// bfloat16 where it is understood, float32 elsewhere, and a note that says so.
#[test]
fn bfloat16() {
    let folder = TempDir::new().unwrap();
    let model = testdata("bfloat16.json");
    let of = |format, keras: &str, name: &str| {
        let (form, output) = (form(format, keras), folder.path().join(name));
        let written = convert(&model, FILL, &form, &output);
        let dtypes =
            stored(&written.files[0]).into_iter().filter(|(_, dtype, _)| *dtype == Dtype::Bf16).count();
        let notes = plan(&model, FILL, &form, None).notes;
        let noted =
            notes.iter().any(|note| note.text.starts_with("bfloat16 in the model, written as float32"));
        assert_eq!(noted, dtypes == 0);
        dtypes
    };
    assert_eq!(of(Format::WeightsH5, "", "a.weights.h5"), 6);
    assert_eq!(of(Format::WeightsH5, "3.0.5", "a.weights.h5"), 6);
    assert_eq!(of(Format::Sharded, "", "a.weights.json"), 6);
    assert_eq!(of(Format::Keras, "", "a.keras"), 6);
    assert_eq!(of(Format::WeightsH5, "2.15", "a.weights.h5"), 0);
    assert_eq!(of(Format::LegacyH5, "", "a.h5"), 0);
    assert_eq!(of(Format::WholeH5, "", "a.h5"), 0);
    // Asked for, it is refused.
    let form = form(Format::LegacyH5, "");
    let plan = plan(&model, FILL, &form, Some(Dtype::Bf16));
    let error = write(&plan, &form, &folder.path().join("b.h5"), 1).unwrap_err();
    assert!(matches!(error, Error::Layout(LayoutError::Bfloat16 { .. })), "{error}");
}

/// Keras before 3.12 has the bookkeeping of float8 before the kernel, and a configuration does not tell whose it is.
#[test]
fn float8_for_older_readers() {
    let folder = TempDir::new().unwrap();
    let (architecture, output) = (folder.path().join("a.json"), folder.path().join("out.weights.h5"));
    let policy = r#"{"class_name": "QuantizedFloat8DTypePolicy", "config": {"mode": "float8", "source_name": "float32",
        "amax_history_length": 7}}"#;
    let text = format!(
        r#"{{"class_name": "Sequential", "module": "keras.src.models.sequential", "config": {{"name": "m", "layers": [
            {{"class_name": "InputLayer", "config": {{"name": "in", "batch_shape": [null, 3]}}}},
            {{"class_name": "Dense", "config": {{"name": "d", "units": 2, "dtype": {policy}}}}}]}}}}"#
    );
    std::fs::write(&architecture, text).unwrap();
    for (keras, expected) in [("", false), ("3.12", false), ("3.10.0", true)] {
        let form = form(Format::WeightsH5, keras);
        let outcome = write(&plan(&architecture, FILL, &form, None), &form, &output, 1);
        let is_refused = matches!(&outcome, Err(Error::Layout(LayoutError::Float8Order { layer, .. }))
            if layer == "d");
        assert!(is_refused == expected && (is_refused || outcome.is_ok()), "{keras}: {outcome:?}");
    }
}

/// A configuration lacks what a layer was adapted to, without which Keras loads no weights.
#[test]
fn adapted_layers() {
    let check = |keras: &str, class: &str, settings: &str, format: Format, expected: bool| {
        let folder = TempDir::new().unwrap();
        let (architecture, output) = (folder.path().join("a.json"), folder.path().join("out.h5"));
        let text = format!(
            r#"{{"class_name": "Sequential", {keras} "config": {{"name": "m", "layers": [
                {{"class_name": "InputLayer", "config": {{"name": "in", "batch_input_shape": [null, 3]}}}},
                {{"class_name": "{class}", "config": {{"name": "adapted", {settings}}}}},
                {{"class_name": "Embedding", "config": {{"name": "e", "input_dim": 5, "output_dim": 2}}}}]}}}}"#
        );
        std::fs::write(&architecture, text).unwrap();
        let form = form(format, "");
        let outcome = write(&plan(&architecture, FILL, &form, None), &form, &output, 1);
        let is_refused = matches!(&outcome, Err(Error::Layout(LayoutError::Adapted { layer, class: named, .. }))
            if layer == "adapted" && named == class);
        assert!(is_refused == expected && (is_refused || outcome.is_ok()), "{class} {settings}: {outcome:?}");
    };
    let (old, new) = (r#""keras_version": "2.15.0","#, r#""module": "keras.src.models.sequential","#);
    let (bins, bounds) = (r#""num_bins": 4"#, r#""bin_boundaries": [1.0, 2.0]"#);
    check(old, "Discretization", bins, Format::WeightsH5, true);
    check(old, "Discretization", bins, Format::LegacyH5, true);
    check(old, "Discretization", bounds, Format::LegacyH5, false);
    check(new, "Discretization", bins, Format::WeightsH5, false);
    let (frequency, count) = (r#""output_mode": "tf_idf""#, r#""output_mode": "int""#);
    for class in ["IntegerLookup", "StringLookup", "TextVectorization"] {
        check(old, class, frequency, Format::LegacyH5, true);
        check(new, class, frequency, Format::WeightsH5, true);
        check(new, class, frequency, Format::LegacyH5, false);
        check(new, class, count, Format::WeightsH5, false);
    }
}
