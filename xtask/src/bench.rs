//! `cargo xtask bench`: speed and memory beside `cp` and beside torch + numpy + h5py, in paired runs.
//!
//! Everything is written to a temporary folder and removed. Files are in the page cache: each is read and
//! written once before anything is timed.

pub(crate) mod measure;

use std::path::{Path, PathBuf};
use std::process::Command;

use measure::{Spread, peak_private_memory, ratios, run_time, time};

use crate::{Outcome, shell, venv};

/// Timed runs of `ptw2k` and `cp`, alternating.
const PAIRS: usize = 9;

/// Timed runs of the Python way, which is slow and varies little.
const PYTHON_RUNS: usize = 3;

/// Timed runs on the tiny model.
const TINY_RUNS: usize = 40;

/// Timed runs that open a checkpoint of many tensors.
const OPEN_RUNS: usize = 15;

/// What is promised: times of `cp`, times faster than Python, bytes of private memory, seconds.
const AT_MOST_CP: f64 = 1.5;
const AT_LEAST_PYTHON: f64 = 10.0;
const AT_MOST_MEMORY: u64 = 64 << 20;
const AT_MOST_TINY: f64 = 0.020;
const AT_MOST_OPEN: f64 = 0.030;

/// Runs the benchmark and says which goals are met.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let (mut size, mut parent, mut rest) = ("full", std::env::temp_dir(), options);
    loop {
        rest = match rest {
            [] => break,
            ["--quick", rest @ ..] => {
                size = "quick";
                rest
            }
            ["--dir", folder, rest @ ..] => {
                parent = PathBuf::from(folder);
                rest
            }
            [option, ..] => return Err(format!("unknown option {option} of xtask bench").into()),
        };
    }
    let binary = shell::release_binary()?;
    let environment = venv::ready()?;
    let folder = parent.join(format!("ptw2k-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = bench(&binary, &environment, &folder, size);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

/// The commands to be compared, on files in one folder.
struct Contest<'a> {
    binary: &'a Path,
    environment: &'a venv::Environment,
    folder: &'a Path,
}

impl Contest<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn ptw2k(&self) -> Command {
        let mut command = Command::new(self.binary);
        command.arg(self.file("model.pt")).arg("--schema").arg(self.file("schema.toml"));
        command.arg("--arch").arg(self.file("arch.json")).arg("-o").arg(self.file("ptw2k.weights.h5"));
        command.arg("--quiet");
        command
    }

    fn cp(&self) -> Command {
        let mut command = Command::new("cp");
        command.arg(self.file("model.pt")).arg(self.file("copy.pt"));
        command
    }

    fn python(&self) -> Command {
        let mut command = self.environment.script("bench.py");
        command.arg("convert").arg(self.file("model.pt")).arg(self.file("python.weights.h5"));
        command
    }

    fn verify(&self, output: &str) -> Command {
        let mut command = Command::new(self.binary);
        command.arg("verify").arg(self.file("model.pt")).arg(self.file(output));
        command.arg("--schema").arg(self.file("schema.toml")).arg("--arch").arg(self.file("arch.json"));
        command
    }

    /// Seconds that `inspect` takes for a checkpoint of many tensors, over what the program takes to start: its
    /// opening, and a short list.
    fn open(&self, name: &str) -> Outcome<Vec<f64>> {
        let (mut seconds, mut starts) = (Vec::new(), Vec::new());
        // The first of each is the warm-up.
        for _ in 0..=OPEN_RUNS {
            starts.push(run_time(Command::new(self.binary).arg("--version"))?);
            seconds.push(run_time(Command::new(self.binary).arg("inspect").arg(self.file(name)))?);
        }
        let start = Spread::of(starts.get(1..).unwrap_or_default()).median;
        Ok(seconds.into_iter().skip(1).map(|seconds| seconds - start).collect())
    }

    fn tiny(&self) -> Command {
        let case = shell::root().join("testdata/simple_conv");
        let mut command = Command::new(self.binary);
        command.arg(case.join("weights.pt")).arg("--schema").arg(case.join("schema.toml"));
        command.arg("--quiet").arg("-o").arg(self.file("tiny.weights.h5"));
        command
    }
}

fn bench(binary: &Path, environment: &venv::Environment, folder: &Path, size: &str) -> Outcome {
    let contest = Contest { binary, environment, folder };
    shell::run(environment.script("bench.py").arg("make").arg(folder).arg(size))?;
    let bytes = std::fs::metadata(contest.file("model.pt"))?.len();

    // The warm-up, which is not timed, measures memory and judges both outputs.
    let load_before = load();
    let memory = peak_private_memory(&mut contest.ptw2k())?;
    time(&mut contest.cp(), &contest.file("copy.pt"))?;
    time(&mut contest.python(), &contest.file("python.weights.h5"))?;
    for output in ["ptw2k.weights.h5", "python.weights.h5"] {
        shell::run(&mut contest.verify(output))?;
    }

    let (mut ours, mut copies, mut python) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..PAIRS {
        ours.push(time(&mut contest.ptw2k(), &contest.file("ptw2k.weights.h5"))?);
        copies.push(time(&mut contest.cp(), &contest.file("copy.pt"))?);
        if run < PYTHON_RUNS {
            python.push(time(&mut contest.python(), &contest.file("python.weights.h5"))?);
        }
    }
    let mut tiny = Vec::new();
    for _ in 0..=TINY_RUNS {
        tiny.push(time(&mut contest.tiny(), &contest.file("tiny.weights.h5"))?);
    }
    tiny.remove(0);

    let many = ["many.pt", "many.safetensors"].map(|name| contest.open(name));
    let [zip, safetensors] = many;
    let (zip, safetensors) = (zip?, safetensors?);

    let against_cp = Spread::of(&ratios(&ours, &copies));
    let against_python = Spread::of(&ratios(&python, &ours));
    let tiny = Spread::of(&tiny);
    let cores = std::thread::available_parallelism()?;
    println!("{} MiB of float32, {cores} cores, load before {load_before}, after {}\n", bytes >> 20, load());
    println!("{:36} {:>9} {:>9} {:>9}  goal", "", "min", "median", "max");
    row("ptw2k, seconds", &Spread::of(&ours), "");
    row("cp, seconds", &Spread::of(&copies), "");
    row("torch + numpy + h5py, seconds", &Spread::of(&python), "");
    row("ptw2k / cp", &against_cp, &goal("at most", AT_MOST_CP, against_cp.median <= AT_MOST_CP));
    let met = against_python.median >= AT_LEAST_PYTHON;
    row("torch + numpy + h5py / ptw2k", &against_python, &goal("at least", AT_LEAST_PYTHON, met));
    row("tiny model, seconds", &tiny, &goal("at most", AT_MOST_TINY, tiny.median <= AT_MOST_TINY));
    for (form, seconds) in [("zip", zip), ("safetensors", safetensors)] {
        let spread = Spread::of(&seconds);
        let goal = goal("at most", AT_MOST_OPEN, spread.median <= AT_MOST_OPEN);
        row(&format!("open 10,000 tensors ({form}), seconds"), &spread, &goal);
    }
    match memory {
        Some(memory) => {
            let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let goal = goal("at most", mebibytes(AT_MOST_MEMORY), memory <= AT_MOST_MEMORY);
            println!("{:36} {:29.1}  {goal}", "peak private memory, MiB", mebibytes(memory));
        }
        None => println!("{:36} {:>29}", "peak private memory", "not measured here"),
    }
    Ok(())
}

fn row(name: &str, spread: &Spread, goal: &str) {
    println!("{name:36} {:9.4} {:9.4} {:9.4}  {goal}", spread.min, spread.median, spread.max);
}

fn goal(word: &str, limit: f64, met: bool) -> String {
    format!("{word} {limit}: {}", if met { "met" } else { "MISSED" })
}

/// The machine's load averages, where it tells.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg");
    text.map_or_else(|_| "unknown".to_owned(), |text| text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
