//! Why a legacy stream cannot be read.

use crate::checkpoint::stream::StreamError;
use crate::tensor::Printable;

/// What is wrong with a legacy stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LegacyError {
    /// The stream itself.
    #[error("in the legacy stream: {0}")]
    Stream(#[from] StreamError),
    /// Another version of the protocol.
    #[error("the legacy stream has protocol version {found}; 1001 is the only one there is")]
    Protocol {
        /// What is there instead of 1001.
        found: String,
    },
    /// A persistent id that torch does not write.
    #[error("a persistent id of the pickle is not what torch writes: {what}")]
    PersistentId {
        /// What is wrong.
        what: &'static str,
    },
    /// A storage class that is not known, so that the size of its elements is not.
    #[error("the storage `{}` has the class {}, which is not known", Printable(key), Printable(class))]
    StorageClass {
        /// The storage's key.
        key: String,
        /// The class.
        class: String,
    },
    /// Two persistent ids tell different things of one storage.
    #[error("the pickle gives the storage `{}` two sizes or ranges", Printable(key))]
    Contradiction {
        /// The storage's key.
        key: String,
    },
    /// A view of a storage reaches past its end.
    #[error("the view `{}` reaches past the end of its storage", Printable(key))]
    View {
        /// The view's key.
        key: String,
    },
    /// The list of keys is none.
    #[error("after the pickle there is no list of storage keys but a {what}")]
    Keys {
        /// What there is.
        what: String,
    },
    /// A key of the list that no persistent id has: the size of its elements, and with it the place of all that
    /// follows, is not known.
    #[error("the storage `{}` is in the file, but the pickle does not name it", Printable(key))]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A key that is in the list twice.
    #[error("the storage `{}` is in the file twice", Printable(key))]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Storages without values: torch loads tensors with whatever is in memory.
    #[error(
        "the file has no values for {storages} storages (the first is `{}`): its list of storage keys does not \
         have them",
        Printable(first)
    )]
    Unfilled {
        /// How many.
        storages: usize,
        /// The first.
        first: String,
    },
    /// The number of elements differs from the pickle's.
    #[error(
        "the storage `{}` has {found} elements in the file, but {expected} by the pickle",
        Printable(key)
    )]
    Count {
        /// The key.
        key: String,
        /// By the file.
        found: i64,
        /// By the pickle.
        expected: usize,
    },
}
