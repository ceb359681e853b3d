//! burn's reader of PyTorch's files, which gives the bytes of every tensor and writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::super::Bench;
use super::super::goal::Goal;
use super::super::inputs::Input;
use super::super::measure::{Pairs, run_time, time};
use super::super::row::{Ratio, Row};
use super::copying::mebibytes;
use crate::{Outcome, peers, shell};

/// Timed pairs.
const PAIRS: usize = 7;

/// How many times faster is promised, though we write as well.
const GOAL: Goal = Goal::at_least(1.0);

pub(super) fn burn(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let program = peers::reader()?;
    let version = shell::read(Command::new(&program).arg("--version"))?;
    bench.note_version("burn's reader", version.trim().to_owned());
    let input = bench.mixed()?;
    judge(input, &program)?;
    let ours = || time(&mut input.convert(&[]), &input.output());
    let theirs = || run_time(Command::new(&program).arg(input.checkpoint()));
    ours()?;
    theirs()?;
    input.judge(&input.output(), &[])?;
    let pairs: Pairs = super::super::measure::pairs(PAIRS, ours, theirs)?;
    let name = format!("{}: read, permute and write, beside burn's reading", mebibytes(input.bytes()?));
    rows.push(Row::beside("burn", name, pairs, "pytorch-reader", Ratio::TheirsToOurs).goal(GOAL));
    Ok(())
}

/// Both read the same bytes of every tensor.
fn judge(input: &Input, program: &PathBuf) -> Outcome {
    let ours: Value = serde_json::from_str(&shell::read(&mut input.inspect(&["--json", "--hash"]))?)?;
    let theirs: BTreeMap<String, String> =
        serde_json::from_str(&shell::read(Command::new(program).arg("--hash").arg(input.checkpoint()))?)?;
    let tensors = ours.get("tensors").and_then(Value::as_array).ok_or("inspect lists no tensors")?;
    let text = |tensor: &Value, field: &str| tensor.get(field).and_then(Value::as_str).map(str::to_owned);
    let ours: Option<BTreeMap<String, String>> =
        tensors.iter().map(|tensor| Some((text(tensor, "key")?, text(tensor, "sha256")?))).collect();
    if ours.as_ref() == Some(&theirs) {
        return Ok(());
    }
    Err(format!("{} and {} do not read the same", name(program), input.checkpoint().display()).into())
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
