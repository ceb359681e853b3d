//! Conversions whose values are the architecture's own, or constants, so that they need no checkpoint.

use std::path::{Path, PathBuf};

use ptw2k::checkpoint::{Checkpoint, OpenOptions};
use ptw2k::keras::file_layout::{Form, Format, LayoutError};
use ptw2k::keras::{Architecture, WeightsFile};
use ptw2k::plan::{self, Plan, PlanOptions};
use ptw2k::schema::Schema;
use ptw2k::tensor::Dtype;
use ptw2k::writer::{self, Error, WriteOptions, Written};
use tempfile::TempDir;

/// Takes every value from the architecture.
pub(crate) const KEEP: &str = "[[keep]]\nkeras = \"{x:**}\"\n";
/// Gives every variable the same value.
pub(crate) const FILL: &str = "[[fill]]\nkeras = \"{x:**}\"\nvalue = 2.0\n";

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keras").join(name)
}

pub(crate) fn form(format: Format, keras: &str) -> Form {
    Form { keras: (!keras.is_empty()).then(|| keras.parse().unwrap()), ..Form::new(format) }
}

/// The plan for an architecture, by the rules `KEEP` or `FILL`.
pub(crate) fn plan(architecture: &Path, rules: &str, form: &Form, dtype: Option<Dtype>) -> Plan {
    let folder = TempDir::new().unwrap();
    let header = b"{\"unused\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} ";
    let checkpoint = [&(header.len() as u64).to_le_bytes(), header.as_slice(), &[0; 4]].concat();
    std::fs::write(folder.path().join("w.safetensors"), checkpoint).unwrap();
    let schema = format!("schema = 1\nname = \"test\"\n[source]\nignore = [\"unused\"]\n{rules}");
    std::fs::write(folder.path().join("s.toml"), schema).unwrap();
    let checkpoint = Checkpoint::open(&folder.path().join("w.safetensors"), &OpenOptions::default()).unwrap();
    let schema = Schema::open(&folder.path().join("s.toml")).unwrap();
    let options = PlanOptions { form: form.clone(), dtype, ..PlanOptions::default() };
    plan::plan(&checkpoint, &schema, Architecture::open(architecture).unwrap(), &options).unwrap()
}

pub(crate) fn write(plan: &Plan, form: &Form, output: &Path, threads: usize) -> Result<Written, Error> {
    let options = WriteOptions { form: form.clone(), threads: Some(threads), allow_overflow: false };
    writer::write(plan, output, &options, &())
}

/// Converts with one and with several threads, to the same bytes; returns the files.
pub(crate) fn convert(architecture: &Path, rules: &str, form: &Form, output: &Path) -> Written {
    let plan = plan(architecture, rules, form, None);
    let first = write(&plan, form, output, 1).unwrap();
    let bytes: Vec<_> = first.files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let second = write(&plan, form, output, 5).unwrap();
    assert_eq!(second, first);
    assert_eq!(first.bytes, bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
    for (file, bytes) in first.files.iter().zip(bytes) {
        assert!(std::fs::read(file).unwrap() == bytes, "{}", file.display());
    }
    first
}

/// Why a form is refused; nothing is written.
pub(crate) fn refusal(architecture: &str, rules: &str, form: &Form, name: &str) -> LayoutError {
    let folder = TempDir::new().unwrap();
    let plan = plan(&testdata(architecture), rules, form, None);
    let outcome = write(&plan, form, &folder.path().join(name), 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    match outcome {
        Err(Error::Layout(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Every stored variable of a file: its path, type and bytes.
pub(crate) fn stored(file: &Path) -> Vec<(String, Dtype, Vec<u8>)> {
    let file = WeightsFile::open(file).unwrap();
    let bytes = |stored: ptw2k::keras::StoredVariable| {
        let tensor = stored.tensor;
        (stored.path, tensor.dtype, tensor.contiguous().unwrap())
    };
    file.variables.into_iter().map(bytes).collect()
}

/// Every variable of an architecture with values: its path in files of that format, type and bytes.
pub(crate) fn own(architecture: &Path, format: Format) -> Vec<(String, Dtype, Vec<u8>)> {
    let architecture = Architecture::open(architecture).unwrap();
    let is_legacy = matches!(format, Format::LegacyH5 | Format::WholeH5);
    let places = if is_legacy { architecture.legacy_places() } else { architecture.weights_h5_places() };
    let places: Vec<String> = places.into_iter().flatten().collect();
    let of = |at: usize| {
        let path = if format == Format::WholeH5 {
            format!("model_weights/{}", places[at])
        } else {
            places[at].clone()
        };
        let value = architecture.variables[at].value.as_ref().unwrap();
        (path, value.dtype, value.contiguous().unwrap())
    };
    (0..architecture.variables.len()).map(of).collect()
}

pub(crate) fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}
