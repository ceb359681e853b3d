//! Where the corpus lies, and what is expected of a file.

use std::path::{Path, PathBuf};

use ptw2k::checkpoint::{Checkpoint, Error, ErrorKind, OpenOptions, TensorError, UnsupportedTensor};

/// A folder of the corpus.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/corpus")).join(name)
}

/// The files and folders in a folder of the corpus, by name.
pub(crate) fn names(folder_name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder(folder_name)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "README.json");
    names.sort();
    names
}

/// Opens with the options that a user who knows nothing has.
pub(crate) fn open(path: &Path) -> Result<Checkpoint, Error> {
    Checkpoint::open(path, &OpenOptions::default())
}

/// What is expected of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is read: the state_dict at this path.
    Reads(String),
    /// It is refused, for this reason.
    Refused(String),
}

impl Outcome {
    pub(crate) fn of(opened: &Result<Checkpoint, Error>) -> Self {
        match opened {
            Ok(checkpoint) => Self::Reads(checkpoint.state_dict_path.join(".")),
            Err(error) => Self::Refused(refusal(&error.kind)),
        }
    }
}

pub(crate) fn reads(path: &str) -> Outcome {
    Outcome::Reads(path.to_owned())
}

pub(crate) fn refused(reason: &str) -> Outcome {
    Outcome::Refused(reason.to_owned())
}

/// A refusal in a few words: the variants of the errors, from the outermost to the innermost.
fn refusal(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Unsupported(form) => format!("{form:?}"),
        ErrorKind::NotACheckpoint(what) => variant(what),
        ErrorKind::Tensor { key, reason: TensorError::Unsupported(kind), .. } => match kind {
            UnsupportedTensor::Dtype { dtype } => format!("{key}: {dtype}"),
            kind => format!("{key}: {}", variant(kind)),
        },
        ErrorKind::Tensor { key, reason, .. } => format!("{key}: {}", variant(reason)),
        ErrorKind::Zip(error) => format!("Zip {}", variant(error)),
        ErrorKind::Pickle(error) => format!("Pickle {}", variant(&error.kind)),
        ErrorKind::Legacy(error) => format!("Legacy {}", variant(error)),
        ErrorKind::Tar(error) => format!("Tar {}", variant(error)),
        ErrorKind::Safetensors(error) => format!("Safetensors {}", variant(error)),
        ErrorKind::TorchScript(error) => format!("TorchScript {}", variant(error)),
        ErrorKind::Export(error) => format!("Export {}", variant(error)),
        ErrorKind::InFile { file, kind, .. } => format!("{file}: {}", refusal(kind)),
        kind => variant(kind),
    }
}

fn variant(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// One row of a table that the test prints.
pub(crate) fn print_row(name: &str, said: &str, values: &str) {
    println!("{name:44} {said:60} {values}");
}
