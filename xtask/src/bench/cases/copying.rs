//! Converting beside `cp`, which reads and writes as many bytes (half as many, where types become smaller).

use super::super::goal::Goal;
use super::super::inputs::Input;
use super::super::measure::{self, pairs, run_time, time};
use super::super::row::{Ratio, Row};
use super::super::settle::settle;
use super::super::{Bench, cache, memory};
use crate::Outcome;

/// Timed pairs; fewer of large files, which vary less.
const PAIRS: usize = 9;
const LARGE_PAIRS: usize = 5;

/// Bytes of the large input.
const LARGE: u64 = 4 << 30;

/// What is promised, in times of `cp`.
const FLOAT32: Goal = Goal::at_most(0.9).or_gate(1.2);
const HALVES: Goal = Goal::at_most(1.2).or_gate(1.4);
const CONVERTED: Goal = Goal::at_most(1.0).or_gate(1.4);
const COLD: Goal = Goal::at_most(1.2);
const PLAIN: Goal = Goal::at_most(1.05).or_gate(1.2);

/// Private memory in MiB that is promised whatever the model, and for each thread.
const MEMORY: f64 = 32.0;
const MEMORY_OF_THREAD: f64 = 2.0;

/// The part of a warm input that has to be in the page cache after all runs.
const WARM: f64 = 0.99;

pub(super) fn float32(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    mixed_float32(bench.mixed()?, "float32", PAIRS, rows)
}

pub(super) fn float32_large(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    mixed_float32(&Input::mixed(bench, "float32", LARGE)?, "float32-4g", LARGE_PAIRS, rows)
}

pub(super) fn bfloat16(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = Input::mixed(bench, "bfloat16", bench.bytes())?;
    warm(&input, "bfloat16", "mixed, bfloat16", &[], HALVES, PAIRS, rows)
}

pub(super) fn float16(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = Input::mixed(bench, "float16", bench.bytes())?;
    warm(&input, "float16", "mixed, float16", &[], HALVES, PAIRS, rows)
}

pub(super) fn to_float16(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let options = ["--dtype", "float16"];
    warm(bench.mixed()?, "to-float16", "mixed, float32 to float16", &options, CONVERTED, PAIRS, rows)
}

pub(super) fn to_bfloat16(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let options = ["--dtype", "bfloat16"];
    warm(bench.mixed()?, "to-bfloat16", "mixed, float32 to bfloat16", &options, CONVERTED, PAIRS, rows)
}

pub(super) fn plain(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = Input::make(bench, "plain", &["float32", &bench.bytes().to_string()])?;
    warm(&input, "plain", "nothing to permute, float32", &[], PLAIN, PAIRS, rows)
}

/// Both read a file that was put out of the page cache.
pub(super) fn cold(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = bench.mixed()?;
    let run = |command: &mut std::process::Command, output: &std::path::Path| {
        cache::evict(input.checkpoint())?;
        measure::prepare(output)?;
        settle();
        run_time(command)
    };
    let ours = || run(&mut input.convert(&[]), &input.output());
    let theirs = || run(&mut input.cp(), &input.copied());
    ours()?;
    theirs()?;
    input.judge(&input.output(), &[])?;
    let pairs = pairs(PAIRS, ours, theirs)?;
    let name = format!("mixed, float32, {}, input not in the page cache", mebibytes(input.bytes()?));
    rows.push(Row::beside("cold", name, pairs, "cp", Ratio::OursToTheirs).goal(COLD));
    Ok(())
}

/// Time and memory.
fn mixed_float32(input: &Input, case: &'static str, runs: usize, rows: &mut Vec<Row>) -> Outcome {
    measure::prepare(&input.output())?;
    let peak = memory::peak_private(&mut input.convert(&[]));
    warm(input, case, "mixed, float32", &[], FLOAT32, runs, rows)?;
    let name = format!("private memory at {}", mebibytes(input.bytes()?));
    rows.push(match peak {
        Ok(peak) => {
            let threads = std::thread::available_parallelism()?.get();
            let limit = MEMORY_OF_THREAD.mul_add(threads as f64, MEMORY);
            let peak = peak as f64 / f64::from(1 << 20);
            Row::new(case, name, "MiB", vec![peak]).goal(Goal::at_most(limit))
        }
        Err(error) => Row::not_run(case, name, error),
    });
    Ok(())
}

/// Pairs of runs on a file in the page cache. The warm-up is judged.
fn warm(
    input: &Input,
    case: &'static str,
    name: &str,
    options: &[&str],
    goal: Goal,
    runs: usize,
    rows: &mut Vec<Row>,
) -> Outcome {
    let ours = || time(&mut input.convert(options), &input.output());
    let theirs = || time(&mut input.cp(), &input.copied());
    ours()?;
    theirs()?;
    input.judge(&input.output(), options)?;
    let pairs = pairs(runs, ours, theirs)?;
    std::fs::remove_file(input.output())?;
    std::fs::remove_file(input.copied())?;
    let name = format!("{name}, {}", mebibytes(input.bytes()?));
    let row = Row::beside(case, name, pairs, "cp", Ratio::OursToTheirs).goal(goal);
    rows.push(match cache::resident_share(input.checkpoint()) {
        Ok(share) if share < WARM => {
            row.note(format!("only {:.0} % of the input was in the page cache at the end", 100.0 * share))
        }
        Ok(_) => row,
        Err(error) => row.note(format!("not known whether the input was in the page cache: {error}")),
    });
    Ok(())
}

/// A size in words.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
