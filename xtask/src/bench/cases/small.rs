//! What the program takes where there are hardly any bytes: starting, opening, planning, laying out.

use std::process::Command;

use super::super::Bench;
use super::super::goal::Goal;
use super::super::inputs::Input;
use super::super::measure::{pairs, run_time, time_small};
use super::super::row::Row;
use super::super::spread::Spread;
use crate::{Outcome, shell};

/// Timed runs.
const MANY_RUNS: usize = 15;
const TINY_RUNS: usize = 40;

/// Layers of the model with five tensors to each layer, and tensors of the checkpoints that are only opened.
const LAYERS: usize = 2000;
const TENSORS: usize = 10_000;

/// Seconds that are promised.
const CONVERT: Goal = Goal::at_most(0.060).or_gate(0.2);
const PLAN: Goal = Goal::at_most(0.060).or_gate(0.2);
const OPEN: Goal = Goal::at_most(0.030);
const TINY: Goal = Goal::at_most(0.006);

/// Converting, planning and opening many tensors.
pub(super) fn many(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = Input::make(bench, "layers", &[&LAYERS.to_string()])?;
    let (mut convert, mut plan) = (Vec::new(), Vec::new());
    time_small(&mut input.convert(&[]), &input.output())?;
    input.judge(&input.output(), &[])?;
    run_time(&mut input.planned(Some("plan")))?;
    for _ in 0..MANY_RUNS {
        convert.push(time_small(&mut input.convert(&[]), &input.output())?);
        plan.push(run_time(&mut input.planned(Some("plan")))?);
    }
    rows.push(Row::new("small", "10,000 tiny tensors in 2,000 layers: convert", "s", convert).goal(CONVERT));
    rows.push(Row::new("small", "10,000 tiny tensors in 2,000 layers: plan", "s", plan).goal(PLAN));

    let names = Input::make(bench, "names", &[&TENSORS.to_string()])?;
    rows.push(open(bench, &names, "zip")?);
    rows.push(open(bench, &names.with_checkpoint("model.safetensors"), "safetensors")?);
    Ok(())
}

/// Seconds that `inspect` takes for a checkpoint of many tensors, over what the program takes to start: its
/// opening, and a short list.
fn open(bench: &Bench, input: &Input, form: &str) -> Outcome<Row> {
    let start = || run_time(Command::new(&bench.binary).arg("--version"));
    let inspect = || run_time(&mut input.inspect(&[]));
    start()?;
    inspect()?;
    let pairs = pairs(MANY_RUNS, inspect, start)?;
    let start = Spread::of(&pairs.theirs).median;
    let seconds = pairs.ours.into_iter().map(|seconds| seconds - start).collect();
    Ok(Row::new("small", format!("open 10,000 tensors ({form})"), "s", seconds).goal(OPEN))
}

/// A convolution.
pub(super) fn tiny(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let case = shell::root().join("testdata/simple_conv");
    let output = bench.folder.path().join("tiny.weights.h5");
    let convert = || {
        let mut command = Command::new(&bench.binary);
        command.arg(case.join("weights.pt")).arg("--schema").arg(case.join("schema.toml"));
        command.arg("--quiet").arg("-o").arg(&output);
        time_small(&mut command, &output)
    };
    convert()?;
    let seconds = (0..TINY_RUNS).map(|_| convert()).collect::<Outcome<Vec<_>>>()?;
    rows.push(Row::new("tiny", "a tiny model, whole process", "s", seconds).goal(TINY));
    Ok(())
}
