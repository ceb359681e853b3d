//! A zoo in a folder of its own: small models of sizes that all differ.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// The sizes of the models: outputs and inputs of a dense layer, and how they are called.
pub(crate) const MODELS: [(&str, usize, usize); 6] =
    [("ant", 2, 3), ("bee", 40, 7), ("cat", 300, 11), ("dog", 33, 500), ("elk", 610, 700), ("fox", 5, 13)];

/// The manifest of these models.
pub(crate) const MANIFEST: &str = r#"[defaults]
schema = "schema.toml"
output = "keras/{parent}.weights.h5"

[[job]]
checkpoint = "runs/*/best.safetensors"
arch = "archs/{1}.json"
"#;

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// All of it as one text.
    pub(crate) fn text(&self) -> String {
        let code = self.code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        format!("exit {code}\n----- stdout -----\n{}----- stderr -----\n{}", self.stdout, self.stderr)
    }

    /// The objects of the lines of stdout.
    pub(crate) fn events(&self) -> Vec<Json> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A folder with a zoo.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// One with the models and their manifest.
    pub(crate) fn new() -> Self {
        let folder = Self { folder: TempDir::new().unwrap() };
        folder.write("schema.toml", "schema = 1\n\n[[layer]]\ntorch = \"fc\"\nkeras = \"dense\"\n");
        folder.write("zoo.toml", MANIFEST);
        for (name, outputs, inputs) in MODELS {
            folder.write(&format!("archs/{name}.json"), architecture(outputs, inputs));
            folder.write(&format!("runs/{name}/best.safetensors"), checkpoint(outputs, inputs, 1.5));
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it is in.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The program with these arguments, in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ptw2k"));
        command.args(arguments).current_dir(self.folder.path());
        command
            .env_remove("COLUMNS")
            .env_remove("CLICOLOR_FORCE")
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.said(&self.command(arguments).output().unwrap())
    }

    /// Runs the zoo with one thread, so that everything comes in one order.
    pub(crate) fn zoo(&self, options: &[&str]) -> Said {
        self.run(&[&["zoo", "zoo.toml", "-t", "1"], options].concat())
    }

    /// Starts it, with its stdout to be read.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What was said, without what changes from run to run.
    pub(crate) fn said(&self, output: &Output) -> Said {
        let folder = self.folder.path().canonicalize().unwrap();
        let filter = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace(&format!("{}/", folder.display()), "");
            let seconds = regex::Regex::new(r"(^|\n| ) *\d+\.\d\d s\b").unwrap();
            let text = seconds.replace_all(&text, "$1[SECONDS] s").into_owned();
            // The width of a column of times depends on them.
            regex::Regex::new(r"SIZE +TIME").unwrap().replace_all(&text, "SIZE TIME").into_owned()
        };
        Said { code: output.status.code(), stdout: filter(&output.stdout), stderr: filter(&output.stderr) }
    }

    /// Every file below a folder, by its path in it.
    pub(crate) fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let top = self.path(below);
        let mut open = vec![top.clone()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    /// The outputs alone: no records.
    pub(crate) fn outputs(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files("keras");
        files.retain(|name, _| !name.starts_with('.'));
        files
    }

    /// What is beside outputs and is no record of one.
    #[track_caller]
    pub(crate) fn check_no_debris(&self) {
        for name in self.files("keras").keys() {
            let record = name.strip_prefix(".ptw2k/").and_then(|name| name.strip_suffix(".json"));
            let is_known =
                record.map_or(!name.starts_with('.'), |output| self.path("keras").join(output).exists());
            assert!(is_known, "debris: {name}");
        }
    }

    /// The outputs as single conversions write them, in another folder.
    pub(crate) fn alone(&self) -> BTreeMap<String, Vec<u8>> {
        let other = TempDir::new().unwrap();
        let mut outputs = BTreeMap::new();
        for (name, ..) in MODELS {
            let output = other.path().join(format!("{name}.weights.h5"));
            let (checkpoint, arch) = (format!("runs/{name}/best.safetensors"), format!("archs/{name}.json"));
            let said = self.run(&[
                &checkpoint,
                "-s",
                "schema.toml",
                "-a",
                &arch,
                "-o",
                output.to_str().unwrap(),
                "-q",
            ]);
            assert_eq!(said.code, Some(0), "{}", said.text());
            outputs.insert(format!("{name}.weights.h5"), std::fs::read(output).unwrap());
        }
        outputs
    }
}

/// Reads events until one is of that name, for the n-th time.
pub(crate) fn wait_for(child: &mut Child, event: &str, times: usize) -> bool {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = 0;
    let found = lines.by_ref().any(|line| {
        let about: Json = serde_json::from_str(&line.unwrap()).unwrap();
        seen += usize::from(about["event"] == event);
        seen == times
    });
    // Whoever reads goes on, so that a full pipe stops nobody.
    std::thread::spawn(move || lines.for_each(drop));
    found
}

/// A safetensors file of a linear layer whose values all differ, from the first on.
pub(crate) fn checkpoint(outputs: usize, inputs: usize, first: f32) -> Vec<u8> {
    let values =
        |count: usize| -> Vec<u8> { (0..count).flat_map(|at| (first + at as f32).to_le_bytes()).collect() };
    tensors(&[
        ("fc.weight", &[outputs, inputs], values(outputs * inputs)),
        ("fc.bias", &[outputs], values(outputs)),
    ])
}

/// A safetensors file of float32 tensors.
pub(crate) fn tensors(tensors: &[(&str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert((*name).to_owned(), json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets }));
        data.extend_from_slice(bytes);
    }
    let mut header = Json::from(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// A model of one dense layer.
pub(crate) fn architecture(outputs: usize, inputs: usize) -> String {
    let dtype = "float32";
    json!({
        "module": "keras", "class_name": "Sequential", "registered_name": null,
        "build_config": { "input_shape": [null, inputs] },
        "config": { "name": "sequential", "trainable": true, "dtype": dtype, "layers": [
            { "module": "keras.layers", "class_name": "InputLayer", "registered_name": null,
              "config": { "batch_shape": [null, inputs], "dtype": dtype, "name": "input" } },
            { "module": "keras.layers", "class_name": "Dense", "registered_name": null,
              "build_config": { "input_shape": [null, inputs] },
              "config": { "name": "dense", "trainable": true, "dtype": dtype, "units": outputs,
                          "activation": "linear", "use_bias": true } },
        ] },
    })
    .to_string()
}

/// Checks what was said against the snapshot of that name.
#[track_caller]
pub(crate) fn check(name: &str, code: i32, said: &Said) {
    assert_eq!(said.code, Some(code), "{name}: {}", said.text());
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, said.text());
    });
}

/// Whether a path is there.
pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
