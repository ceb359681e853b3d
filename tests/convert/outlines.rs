//! Outputs that are laid out while they are planned.

use std::fmt::Write as _;
use std::fs::read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use ptw2k::convert::{Conversion, Planned, Saved};
use ptw2k::keras::file_layout::{Form, Format};
use ptw2k::plan::Plan;
use ptw2k::schema::Glob;
use ptw2k::tensor::Dtype;
use ptw2k::writer::{Error, Outline, WriteOptions, write_outline};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Enough for a thread that lays out: each has two variables.
const LAYERS: usize = 650;

const SCHEMA: &str = "schema = 1\n[[layer]]\ntorch = 'd.{n}'\nkeras = 'd_{n}'\n";

/// Units of a layer, and so inputs of the next.
fn units(at: usize) -> usize {
    2 + at % 3
}

/// The architecture as `model.to_json()`.
fn architecture() -> Value {
    let object = |class: &str, config: Value| json!({"module": "keras.layers", "class_name": class, "config": config, "registered_name": null});
    let mut layers =
        vec![object("InputLayer", json!({"batch_shape": [null, 7], "dtype": "float32", "name": "i"}))];
    let dense = |at: usize| {
        object("Dense", json!({"name": format!("d_{at}"), "units": units(at), "dtype": "float32"}))
    };
    layers.extend((0..LAYERS).map(dense));
    let config = json!({"name": "s", "layers": layers});
    json!({"module": "keras", "class_name": "Sequential", "config": config, "registered_name": "Sequential"})
}

/// The checkpoint as safetensors, every number another, of those layers.
fn checkpoint(layers: impl Iterator<Item = usize>) -> Vec<u8> {
    let (mut header, mut numbers) = (String::new(), 0_usize);
    for at in layers {
        let inputs = at.checked_sub(1).map_or(7, units);
        for (name, shape) in [("weight", vec![units(at), inputs]), ("bias", vec![units(at)])] {
            let end = numbers + shape.iter().product::<usize>();
            let comma = if header.is_empty() { "{" } else { "," };
            let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [4 * numbers, 4 * end]});
            write!(header, "{comma}\"d.{at}.{name}\": {entry}").unwrap();
            numbers = end;
        }
    }
    header.push('}');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend((0..numbers).flat_map(|number| (number as f32).to_le_bytes()));
    bytes
}

struct Case(TempDir);

impl Case {
    fn new() -> Self {
        let case = Self(TempDir::new().unwrap());
        std::fs::write(case.path("model.safetensors"), checkpoint(0..LAYERS)).unwrap();
        std::fs::write(case.path("arch.json"), architecture().to_string()).unwrap();
        std::fs::write(case.path("schema.toml"), SCHEMA).unwrap();
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// One that is laid out beside the planning where it has two threads, and afterwards with one.
    fn conversion(&self, output: &str, threads: usize) -> Conversion {
        let [checkpoint, schema, output] =
            ["model.safetensors", "schema.toml", output].map(|name| self.path(name));
        let mut conversion = Conversion::new(checkpoint, schema, output);
        conversion.source.architecture = Some(self.path("arch.json"));
        conversion.threads = NonZeroUsize::new(threads);
        conversion
    }
}

/// What became of an output: how many variables it has and its files, byte for byte, or the error.
type Made = Result<(usize, Vec<Vec<u8>>), String>;

/// Converts by so many threads; what the plan says may be changed before it is written.
fn made(conversion: &Conversion, change: impl Fn(&mut Planned)) -> Made {
    let mut planned = conversion.plan(&()).map_err(|error| error.to_string())?;
    change(&mut planned);
    let outcome = planned.check().and_then(|()| planned.write(&()));
    // Whether it was looked at before does not matter.
    let again = conversion.plan(&()).map_err(|error| error.to_string()).and_then(|mut planned| {
        change(&mut planned);
        planned.write(&()).map_err(|error| format!("{error:?}"))
    });
    let report = outcome.map_err(|error| format!("{error:?}"));
    assert_eq!(report.as_ref().map(|report| report.bytes), again.as_ref().map(|report| report.bytes));
    let report = report?;
    let files = report.files.iter().map(|path| read(path).unwrap());
    Ok((report.variables, files.collect()))
}

/// One thread lays out after it has planned, two at once.
fn check(case: &Case, output: &str, change: &dyn Fn(&mut Conversion), then: &dyn Fn(&mut Planned)) -> Made {
    let [one, two] = [1, 2].map(|threads| {
        let mut conversion = case.conversion(output, threads);
        change(&mut conversion);
        made(&conversion, then)
    });
    assert!(one == two, "{output}: {:?}, {:?}", one.err(), two.err());
    one
}

#[test]
fn beside_the_planning_or_after_it() {
    let case = Case::new();
    let is_complete = |output: &str, change: &dyn Fn(&mut Conversion)| {
        assert_eq!(check(&case, output, change, &|_| {}).unwrap().0, 2 * LAYERS, "{output}");
    };
    is_complete("a.weights.h5", &|_| {});
    is_complete("a.weights.h5", &|conversion| conversion.dtype = Some(Dtype::Bf16));
    is_complete("a.h5", &|conversion| conversion.dtype = Some(Dtype::F16));
    is_complete("a.h5", &|conversion| conversion.save = Some(Saved::Model));
    is_complete("a.keras", &|_| {});
    is_complete("a.weights.json", &|conversion| conversion.max_shard_bytes = Some(9 << 10));
    // With members that are carried over.
    is_complete("b.keras", &|conversion| conversion.source.architecture = Some(case.path("a.keras")));
    // What no file of the form can hold is told alike.
    let wrong = check(&case, "a.h5", &|conversion| conversion.dtype = Some(Dtype::Bf16), &|_| {});
    assert!(wrong.unwrap_err().contains("Bfloat16"));
    // What is left out is known when it is planned.
    let rest = (0..LAYERS).filter(|&at| at != 3);
    std::fs::write(case.path("model.safetensors"), checkpoint(rest)).unwrap();
    let waive = |conversion: &mut Conversion| conversion.allow_missing = vec![Glob::new("d_3/*").unwrap()];
    assert_eq!(check(&case, "a.weights.h5", &waive, &|_| {}).unwrap().0, 2 * LAYERS - 2);
}

/// What the caller changes in between holds.
#[test]
fn not_what_was_planned() {
    let case = Case::new();
    let as_planned = |output: &str| check(&case, output, &|_| {}, &|_| {}).unwrap();
    let changed = |output: &str, then: &dyn Fn(&mut Planned)| check(&case, output, &|_| {}, then);
    let (weights, legacy) = (as_planned("a.weights.h5"), as_planned("a.h5"));
    std::fs::remove_file(case.path("a.weights.h5")).unwrap();
    let other = changed("a.weights.h5", &|planned| planned.output = case.path("other.weights.h5"));
    assert!(other.unwrap() == weights);
    let other = changed("a.weights.h5", &|planned| {
        planned.output = case.path("other.h5");
        planned.options.form.format = Format::LegacyH5;
    });
    assert!(other.unwrap() == legacy);
    assert!(!case.path("a.weights.h5").exists());

    // Every part of the form, where the path is the same.
    let other = changed("a.h5", &|planned| planned.options.form.format = Format::WholeH5).unwrap();
    assert!(other != legacy && other.0 == legacy.0);
    let shards = |bytes: u64| {
        let then = |planned: &mut Planned| planned.options.form.max_shard_bytes = bytes;
        changed("a.weights.json", &then).unwrap().1.len()
    };
    assert!(shards(9 << 10) > shards(18 << 10));
    let old = changed("a.weights.json", &|planned| planned.options.form.keras = "3.9".parse().ok());
    assert!(old.unwrap_err().contains("ReaderTooOld"));
    let optimizer = changed("a.h5", &|planned| planned.options.form.optimizer = true);
    assert!(optimizer.unwrap_err().contains("NoOptimizer"));
}

#[test]
fn an_outline_of_something_else() {
    let case = Case::new();
    let plan = || case.conversion("a.weights.h5", 2).plan(&()).unwrap();
    let (mut planned, other) = (plan(), plan());
    let path: &Path = &planned.output;
    let outline = Outline::of(&planned.plan, path, &planned.options.form).unwrap();
    assert!(outline.is_of(&planned.plan, path, &planned.options.form));
    let refused = |plan: &Plan, options: &WriteOptions| {
        let error = write_outline(&outline, plan, options, &()).unwrap_err();
        assert!(matches!(error, Error::OtherPlan { path } if path == other.output));
    };
    // Whose architecture may be another, whatever its name.
    refused(&other.plan, &other.options);
    let form = Form { max_shard_bytes: 7, ..planned.options.form.clone() };
    refused(&planned.plan, &WriteOptions { form, ..planned.options.clone() });
    planned.plan.bindings[7].dtype = Dtype::F16;
    refused(&planned.plan, &planned.options);
    assert!(!planned.output.exists());
}
