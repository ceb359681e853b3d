//! `cargo xtask pipeline`: `examples/training-pipeline`, for real. PyTorch trains, the example's own xtask converts with
//! the library, Keras tells the same; and what has not changed is not converted again.

use std::path::PathBuf;

use crate::{Outcome, shell, venv};

const EXAMPLE: &str = "examples/training-pipeline";

/// Runs the example from one training to the next.
pub(crate) fn run() -> Outcome {
    let environment = venv::newest_only()?;
    let target = shell::target_directory()?;
    // As whoever tries the example has it; what it made is made again in seconds.
    let run = shell::root().join(EXAMPLE).join("run");
    if run.exists() {
        std::fs::remove_dir_all(&run)?;
    }
    let pipeline = Pipeline { python: environment.python, target: target.join("pipeline"), run };

    pipeline.expect(&["train", "--seed", "1"], "trained: ")?;
    pipeline.expect(&["convert"], "converted: ")?;
    pipeline.expect(&["check"], "checked: ")?;
    pipeline.expect(&["convert"], "unchanged: ")?;

    // A copy has another time and the same content.
    let checkpoint = pipeline.run.join("checkpoint.pt");
    std::fs::write(&checkpoint, std::fs::read(&checkpoint)?)?;
    pipeline.expect(&["convert"], "unchanged: ")?;

    pipeline.expect(&["train", "--seed", "2"], "trained: ")?;
    pipeline.expect(&["convert"], "converted: ")?;
    pipeline.expect(&["check"], "checked: ")?;

    // What it made is among what it watches.
    std::fs::write(pipeline.run.join("network.weights.h5"), "")?;
    pipeline.expect(&["convert"], "converted: ")?;
    pipeline.expect(&["convert"], "unchanged: ")?;
    std::fs::remove_dir_all(&pipeline.run)?;
    Ok(())
}

/// The example, and where it works.
struct Pipeline {
    python: PathBuf,
    target: PathBuf,
    run: PathBuf,
}

impl Pipeline {
    /// Runs a command of the example's xtask; the last line that it prints begins with what is expected.
    fn expect(&self, arguments: &[&str], expected: &str) -> Outcome {
        let manifest = shell::root().join(EXAMPLE).join("Cargo.toml");
        let mut command = shell::cargo(&["run", "--quiet", "--locked", "--package", "xtask"]);
        command.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&self.target);
        // The example's own profile is for checkpoints larger than this one, and takes twice as long to compile.
        for setting in ["profile.dev.package.ptw2k.opt-level=0", "profile.dev.package.\"*\".opt-level=0"] {
            command.args(["--config", setting]);
        }
        command.arg("--").args(arguments);
        command.env("PYTHON", &self.python).env("PYTHONDONTWRITEBYTECODE", "1");
        // Every model is run once: what jax takes to compile one is lost.
        command.env("KERAS_BACKEND", "numpy");
        let said = shell::read(&mut command)?;
        print!("{said}");
        match said.lines().last() {
            Some(line) if line.starts_with(expected) => Ok(()),
            _ => Err(format!("`{}` says not {expected:?} but:\n{said}", arguments.join(" ")).into()),
        }
    }
}
