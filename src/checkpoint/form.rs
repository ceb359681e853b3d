//! The kinds of checkpoint (formats/pytorch.md section 0).

use std::fmt;

/// What kind of file or folder a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The zip archive that `torch.save` writes since 1.6 (section 1).
    Zip,
    /// The stream of pickles that `torch.save` wrote from 0.1.10 on, and writes with
    /// `_use_new_zipfile_serialization=False` (section 3.1).
    Legacy,
    /// The tar file that `torch.save` wrote before 0.1.10 (section 3.3).
    Tar,
    /// The archive that `torch.jit.save` writes since 1.4 (section 4.1).
    TorchScript,
    /// The archive with a `model.json` that `torch.jit.save` of 1.0 and 1.1 wrote (section 4.2).
    TorchScriptJson,
    /// The archive that `torch.export.save` writes (section 4.3).
    Export,
    /// The archive that `torch.export.save` wrote up to 2.7 (section 4.3).
    OldExport,
    /// A single safetensors file (section 7.2).
    Safetensors,
    /// An index over several files, each a safetensors file or a checkpoint of `torch.save` (section 7.1).
    Sharded,
    /// A folder of `torch.distributed.checkpoint` (section 7.4).
    Dcp,
    /// A folder that `torch.distributed.checkpoint` wrote as safetensors files (section 7.4).
    DcpSafetensors,
}

impl Form {
    /// Whether the tensors stand in the order of the modules. Files of safetensors are sorted by size and
    /// name; torch.export puts all parameters before all buffers. The attributes of TorchScript's modules stand
    /// in the order of the state_dict but for the submodules, which the reader puts last.
    #[must_use]
    pub const fn is_module_order(self) -> bool {
        matches!(self, Self::Zip | Self::Legacy | Self::Tar | Self::TorchScript | Self::TorchScriptJson)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zip => "torch.save (zip)",
            Self::Legacy => "torch.save (legacy stream)",
            Self::Tar => "torch.save (tar)",
            Self::TorchScript => "TorchScript",
            Self::TorchScriptJson => "TorchScript (model.json)",
            Self::Export => "torch.export",
            Self::OldExport => "torch.export (before 2.8)",
            Self::Safetensors => "safetensors",
            Self::Sharded => "shards with an index",
            Self::Dcp => "distributed checkpoint",
            Self::DcpSafetensors => "distributed checkpoint (safetensors)",
        })
    }
}
