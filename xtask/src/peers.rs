//! `cargo xtask peers`: the corpus of checkpoints, read by `ptw2k` and by other readers side by side.

use std::path::PathBuf;

use crate::{Outcome, shell};

/// Builds the program of `xtask/peers`, which is a workspace of its own, and runs it.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let (mut output, mut corpus, mut rest) = (None, None, options);
    loop {
        rest = match rest {
            [] => break,
            ["--output", file, rest @ ..] => {
                output = Some(std::env::current_dir()?.join(file));
                rest
            }
            ["--corpus", folder, rest @ ..] => {
                corpus = Some(std::env::current_dir()?.join(folder));
                rest
            }
            [option, ..] => {
                return Err(format!("unknown option {option} of xtask peers, or its value is missing").into());
            }
        };
    }
    let corpus: PathBuf = corpus.unwrap_or_else(|| shell::root().join("testdata/corpus"));
    if !corpus.is_dir() {
        return Err(format!("no folder {}: name the corpus with --corpus", corpus.display()).into());
    }
    let binary = shell::release_binary()?;
    let target = shell::target_directory()?.join("peers");
    let mut command =
        shell::cargo(&["run", "--quiet", "--locked", "--manifest-path", "xtask/peers/Cargo.toml"]);
    command.arg("--target-dir").arg(target).arg("--").arg(corpus).arg(binary);
    shell::run(command.args(output))
}

/// Builds the reader that is timed, and tells where it is.
pub(crate) fn reader() -> Outcome<PathBuf> {
    let target = shell::target_directory()?.join("peers");
    let words = ["build", "--release", "--locked", "--manifest-path", "xtask/peers/Cargo.toml"];
    let mut command = shell::cargo(&words);
    shell::run(command.args(["--no-default-features", "--bin", "reader", "--target-dir"]).arg(&target))?;
    Ok(target.join("release").join(format!("reader{}", std::env::consts::EXE_SUFFIX)))
}
