//! Why an archive of `torch.export.save` cannot be read.

use crate::tensor::Printable;

/// What is wrong with an archive of `torch.export.save`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Another format in an archive of that kind.
    #[error("the record archive_format is {}; only \"pt2\" is known", Printable(found))]
    Format {
        /// What it is.
        found: String,
    },
    /// A package of compiled programs.
    #[error(
        "it is an AOTInductor package, which holds compiled code and no named weights; save the exported program \
         with torch.export.save"
    )]
    AotInductor,
    /// A program without weights.
    #[error("the torch.export archive holds no weights")]
    NoWeights,
    /// Several programs, any of which may be meant.
    #[error("the torch.export archive holds several programs; choose one with --key: {}", list(programs))]
    SeveralPrograms {
        /// Their names.
        programs: Vec<String>,
    },
    /// No program of that name.
    #[error("the torch.export archive holds no program `{}`; there are: {}", Printable(key), list(programs))]
    NoSuchProgram {
        /// The name.
        key: String,
        /// The names that there are.
        programs: Vec<String>,
    },
    /// A record of JSON or of a tensor is larger than any.
    #[error("the record {} has {bytes} bytes; the limit is {limit}", Printable(record))]
    TooLarge {
        /// The record.
        record: String,
        /// Its bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A configuration is not what torch writes.
    #[error("the record {} cannot be read: {source}", Printable(record))]
    Json {
        /// The record.
        record: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// Pickled tensors beyond what any model has.
    #[error("the archive has more than {limit} bytes of pickled tensors' descriptions")]
    TooMuchPickled {
        /// The limit.
        limit: u64,
    },
}

fn list(programs: &[String]) -> String {
    Printable(&programs.join(", ")).to_string()
}
