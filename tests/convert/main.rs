//! The library's conversion from outside: what it reports, tells and refuses.

#![expect(clippy::unwrap_used, reason = "tests")]

mod outlines;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ptw2k::checkpoint::{Checkpoint, Warning};
use ptw2k::convert::{Conversion, ConvertError, Planned, Progress, Report, Saved, convert};
use ptw2k::keras::WeightsFile;
use ptw2k::keras::file_layout::Format;
use ptw2k::schema::Glob;
use tempfile::TempDir;

const SCHEMA: &str = "schema = 1\n[target]\narchitecture = 'arch.json'\n\
                      [[layer]]\ntorch = '{name:conv1|conv2|fc1|fc2}'\nkeras = '{name}'\n";

/// A folder with the checkpoint and the architecture of a case, and the schema.
struct Case(TempDir);

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let case = Self(TempDir::new().unwrap());
        for name in ["weights.pt", "arch.json"] {
            std::fs::copy(Path::new("testdata/mnist").join(name), case.path(name)).unwrap();
        }
        for (name, text) in files {
            std::fs::write(case.path(name), text).unwrap();
        }
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn conversion(&self, output: &str) -> Conversion {
        Conversion::new(self.path("weights.pt"), self.path("schema.toml"), self.path(output))
    }

    /// The names of files of this folder.
    fn names(&self, paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| path.strip_prefix(self.0.path()).unwrap().display().to_string()).collect()
    }
}

/// Hears everything, and stops when so many bytes are written.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<String>>,
    written: AtomicU64,
    limit: Option<u64>,
}

impl Progress for Ear {
    fn opened(&self, checkpoint: &Checkpoint) {
        self.heard.lock().unwrap().push(format!("opened {}", checkpoint.tensors.len()));
    }

    fn warned(&self, warning: &Warning) {
        self.heard.lock().unwrap().push(warning.to_string());
    }

    fn started(&self, bytes: u64) {
        self.heard.lock().unwrap().push(format!("started {bytes}"));
    }

    fn advanced(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.limit.is_some_and(|limit| self.written.load(Ordering::Relaxed) >= limit)
    }
}

#[test]
fn reports() {
    let case = Case::new(&[("schema.toml", SCHEMA)]);
    let ear = Ear::default();
    let report = convert(&case.conversion("out.weights.h5"), &ear).unwrap();
    assert_eq!(case.names(&report.files), ["out.weights.h5"]);
    assert_eq!(report.bytes, case.path("out.weights.h5").metadata().unwrap().len());
    assert_eq!((report.variables, report.unused, report.left_out), (8, 0, 0));
    assert_eq!((report.warnings.len(), report.notes.len()), (0, 0));
    assert_eq!(ear.heard.into_inner().unwrap(), ["opened 8", "started 40716"]);
    assert_eq!(ear.written.into_inner(), 40_716);
}

/// A build that watches them misses nothing.
#[test]
fn inputs_are_all_that_was_read() {
    let check = |case: &Case, conversion: &Conversion, expected: &[&str]| {
        let report = convert(conversion, &()).unwrap();
        let mut names = case.names(&report.inputs);
        names.sort();
        assert_eq!(names, expected);
    };
    let own = "schema = 1\nextends = 'base.toml'\n[[use]]\nschema = 'part.toml'\n";
    let part = "schema = 1\n[[layer]]\ntorch = 'fc{i}'\nkeras = 'fc{i}'\n";
    let base = "schema = 1\n[[layer]]\ntorch = 'conv{i}'\nkeras = 'conv{i}'\n";
    let case = Case::new(&[("schema.toml", own), ("base.toml", base), ("part.toml", part)]);
    let mut conversion = case.conversion("out.keras");
    conversion.source.architecture = Some(case.path("arch.json"));
    check(&case, &conversion, &["arch.json", "base.toml", "part.toml", "schema.toml", "weights.pt"]);

    // A folder stands for its files, and an index for its shards and itself.
    let whole = case.path("whole");
    std::fs::create_dir(&whole).unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(case.path("out.keras")).unwrap()).unwrap();
    archive.extract(&whole).unwrap();
    let index = serde_json::json!({ "weight_map": { "conv1.weight": "weights.pt" } });
    std::fs::write(case.path("model.bin.index.json"), index.to_string()).unwrap();
    let mut conversion =
        Conversion::new(case.path("model.bin.index.json"), "same-names", case.path("out.weights.h5"));
    conversion.source.architecture = Some(whole);
    check(
        &case,
        &conversion,
        &[
            "model.bin.index.json",
            "weights.pt",
            "whole/config.json",
            "whole/metadata.json",
            "whole/model.weights.h5",
        ],
    );
}

#[test]
fn the_name_and_the_fields_say_the_form() {
    let case = Case::new(&[("schema.toml", SCHEMA)]);
    let check = |output: &str, change: &dyn Fn(&mut Conversion), expected: Format, files: usize| {
        let mut conversion = case.conversion(output);
        change(&mut conversion);
        let planned = conversion.plan(&()).unwrap();
        planned.check().unwrap();
        assert_eq!(planned.options.form.format, expected, "{output}");
        let report: Report = planned.write(&()).unwrap();
        assert_eq!(report.files.len(), files, "{output}");
        assert!(report.files.iter().all(|file| conversion.may_write(file)), "{output}");
        assert!(!conversion.may_write(&case.path("other.weights.h5")));
        WeightsFile::open(&conversion.output).unwrap();
    };
    check("a.weights.h5", &|_| {}, Format::WeightsH5, 1);
    check("a.h5", &|_| {}, Format::LegacyH5, 1);
    check("a.h5", &|conversion| conversion.save = Some(Saved::Model), Format::WholeH5, 1);
    check("a.keras", &|_| {}, Format::Keras, 1);
    check("a.weights.json", &|conversion| conversion.max_shard_bytes = Some(36 << 10), Format::Sharded, 3);
}

#[test]
fn refuses() {
    let case = Case::new(&[("schema.toml", SCHEMA), ("none.toml", "schema = 1\n")]);
    let check = |change: &dyn Fn(&mut Conversion), expected: &str| {
        let mut conversion = case.conversion("out.weights.h5");
        change(&mut conversion);
        let error = convert(&conversion, &()).unwrap_err();
        let variant = format!("{error:?}");
        assert!(variant.starts_with(expected), "{variant}");
        assert!(!case.path("out.weights.h5").exists());
    };
    check(&|conversion| conversion.output = case.path("out.pt"), "UnknownFormat");
    check(&|conversion| conversion.save = Some(Saved::Model), "SavedAs");
    check(&|conversion| conversion.max_shard_bytes = Some(1), "NotSharded");
    check(&|conversion| conversion.source.checkpoint = case.path("no.pt"), "Checkpoint");
    check(&|conversion| conversion.source.schema = case.path("no.toml"), "Schema");
    check(&|conversion| conversion.source.schema = case.path("none.toml"), "NoArchitecture");
    check(&|conversion| conversion.source.architecture = Some(case.path("weights.pt")), "Keras");
    check(&|conversion| conversion.output = case.path("no/out.h5"), "Write(NoFolder");
    check(&|conversion| conversion.keras = "2.10".parse().ok(), "Write(Layout");
    check(
        &|conversion| {
            conversion.source.schema = case.path("none.toml");
            conversion.source.architecture = Some(case.path("arch.json"));
        },
        "Faults",
    );
}

/// What is wrong with the schema is told first, then the checkpoint, and the architecture last, though it may be read
/// meanwhile.
#[test]
fn the_first_error_is_told() {
    let case = Case::new(&[("schema.toml", SCHEMA), ("wrong.toml", "schema = 7\n")]);
    let check = |wrong: [bool; 3], expected: &str, heard: &[&str]| {
        for threads in [1, 2] {
            let mut conversion = case.conversion("out.weights.h5");
            conversion.threads = NonZeroUsize::new(threads);
            conversion.source.architecture = Some(case.path("arch.json"));
            let source = &mut conversion.source;
            let [schema, checkpoint, architecture] = wrong;
            source.schema = if schema { case.path("wrong.toml") } else { source.schema.clone() };
            source.checkpoint = if checkpoint { case.path("arch.json") } else { source.checkpoint.clone() };
            source.architecture =
                architecture.then(|| case.path("weights.pt")).or(source.architecture.take());
            let ear = Ear::default();
            let variant = format!("{:?}", conversion.plan(&ear).unwrap_err());
            assert!(variant.starts_with(expected), "{wrong:?}: {variant}");
            assert_eq!(ear.heard.into_inner().unwrap(), heard, "{wrong:?}");
        }
    };
    check([true, true, true], "Schema", &[]);
    check([true, false, true], "Schema", &[]);
    check([false, true, true], "Checkpoint", &[]);
    check([false, false, true], "Keras", &["opened 8"]);
}

/// Neither by its own name nor by a link, and the schemas that it is made of are inputs too.
#[test]
fn no_output_replaces_an_input() {
    let case = Case::new(&[("base.h5", SCHEMA)]);
    std::fs::rename(case.path("base.h5"), case.path("base.toml")).unwrap();
    std::fs::write(case.path("schema.toml"), "schema = 1\nextends = 'base.toml'\n").unwrap();
    for input in ["weights.pt", "arch.json", "schema.toml", "base.toml"] {
        let before = std::fs::read(case.path(input)).unwrap();
        let link = case.path("link.weights.h5");
        std::fs::hard_link(case.path(input), &link).unwrap();
        let error = convert(&case.conversion("link.weights.h5"), &()).unwrap_err();
        assert!(error.to_string().contains("is the input"), "{error}");
        assert!(std::fs::read(case.path(input)).unwrap() == before);
        std::fs::remove_file(link).unwrap();
    }
}

#[test]
fn waivers() {
    let text = "schema = 1\n[target]\narchitecture = 'arch.json'\n\
                [[layer]]\ntorch = '{name:conv1|conv2|fc1}'\nkeras = '{name}'\n";
    let case = Case::new(&[("schema.toml", text)]);
    let mut conversion = case.conversion("out.weights.h5");
    conversion.allow_missing = vec![Glob::new("fc2/*").unwrap()];
    conversion.allow_unexpected = vec![Glob::new("fc2.*").unwrap()];
    let report = convert(&conversion, &()).unwrap();
    assert_eq!((report.variables, report.unused, report.left_out), (6, 2, 2));
}

/// What stood there stays.
#[test]
fn stops() {
    let case = Case::new(&[("schema.toml", SCHEMA)]);
    std::fs::write(case.path("out.weights.h5"), "old").unwrap();
    let ear = Ear { limit: Some(1), ..Ear::default() };
    let error = convert(&case.conversion("out.weights.h5"), &ear).unwrap_err();
    assert!(matches!(error, ConvertError::Cancelled { path } if path == case.path("out.weights.h5")));
    assert_eq!(std::fs::read(case.path("out.weights.h5")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(case.0.path()).unwrap().count(), 4);
}

/// Writes to an input when the writing begins.
struct Meddler(PathBuf);

impl Progress for Meddler {
    fn started(&self, _bytes: u64) {
        // At the end: the pages that are mapped stay.
        let mut input = std::fs::File::options().append(true).open(&self.0).unwrap();
        input.write_all(b"\n").unwrap();
    }
}

#[test]
fn an_input_that_changes_while_it_is_read() {
    let case = Case::new(&[("schema.toml", SCHEMA)]);
    let conversion = case.conversion("out.weights.h5");
    std::fs::write(&conversion.output, "old").unwrap();
    for input in ["schema.toml", "weights.pt"] {
        let error = convert(&conversion, &Meddler(case.path(input))).unwrap_err();
        let ConvertError::Changed { path, .. } = &error else { panic!("{error}") };
        assert!(path.ends_with(input), "{error}");
        assert_eq!(std::fs::read(&conversion.output).unwrap(), b"old");
    }
}

/// Plain copies take the workers' buffers, whatever the model's size; more threads take more.
#[test]
fn memory_is_told_before() {
    let case = Case::new(&[("schema.toml", SCHEMA)]);
    let planned: Planned = case.conversion("out.weights.h5").plan(&()).unwrap();
    let of = |threads| planned.memory(NonZeroUsize::new(threads));
    assert!(of(1) < 16 << 20, "{}", of(1));
    assert_eq!(of(3), 3 * of(1));
    // There is no work for more threads than there are variables.
    assert_eq!(of(100), of(8));
}
