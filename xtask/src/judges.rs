//! `cargo xtask test`, last part: PyTorch writes, `ptw2k` converts, Keras loads.

use crate::{Outcome, shell, venv};

/// Judges the cases (all of them when none is named) and removes what they wrote when all is well.
pub(crate) fn run(cases: &[&str]) -> Outcome {
    let binary = shell::release_binary()?;
    let environment = venv::ready()?;
    let work = shell::target_directory()?.join("judges/cases");
    let mut command = environment.script("judge.py");
    // Every model is run once: what jax takes to compile one is lost.
    command.env("KERAS_BACKEND", "numpy");
    command.arg("--ptw2k").arg(binary).arg("--work").arg(&work);
    for (version, folder) in &environment.old_keras {
        command.arg("--old-keras").arg(format!("{version}={}", folder.display()));
    }
    shell::run(command.args(cases))?;
    std::fs::remove_dir_all(work)?;
    Ok(())
}
