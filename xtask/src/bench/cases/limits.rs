//! What the machine can do at all: the kernels beside `memcpy`, and reading, rearranging and writing alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::super::Bench;
use super::super::goal::Goal;
use super::super::measure::{Pairs, time};
use super::super::row::{Ratio, Row};
use super::copying::mebibytes;
use crate::{Outcome, shell};

/// Rounds of the physical limits, each between a conversion and a copy.
const ROUNDS: usize = 5;

/// What is promised of kernels: of memcpy by one thread, of AVX2 by what machines without it have (the portable one is
/// for machines of another kind, which cannot be compared), of one thread by two.
const CONV: Goal = Goal::at_least(0.5);
const LINEAR: Goal = Goal::at_least(0.35);
const FALLBACK: Goal = Goal::at_least(0.5);
const THREADS: Goal = Goal::at_least(1.5);

/// Bits of the elements that promises are for; others are measured too.
const PROMISED: [u64; 2] = [32, 16];

/// The kernels alone.
pub(super) fn kernels(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let program = build()?;
    let said = shell::read(Command::new(program).arg("kernels").arg(bench.mixed()?.checkpoint()))?;
    let found: Value = serde_json::from_str(&said)?;
    for row in found.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        rows.push(kernel(row).ok_or_else(|| format!("no row of a kernel: {row}"))?);
    }
    Ok(())
}

/// A row of a pair of contestants, in gigabytes a second, each byte counted once.
fn kernel(row: &Value) -> Option<Row> {
    let text = |field: &str| row.get(field).and_then(Value::as_str);
    let number = |field: &str| row.get(field).and_then(Value::as_f64);
    let bytes = number("bytes")?;
    let speeds = |field: &str| -> Option<Vec<f64>> {
        let seconds = row.get(field)?.as_array()?;
        seconds.iter().map(|seconds| Some(bytes / seconds.as_f64()? / 1e9)).collect()
    };
    let (layer, bits) = (text("layer")?, row.get("bits")?.as_u64()?);
    let promise = if layer.starts_with("conv") { CONV } else { LINEAR };
    let (name, beside, goal) = match text("kind")? {
        "memcpy" => ("1 thread", "memcpy", Some(promise)),
        "sse2" => ("SSE2 kernel, 1 thread", "the best kernel", Some(FALLBACK)),
        "portable" => ("portable kernel, 1 thread", "the best kernel", None),
        "threads" => ("2 threads", "1 thread", Some(THREADS)),
        "memcpy-threads" => ("memcpy of as much, 2 threads", "1 thread", None),
        _ => return None,
    };
    let name = format!("{layer}, {bits} bits: {name}");
    let found = Row::new("kernels", name, "GB/s", speeds("ours")?);
    let found = found.and_beside(beside, speeds("theirs")?, Ratio::OursToTheirs);
    Some(match goal.filter(|_| PROMISED.contains(&bits)) {
        Some(goal) => found.goal(goal),
        None => found,
    })
}

/// Reading, rearranging and writing alone, beside `cp` and beside the whole conversion.
pub(super) fn physical(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let program = build()?;
    let input = bench.mixed()?;
    let scratch = input.file("scratch");
    let mut copies = Vec::new();
    let mut conversions = Vec::new();
    let mut limits: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    // The first round is the warm-up.
    for round in 0..=ROUNDS {
        let copy = time(&mut input.cp(), &input.copied())?;
        std::fs::remove_file(input.copied())?;
        let said = shell::read(Command::new(&program).arg("bytes").arg(input.checkpoint()).arg(&scratch))?;
        let found: BTreeMap<String, f64> = serde_json::from_str(&said)?;
        let conversion = time(&mut input.convert(&[]), &input.output())?;
        std::fs::remove_file(input.output())?;
        if round > 0 {
            copies.push(copy);
            conversions.push(conversion);
            for (what, seconds) in found {
                limits.entry(what).or_default().push(seconds);
            }
        }
    }
    let size = mebibytes(input.bytes()?);
    let pairs = Pairs { ours: conversions, theirs: copies.clone() };
    rows.push(Row::beside(
        "limits",
        format!("{size}: the whole conversion"),
        pairs,
        "cp",
        Ratio::OursToTheirs,
    ));
    for (what, seconds) in limits {
        let pairs = Pairs { ours: seconds, theirs: copies.clone() };
        rows.push(Row::beside("limits", format!("{size}: {what}"), pairs, "cp", Ratio::OursToTheirs));
    }
    Ok(())
}

/// Builds the program that measures, and tells where it is.
fn build() -> Outcome<PathBuf> {
    let words = ["bench", "--package=ptw2k", "--bench=limits", "--no-run", "--message-format=json"];
    let said = shell::read(&mut shell::cargo(&words))?;
    let executable = said.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message.get("target")?.get("name")?.as_str()?;
        (name == "limits").then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    });
    executable.ok_or_else(|| "cargo names no program for the bench `limits`".into())
}
