//! Tells the kinds of file apart, and shows each in its own way.

use super::{checkpoint, keras};
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::sniff::{Kind, sniff};
use crate::cli::terminal::Terminal;
use crate::keras::Architecture;

/// Lists the tensors of a checkpoint or the variables of a Keras file.
///
/// # Errors
/// When the file cannot be read.
pub fn inspect(args: &args::Inspect, terminal: Terminal) -> Result<Exit, Failure> {
    match sniff(&args.file).map_err(|source| Failure::Sniff { path: args.file.clone(), source })? {
        Kind::Checkpoint => checkpoint::show(args, terminal)?,
        Kind::Keras if args.chooses_what_is_read() => {
            return Err(Failure::ReadingOptions { path: args.file.clone() });
        }
        Kind::Keras => keras::show(args, &Architecture::open(&args.file)?, terminal)?,
    }
    Ok(Exit::Done)
}
