//! `cargo xtask convert`: the release binary of this working tree, built and run.

use std::path::Path;

use crate::{Outcome, shell};

/// Where the example of the README goes.
const EXAMPLE: &str = "convert/mnist.weights.h5";

/// With a manifest, `ptw2k zoo` on it; with other arguments, `ptw2k` with these; without any, the README's example.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let binary = shell::release_binary()?;
    let mut command = std::process::Command::new(binary);
    match arguments {
        [] => {
            let output = shell::target_directory()?.join(EXAMPLE);
            std::fs::create_dir_all(output.parent().unwrap_or(Path::new(".")))?;
            let case = shell::root().join("testdata/mnist");
            command.arg(case.join("weights.pt")).arg("--schema").arg(case.join("schema.toml"));
            command.arg("-o").arg(output);
        }
        ["--manifest", manifest, rest @ ..] => {
            command.arg("zoo").arg(manifest).args(rest);
        }
        arguments => {
            command.args(arguments);
        }
    }
    shell::run(&mut command)
}
