//! KerasHub's own converter, on a checkpoint of the shape of Llama 3.2 1B.

use std::path::Path;
use std::process::Command;

use super::super::goal::Goal;
use super::super::inputs::Input;
use super::super::{Bench, machine};
use super::python::{Way, compare};
use crate::{Outcome, shell, venv};

/// Layers and tokens, as released: 1.24 billion parameters, 2.3 GiB.
const LAYERS: &str = "16";
const VOCABULARY: &str = "128256";

/// How many times faster is promised.
const GOAL: Goal = Goal::at_least(20.0);

pub(super) fn kerashub(bench: &Bench, rows: &mut Vec<super::super::row::Row>) -> Outcome {
    let python = venv::keras_hub()?;
    let packages = ["keras-hub", "keras", "tensorflow_cpu", "numpy", "h5py"];
    bench.note_version("KerasHub's packages", machine::packages(&python, &packages)?);
    let input = Input::empty(bench, "llama", "model.safetensors")?;
    let mut make = bench.environment.script("bench/llama.py");
    shell::run(make.arg(input.path()).args([LAYERS, VOCABULARY]))?;
    shell::run(&mut script(&python, "template", input.path(), &input.file("arch.weights.h5")))?;
    let input = input.by("kerashub/llama3", "arch.weights.h5");
    let output = input.file("kerashub.weights.h5");
    let way = Way {
        case: "kerashub",
        name: "KerasHub",
        goal: GOAL,
        command: &|| script(&python, "convert", input.path(), &output),
        output: output.clone(),
    };
    compare(&input, &way, rows)
}

fn script(python: &Path, what: &str, folder: &Path, output: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(shell::root().join("xtask/python/bench/kerashub_weights.py"));
    command.arg(what).arg(folder).arg(output).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
