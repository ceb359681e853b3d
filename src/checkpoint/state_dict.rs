//! The state_dict of a checkpoint.

use std::path::PathBuf;

use crate::lazy::LazyTensor;
use crate::tensor::{Printable, StateDictKey};

use super::adapter::AdapterConfig;
use super::error::{article, list};
use super::find::{Candidate, as_key};
use super::form::Form;
use super::pickle::TensorError;

/// A checkpoint's state_dict, read but for the values.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The file or the folder.
    pub path: PathBuf,
    /// The files that were read: those that the tensors lie in (`path` itself when it is a file, the shards of
    /// an index or the files of a folder), those that say where, and what PEFT keeps beside them.
    pub files: Vec<PathBuf>,
    /// What kind of file it is.
    pub form: Form,
    /// The tensors, in the order of the file, each key once.
    pub tensors: Vec<Tensor>,
    /// Whether that order is the order of the modules. safetensors files are sorted by name.
    pub is_module_order: bool,
    /// Where the state_dict lies in nested dictionaries: the keys from the root, empty for the root itself.
    pub state_dict_path: Vec<String>,
    /// Every state_dict that the file holds.
    pub candidates: Vec<Candidate>,
    /// The wrappers' prefixes that were stripped (`module.` from every key, `_orig_mod.` wherever it stood),
    /// outermost first.
    pub stripped: Vec<String>,
    /// What wrote the file, as far as it tells: `torch 2.1 or later`.
    pub written_by: Option<String>,
    /// Whose conventions the file follows, where they are known: `Lightning 2.6.6`.
    pub trainer: Option<String>,
    /// What `adapter_config.json` beside it says, where it holds low-rank adapters and the weights that they
    /// change.
    pub adapter: Option<AdapterConfig>,
    /// What a reader of the report should know.
    pub warnings: Vec<Warning>,
}

/// One entry of a state_dict.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// The key, without the wrappers' prefixes.
    pub key: StateDictKey,
    /// The tensor.
    pub tensor: LazyTensor,
    /// What it is to its module.
    pub role: Role,
    /// Which storage it views, in forms where tensors can share one: tensors with one number share one. `None`
    /// for values that are computed.
    pub storage_number: Option<usize>,
    /// The first tensor (by index) that shares this one's storage and view, when another does: tied weights.
    pub tied_to: Option<usize>,
}

/// What a tensor is to its module, as far as the file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Role {
    /// The file does not tell: a state_dict.
    #[default]
    Unknown,
    /// `nn.Parameter`.
    Parameter,
    /// A buffer that the state_dict holds.
    Buffer,
    /// A buffer that is registered with `persistent=False`, so the state_dict would not hold it.
    NonPersistentBuffer,
    /// A tensor that is an attribute or a constant of the program, so the state_dict would not hold it.
    Attribute,
}

impl Role {
    /// Whether the module's state_dict would hold it.
    #[must_use]
    pub const fn is_in_state_dict(self) -> bool {
        !matches!(self, Self::NonPersistentBuffer | Self::Attribute)
    }

    /// What it is called: `non-persistent buffer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "tensor",
            Self::Parameter => "parameter",
            Self::Buffer => "buffer",
            Self::NonPersistentBuffer => "non-persistent buffer",
            Self::Attribute => "attribute or constant",
        }
    }
}

/// Something that does not stop the reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// An entry of the state_dict that is no tensor and holds none.
    #[error("the entry `{key}` of the state_dict is {}, not a tensor; it is left out", article(what))]
    NotATensor {
        /// Its key, as it stands in the file.
        key: StateDictKey,
        /// What it is.
        what: String,
    },
    /// Entries that an optimizer keeps, among the weights.
    #[error(
        "{entries} entries are left out, which are the state of an optimizer and no weights; the first is `{first}`"
    )]
    OptimizerState {
        /// The first.
        first: StateDictKey,
        /// How many there are.
        entries: usize,
    },
    /// Tensors beside the chosen state_dict that may be weights.
    #[error("beside the state_dict the file holds what is not read; --key chooses it: {}", list(beside))]
    NotRead {
        /// Where they are.
        beside: Vec<Candidate>,
    },
    /// The checksum of a record is wrong.
    #[error("the checksum of the record `{}` is wrong: the file was changed or damaged", Printable(record))]
    Checksum {
        /// The record.
        record: String,
    },
    /// The checksum of a record with tensors is wrong, found when all values were read.
    #[error(
        "the checksum of the record `{}` is wrong: the file was changed or damaged, and with it the values of {}",
        Printable(record),
        listed_names(tensors.iter().map(StateDictKey::as_str))
    )]
    Damaged {
        /// The record.
        record: String,
        /// The tensors that lie in it.
        tensors: Vec<StateDictKey>,
    },
    /// Records without a checksum: written with checksums off, or never filled.
    #[error(
        "{records} records of the state_dict have no checksum (the first is `{}`): the file was saved with \
         checksums off, or by torch.serialization.skip_data, which leaves all values zero",
        Printable(first)
    )]
    NoChecksum {
        /// How many.
        records: usize,
        /// The first.
        first: String,
    },
    /// A format version that torch 2.15 does not know.
    #[error("the archive's format version is {}; versions 1 to 10 are known", Printable(version))]
    Version {
        /// As it stands in the file.
        version: String,
    },
    /// Bytes after the end of a legacy stream.
    #[error(
        "{bytes} bytes follow the checkpoint, from byte {offset} on: perhaps another torch.save into the same \
         file; they are not read, as in PyTorch"
    )]
    Trailing {
        /// Where they start, in bytes from the start of the file.
        offset: usize,
        /// How many there are.
        bytes: usize,
    },
    /// A legacy stream that a big-endian machine wrote.
    #[error(
        "a big-endian machine wrote the file; its values are read as little-endian, which torch wrote in this \
         form on every machine"
    )]
    BigEndianWriter,
    /// A tensor that is in no state_dict, and cannot be read.
    #[error("the tensor `{key}`, which is not in the state_dict, is left out: {reason}")]
    LeftOut {
        /// Its key, as it stands in the file.
        key: StateDictKey,
        /// Why it cannot be read.
        reason: TensorError,
    },
    /// A version of torch.export's archive that torch 2.15 does not know.
    #[error("the version of the torch.export archive is {}; only version 0 is known", Printable(version))]
    ExportVersion {
        /// As it stands in the file.
        version: String,
    },
    /// The only state_dict there is is a moving average.
    #[error("the only state_dict is a moving average of the weights, at `{}`", Printable(&as_key(path)))]
    MovingAverage {
        /// The keys that lead to it.
        path: Vec<String>,
    },
    /// The trainer put a moving average where the weights were.
    #[error(
        "`{path}` is a moving average of the weights; the weights of the last step are at `{current}` (--key)"
    )]
    Averaged {
        /// Where the average is.
        path: &'static str,
        /// Where the weights are.
        current: &'static str,
    },
    /// A pickled module whose class changes the state_dict by hooks, which are code.
    #[error(
        "the module `{first}` has hooks that change its state_dict, and {others} others, which cannot be \
         run; names and values are those of the module itself. If they differ from state_dict()'s, save that",
        others = modules.saturating_sub(1)
    )]
    StateDictHooks {
        /// The name of the first such module, empty for the root.
        first: StateDictKey,
        /// How many there are.
        modules: usize,
    },
    /// One rank's part of a model of Megatron-LM or DeepSpeed.
    #[error(
        "the file is one of {ranks} {} ranks' parts of the model; merge them first, with {tool}",
        if *is_tensor { "tensor parallel" } else { "pipeline parallel" }
    )]
    OneRank {
        /// How many ranks share the model.
        ranks: i64,
        /// Whether every tensor is split, and not the layers.
        is_tensor: bool,
        /// What merges the parts.
        tool: &'static str,
    },
    /// An adapter, not a model.
    #[error(
        "{tensors} of {of} tensors belong to an adapter (PEFT), which changes a model and is none; merge it \
         first, in Python: model.merge_and_unload().save_pretrained(folder)"
    )]
    Adapter {
        /// Tensors of the adapter.
        tensors: usize,
        /// Tensors in all.
        of: usize,
    },
    /// A warning about one of several files.
    #[error("in `{}`: {warning}", Printable(file))]
    InFile {
        /// The file's name.
        file: String,
        /// The warning.
        warning: Box<Warning>,
    },
    /// Tensors in shards that the index does not name.
    #[error(
        "{tensors} tensors are not in the index (the first is `{first}`, in `{}`); they are read all the same",
        Printable(file)
    )]
    Unlisted {
        /// How many.
        tensors: usize,
        /// The first.
        first: StateDictKey,
        /// Its shard.
        file: String,
    },
    /// Tensors in several shards.
    #[error(
        "{tensors} tensors are in other shards than the index says, too (the first is `{first}`, in `{}`); \
         the index decides",
        Printable(file)
    )]
    Elsewhere {
        /// How many.
        tensors: usize,
        /// The first.
        first: StateDictKey,
        /// The shard that does not count.
        file: String,
    },
    /// The tensors have not as many bytes as the index says.
    #[error(
        "the index says that all tensors have {announced} bytes, and they have {found}: it may belong to          other files"
    )]
    TotalSize {
        /// By the index.
        announced: u64,
        /// Bytes of the tensors that it names.
        found: u64,
    },
    /// One shard was given.
    #[error(
        "the file is one shard of {shards}; the tensors of the others are not read{}",
        index.as_ref().map_or_else(String::new, |index| format!(". Give `{}` for all", Printable(index)))
    )]
    OneShard {
        /// How many there are, by its name.
        shards: usize,
        /// The index beside it.
        index: Option<String>,
    },
    /// A folder with other checkpoints than the one that is read.
    #[error("`{}` is read; the folder holds other checkpoints too: {}", Printable(file), listed(others))]
    OtherFiles {
        /// What is read.
        file: String,
        /// The others.
        others: Vec<String>,
    },
    /// A distributed checkpoint whose files tell where their parts lie, but not how large the whole is.
    #[error(
        "the sizes of the tensors are those of the {files} files that are there: nothing tells how many ranks \
         wrote the checkpoint, so make sure that no file of the last ones is missing"
    )]
    SizesByFiles {
        /// How many files there are.
        files: usize,
    },
    /// The numbers of the ranks that wrote a distributed checkpoint have a gap.
    #[error("no file of rank {rank} is in the folder: its tensors are missing, if it had any of its own")]
    MissingRank {
        /// The first rank that is missing, from 1 on as in the names.
        rank: u64,
    },
}

/// Names that one message lists.
const MAX_SHOWN: usize = 8;

/// Names of files in a message.
pub(super) fn listed(names: &[String]) -> String {
    listed_names(names.iter().map(String::as_str))
}

fn listed_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MAX_SHOWN);
    let mut shown: Vec<String> = names.take(MAX_SHOWN).map(|name| format!("`{}`", Printable(name))).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

impl Warning {
    /// Whether values are not those that were saved.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Checksum { .. } | Self::Damaged { .. } => true,
            Self::InFile { warning, .. } => warning.is_damage(),
            _ => false,
        }
    }
}

/// How to open a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Which nested state_dict, as keys (in lists: places) joined by dots, the empty text for the root; `None`
    /// finds it.
    pub key: Option<String>,
    /// Whether to read the moving average of the weights where the file holds one beside them.
    pub ema: bool,
    /// What becomes of quantized tensors.
    pub quantized: Quantized,
}

/// What becomes of quantized tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantized {
    /// `float32` values, computed as torch's `dequantize` does.
    #[default]
    Dequantize,
    /// The integers as they are, and beside them the tensors `<key>.scale` and `<key>.zero_point`, and where these
    /// are for each index of an axis `<key>.axis`.
    Keep,
}
