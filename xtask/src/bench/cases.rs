//! What can be measured, in the order of the table.

mod copying;
mod growth;
mod inspect;
mod kerashub;
mod limits;
mod python;
mod reader;
mod small;
mod threads;

use super::Bench;
use super::row::Row;
use crate::Outcome;

/// Something to be measured: one row or a few that belong together.
pub(super) struct Case {
    /// What `--only` calls it.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether a quick run has it.
    pub(super) quick: bool,
    /// Adds the rows, those that were measured before an error too.
    pub(super) run: fn(&Bench, &mut Vec<Row>) -> Outcome,
}

const fn case(name: &'static str, about: &'static str, run: fn(&Bench, &mut Vec<Row>) -> Outcome) -> Case {
    Case { name, about, quick: false, run }
}

const fn quick(case: Case) -> Case {
    Case { quick: true, ..case }
}

/// All of them.
pub(super) const CASES: [Case; 21] = [
    quick(case("float32", "the mixed model in float32, and its memory, beside cp", copying::float32)),
    case("float32-4g", "the same of 4 GiB", copying::float32_large),
    case("bfloat16", "the mixed model in bfloat16 beside cp", copying::bfloat16),
    case("float16", "the mixed model in float16 beside cp", copying::float16),
    case("to-float16", "float32 to float16 on the way beside cp of the input", copying::to_float16),
    case("to-bfloat16", "float32 to bfloat16 on the way beside cp of the input", copying::to_bfloat16),
    case("cold", "an input that is not in the page cache", copying::cold),
    quick(case("plain", "nothing to permute, beside cp", copying::plain)),
    case("kernels", "transposition alone beside memcpy", limits::kernels),
    case(
        "limits",
        "reading, rearranging and writing alone, and the whole conversion, beside cp",
        limits::physical,
    ),
    case("numpy", "torch.load(mmap=True), numpy and h5py, whole processes", python::numpy),
    case("keras", "set_weights and save_weights of Keras", python::keras),
    case(
        "kerashub",
        "KerasHub's from_preset and save_weights of a Llama of 1.24 billion bfloat16",
        kerashub::kerashub,
    ),
    case("burn", "burn's reader, which only reads", reader::burn),
    quick(case("small", "10,000 tiny tensors in 2,000 layers: convert, plan, open", small::many)),
    quick(case("tiny", "a tiny model", small::tiny)),
    case("inspect", "every value read: statistics and SHA-256", inspect::inspect),
    case("threads", "two threads beside one", threads::threads),
    case("bytes", "seconds by bytes", growth::bytes),
    case("layers", "seconds by layers and tensors", growth::layers),
    case("sparse", "a checkpoint of 100 GiB that takes no room: plan and inspect", growth::sparse),
];
