//! Why shards cannot be read.

use crate::checkpoint::Form;
use crate::tensor::{Printable, StateDictKey};

/// Why an index, or its shards together, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// An index larger than any.
    #[error("the index has {bytes} bytes; at most {limit} are read")]
    IndexTooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The index is not the JSON that it should be.
    #[error("the index is not valid: {0}")]
    Json(serde_json::Error),
    /// A name stands twice in the index.
    #[error("the index has the key `{key}` twice")]
    DuplicateKey {
        /// The key.
        key: StateDictKey,
    },
    /// The index names nothing.
    #[error("the index has no weight_map, or an empty one")]
    Empty,
    /// More files than any checkpoint has.
    #[error("the index names more than {limit} files")]
    TooManyShards {
        /// The limit.
        limit: usize,
    },
    /// A shard of a form that no index has shards of.
    #[error("it is no shard, but a checkpoint of another form: {form}")]
    Form {
        /// The form.
        form: Form,
    },
    /// A shard that is an index.
    #[error("it is no shard, but an index itself")]
    Index,
    /// A tensor is not in the shard that the index says it is in.
    #[error(
        "the index says that the tensor `{key}` is in `{}`, which does not hold it{}",
        Printable(file),
        others(*more)
    )]
    MissingTensor {
        /// The tensor.
        key: StateDictKey,
        /// The shard.
        file: String,
        /// How many other tensors are missing.
        more: usize,
    },
    /// Files of a distributed checkpoint, of which the index does not say how much there must be.
    #[error(
        "a shard may be one rank's part of the tensors, and the index has no total_size that would tell; save \
         the checkpoint whole"
    )]
    NoTotalSize,
    /// Files of a distributed checkpoint that are not all of it.
    #[error(
        "the index announces {announced} bytes, and the shards hold {found}: they may be one rank's parts of the \
         tensors; save the checkpoint whole"
    )]
    Part {
        /// Bytes by the index.
        announced: u64,
        /// Bytes of the tensors that the index names.
        found: u64,
    },
    /// A tensor that the index does not name, in several shards.
    #[error(
        "the shards `{}` and `{}` both hold the tensor `{key}`, and the index does not say which one counts",
        Printable(first),
        Printable(second)
    )]
    TwoShards {
        /// The tensor.
        key: StateDictKey,
        /// One shard.
        first: String,
        /// The other.
        second: String,
    },
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (and 1 other tensor is missing)".to_owned(),
        _ => format!(" (and {more} other tensors are missing)"),
    }
}
