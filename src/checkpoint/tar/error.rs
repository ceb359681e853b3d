//! Why a tar checkpoint cannot be read.

use crate::checkpoint::stream::StreamError;
use crate::tensor::Printable;

/// What is wrong with a tar checkpoint. Offsets are bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// A header that breaks the rules of the tar format.
    #[error("the tar header at byte {offset} is damaged: {what}")]
    Header {
        /// Where the header starts.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A member that reaches past the end of the file.
    #[error(
        "the tar file is truncated: its member `{}` has {needed} bytes and {available} are left",
        Printable(name)
    )]
    Truncated {
        /// The member.
        name: String,
        /// Bytes that it has.
        needed: u64,
        /// Bytes that are left.
        available: usize,
    },
    /// A member that is no plain file: a link can name any other file.
    #[error(
        "the member `{}` of the tar file is no plain file but {what}, which torch never writes",
        Printable(name)
    )]
    NotAFile {
        /// The member.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// Two members with one name.
    #[error("the tar file has two members named `{}`", Printable(name))]
    DuplicateMember {
        /// The name.
        name: String,
    },
    /// A member that torch always wrote.
    #[error("the tar file has no member `{name}`, so torch.save did not write it")]
    MissingMember {
        /// The member.
        name: &'static str,
    },
    /// The pickles and raw bytes of a member.
    #[error("in the member `{member}` of the tar file: {error}")]
    Stream {
        /// The member.
        member: &'static str,
        /// The reason.
        error: StreamError,
    },
    /// A member does not hold what torch writes.
    #[error("in the member `{member}` of the tar file: {what}")]
    Content {
        /// The member.
        member: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A storage class that is not known, so that the size of its elements is not.
    #[error("the storage {id} has the class {}, which is not known", Printable(class))]
    StorageClass {
        /// The storage.
        id: i64,
        /// The class.
        class: String,
    },
    /// Two storages or tensors with one number.
    #[error("two storages or tensors have the number {id}")]
    DuplicateId {
        /// The number.
        id: i64,
    },
    /// A number that no storage or tensor has.
    #[error("the tar file has no storage or tensor with the number {id}")]
    UnknownId {
        /// The number.
        id: i64,
    },
    /// A view of a storage reaches past its end.
    #[error("the view {id} reaches past the end of its storage")]
    View {
        /// The view.
        id: i64,
    },
    /// A tensor with more axes than torch can have, or fewer than none.
    #[error("the tensor {id} has {rank} axes")]
    Rank {
        /// The tensor.
        id: i64,
        /// The number of axes.
        rank: i32,
    },
}
