//! Tells the kinds of file apart, and shows each in its own way.

use std::path::Path;

use super::{checkpoint, keras};
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::sniff::{Kind, sniff};
use crate::cli::terminal::{Terminal, WARNING};
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
        Kind::Keras => keras::show(args, &architecture(&args.file, terminal)?, terminal)?,
    }
    Ok(Exit::Done)
}

/// The architecture; where the configuration of a whole model does not tell the variables, those that the file
/// holds, with a warning.
fn architecture(file: &Path, terminal: Terminal) -> Result<Architecture, Failure> {
    let error = match Architecture::open(file) {
        Err(error) if error.kind.is_untold() => error,
        other => return Ok(other?),
    };
    // What is wrong with a file without weights is that its configuration does not tell.
    let Ok(architecture) = Architecture::of_weights(file) else { return Err(error.into()) };
    let text = format!("{}; here are the weights that the file holds", error.kind);
    terminal.remark(WARNING, "warning", text);
    Ok(architecture)
}
