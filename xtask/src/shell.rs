//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Shows the command, runs it to its end and wants success.
pub(crate) fn run(command: &mut Command) -> Outcome {
    eprintln!("$ {}", display(command));
    let status = command.status().map_err(|error| format!("cannot run {}: {error}", display(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", display(command)).into()) }
}

/// The command's standard output; its standard error is shown.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", display(command)))?;
    if !output.status.success() {
        return Err(format!("{}: {}", display(command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether the command can be run and succeeds; nothing is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn display(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Outcome<PathBuf> {
    let text = read(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let directory = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    Ok(directory.ok_or("cargo metadata names no target_directory")?.into())
}

/// Builds the release binary and tells where it is.
pub(crate) fn release_binary() -> Outcome<PathBuf> {
    run(&mut cargo(&["build", "--release", "--package", "ptw2k"]))?;
    let name = format!("ptw2k{}", std::env::consts::EXE_SUFFIX);
    Ok(target_directory()?.join("release").join(name))
}
