//! `cargo xtask schemas`: KerasHub converts, `ptw2k` converts by the bundled schemas, and both are compared.

use crate::{Outcome, shell, venv};

/// Judges the schemas of these cases, all of them when none is named.
pub(crate) fn run(cases: &[&str]) -> Outcome {
    let binary = shell::release_binary()?;
    let environment = venv::ready()?;
    let target = shell::target_directory()?.join("judges");
    let work = target.join("kerashub-schemas");
    std::fs::create_dir_all(&work)?;
    let mut command = environment.script("kerashub");
    command.arg("--ptw2k").arg(binary).arg("--work").arg(&work);
    command.arg("--kerashub").arg(venv::keras_hub()?);
    command.arg("--table").arg(target.join("kerashub-schemas.md"));
    shell::run(command.args(cases))?;
    std::fs::remove_dir_all(work)?;
    Ok(())
}
