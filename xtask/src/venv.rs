//! The Python environment of the judges: made on first use in `.venv`, again when its recipe changes.

use std::path::PathBuf;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::{Outcome, fixtures::hex, shell};

/// Older Kerases that must load what is written: the oldest that is supported, and one from the middle.
const OLD_KERAS: [&str; 2] = ["3.0.5", "3.8.0"];

/// What pinned jax and numpy need.
const OLDEST_PYTHON: &str = "3.11";

/// The judges' environment.
pub(crate) struct Environment {
    /// Its interpreter.
    pub(crate) python: PathBuf,
    /// Older Kerases: version and folder to put on `PYTHONPATH`.
    pub(crate) old_keras: Vec<(&'static str, PathBuf)>,
}

impl Environment {
    /// A command that runs a script of `xtask/python`.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg(shell::root().join("xtask/python").join(name))
            .current_dir(shell::root())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("KERAS_BACKEND", "jax");
        command
    }
}

/// The environment, made if need be.
pub(crate) fn ready() -> Outcome<Environment> {
    let folder = shell::root().join(".venv");
    let requirements = shell::root().join("xtask/python/requirements.txt");
    let python = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let environment = Environment {
        python: folder.join(python),
        old_keras: OLD_KERAS.map(|version| (version, folder.join(format!("keras-{version}")))).to_vec(),
    };

    let mut recipe = Sha256::new();
    recipe.update(std::fs::read(&requirements)?);
    recipe.update(OLD_KERAS.join(" "));
    let recipe = hex(&recipe.finalize());
    let marker = folder.join("complete");
    if std::fs::read_to_string(&marker).is_ok_and(|made| made == recipe) {
        return Ok(environment);
    }

    eprintln!("making the judges' Python environment in .venv (once, a few minutes)");
    let system = system_python()?;
    shell::run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = || {
        let mut command = Command::new(&environment.python);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command
    };
    shell::run(pip().arg("--requirement").arg(&requirements))?;
    for (version, target) in &environment.old_keras {
        shell::run(pip().args(["--no-deps", "--target"]).arg(target).arg(format!("keras=={version}")))?;
    }
    std::fs::write(marker, recipe)?;
    Ok(environment)
}

/// A Python of the system that is new enough.
fn system_python() -> Outcome<&'static str> {
    let (major, minor) = OLDEST_PYTHON.split_once('.').unwrap_or((OLDEST_PYTHON, "0"));
    let question = format!("import sys, venv; sys.exit(sys.version_info < ({major}, {minor}))");
    ["python3", "python"]
        .into_iter()
        .find(|python| shell::succeeds(Command::new(python).args(["-c", &question])))
        .ok_or_else(|| format!("the judges need Python {OLDEST_PYTHON} or newer with venv and pip").into())
}
