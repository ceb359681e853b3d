//! How the cost grows: with bytes, with tensors and layers, and where bytes cost nothing.

use super::super::Bench;
use super::super::inputs::Input;
use super::super::measure::{pairs, run_time, time, time_small};
use super::super::row::{Ratio, Row};
use super::copying::mebibytes;
use crate::{Outcome, shell};

/// GiB of the mixed model.
const SIZES: [u64; 4] = [1, 2, 4, 8];

/// Room that a size needs: its input, one output, and what the machine needs besides.
const ROOM: u64 = 3;

/// Layers of few numbers, with five tensors to each.
const LAYERS: [usize; 3] = [200, 2000, 10_000];

/// Bytes of the checkpoint that is a hole.
const SPARSE: u64 = 100 << 30;

/// Timed runs.
const PAIRS: usize = 3;
const RUNS: usize = 7;

/// Seconds by bytes, beside `cp`.
pub(super) fn bytes(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    for gibibytes in SIZES {
        let name = format!("mixed, float32, {gibibytes} GiB");
        if let Err(error) = size(bench, gibibytes, &name, rows) {
            rows.push(Row::not_run("bytes", name, error));
        }
    }
    Ok(())
}

fn size(bench: &Bench, gibibytes: u64, name: &str, rows: &mut Vec<Row>) -> Outcome {
    let free = free_gibibytes(bench)?;
    if free < ROOM * gibibytes {
        return Err(format!("{free} GiB are free, it needs {}", ROOM * gibibytes).into());
    }
    let made;
    let input = if gibibytes << 30 == bench.bytes() {
        bench.mixed()?
    } else {
        made = Input::mixed(bench, "float32", gibibytes << 30)?;
        &made
    };
    // One output at a time: two would leave less of the memory to keep the input in.
    let ours = || {
        let seconds = time(&mut input.convert(&[]), &input.output())?;
        std::fs::remove_file(input.output())?;
        Ok(seconds)
    };
    let theirs = || {
        let seconds = time(&mut input.cp(), &input.copied())?;
        std::fs::remove_file(input.copied())?;
        Ok(seconds)
    };
    time(&mut input.convert(&[]), &input.output())?;
    input.judge(&input.output(), &[])?;
    theirs()?;
    let pairs = pairs(PAIRS, ours, theirs)?;
    rows.push(Row::beside("bytes", name, pairs, "cp", Ratio::OursToTheirs));
    Ok(())
}

fn free_gibibytes(bench: &Bench) -> Outcome<u64> {
    let mut df = std::process::Command::new("df");
    let said = shell::read(df.args(["--output=avail", "--block-size=1G"]).arg(bench.folder.path()))?;
    let last = said.lines().next_back().unwrap_or_default().trim();
    last.parse().map_err(|_| format!("df says `{last}`").into())
}

/// Seconds by layers and tensors: converting, planning and listing.
pub(super) fn layers(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    for layers in LAYERS {
        let input = Input::make(bench, "layers", &[&layers.to_string()])?;
        time_small(&mut input.convert(&[]), &input.output())?;
        input.judge(&input.output(), &[])?;
        let (mut convert, mut plan, mut inspect) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            convert.push(time_small(&mut input.convert(&[]), &input.output())?);
            plan.push(run_time(&mut input.planned(Some("plan")))?);
            inspect.push(run_time(&mut input.inspect(&[]))?);
        }
        let name = format!("{layers} layers, {} tensors", 5 * layers);
        for (what, seconds) in [("convert", convert), ("plan", plan), ("inspect", inspect)] {
            rows.push(Row::new("layers", format!("{name}: {what}"), "s", seconds));
        }
    }
    Ok(())
}

/// A checkpoint of 100 GiB that takes no room: what does not read values does not depend on their bytes.
pub(super) fn sparse(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let input = Input::make(bench, "sparse", &[&SPARSE.to_string()])?.with_checkpoint("model.safetensors");
    let name = mebibytes(input.bytes()?);
    for (what, command) in [("plan", Some("plan")), ("inspect", None)] {
        let run = || match command {
            Some(command) => run_time(&mut input.planned(Some(command))),
            None => run_time(&mut input.inspect(&[])),
        };
        run()?;
        let seconds = (0..RUNS).map(|_| run()).collect::<Outcome<Vec<_>>>()?;
        rows.push(Row::new("sparse", format!("{name}, 1,600 tensors: {what}"), "s", seconds));
    }
    Ok(())
}
