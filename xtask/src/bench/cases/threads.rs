//! What a second thread gains.

use super::super::Bench;
use super::super::inputs::Input;
use super::super::measure::{pairs, time};
use super::super::row::{Ratio, Row};
use super::copying::mebibytes;
use crate::Outcome;

/// Timed pairs.
const PAIRS: usize = 5;

/// What binds a whole conversion: the kernel of the system takes pages into the cache of the file that is written,
/// which a second thread speeds up less than it does the program's own work. The promise is therefore for the
/// transposition alone (`kernels`) and for reading values (`inspect`).
const BOUND: &str = "bound by the system's part of writing: compare `limits`, write, 1 and 2 threads";

pub(super) fn threads(bench: &Bench, rows: &mut Vec<Row>) -> Outcome {
    let bytes = bench.bytes().to_string();
    two(bench.mixed()?, "mixed, float32", &[], rows)?;
    two(bench.mixed()?, "mixed, float32 to bfloat16", &["--dtype", "bfloat16"], rows)?;
    two(&Input::mixed(bench, "bfloat16", bench.bytes())?, "mixed, bfloat16", &[], rows)?;
    two(&Input::make(bench, "plain", &["float32", &bytes])?, "nothing to permute, float32", &[], rows)
}

/// Pairs of conversions by two threads and by one, which write the same bytes.
fn two(input: &Input, name: &str, options: &[&str], rows: &mut Vec<Row>) -> Outcome {
    let by = |threads: &str| {
        time(&mut input.convert(&[&["--threads", threads], options].concat()), &input.output())
    };
    by("2")?;
    input.judge(&input.output(), options)?;
    by("1")?;
    input.judge(&input.output(), options)?;
    let pairs = pairs(PAIRS, || by("2"), || by("1"))?;
    std::fs::remove_file(input.output())?;
    let name = format!("{name}, {}: 2 threads", mebibytes(input.bytes()?));
    rows.push(Row::beside("threads", name, pairs, "1 thread", Ratio::TheirsToOurs).note(BOUND));
    Ok(())
}
