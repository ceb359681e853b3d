//! Why an archive of `torch.jit.save` cannot be read.

/// What is wrong with an archive of `torch.jit.save`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchScriptError {
    /// A frozen program: its weights are constants without names.
    #[error(
        "it is a frozen TorchScript program (torch.jit.freeze or optimize_for_inference): its weights are \
         {constants} constants whose names are lost; save the module before it is frozen"
    )]
    Frozen {
        /// Tensors among the constants.
        constants: usize,
    },
    /// Neither parameters nor buffers nor constants.
    #[error("the TorchScript archive holds no tensors")]
    NoTensors,
    /// Objects nested deeper than any module.
    #[error("the objects of the TorchScript archive are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More attributes, walked on all paths, than any module has.
    #[error("the objects of the TorchScript archive have more than {limit} attributes on all paths together")]
    TooManyAttributes {
        /// The limit.
        limit: usize,
    },
    /// `model.json` is larger than any.
    #[error("the record model.json has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// `model.json` has more objects than any.
    #[error("the record model.json has more than {limit} objects")]
    TooManyObjects {
        /// The limit.
        limit: usize,
    },
    /// `model.json` is not what torch writes.
    #[error("the record model.json cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}
