//! Why a zip archive cannot be read.

use crate::tensor::Printable;

/// What is wrong with an archive. Offsets are bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// No end-of-central-directory record at the end of the file.
    #[error("the zip archive's central directory is missing: the file is truncated; get it again")]
    Truncated,
    /// The archive has no entries.
    #[error("the zip archive is empty")]
    Empty,
    /// A structure lies outside the file or has the wrong signature.
    #[error("the zip archive is damaged: no {what} at byte {offset}")]
    Missing {
        /// The structure.
        what: &'static str,
        /// Where it should be.
        offset: u64,
    },
    /// The central directory does not end where the end record begins.
    #[error(
        "the zip archive's central directory ends at byte {directory_end}, but its end record is at byte \
         {end_record}: data was added, or two archives were joined"
    )]
    EndRecord {
        /// Where the directory ends by the end record.
        directory_end: u64,
        /// Where the end record is.
        end_record: u64,
    },
    /// The number of entries differs from the end record's.
    #[error("the zip archive announces {announced} entries and has {found}")]
    Count {
        /// By the end record.
        announced: u64,
        /// In the directory.
        found: u64,
    },
    /// An archive in several files.
    #[error("the zip archive is split over several files")]
    Split,
    /// A name that is not UTF-8.
    #[error("the name of the zip entry at byte {offset} is not UTF-8")]
    Name {
        /// The directory entry.
        offset: u64,
    },
    /// Two entries with one name: two readers may see two different files.
    #[error("the zip archive has two entries named `{name}`", name = Printable(name))]
    Duplicate {
        /// The name.
        name: String,
    },
    /// An entry outside the folder of the first.
    #[error(
        "the zip archive's records lie in {}, but the entry `{name}` does not{}",
        if folder.is_empty() { "no folder".to_owned() } else { format!("the folder `{}`", Printable(folder)) },
        if folder.is_empty() { "; if it is an archive of other files, unzip it first" } else { "" },
        name = Printable(name)
    )]
    OtherFolder {
        /// The folder of the first entry.
        folder: String,
        /// The entry.
        name: String,
    },
    /// Two entries share bytes, or one reaches into the directory.
    #[error("the zip entry `{name}` overlaps what follows it", name = Printable(name))]
    Overlap {
        /// The entry.
        name: String,
    },
    /// The local header and the central directory disagree.
    #[error(
        "the {field} of the zip entry `{name}` differs between its local header and the central directory",
        name = Printable(name)
    )]
    HeaderDiffers {
        /// The entry.
        name: String,
        /// Which field.
        field: &'static str,
    },
    /// An encrypted entry.
    #[error("the zip entry `{name}` is encrypted", name = Printable(name))]
    Encrypted {
        /// The entry.
        name: String,
    },
    /// A compression method other than stored and deflated.
    #[error(
        "the zip entry `{name}` uses compression method {method}; only stored (0) and deflated (8) are supported",
        name = Printable(name)
    )]
    Method {
        /// The entry.
        name: String,
        /// The method's number.
        method: u16,
    },
    /// A stored entry whose two sizes differ.
    #[error("the zip entry `{name}` is stored, but its two sizes differ", name = Printable(name))]
    StoredSize {
        /// The entry.
        name: String,
    },
    /// Deflated data that is damaged or of another size than announced.
    #[error("the zip entry `{name}` does not inflate to the {announced} bytes that it announces", name = Printable(name))]
    Inflate {
        /// The entry.
        name: String,
        /// The announced size, in bytes.
        announced: u64,
    },
    /// More to inflate than the limit.
    #[error(
        "the zip entry `{name}` inflates the archive past the limit of {limit} bytes; \
         make the archive again without compression (zip -0)", name = Printable(name)
    )]
    TooLarge {
        /// The entry.
        name: String,
        /// The limit, in bytes.
        limit: u64,
    },
}
