//! `cargo xtask zoo`: 300 checkpoints by `ptw2k zoo`, by a shell loop over single conversions and by a Python loop;
//! then memory, runs that are killed, and a full disk.
//!
//! Everything is written to a temporary folder and removed. Files are in the page cache: each is read and written
//! once before anything is timed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::bench::measure::run_time;
use crate::bench::spread::{Spread, ratios};
use crate::fixtures::hex;
use crate::{Outcome, shell, venv};

/// Timed runs of the zoo and of the loop, alternating.
const PAIRS: usize = 5;

/// Runs that are killed.
const KILLS: u32 = 20;

/// The budget that memory is measured under.
const MEMORY: &str = "64MB";
const MEMORY_BYTES: u64 = 64 << 20;

/// How often the memory of a process is looked at.
const POLL: Duration = Duration::from_millis(1);

/// The exit code of a zoo in which jobs failed: six are broken.
const JOBS_FAILED: i32 = 10;
const BROKEN: usize = 6;

/// Every single conversion, one after the other.
const LOOP: &str = "for checkpoint in runs/*/*.pt; do \
    group=$(basename \"$(dirname \"$checkpoint\")\"); name=$(basename \"$checkpoint\" .pt); \
    \"$0\" \"$checkpoint\" -s same-names -a \"archs/$group.json\" -o \"loop/$group-$name.weights.h5\" -q 2>/dev/null; \
    done; true";

/// Runs the benchmark.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let (mut scale, mut parent, mut rest) = ("1", std::env::temp_dir(), options);
    loop {
        rest = match rest {
            [] => break,
            ["--quick", rest @ ..] => {
                scale = "0.1";
                rest
            }
            ["--dir", folder, rest @ ..] => {
                parent = PathBuf::from(folder);
                rest
            }
            [option, ..] => return Err(format!("unknown option {option} of xtask zoo").into()),
        };
    }
    let binary = shell::release_binary()?;
    let environment = venv::ready()?;
    let folder = parent.join(format!("ptw2k-zoo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = shell::run(environment.script("zoo_bench.py").arg("make").arg(&folder).arg(scale))
        .and_then(|()| Bench { binary, environment, folder: folder.clone() }.all());
    std::fs::remove_dir_all(&folder)?;
    outcome
}

struct Bench {
    binary: PathBuf,
    environment: venv::Environment,
    folder: PathBuf,
}

impl Bench {
    fn all(&self) -> Outcome {
        // The warm-up of each, which is what the others are compared with.
        self.zoo(&[])?;
        let expected = hashes(&self.folder.join("keras"))?;
        self.shell_loop()?;
        if hashes(&self.folder.join("loop"))? != expected {
            return Err("the zoo and the loop write different files".into());
        }
        println!("{} checkpoints, {} written, {BROKEN} broken", expected.len() + BROKEN, expected.len());
        self.speed()?;
        self.memory()?;
        self.kills(&expected)?;
        self.full_disk(&expected)
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["zoo", "zoo.toml", "--quiet"]).args(options).current_dir(&self.folder);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Seconds that the zoo takes, from scratch.
    fn zoo(&self, options: &[&str]) -> Outcome<f64> {
        clear(&self.folder.join("keras"))?;
        self.again(options)
    }

    /// The same over what is there.
    fn again(&self, options: &[&str]) -> Outcome<f64> {
        let started = Instant::now();
        let status = self.command(options).status()?;
        let seconds = started.elapsed().as_secs_f64();
        if status.code() != Some(JOBS_FAILED) {
            return Err(format!("ptw2k zoo: {status}").into());
        }
        Ok(seconds)
    }

    fn shell_loop(&self) -> Outcome<f64> {
        let output = self.folder.join("loop");
        clear(&output)?;
        std::fs::create_dir(&output)?;
        run_time(Command::new("sh").args(["-c", LOOP]).arg(&self.binary).current_dir(&self.folder))
    }

    fn speed(&self) -> Outcome {
        let (mut zoo, mut loops, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            loops.push(self.shell_loop()?);
            zoo.push(self.zoo(&[])?);
            again.push(self.again(&[])?);
        }
        clear(&self.folder.join("loop"))?;
        let output = self.folder.join("python");
        let mut python = self.environment.script("zoo_bench.py");
        let python = run_time(python.arg("convert").arg(&self.folder).arg(&output))?;
        clear(&output)?;
        let row = |name: &str, spread: &Spread| {
            println!("{name:36} {:9.3} {:9.3} {:9.3}", spread.min, spread.median, spread.max);
        };
        println!("{:36} {:>9} {:>9} {:>9}", "", "min", "median", "max");
        row("ptw2k zoo, seconds", &Spread::of(&zoo));
        row("shell loop, seconds", &Spread::of(&loops));
        row("Python loop, seconds", &Spread::of(&[python]));
        row("shell loop / zoo", &Spread::of(&ratios(&loops, &zoo)));
        row("Python loop / zoo", &Spread::of(&[python / Spread::of(&zoo).median]));
        row("second run, seconds", &Spread::of(&again));
        Ok(())
    }

    fn memory(&self) -> Outcome {
        clear(&self.folder.join("keras"))?;
        let mut child = self.command(&["--memory", MEMORY]).spawn()?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            peak = peak.max(kibibytes.unwrap_or_default() << 10);
            std::thread::sleep(POLL);
        }
        let word = if peak <= MEMORY_BYTES { "met" } else { "MISSED" };
        println!(
            "private memory under --memory {MEMORY}: {:.1} MiB, {word}",
            peak as f64 / f64::from(1 << 20)
        );
        Ok(())
    }

    /// Kills runs at moments that are spread over the time of a whole one, each in another order of moments.
    fn kills(&self, expected: &BTreeMap<String, String>) -> Outcome {
        let whole = self.zoo(&[])?;
        for kill in 0..KILLS {
            // Some begin with nothing, some with the outputs of an older run.
            let from_scratch = kill % 2 == 0;
            if from_scratch {
                clear(&self.folder.join("keras"))?;
            }
            let mut child = self.command(if from_scratch { &[] } else { &["--force"] }).spawn()?;
            // The fractional parts of multiples of the golden ratio: as random as need be, and the same each time.
            let moment = whole * (f64::from(kill + 1) * 0.618_033_988).fract();
            std::thread::sleep(Duration::from_secs_f64(moment));
            child.kill()?;
            child.wait()?;
            self.again(&[])?;
            self.compare(expected, &format!("after the kill at {moment:.2} s"))?;
        }
        println!("{KILLS} runs killed within {whole:.2} s and run again: the same outputs, no debris");
        Ok(())
    }

    /// Files beyond a limit cannot be written, as on a full disk; then they can.
    fn full_disk(&self, expected: &BTreeMap<String, String>) -> Outcome {
        clear(&self.folder.join("keras"))?;
        // In blocks of 512 bytes: the largest tenth does not fit.
        let script = "ulimit -f 30000; exec \"$0\" zoo zoo.toml --quiet";
        let mut limited = Command::new("sh");
        limited.args(["-c", script]).arg(&self.binary).current_dir(&self.folder);
        let output = limited.output()?;
        let told = String::from_utf8_lossy(&output.stderr).matches("raise the limit").count();
        let written = hashes(&self.folder.join("keras"))?.len();
        if output.status.code() != Some(JOBS_FAILED) || told + written != expected.len() {
            return Err(format!("full disk: {}, {told} told, {written} written", output.status).into());
        }
        self.again(&[])?;
        self.compare(expected, "after the full disk")?;
        println!(
            "full disk: {told} outputs did not fit and were told, {written} were written, the rest in the next run"
        );
        Ok(())
    }

    fn compare(&self, expected: &BTreeMap<String, String>, when: &str) -> Outcome {
        let keras = self.folder.join("keras");
        if hashes(&keras)? != *expected {
            return Err(format!("{when}: other outputs").into());
        }
        let names = |folder: &Path| -> Outcome<Vec<String>> {
            let entries = std::fs::read_dir(folder)?;
            Ok(entries
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<std::io::Result<_>>()?)
        };
        let hidden = names(&keras)?.into_iter().filter(|name| name.starts_with('.') && name != ".ptw2k");
        let others = names(&keras.join(".ptw2k"))?.into_iter().filter(|name| !name.ends_with(".h5.json"));
        let debris: Vec<String> = hidden.chain(others).collect();
        if !debris.is_empty() {
            return Err(format!("{when}: debris: {}", debris.join(", ")).into());
        }
        Ok(())
    }
}

fn clear(folder: &Path) -> Outcome {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// The SHA-256 of every output in a folder.
fn hashes(folder: &Path) -> Outcome<BTreeMap<String, String>> {
    let mut hashes = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let hash = hex(&Sha256::digest(std::fs::read(entry.path())?));
            hashes.insert(entry.file_name().to_string_lossy().into_owned(), hash);
        }
    }
    Ok(hashes)
}
