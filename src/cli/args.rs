//! The arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::zoo::Zoo;
use crate::checkpoint::{OpenOptions, Quantized};
use crate::convert::{self, size};
use crate::keras::file_layout::{KerasVersion, VersionError};
use crate::tensor::Dtype;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tensors of a checkpoint, or the variables of a Keras file
    Inspect(Inspect),
    /// Show what would be written, and every fault; write nothing
    Plan(Plan),
    /// Compare every value of a Keras file with what the plan says, bit for bit
    Verify(Verify),
    /// Compare two files with weights: of Keras, or checkpoints through a schema
    Diff(Diff),
    /// Do many conversions in one run, in parallel, and only where something has changed
    Zoo(Zoo),
    /// List the bundled schemas, or print one
    Schemas(Schemas),
    /// Print a shell's completions
    Completions(Completions),
}

/// What a plan is made of.
#[derive(Debug, Args)]
pub struct Source {
    /// The PyTorch checkpoint: .pt, .pth, .bin, .safetensors, .index.json, or a folder
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub checkpoint: PathBuf,
    /// The schema: a file, or the name of a bundled one (see `ptw2k schemas`)
    #[arg(short, long, value_name = "FILE|NAME", value_hint = ValueHint::FilePath)]
    pub schema: String,
    /// The Keras architecture [default: the schema's]
    ///
    /// A file of `model.to_json()`, a `.keras` archive (also unzipped), a whole-model `.h5`, or weights that
    /// `model.save_weights()` wrote of the freshly built model: the way for subclassed models and custom layers.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub arch: Option<PathBuf>,
    /// Which nested state_dict to read, keys joined by dots; a key with dots can stand in double quotes
    #[arg(short, long, value_name = "A.B", help_heading = "Reading")]
    pub key: Option<String>,
    /// Read the moving average of the weights (EMA) that the checkpoint holds beside them
    #[arg(long, help_heading = "Reading")]
    pub ema: bool,
    /// What becomes of quantized tensors [default: dequantize]
    #[arg(long, value_name = "HOW", help_heading = "Reading")]
    pub quantized: Option<QuantizedAs>,
    /// Write floating-point variables as this type [default: the architecture's]
    #[arg(long, value_name = "TYPE", value_parser = float_dtype, help_heading = "Writing")]
    pub dtype: Option<Dtype>,
    /// The Keras that is to read the file: 2.15, 3, 3.10.0 [default: the architecture's]
    ///
    /// It matters where versions differ: the names of attention layers' groups, bfloat16, what a format needs. A
    /// form that this version cannot load is refused.
    #[arg(long, value_name = "VERSION", value_parser = keras_version, help_heading = "Writing")]
    pub keras: Option<KerasVersion>,
    /// Let matching variables stay without a value; repeatable
    #[arg(long, value_name = "GLOB", help_heading = "Waivers")]
    pub allow_missing: Vec<String>,
    /// Let matching tensors stay unused; repeatable
    #[arg(long, value_name = "GLOB", help_heading = "Waivers")]
    pub allow_unexpected: Vec<String>,
}

impl Source {
    /// How to open the checkpoint.
    #[must_use]
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { key: self.key.clone(), ema: self.ema, quantized: quantized(self.quantized) }
    }
}

/// What becomes of quantized tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuantizedAs {
    /// float32 values, as torch's `dequantize` computes them
    Dequantize,
    /// The integers as they are, with KEY.scale and KEY.zero_point beside them, and KEY.axis where there
    /// is a scale for each index of an axis
    Keep,
}

const fn quantized(given: Option<QuantizedAs>) -> Quantized {
    match given {
        Some(QuantizedAs::Dequantize) | None => Quantized::Dequantize,
        Some(QuantizedAs::Keep) => Quantized::Keep,
    }
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Saved {
    /// The whole model, as `model.save()` writes it
    Model,
    /// The weights alone, as `model.save_weights()` writes them
    Weights,
}

impl From<Saved> for convert::Saved {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Model => Self::Model,
            Saved::Weights => Self::Weights,
        }
    }
}

/// What a conversion writes.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// The file to write [default: <CHECKPOINT's stem>.weights.h5 here]
    ///
    /// Its name decides the format, as in Keras: `.weights.h5` (Keras 3), `.weights.json` (the same in shards,
    /// Keras 3.10 and later), `.keras` (the whole model), or `.h5` (the format of Keras 2, read by every
    /// version: see --save). It appears whole or not at all.
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// What an `.h5` holds [default: model if the architecture is a whole-model .h5, else weights]
    #[arg(long, value_name = "WHAT", help_heading = "Writing")]
    pub save: Option<Saved>,
    /// The most that a shard of a `.weights.json` holds: 500MB, 2GB (1024 to the next unit) [default: 5GB]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Writing")]
    pub max_shard_size: Option<u64>,
    /// Carry over the optimizer's state of the architecture's file
    #[arg(long, help_heading = "Writing")]
    pub optimizer: bool,
}

/// Where a conversion goes, and how.
#[derive(Debug, Default, Args)]
pub struct Output {
    /// What is written.
    #[command(flatten)]
    pub target: Target,
    /// Let finite values become infinite in a smaller type
    #[arg(long, help_heading = "Waivers")]
    pub allow_overflow: bool,
    /// Worker threads [default: one per core]
    #[arg(short, long, value_name = "N", value_parser = at_least_one, help_heading = "Writing")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Write the ledger as JSON: every variable with its sources, every unused tensor with the reason
    #[arg(long, value_name = "FILE", help_heading = "Writing", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Write what the output was made from, for Make and Ninja: `OUT: CHECKPOINT SCHEMA …`, every file that was read
    #[arg(long, value_name = "FILE", help_heading = "Writing", value_hint = ValueHint::FilePath)]
    pub depfile: Option<PathBuf>,
    /// Plan, but write nothing: the same as `ptw2k plan`
    #[arg(short = 'n', long, help_heading = "Writing", conflicts_with_all = ["report", "depfile"])]
    pub dry_run: bool,
}

impl Output {
    /// Whether any of the options is given.
    pub(super) const fn is_given(&self) -> bool {
        let Self { target, allow_overflow, threads, report, depfile, dry_run } = self;
        target.is_given()
            || *allow_overflow
            || threads.is_some()
            || report.is_some()
            || depfile.is_some()
            || *dry_run
    }
}

impl Target {
    /// Whether any of the options is given.
    pub(super) const fn is_given(&self) -> bool {
        let Self { output, save, max_shard_size, optimizer } = self;
        output.is_some() || save.is_some() || max_shard_size.is_some() || *optimizer
    }
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Display")]
    pub json: bool,
    /// How errors, warnings and notes are told [default: text]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Display")]
    pub format: Option<Format>,
    /// Errors and damage alone, no notes or progress; a conversion that succeeds says nothing
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Display")]
    pub quiet: bool,
    /// Say more: every tensor with its strides and offset
    #[arg(short, long, global = true, help_heading = "Display")]
    pub verbose: bool,
    /// When to use colours [default: auto]
    #[arg(long, global = true, value_name = "WHEN", help_heading = "Display")]
    pub color: Option<ColorWhen>,
}

/// How errors, warnings and notes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// As annotations of GitHub Actions: each rule that is to blame at its line
    Github,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On terminals, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `ptw2k inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A checkpoint, a Keras weight file or an architecture; told apart by content
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Which nested state_dict to read, keys joined by dots; a key with dots can stand in double quotes
    #[arg(short, long, value_name = "A.B", help_heading = "Reading")]
    pub key: Option<String>,
    /// Read the moving average of the weights (EMA) that the checkpoint holds beside them
    #[arg(long, help_heading = "Reading")]
    pub ema: bool,
    /// What becomes of quantized tensors [default: dequantize]
    #[arg(long, value_name = "HOW", help_heading = "Reading")]
    pub quantized: Option<QuantizedAs>,
    /// Show every tensor of a list of more than 40, also those of repeated blocks
    #[arg(long)]
    pub all: bool,
    /// Read all values: least, largest, mean, standard deviation, and how many are not finite
    #[arg(long, help_heading = "Values")]
    pub stats: bool,
    /// Read all values: SHA-256 of the contiguous little-endian bytes
    #[arg(long, help_heading = "Values")]
    pub hash: bool,
    /// Worker threads [default: one per core]
    #[arg(short, long, value_name = "N", value_parser = at_least_one, help_heading = "Values")]
    pub threads: Option<std::num::NonZeroUsize>,
}

impl Inspect {
    /// How to open the checkpoint.
    #[must_use]
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { key: self.key.clone(), ema: self.ema, quantized: quantized(self.quantized) }
    }

    /// Whether an option is given that chooses what is read of a checkpoint.
    #[must_use]
    pub const fn chooses_what_is_read(&self) -> bool {
        self.key.is_some() || self.ema || self.quantized.is_some()
    }

    /// Whether all values are to be read.
    #[must_use]
    pub const fn reads_values(&self) -> bool {
        self.stats || self.hash
    }
}

/// `ptw2k plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// What to plan.
    #[command(flatten)]
    pub source: Source,
    /// Show the binding of one variable in full: its rule, what was captured, sizes, strides, values
    #[arg(long, value_name = "VARIABLE", conflicts_with_all = ["output", "save", "max_shard_size", "optimizer"])]
    pub explain: Option<String>,
    /// The output that the plan is for: nothing is written.
    #[command(flatten)]
    pub target: Target,
}

/// `ptw2k verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// What to plan.
    #[command(flatten)]
    pub source: Source,
    /// The Keras weight file
    #[arg(value_name = "KERAS FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// `ptw2k diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A Keras file with weights, or a checkpoint (with --schema)
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub one: PathBuf,
    /// Another
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    pub other: PathBuf,
    /// The schema that makes Keras variables of a checkpoint: a file, or the name of a bundled one
    #[arg(short, long, value_name = "FILE|NAME", value_hint = ValueHint::FilePath)]
    pub schema: Option<String>,
    /// The Keras architecture for it [default: the schema's, or else the Keras file that is compared]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath, requires = "schema")]
    pub arch: Option<PathBuf>,
    /// Which nested state_dict to read, keys joined by dots; a key with dots can stand in double quotes
    #[arg(short, long, value_name = "A.B", help_heading = "Reading", requires = "schema")]
    pub key: Option<String>,
    /// Read the moving average of the weights (EMA) that the checkpoint holds beside them
    #[arg(long, help_heading = "Reading", requires = "schema")]
    pub ema: bool,
    /// What becomes of quantized tensors [default: dequantize]
    #[arg(long, value_name = "HOW", help_heading = "Reading", requires = "schema")]
    pub quantized: Option<QuantizedAs>,
    /// Compare floating-point variables of a checkpoint as this type [default: the architecture's]
    #[arg(long, value_name = "TYPE", value_parser = float_dtype, requires = "schema")]
    pub dtype: Option<Dtype>,
    /// Let matching variables stay without a value; repeatable
    #[arg(long, value_name = "GLOB", help_heading = "Waivers", requires = "schema")]
    pub allow_missing: Vec<String>,
    /// Let matching tensors stay unused; repeatable
    #[arg(long, value_name = "GLOB", help_heading = "Waivers", requires = "schema")]
    pub allow_unexpected: Vec<String>,
}

impl Diff {
    /// How to open a checkpoint.
    #[must_use]
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { key: self.key.clone(), ema: self.ema, quantized: quantized(self.quantized) }
    }
}

/// `ptw2k schemas`.
#[derive(Debug, Args)]
pub struct Schemas {
    /// The schema to print
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `ptw2k completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `--dtype`: a floating-point type, since whole numbers and bools keep theirs.
fn float_dtype(name: &str) -> Result<Dtype, String> {
    let names = || Dtype::ALL.into_iter().filter(|dtype| dtype.is_float()).map(Dtype::name);
    match Dtype::from_name(name) {
        Some(dtype) if dtype.is_float() => Ok(dtype),
        Some(_) | None => Err(format!("one of {}", names().collect::<Vec<_>>().join(", "))),
    }
}

fn keras_version(text: &str) -> Result<KerasVersion, VersionError> {
    text.parse()
}

pub(super) fn at_least_one(number: &str) -> Result<std::num::NonZeroUsize, &'static str> {
    number.parse().map_err(|_| "a whole number, at least 1")
}
