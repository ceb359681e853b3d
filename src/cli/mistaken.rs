//! Files in each other's places: a checkpoint for the schema, and the like.

use std::path::Path;

use super::failure::Failure;
use super::sniff::{Kind, sniff};
use crate::checkpoint::{Checkpoint, OpenOptions};

/// A schema that cannot be read: or what the file is instead.
pub(super) fn schema(path: &Path, failure: Failure) -> Failure {
    let is = match sniff(path) {
        Ok(Kind::Keras) => Some("a Keras file"),
        Ok(Kind::Checkpoint) if path.is_file() && is_checkpoint(path) => Some(CHECKPOINT),
        Ok(Kind::Checkpoint) | Err(_) => None,
    };
    told(path, is, "schema", failure)
}

/// An architecture that cannot be read: or what the file is instead.
pub(super) fn architecture(path: &Path, failure: Failure) -> Failure {
    let is = matches!(sniff(path), Ok(Kind::Checkpoint)) && is_checkpoint(path);
    told(path, is.then_some(CHECKPOINT), "Keras file", failure)
}

const CHECKPOINT: &str = "a PyTorch checkpoint";

fn is_checkpoint(path: &Path) -> bool {
    Checkpoint::open(path, &OpenOptions::default()).is_ok()
}

fn told(path: &Path, is: Option<&'static str>, wanted: &'static str, failure: Failure) -> Failure {
    match is {
        Some(is) => Failure::Mistaken { path: path.to_owned(), is, wanted, exit: failure.exit() },
        None => failure,
    }
}
