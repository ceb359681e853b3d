//! `cargo xtask test`: every check there is.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{
    Outcome, bench, checkpoints, fixtures, judges, keras, pipeline, schema_json, schemas, shell, tidy, venv,
};

/// One of them.
type Check = fn() -> Outcome;

/// From here on Python and the release binary are needed.
const FIRST_JUDGE: &str = "judges";

/// Runs all checks and lists all that failed.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let (mut with_judges, mut only, mut rest) = (true, Vec::new(), options);
    let mut kerases: (&str, Check) = ("a few Kerases", keras::few);
    loop {
        rest = match rest {
            [] => break,
            ["--no-judges", rest @ ..] => {
                with_judges = false;
                rest
            }
            ["--keras", "all", rest @ ..] => {
                kerases = ("every Keras", keras::all);
                rest
            }
            ["--only", case, rest @ ..] => {
                only.push(*case);
                rest
            }
            [option, ..] => return Err(format!("unknown option {option} of xtask test").into()),
        };
    }
    if !only.is_empty() {
        return judges::run(&only);
    }

    let mut steps: Vec<(&str, Check)> = vec![
        ("format", || shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))),
        ("clippy", || {
            let all = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
            shell::run(&mut shell::cargo(&all))
        }),
        ("clippy, library alone", || {
            let library = ["clippy", "--package=ptw2k", "--lib", "--no-default-features", "--"];
            shell::run(shell::cargo(&library).args(["--deny", "warnings"]))
        }),
        ("tidy", tidy::run),
        ("fixtures", fixtures::check),
        ("editors", schema_json::check),
        ("tests", tests),
        ("documentation", || {
            let doc = ["doc", "--package=ptw2k", "--lib", "--no-deps"];
            shell::run(shell::cargo(&doc).env("RUSTDOCFLAGS", "--deny warnings"))?;
            let library = [&doc[..], &["--no-default-features"]].concat();
            shell::run(shell::cargo(&library).env("RUSTDOCFLAGS", "--deny warnings"))
        }),
    ];
    let mut preparing = with_judges.then(|| std::thread::spawn(prepare));
    if with_judges {
        steps.push((FIRST_JUDGE, || judges::run(&[])));
        steps.push(("pipeline", pipeline::run));
        steps.push(("checkpoints", || checkpoints::run(&[])));
        steps.push(kerases);
        steps.push(("KerasHub's schemas", || schemas::run(&[])));
        // Last, when nothing is left that it has to share the machine with.
        steps.push(("speed", || bench::run(&["--quick"])));
    }

    let mut failed = Vec::new();
    let mut times = Vec::new();
    let mut check = |name, step: &mut dyn FnMut() -> Outcome| {
        eprintln!("\n== {name}");
        let started = Instant::now();
        if let Err(error) = step() {
            eprintln!("error: {error}");
            failed.push(name);
        }
        times.push((name, started.elapsed()));
    };
    for (name, mut step) in steps {
        if name == FIRST_JUDGE {
            check("what judges need", &mut || prepared(preparing.take()));
        }
        check(name, &mut step);
    }
    summarise(&times, &failed);
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join("; ")).into()) }
}

/// Makes what the judges need. Much of it is waiting for the network and for one core, so it goes beside the checks that
/// need neither.
fn prepare() -> Result<(), String> {
    let make = || {
        venv::ready()?;
        shell::release_binary()?;
        venv::keras_hub().map(drop)
    };
    make().map_err(|error: Box<dyn std::error::Error>| error.to_string())
}

fn prepared(preparing: Option<JoinHandle<Result<(), String>>>) -> Outcome {
    let outcome = preparing.map_or(Ok(Ok(())), JoinHandle::join);
    Ok(outcome.map_err(|_| "the thread panicked")??)
}

/// Unit, snapshot and property tests, and the examples of the documentation.
fn tests() -> Outcome {
    if shell::succeeds(&mut shell::cargo(&["nextest", "--version"])) {
        shell::run(&mut shell::cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--no-tests=pass",
        ]))?;
        return shell::run(&mut shell::cargo(&["test", "--doc", "--package=ptw2k"]));
    }
    shell::run(&mut shell::cargo(&["test", "--workspace", "--no-fail-fast"]))
}

fn summarise(times: &[(&str, Duration)], failed: &[&str]) {
    println!();
    for (name, time) in times {
        let verdict = if failed.contains(name) { "FAILED" } else { "ok" };
        println!("{name:24} {verdict:8} {:7.1} s", time.as_secs_f64());
    }
}
