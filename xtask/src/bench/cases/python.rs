//! The ways to convert with Python.

use super::super::goal::Goal;
use super::super::inputs::Input;
use super::super::measure::{Pairs, pairs, time, time_told};
use super::super::row::{Ratio, Row};
use super::super::{Bench, machine};
use super::copying::mebibytes;
use crate::Outcome;

/// Timed runs of ways that are slow and vary little.
const PAIRS: usize = 3;

/// How many times faster is promised.
const NUMPY: Goal = Goal::at_least(15.0);
const KERAS: Goal = Goal::at_least(30.0);

/// A way to convert, as a script of `xtask/python/bench`.
pub(super) struct Way<'a> {
    pub(super) case: &'static str,
    pub(super) name: &'a str,
    pub(super) goal: Goal,
    /// Its command line.
    pub(super) command: &'a dyn Fn() -> std::process::Command,
    /// Where it writes to.
    pub(super) output: std::path::PathBuf,
}

pub(super) fn numpy(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = bench.mixed()?;
    let output = input.file("numpy.weights.h5");
    let command = || {
        let mut command = bench.environment.script("bench/numpy_h5py.py");
        command.arg(input.checkpoint()).arg(&output);
        command
    };
    let way = Way {
        case: "numpy",
        name: "torch, numpy, h5py",
        goal: NUMPY,
        command: &command,
        output: output.clone(),
    };
    versions(bench)?;
    compare(input, &way, rows)
}

pub(super) fn keras(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = bench.mixed()?;
    let output = input.file("keras.weights.h5");
    let command = || {
        let mut command = bench.environment.script("bench/keras_weights.py");
        command.arg(input.checkpoint()).arg(input.file("arch.json")).arg(&output);
        command
    };
    let way = Way { case: "keras", name: "Keras", goal: KERAS, command: &command, output: output.clone() };
    versions(bench)?;
    compare(input, &way, rows)
}

/// Both ways judged equal, and timed: as processes, which is what a user waits for; and in a row without a goal,
/// without Python's start and imports.
pub(super) fn compare(input: &Input, way: &Way<'_>, rows: &mut Vec<Row>) -> Outcome {
    let ours = || time(&mut input.convert(&[]), &input.output());
    ours()?;
    input.judge(&input.output(), &[])?;
    time_told(&mut (way.command)(), &way.output)?;
    input.judge(&way.output, &[])?;
    let mut told = Vec::new();
    let pairs = pairs(PAIRS, ours, || {
        let (seconds, inside) = time_told(&mut (way.command)(), &way.output)?;
        told.push(inside);
        Ok(seconds)
    })?;
    std::fs::remove_file(&way.output)?;
    std::fs::remove_file(input.output())?;
    let name = format!("{}, beside {}", mebibytes(input.bytes()?), way.name);
    let inside = Pairs { ours: pairs.ours.clone(), theirs: told };
    rows.push(Row::beside(way.case, &name, pairs, way.name, Ratio::TheirsToOurs).goal(way.goal));
    let name = format!("{name}, without its start and imports");
    rows.push(Row::beside(way.case, name, inside, way.name, Ratio::TheirsToOurs));
    Ok(())
}

fn versions(bench: &Bench) -> Outcome {
    let packages = ["torch", "numpy", "h5py", "keras", "jax"];
    bench.note_version("Python packages", machine::packages(&bench.environment.python, &packages)?);
    Ok(())
}
