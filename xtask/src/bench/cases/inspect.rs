//! Reading every value: statistics and SHA-256.

use std::process::Command;

use super::super::Bench;
use super::super::goal::Goal;
use super::super::inputs::Input;
use super::super::measure::{Pairs, pairs, run_time};
use super::super::row::{Ratio, Row};
use super::super::spread::Spread;
use super::copying::mebibytes;
use crate::Outcome;

/// Timed pairs.
const PAIRS: usize = 5;

/// Gigabytes a second of one core.
const SPEED: Goal = Goal::at_least(3.0);

/// Of two threads to one: nothing is written, so the program's own work is the bound.
const THREADS: Goal = Goal::at_least(1.5);

/// Other programs that compute the hash alone: the limit of ours.
const HASHES: [&[&str]; 2] = [&["sha256sum"], &["openssl", "dgst", "-sha256"]];

pub(super) fn inspect(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = bench.mixed()?;
    let size = mebibytes(input.bytes()?);
    let name = |what: &str| format!("{size}: inspect {what}, 1 thread");

    let stats = beside_reading(input, &["--stats"])?;
    let (ours, theirs) = (speeds(input, &stats.ours)?, speeds(input, &stats.theirs)?);
    rows.push(Row::new("inspect", name("--stats"), "GB/s", ours.clone()).goal(SPEED));
    let row = Row::new("inspect", format!("{}, beside reading", name("--stats")), "GB/s", ours);
    rows.push(row.and_beside("cat", theirs, Ratio::OursToTheirs));

    let mut fastest = f64::NAN;
    for words in HASHES {
        match hash(input, words) {
            Ok((ours, theirs)) => {
                fastest = fastest.max(Spread::of(&theirs).median);
                let row = Row::new("inspect", name("--hash"), "GB/s", ours);
                rows.push(row.and_beside(words.join(" "), theirs, Ratio::OursToTheirs));
            }
            Err(error) => rows.push(Row::not_run("inspect", name("--hash"), error)),
        }
    }

    let both = beside_reading(input, &["--stats", "--hash"])?;
    let row = Row::new("inspect", name("--stats --hash"), "GB/s", speeds(input, &both.ours)?).goal(SPEED);
    rows.push(row.note(format!("the hash is the limit: alone, others compute it at {fastest:.2} GB/s")));

    let by = |threads: &str| run_time(&mut input.inspect(&["--stats", "--threads", threads]));
    let pairs = pairs(PAIRS, || by("2"), || by("1"))?;
    let name = format!("{size}: inspect --stats, 2 threads");
    rows.push(Row::beside("inspect", name, pairs, "1 thread", Ratio::TheirsToOurs).goal(THREADS));
    Ok(())
}

/// `inspect` by one thread, and `cat` to nowhere.
fn beside_reading(input: &Input, options: &[&str]) -> Outcome<Pairs> {
    let ours = || run_time(&mut input.inspect(&[options, &["--threads", "1"]].concat()));
    let theirs = || run_with(input, &["cat"]);
    ours()?;
    theirs()?;
    pairs(PAIRS, ours, theirs)
}

/// Speeds of `inspect --hash` by one thread, and of another program.
fn hash(input: &Input, words: &[&str]) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let ours = || run_time(&mut input.inspect(&["--hash", "--threads", "1"]));
    let theirs = || run_with(input, words);
    ours()?;
    theirs()?;
    let pairs = pairs(PAIRS, ours, theirs)?;
    Ok((speeds(input, &pairs.ours)?, speeds(input, &pairs.theirs)?))
}

/// Seconds of a program that is given the checkpoint.
fn run_with(input: &Input, words: &[&str]) -> Outcome<f64> {
    let (program, rest) = words.split_first().ok_or("no program is named")?;
    run_time(Command::new(program).args(rest).arg(input.checkpoint()))
        .map_err(|error| format!("{program}: {error}").into())
}

/// Gigabytes a second.
fn speeds(input: &Input, seconds: &[f64]) -> Outcome<Vec<f64>> {
    let bytes = input.bytes()? as f64;
    Ok(seconds.iter().map(|seconds| bytes / seconds / 1e9).collect())
}
