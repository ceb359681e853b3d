//! Outputs that are laid out while they are planned.

use std::fmt::Write as _;
use std::fs::read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use ptw2k::convert::Conversion;
use ptw2k::keras::file_layout::Format;
use ptw2k::schema::Glob;
use ptw2k::tensor::Dtype;
use ptw2k::writer::{Error, Outline, write_outline};
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

/// The files of an output, byte for byte.
fn files(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| read(path).unwrap()).collect()
}

#[test]
fn beside_the_planning_or_after_it() {
    let case = Case::new();
    let check = |output: &str, change: &dyn Fn(&mut Conversion), is_kept: bool| {
        let [one, two] = [1, 2].map(|threads| {
            let mut conversion = case.conversion(output, threads);
            change(&mut conversion);
            let planned = conversion.plan(&()).unwrap();
            let text = format!("{planned:?}");
            assert_eq!(text.contains("outline: OnceLock(<uninit>)"), threads == 1, "{output}");
            planned.check().unwrap();
            let report = planned.write(&()).unwrap();
            (report.variables, files(&report.files))
        });
        assert!(one == two, "{output}");
        assert_eq!(one.0 == 2 * LAYERS, is_kept, "{output}");
    };
    check("a.weights.h5", &|_| {}, true);
    check("a.weights.h5", &|conversion| conversion.dtype = Some(Dtype::Bf16), true);
    check("a.h5", &|conversion| conversion.dtype = Some(Dtype::F16), true);
    check("a.keras", &|_| {}, true);
    check("a.weights.json", &|conversion| conversion.max_shard_bytes = Some(9 << 10), true);
    // What is left out is known when it is planned.
    let without = |conversion: &mut Conversion| {
        let rest = (0..LAYERS).filter(|&at| at != 3);
        std::fs::write(case.path("model.safetensors"), checkpoint(rest)).unwrap();
        conversion.allow_missing = vec![Glob::new("d_3/*").unwrap()];
    };
    check("b.weights.h5", &without, false);
}

/// What the caller changes in between holds.
#[test]
fn not_what_was_planned() {
    let case = Case::new();
    let expected = |output: &str| {
        case.conversion(output, 1).plan(&()).unwrap().write(&()).unwrap();
        read(case.path(output)).unwrap()
    };
    let plan = || case.conversion("a.weights.h5", 2).plan(&()).unwrap();
    let (weights, legacy) = (expected("a.weights.h5"), expected("a.h5"));
    std::fs::remove_file(case.path("a.weights.h5")).unwrap();

    let mut planned = plan();
    planned.output = case.path("other.weights.h5");
    planned.check().unwrap();
    assert_eq!(planned.write(&()).unwrap().files, [case.path("other.weights.h5")]);
    assert!(read(case.path("other.weights.h5")).unwrap() == weights);
    planned.output = case.path("other.h5");
    planned.options.form.format = Format::LegacyH5;
    planned.write(&()).unwrap();
    assert!(read(case.path("other.h5")).unwrap() == legacy);
    assert!(!case.path("a.weights.h5").exists());

    let (mut planned, other) = (plan(), plan());
    let path: &Path = &planned.output;
    let outline = Outline::of(&planned.plan, path, &planned.options.form).unwrap();
    assert!(outline.is_of(&planned.plan, path, &planned.options.form));
    // Whose architecture may be another, whatever its name.
    let refused = write_outline(&outline, &other.plan, &other.options, &()).unwrap_err();
    assert!(matches!(refused, Error::OtherPlan { path } if path == planned.output));
    planned.plan.bindings[7].dtype = Dtype::F16;
    let refused = write_outline(&outline, &planned.plan, &planned.options, &()).unwrap_err();
    assert!(matches!(refused, Error::OtherPlan { .. }));
    assert!(!planned.output.exists());
}
