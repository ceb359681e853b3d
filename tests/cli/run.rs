//! Calls the binary in a folder of its own and renders what it said.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// Checks the exit code, and the whole of what was said against the snapshot of that name.
#[track_caller]
pub(crate) fn check(name: &str, code: u8, said: &str) {
    assert!(said.starts_with(&format!("exit {code}\n")), "{name}: exit code {code} expected:\n{said}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, said);
    });
}

/// An archive as `torch.save` writes them: nothing compressed.
pub(crate) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in members {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A folder to run in.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// One with the files of a case of `testdata`.
    pub(crate) fn with_case(case: &str) -> Self {
        let folder = Self::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(case);
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), folder.path(entry.file_name().to_str().unwrap())).unwrap();
            }
        }
        folder
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Writes a float32 `conv.weight` of that shape and a `conv.bias` as long as its first axis, all of one
    /// value.
    pub(crate) fn write_safetensors(&self, name: &str, shape: &[usize], value: f32) {
        let values = |count: usize| value.to_le_bytes().repeat(count);
        let (bias, weight) = (values(shape[0]), values(shape.iter().product()));
        self.write_tensors(
            name,
            &[("conv.bias", "F32", &shape[..1], &bias), ("conv.weight", "F32", shape, &weight)],
        );
    }

    /// Writes a safetensors file of these tensors: name, type, shape and bytes.
    pub(crate) fn write_tensors(&self, name: &str, tensors: &[(&str, &str, &[usize], &[u8])]) {
        let mut header = serde_json::Map::new();
        let mut data = Vec::new();
        for &(tensor, dtype, shape, bytes) in tensors {
            let offsets = [data.len(), data.len() + bytes.len()];
            let about = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
            header.insert(tensor.to_owned(), about);
            data.extend_from_slice(bytes);
        }
        let mut header = serde_json::Value::from(header).to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        let length = (header.len() as u64).to_le_bytes();
        self.write(name, [&length, header.as_bytes(), &data].concat());
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The names of the files in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs the binary; returns exit code, stdout and stderr as one text, without what changes from run to
    /// run.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ptw2k"));
        self.render(&self.output(command.args(arguments)))
    }

    /// Runs a shell script whose `$0` is the binary; returns its stdout.
    pub(crate) fn shell(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        let output = self.output(command.args(["-c", script, env!("CARGO_BIN_EXE_ptw2k")]));
        String::from_utf8(output.stdout).unwrap()
    }

    /// As [`Folder::shell`], but rendered as [`Folder::run`] does.
    pub(crate) fn run_shell(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        self.render(&self.output(command.args(["-c", script, env!("CARGO_BIN_EXE_ptw2k")])))
    }

    /// Starts the binary and returns while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ptw2k"));
        self.environment(command.args(arguments))
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn output(&self, command: &mut Command) -> Output {
        self.environment(command).output().unwrap()
    }

    fn environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir(self.folder.path()).env_remove("COLUMNS").env_remove("CLICOLOR_FORCE");
        command.env("NO_COLOR", "1").env("RUST_BACKTRACE", "0")
    }

    /// Exit code, stdout and stderr as one text, without what changes from run to run.
    pub(crate) fn render(&self, output: &Output) -> String {
        let code = output.status.code().map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        let mut text = format!("exit {code}\n");
        for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let stream = String::from_utf8_lossy(stream);
            if !stream.is_empty() {
                text.push_str(&format!("----- {name} -----\n{stream}"));
            }
        }
        self.filter(&text)
    }

    /// Takes out the folder's path and the seconds.
    pub(crate) fn filter(&self, text: &str) -> String {
        let folder = self.folder.path().canonicalize().unwrap();
        let text = text
            .replace(&format!("{}/", folder.display()), "")
            .replace(&format!("{}/", self.folder.path().display()), "");
        let seconds = regex::Regex::new(r"\b\d+\.\d\d s\b").unwrap();
        seconds.replace_all(&text, "[SECONDS] s").into_owned()
    }
}
