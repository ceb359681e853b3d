//! The pipeline: PyTorch trains, `ptw2k` converts what changed, Keras checks the result.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use ptw2k::zoo::{self, Event, Job, Listener, RunOptions, Zoo};

const USAGE: &str = "\
usage: cargo xtask <COMMAND>

  all [--seed N]      the three below, one after the other
  train [--seed N]    trains the network anew
  convert             does the jobs of zoo.toml, where anything has changed since the last time
  check               loads the result into Keras, and compares

The programs run by $PYTHON [default: python3]; what they make goes to the folder run.
";

/// What a step ends with.
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["all", seed @ ..] => train(seed).and_then(|()| convert()).and_then(|()| check()),
        ["train", seed @ ..] => train(seed),
        ["convert"] => convert(),
        ["check"] => check(),
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

fn train(seed: &[&str]) -> Outcome {
    python("train.py", seed)
}

fn check() -> Outcome {
    python("check.py", &[])
}

/// Does the jobs of `zoo.toml`. What each output was made of, and what it held, is remembered beside it: a checkpoint
/// that is trained again to the same weights, or copied, has not changed.
fn convert() -> Outcome {
    if !run().join("arch.json").exists() {
        python("check.py", &["--architecture"])?;
    }
    let zoo = Zoo::open(&root().join("zoo.toml"))?;
    let summary = zoo::run(&zoo.jobs, &RunOptions::default(), &Teller { jobs: &zoo.jobs });
    if summary.is_success() { Ok(()) } else { Err("not all is converted".into()) }
}

/// Says what becomes of the jobs.
struct Teller<'z> {
    jobs: &'z [Job],
}

impl Listener for Teller<'_> {
    fn hear(&self, event: &Event<'_>) {
        if let Event::Warned { job, remark } = event {
            println!("warning: {}: {remark}", self.jobs[*job].name);
        }
    }

    fn ended(&self, job: usize, outcome: zoo::Outcome) {
        let name = &self.jobs[job].name;
        match outcome {
            zoo::Outcome::Current(_) => println!("unchanged: {name}"),
            zoo::Outcome::Written(done) => {
                for (about, note) in &done.notes {
                    println!("note: {about}: {note}");
                }
                println!("converted: {name}, {} variables, {} bytes", done.variables, done.bytes);
            }
            zoo::Outcome::Failed(error) => {
                eprintln!("error: {name}: {error}");
                let causes = std::iter::successors(error.source(), |&cause| cause.source());
                causes.for_each(|cause| eprintln!("  caused by: {cause}"));
            }
            zoo::Outcome::Planned(_) | zoo::Outcome::Stopped => {}
        }
    }
}

/// Runs one of the programs beside this workspace's manifest.
fn python(program: &str, options: &[&str]) -> Outcome {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    let status = command.arg(root().join(program)).arg("--run").arg(run()).args(options).status();
    match status.map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))? {
        status if status.success() => Ok(()),
        status => Err(format!("{program}: {status}").into()),
    }
}

/// The folder of what is made.
fn run() -> PathBuf {
    root().join("run")
}

/// The folder of this workspace.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}
