//! The pipeline: PyTorch trains, `ptw2k` converts what changed, Keras checks the result.

mod record;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use ptw2k::Conversion;

use record::Record;

const USAGE: &str = "\
usage: cargo xtask <COMMAND>

  all [--seed N]      the three below, one after the other
  train [--seed N]    trains the network anew
  convert             converts its checkpoint, if anything has changed since the last time
  check               loads the result into Keras, and compares

The programs run by $PYTHON [default: python3]; what they make goes to $RUN [default: run].
";

/// What a step ends with.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = PathBuf::from(std::env::var_os("RUN").unwrap_or_else(|| "run".into()));
    let outcome = match arguments.as_slice() {
        ["all", seed @ ..] => {
            train(&run, seed).and_then(|()| convert_checkpoint(&run)).and_then(|()| check(&run))
        }
        ["train", seed @ ..] => train(&run, seed),
        ["convert"] => convert_checkpoint(&run),
        ["check"] => check(&run),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn train(run: &Path, seed: &[&str]) -> Outcome {
    python("train.py", run, seed)
}

fn check(run: &Path) -> Outcome {
    python("check.py", run, &[])
}

/// Converts the checkpoint, unless what the last conversion read and wrote is as it was.
fn convert_checkpoint(run: &Path) -> Outcome {
    let output = run.join("network.weights.h5");
    let architecture = run.join("arch.json");
    if !architecture.exists() {
        python("check.py", run, &["--architecture"])?;
    }
    let mut record = Record::of(&output);
    if record.holds() {
        println!("unchanged: {}", output.display());
        return Ok(());
    }
    let mut conversion = Conversion::new(run.join("checkpoint.pt"), root().join("schema.toml"), &output);
    conversion.source.architecture = Some(architecture);
    let planned = conversion.plan(&())?;
    for note in &planned.plan.notes {
        println!("note: {}: {}", note.about, note.text);
    }
    // Every file that is read, whatever the checkpoint consists of and the schema is made of. What changes from
    // here on is found the next time.
    record.add(&planned.inputs)?;
    let report = planned.write(&())?;
    record.add(&report.files)?;
    record.write()?;
    println!("converted: {}, {} variables, {} bytes", output.display(), report.variables, report.bytes);
    Ok(())
}

/// Runs one of the programs beside this workspace's manifest.
fn python(program: &str, run: &Path, options: &[&str]) -> Outcome {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    let status = command.arg(root().join(program)).arg("--run").arg(run).args(options).status();
    match status.map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))? {
        status if status.success() => Ok(()),
        status => Err(format!("{program}: {status}").into()),
    }
}

/// The folder of this workspace.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}
