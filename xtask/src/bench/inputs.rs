//! What is converted: made by Python in a folder of its own, removed when it is no longer needed.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Bench;
use super::folder::{self, Folder};
use crate::{Outcome, shell};

/// An input, and the commands on it.
#[derive(Debug)]
pub(super) struct Input {
    folder: Folder,
    binary: PathBuf,
    checkpoint: PathBuf,
    /// A file, or the name of a bundled one.
    schema: PathBuf,
    architecture: PathBuf,
    /// Digests of outputs that were found to be right, with the options they were written by.
    judged: RefCell<Vec<(String, String)>>,
}

impl Input {
    /// Has `make.py` make one: the words of its command line before and after the folder.
    pub(super) fn make(bench: &Bench, kind: &str, arguments: &[&str]) -> Outcome<Self> {
        let name = format!("{kind}-{}", arguments.join("-"));
        let input = Self::empty(bench, &name, "model.pt")?;
        let mut command = bench.environment.script("bench/make.py");
        shell::run(command.arg(kind).arg(input.folder.path()).args(arguments))?;
        Ok(input)
    }

    /// One that is still to be made, with a checkpoint of this name.
    pub(super) fn empty(bench: &Bench, name: &str, checkpoint: &str) -> Outcome<Self> {
        folder::go_on()?;
        let folder = Folder::make(bench.folder.path().join(name))?;
        let file = |name| folder.path().join(name);
        let (checkpoint, schema, architecture) = (file(checkpoint), file("schema.toml"), file("arch.json"));
        let binary = bench.binary.clone();
        Ok(Self { folder, binary, checkpoint, schema, architecture, judged: RefCell::default() })
    }

    /// The mixed model: linear layers, convolutions, normalizations.
    pub(super) fn mixed(bench: &Bench, dtype: &str, bytes: u64) -> Outcome<Self> {
        Self::make(bench, "mixed", &[dtype, &bytes.to_string()])
    }

    /// The same input with another of its checkpoints.
    pub(super) fn with_checkpoint(self, name: &str) -> Self {
        Self { checkpoint: self.file(name), ..self }
    }

    /// The same input by a bundled schema and another architecture.
    pub(super) fn by(self, schema: &str, architecture: &str) -> Self {
        Self { schema: schema.into(), architecture: self.file(architecture), ..self }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn checkpoint(&self) -> &Path {
        &self.checkpoint
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Bytes of the checkpoint.
    pub(super) fn bytes(&self) -> Outcome<u64> {
        Ok(std::fs::metadata(&self.checkpoint)?.len())
    }

    /// Where `ptw2k` writes to.
    pub(super) fn output(&self) -> PathBuf {
        self.file("ptw2k.weights.h5")
    }

    /// Where `cp` writes to.
    pub(super) fn copied(&self) -> PathBuf {
        self.file("copy")
    }

    /// Converts by the input's own schema and architecture.
    pub(super) fn convert(&self, options: &[&str]) -> Command {
        let mut command = self.planned(None);
        command.arg("-o").arg(self.output()).arg("--quiet").args(options);
        command
    }

    /// A command of `ptw2k` on the checkpoint, with schema and architecture.
    pub(super) fn planned(&self, command: Option<&str>) -> Command {
        let mut words = Command::new(&self.binary);
        words.args(command).arg(&self.checkpoint);
        words.arg("--schema").arg(&self.schema).arg("--arch").arg(&self.architecture);
        words
    }

    /// Compares every value of a Keras file, unless a file of the same bytes was found right before: it takes
    /// far longer than what is judged.
    pub(super) fn judge(&self, output: &Path, options: &[&str]) -> Outcome {
        let said = shell::read(Command::new("sha256sum").arg(output))?;
        let digest = said.split(' ').next().unwrap_or_default();
        let judged = (options.join(" "), digest.to_owned());
        if !self.judged.borrow().contains(&judged) {
            shell::run(self.planned(Some("verify")).arg(output).args(options))?;
            self.judged.borrow_mut().push(judged);
        }
        Ok(())
    }

    /// `ptw2k inspect` of the checkpoint.
    pub(super) fn inspect(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("inspect").arg(&self.checkpoint).args(options);
        command
    }

    /// Copies the checkpoint.
    pub(super) fn cp(&self) -> Command {
        let mut command = Command::new("cp");
        command.arg(&self.checkpoint).arg(self.copied());
        command
    }
}
