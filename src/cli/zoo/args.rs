//! The arguments of `ptw2k zoo`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::args::at_least_one;
use crate::convert::size;
use crate::zoo::Shard;

/// `ptw2k zoo`.
#[derive(Debug, Args)]
pub struct Zoo {
    /// The manifest: TOML with a [[job]] for each checkpoint, or for each glob of checkpoints
    #[arg(value_name = "MANIFEST", value_hint = ValueHint::FilePath)]
    pub manifest: PathBuf,
    /// List every job with its state, plan it, and write no output
    #[arg(short = 'n', long, conflicts_with_all = ["depfile", "force"])]
    pub dry_run: bool,
    /// Do all jobs, also those whose inputs, options and output are as they were
    #[arg(short, long)]
    pub force: bool,
    /// Begin no further job once one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Do one share of the jobs: 2/8 is the second of eight
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Memory for all jobs together: 500MB, 2GB (1024 to the next unit) [default: a quarter of the machine's]
    ///
    /// What the program itself holds: buffers, plans, values that have to be computed (inflated, dequantized). The
    /// files that it reads and writes are in the system's cache, which is not counted.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Worker threads, for all jobs together [default: one per core]
    #[arg(short, long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<NonZeroUsize>,
    /// Write what came of every job as JSON: its ledger's sums, sizes, times, warnings
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Write what each output was made from as rules for Make and Ninja
    ///
    /// With --report, the report is a target too, made from all files that were read.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub depfile: Option<PathBuf>,
}
