//! Why a checkpoint cannot be read.

use std::path::PathBuf;

use crate::tensor::{Printable, StateDictKey};

use super::adapter::AdapterConfigError;
use super::dcp::DcpError;
use super::export::ExportError;
use super::files::FileError;
use super::find::Candidate;
use super::legacy::LegacyError;
use super::not_weights::NotWeights;
use super::pickle::{PickleError, TensorError};
use super::safetensors::SafetensorsError;
use super::sharded::ShardError;
use super::sniff::FolderError;
use super::tar::TarError;
use super::torchscript::TorchScriptError;
use super::unreadable::Others;
use super::zip::ZipError;

/// A checkpoint that cannot be read: the file and the reason.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the checkpoint {}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub kind: ErrorKind,
}

/// The reasons.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file is no checkpoint.
    #[error("{0}")]
    NotACheckpoint(NotACheckpoint),
    /// A kind of checkpoint that is not read yet.
    #[error("{0}")]
    Unsupported(UnsupportedForm),
    /// The zip archive breaks the rules.
    #[error("{0}")]
    Zip(#[from] ZipError),
    /// The archive has no record that torch.save always writes.
    #[error("the archive has no record `{record}`, so torch.save did not write it, or not all of it")]
    MissingRecord {
        /// The record.
        record: &'static str,
    },
    /// The archive's byte order is neither of the two.
    #[error("the archive's record `byteorder` is {found:?}, neither \"little\" nor \"big\"")]
    ByteOrder {
        /// What it is.
        found: String,
    },
    /// The pickle of the archive breaks the rules.
    #[error("the record data.pkl cannot be read: {0}")]
    Pickle(#[from] PickleError),
    /// The legacy stream breaks the rules.
    #[error("{0}")]
    Legacy(#[from] LegacyError),
    /// The tar file breaks the rules.
    #[error("{0}")]
    Tar(#[from] TarError),
    /// The safetensors file breaks the rules.
    #[error("{0}")]
    Safetensors(#[from] SafetensorsError),
    /// A file of a training run that holds no weights.
    #[error("{0}")]
    NotWeights(NotWeights),
    /// Both a key and the moving average are asked for.
    #[error("both --key and --ema are given; give --key alone, with the path of the moving average")]
    KeyAndEma,
    /// There is no moving average.
    #[error("it holds no moving average of the weights{}", hint(candidates))]
    NoMovingAverage {
        /// The state_dicts that there are.
        candidates: Vec<Candidate>,
    },
    /// The folder does not say which checkpoint is meant.
    #[error("{0}")]
    Folder(#[from] FolderError),
    /// A file that an index or a folder's metadata names cannot be opened.
    #[error("{0}")]
    File(#[from] FileError),
    /// The index, or its shards together, cannot be read.
    #[error("{0}")]
    Shards(#[from] ShardError),
    /// The distributed checkpoint cannot be read.
    #[error("{0}")]
    Dcp(#[from] DcpError),
    /// One of several files cannot be read.
    #[error("in `{}`{}: {kind}", Printable(file), from_byte(*offset))]
    InFile {
        /// The file's name.
        file: String,
        /// Where the part of it starts that cannot be read, in bytes; offsets in the reason count from here.
        offset: Option<u64>,
        /// The reason.
        kind: Box<ErrorKind>,
    },
    /// What PEFT keeps beside the checkpoint cannot be read.
    #[error(
        "adapter_config.json beside it, which says how the adapters in it are merged, cannot be read: {0}; mend it, \
         or move it away and say `lora = {{ alpha = 16 }}` in the schema's [source]"
    )]
    AdapterConfig(#[from] AdapterConfigError),
    /// The archive of torch.jit.save cannot be read.
    #[error("{0}")]
    TorchScript(#[from] TorchScriptError),
    /// The archive of torch.export.save cannot be read.
    #[error("{0}")]
    Export(#[from] ExportError),
    /// A module that contains itself.
    #[error("the module at `{module}` contains itself, or lies deeper than any model")]
    ModuleInItself {
        /// Its name.
        module: StateDictKey,
    },
    /// No dictionary with text keys holds tensors, and no module.
    #[error(
        "it holds no state_dict: its root is {}, and no module or dictionary with text keys in it \
         holds tensors that are likely weights{}{}{}",
        article(root),
        if *is_quantized {
            "; it holds packed weights of quantized modules: save model.state_dict() in place of the module"
        } else {
            ""
        },
        if *has_arrays { "; NumPy arrays are no tensors: save torch.from_numpy(array)" } else { "" },
        hint(candidates)
    )]
    NoStateDict {
        /// What the root is.
        root: String,
        /// Whether it holds NumPy arrays.
        has_arrays: bool,
        /// Whether it holds the packed weights of quantized modules.
        is_quantized: bool,
        /// Tensors without names, or in objects, that --key can choose.
        candidates: Vec<Candidate>,
    },
    /// Several state_dicts, none of them more likely than the others.
    #[error(
        "{count} of its {} state_dicts are equally likely; choose one with --key: {}",
        candidates.len(),
        list(candidates)
    )]
    Ambiguous {
        /// How many are equally likely.
        count: usize,
        /// All that there are, as far as they can be listed.
        candidates: Vec<Candidate>,
    },
    /// The key leads to nothing.
    #[error("no state_dict at the key `{}`{}", Printable(key), hint(candidates))]
    NoSuchKey {
        /// The key.
        key: String,
        /// The state_dicts that there are.
        candidates: Vec<Candidate>,
    },
    /// The key leads to something else than a dictionary of tensors.
    #[error(
        "at the key `{}` there is no state_dict but {}{}",
        Printable(key),
        article(what),
        hint(candidates)
    )]
    NotAStateDict {
        /// The key.
        key: String,
        /// What there is.
        what: String,
        /// The state_dicts that there are.
        candidates: Vec<Candidate>,
    },
    /// A state_dict with more entries than its file pays for.
    #[error(
        "the state_dict has so many entries for the size of its file that they take more than {limit} bytes of \
         memory: dictionaries, lists or modules in it are shared many times; save each tensor once"
    )]
    TooManyEntries {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More containers with tensors in them than the file pays for.
    #[error(
        "more than {limit} dictionaries, lists and objects hold tensors; save the model's state_dict alone"
    )]
    TooManyContainers {
        /// The limit.
        limit: usize,
    },
    /// Tensors that share so many bytes that reading all takes too long.
    #[error(
        "the tensors repeat or share stored bytes up to {bytes} bytes more, all together, than are stored (`{key}` \
         has the most); the limit for this file is {limit}: save expanded tensors with .clone(), or leave them out"
    )]
    Repeated {
        /// The largest of those tensors.
        key: StateDictKey,
        /// Bytes beyond those that are stored, of all tensors together.
        bytes: usize,
        /// The limit of the sum.
        limit: usize,
    },
    /// Keys that are longer, all together, than those of any model.
    #[error("the keys of the tensors have more than {limit} bytes together")]
    KeysTooLong {
        /// The limit.
        limit: usize,
    },
    /// A tensor whose key is no UTF-8 text.
    #[error(
        "a tensor of the state_dict has a key that is neither UTF-8 text nor an integer: {}; name it by a \
         text and save it again",
        article(what)
    )]
    TensorKey {
        /// What the key is.
        what: String,
    },
    /// A tensor cannot be read.
    #[error("the tensor `{key}` cannot be read: {reason}{others}")]
    Tensor {
        /// Its key, as it stands in the file.
        key: StateDictKey,
        /// The reason.
        reason: TensorError,
        /// The other tensors of the state_dict that cannot be read either.
        others: Box<Others>,
    },
    /// Two keys are the same: in nested dictionaries, or after their wrappers' prefixes were stripped.
    #[error(
        "the keys `{first}` and `{second}` both become `{key}`{}; rename one of them and save it again, or read \
         a part with --key",
        if first == second { " (a text and an integer, or a nested dictionary's key and one with dots)" } else { "" }
    )]
    SameKey {
        /// One key, as it stands in the file.
        first: StateDictKey,
        /// The other.
        second: StateDictKey,
        /// What both become.
        key: StateDictKey,
    },
}

impl ErrorKind {
    /// The state_dicts that `--key` can choose from, where none was chosen.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        match self {
            Self::Ambiguous { candidates, .. }
            | Self::NoSuchKey { candidates, .. }
            | Self::NotAStateDict { candidates, .. }
            | Self::NoMovingAverage { candidates }
            | Self::NoStateDict { candidates, .. } => candidates,
            _ => &[],
        }
    }
}

/// What a file is that is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotACheckpoint {
    /// It has no bytes.
    #[error("the file is empty; get it again")]
    Empty,
    /// A web page.
    #[error(
        "it is a web page, not a checkpoint: a download failed or needs a login; open it in a browser to see why"
    )]
    Html,
    /// A pointer in place of the file.
    #[error("it is a git-lfs pointer, not the file itself; run `git lfs pull`")]
    GitLfsPointer,
    /// A gzip file.
    #[error("it is gzip-compressed; decompress it first (gunzip; tar -xzf if it is a .tar.gz)")]
    Gzip,
    /// An HDF5 file.
    #[error("it is an HDF5 file (Keras writes them), not a PyTorch checkpoint")]
    Hdf5,
    /// A NumPy file.
    #[error("it is a NumPy file, not a PyTorch checkpoint")]
    Numpy,
    /// A GGUF file.
    #[error("it is a GGUF file, not a PyTorch checkpoint")]
    Gguf,
    /// A Keras archive.
    #[error("it is a Keras archive, not a PyTorch checkpoint; give it as --arch")]
    KerasArchive,
    /// One file of a distributed checkpoint.
    #[error("it is one file of a distributed checkpoint; give the folder that it lies in")]
    DcpPart,
    /// A folder that holds no checkpoint.
    #[error("it is a folder without a checkpoint in it; give the file")]
    Folder,
    /// None of the known forms.
    #[error(
        "it is no PyTorch checkpoint: it starts with \"{}\"; give a file that torch.save or safetensors wrote",
        start.escape_ascii()
    )]
    Unknown {
        /// The first bytes, up to 8.
        start: Vec<u8>,
    },
}

/// Kinds of checkpoint that are recognised and not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedForm {
    /// A pickle that torch.save did not write.
    #[error(
        "it is a bare pickle that torch.save did not write (detectron2 and others keep NumPy arrays in such \
         files), which is not supported; in Python, turn every array of it into a tensor (torch.from_numpy) \
         and torch.save the dictionary of them"
    )]
    Pickle,
    /// The archive of torch's preview releases.
    #[error("it is an archive of a preview release of torch, which torch itself cannot read")]
    Preview,
    /// One rank's safetensors file of a distributed checkpoint.
    #[error(
        "it is one rank's file of a distributed checkpoint, which does not say how large its tensors are as a \
         whole; give the folder with the files of all ranks"
    )]
    DcpShard,
    /// Some JSON file.
    #[error("it is a JSON file without a weight_map, not a checkpoint")]
    Json,
}

/// State_dicts that one message lists.
const MAX_SHOWN: usize = 16;

/// What a value is, with its article.
pub(crate) fn article(what: &str) -> String {
    match what {
        "None" => what.to_owned(),
        _ if what.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) => format!("an {what}"),
        _ => format!("a {what}"),
    }
}

pub(super) fn list(candidates: &[Candidate]) -> String {
    let mut shown: Vec<String> = candidates.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
    if candidates.len() > MAX_SHOWN {
        shown.push(format!("and {} more", candidates.len() - MAX_SHOWN));
    }
    shown.join(", ")
}

fn hint(candidates: &[Candidate]) -> String {
    if candidates.is_empty() { String::new() } else { format!("; there are: {}", list(candidates)) }
}

fn from_byte(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(", from byte {offset} on"))
}
