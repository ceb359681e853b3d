//! The Python environments of the judges: each made on first use, again when its recipe changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::{Outcome, fixtures::hex, shell};

/// Older Kerases that must load what the judges of conversion write: the oldest that is supported, and one from
/// the middle.
const OLD_KERAS: [&str; 2] = ["3.0.5", "3.8.0"];

/// Keras 2: on TensorFlow, so in an environment of its own.
const KERAS_2: Recipe = Recipe {
    folder: ".venv-keras-2.15",
    requirements: "requirements-keras-2.15.txt",
    pip: &[],
    // TensorFlow 2.15 has wheels for no newer one.
    pythons: &["python3.11", "python3", "python"],
    accepted: "(3, 9) <= sys.version_info[:2] <= (3, 11)",
    needed: "Python 3.9 to 3.11",
};

/// KerasHub and TensorFlow: torch cannot be in the same process.
const KERAS_HUB: Recipe = Recipe {
    folder: ".venv-kerashub",
    requirements: "requirements-kerashub.txt",
    // What KerasHub asks for beyond what is listed is for preprocessing text, and large.
    pip: &["--no-deps"],
    pythons: &["python3", "python3.11", "python"],
    accepted: "sys.version_info >= (3, 11)",
    needed: "Python 3.11 or newer",
};

/// PyTorch, and Keras on jax or NumPy.
const JUDGES: Recipe = Recipe {
    folder: ".venv",
    requirements: "requirements.txt",
    pip: &[],
    pythons: &["python3", "python3.11", "python"],
    // What pinned jax and numpy need.
    accepted: "sys.version_info >= (3, 11)",
    needed: "Python 3.11 or newer",
};

/// What an environment is made from.
struct Recipe {
    /// In the repository's root.
    folder: &'static str,
    /// In `xtask/python`, every version pinned.
    requirements: &'static str,
    /// Options of `pip install`.
    pip: &'static [&'static str],
    /// Interpreters of the system, the first that fits is taken.
    pythons: &'static [&'static str],
    /// Which of them fit, in Python, and in words.
    accepted: &'static str,
    needed: &'static str,
}

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

/// The judges' environment, made if need be.
pub(crate) fn ready() -> Outcome<Environment> {
    let old_keras = OLD_KERAS
        .into_iter()
        .map(|version| Ok((version, old_keras(version)?)))
        .collect::<Outcome<Vec<_>>>()?;
    Ok(Environment { old_keras, ..newest_only()? })
}

/// The same without the older Kerases, which are not made then.
pub(crate) fn newest_only() -> Outcome<Environment> {
    Ok(Environment { python: JUDGES.python()?, old_keras: Vec::new() })
}

/// The folder with an older Keras 3, to put on the `PYTHONPATH` of the judges' interpreter.
pub(crate) fn old_keras(version: &str) -> Outcome<PathBuf> {
    let python = JUDGES.python()?;
    let folder = shell::root().join(JUDGES.folder).join(format!("keras-{version}"));
    let marker = folder.join("complete");
    if !marker.exists() {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let mut install = pip(&python);
        install.args(["--no-deps", "--target"]).arg(&folder).arg(format!("keras=={version}"));
        shell::run(&mut install)?;
        std::fs::write(marker, "")?;
    }
    Ok(folder)
}

/// The interpreter with Keras 2.15.
pub(crate) fn keras_2() -> Outcome<PathBuf> {
    KERAS_2.python()
}

/// The interpreter with KerasHub.
pub(crate) fn keras_hub() -> Outcome<PathBuf> {
    KERAS_HUB.python()
}

impl Recipe {
    /// The environment's interpreter; the environment is made if need be.
    fn python(&self) -> Outcome<PathBuf> {
        let folder = shell::root().join(self.folder);
        let requirements = shell::root().join("xtask/python").join(self.requirements);
        let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        let recipe = hex(&Sha256::digest(std::fs::read(&requirements)?));
        let marker = folder.join("complete");
        if std::fs::read_to_string(&marker).is_ok_and(|made| made == recipe) {
            return Ok(python);
        }
        eprintln!("making the Python environment {} (once, a few minutes)", self.folder);
        shell::run(Command::new(self.system_python()?).args(["-m", "venv", "--clear"]).arg(&folder))?;
        shell::run(pip(&python).args(self.pip).arg("--requirement").arg(&requirements))?;
        std::fs::write(marker, recipe)?;
        Ok(python)
    }

    /// A Python of the system that fits.
    fn system_python(&self) -> Outcome<&'static str> {
        let question = format!("import sys, venv; sys.exit(not ({}))", self.accepted);
        self.pythons
            .iter()
            .copied()
            .find(|python| shell::succeeds(Command::new(python).args(["-c", &question])))
            .ok_or_else(|| format!("{} needs {} with venv and pip", self.folder, self.needed).into())
    }
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command
}
