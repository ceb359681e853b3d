//! Why an output cannot be written.

use std::path::PathBuf;

use crate::keras::file_layout::LayoutError;
use crate::plan::Unreadable;
use crate::tensor::kernel::{ConvertError, GatherError};

use super::hdf5::EncodeError;

/// An output that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file that was moved out of the way could not be put back after a failure.
    #[error(
        "cannot write, and {} cannot be put back: its content is in {}; rename it",
        path.display(),
        held.display()
    )]
    NotRestored {
        /// The file.
        path: PathBuf,
        /// Where its content is.
        held: PathBuf,
        /// Why it cannot be put back.
        source: std::io::Error,
    },
    /// The values of a tensor cannot be computed: the checkpoint is damaged.
    #[error("variable {variable} has no values; nothing was written")]
    Source {
        /// The variable.
        variable: String,
        /// The reason, with the tensor.
        source: Unreadable,
    },
    /// The folder that the output goes to does not exist.
    #[error("cannot write {}: there is no folder {}; create it first", path.display(), folder.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The output is a folder, a device or another thing that is no file.
    #[error("cannot write {}: it is not a regular file; name a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The output is the file that an input is read from.
    #[error("the output {} is the input {}; give the output another name", output.display(), input.display())]
    OutputIsInput {
        /// The output.
        output: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// Two files of an output of several are one, by links: the one would replace the other.
    #[error(
        "cannot write {} and {}: both are links to {}; remove the links",
        first.display(),
        second.display(),
        target.display()
    )]
    OneFileTwice {
        /// A file of the output.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
        /// The file that both lead to.
        target: PathBuf,
    },
    /// A shard is a link.
    #[error("{} is a link, and a shard is written in its own place: remove the link", path.display())]
    ShardIsLink {
        /// The shard.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("cannot write {}: it needs {needed} bytes and {available} are free; make room, or write to another disk", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// Bytes of the file.
        needed: u64,
        /// Bytes free for this user.
        available: u64,
    },
    /// The process may not write so long a file (`ulimit -f`).
    #[error(
        "cannot write {}: it needs {needed} bytes and this process may write files of {limit} bytes \
         (`ulimit -f`); raise the limit",
        path.display()
    )]
    FileSizeLimit {
        /// The file.
        path: PathBuf,
        /// Bytes of the file.
        needed: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A value cannot be converted.
    #[error("variable {variable}: {source}")]
    Convert {
        /// The variable's path.
        variable: String,
        /// The reason, with the value.
        source: ConvertError,
    },
    /// A binding reaches outside its tensor or its variable.
    #[error("variable {variable}: the plan does not fit its tensor")]
    Gather {
        /// The variable's path.
        variable: String,
        /// The reason.
        source: GatherError,
    },
    /// A binding names a variable that the architecture does not have, or the file has no place for it.
    #[error("the file has no place for variable {variable}")]
    Unplaced {
        /// The variable's index.
        variable: usize,
    },
    /// An output was laid out for another plan or in another form.
    #[error("{} was laid out for another plan or in another form; lay it out for this one", path.display())]
    OtherPlan {
        /// The output.
        path: PathBuf,
    },
    /// A zip archive counts the bytes of a name in 16 bits.
    #[error("a member of an archive cannot have a name of {} bytes", name.len())]
    MemberName {
        /// The member.
        name: String,
    },
    /// Keras cannot hold the model in this format.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// HDF5 cannot hold the model.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The caller stopped it.
    #[error("stopped; nothing was written")]
    Cancelled,
    /// The caller does not want the output any more.
    #[error("the output is not wanted any more")]
    Unwanted,
}
