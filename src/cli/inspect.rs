//! `ptw2k inspect`.

use std::fs::File;
use std::io::{Read as _, Write};
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value as Json, json};

use super::escape::escape;
use super::exit::Exit;
use super::failure::Failure;
use super::table::{self, count};
use super::terminal::{HEADING, Terminal, WARNING};
use super::{args, inputs};
use crate::checkpoint::{Checkpoint, Tensor};
use crate::keras::file_layout::{Format, dataset_path};
use crate::keras::{Architecture, Origin, WeightsFile, WeightsForm};

/// How every HDF5 file without a user block begins (HDF5 file format specification, II.A).
const HDF5_SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// How a zip archive that is not empty begins (APPNOTE 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";
/// The member that makes a zip archive a `.keras` file (Keras `saving_lib.py`).
const KERAS_MEMBER: &str = "config.json";
/// Bytes that tell the kinds of file apart.
const HEAD: u64 = 16;

/// What a file looks like.
enum Kind {
    Hdf5,
    Architecture,
    Checkpoint,
}

/// Lists the tensors of a checkpoint or the variables of a Keras file.
///
/// # Errors
/// When the file cannot be read.
pub fn inspect(args: &args::Inspect, terminal: Terminal) -> Result<Exit, Failure> {
    match sniff(&args.file).map_err(|source| Failure::Sniff { path: args.file.clone(), source })? {
        Kind::Checkpoint => {
            let checkpoint = inputs::checkpoint(&args.file, args.key.as_deref())?;
            if terminal.json {
                terminal.json_result(&checkpoint_json(&checkpoint))?;
            } else {
                terminal.result(|out| print_checkpoint(&checkpoint, terminal.verbose, out))?;
            }
            for warning in &checkpoint.warnings {
                terminal.remark(WARNING, "warning", warning);
            }
        }
        Kind::Architecture => show_architecture(&Architecture::open(&args.file)?, terminal)?,
        Kind::Hdf5 => {
            let file = WeightsFile::open(&args.file)?;
            if file.form == WeightsForm::LegacyH5 {
                show_weights(&file, terminal)?;
            } else {
                show_architecture(&Architecture::open(&args.file)?, terminal)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Anything that is no Keras file is for the checkpoint reader to name.
fn sniff(path: &Path) -> std::io::Result<Kind> {
    let mut head = Vec::new();
    if path.is_dir() {
        return Ok(Kind::Checkpoint);
    }
    let file = File::open(path)?;
    (&file).take(HEAD).read_to_end(&mut head)?;
    if head.starts_with(HDF5_SIGNATURE) {
        return Ok(Kind::Hdf5);
    }
    if head.starts_with(ZIP_SIGNATURE) {
        // A broken archive is for the checkpoint reader to name.
        let is_keras = zip::ZipArchive::new(file).is_ok_and(|zip| zip.index_for_name(KERAS_MEMBER).is_some());
        return Ok(if is_keras { Kind::Architecture } else { Kind::Checkpoint });
    }
    // A safetensors file begins with the header's length in eight bytes, the last of which are zero: no
    // text has zeros.
    let is_text = !head.contains(&0);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = is_text && first == Some(&b'{');
    Ok(if is_json && !is_named_index(path) { Kind::Architecture } else { Kind::Checkpoint })
}

/// Whether a JSON file has the name of an index of shards: `model.safetensors.index.json`, and with a variant
/// `model.safetensors.index.fp16.json`. Keras names its own `.weights.json`.
fn is_named_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".index."))
}

const fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Json => "Keras model configuration",
        Origin::Archive => "Keras archive",
        Origin::Template => "Keras weights",
    }
}

fn where_it_lies(path: &[String]) -> String {
    if path.is_empty() { "the root".to_owned() } else { format!("`{}`", escape(&path.join("."))) }
}

fn print_checkpoint(checkpoint: &Checkpoint, verbose: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let tensors = &checkpoint.tensors;
    let path = escape(&checkpoint.path.to_string_lossy());
    writeln!(out, "{HEADING}{path}{HEADING:#}: {}", checkpoint.form)?;
    writeln!(out, "state_dict at {}", where_it_lies(&checkpoint.state_dict_path))?;
    if !checkpoint.stripped.is_empty() {
        writeln!(out, "stripped from every key: {}", escape(&checkpoint.stripped.join("")))?;
    }
    if checkpoint.candidates.len() > 1 {
        writeln!(out, "state_dicts in it (choose one with --key):")?;
        for candidate in &checkpoint.candidates {
            writeln!(out, "  {}: {}", where_it_lies(&candidate.path), count(candidate.tensors, "tensor"))?;
        }
    }
    writeln!(out)?;
    table::print(
        out,
        &["KEY", "DTYPE", "SHAPE", "BYTES", "REMARK"],
        tensors.iter().map(|tensor| {
            let lazy = &tensor.tensor;
            let bytes = HumanBytes(lazy.byte_len() as u64).to_string();
            let remark = remarks(checkpoint, tensor, verbose).join("; ");
            vec![tensor.key.to_string(), lazy.dtype.to_string(), lazy.view.shape().to_string(), bytes, remark]
        }),
    )?;
    let (elements, bytes) = totals(checkpoint);
    writeln!(
        out,
        "\n{}, {} elements, {}",
        count(tensors.len(), "tensor"),
        HumanCount(elements),
        HumanBytes(bytes)
    )
}

/// Elements and bytes; those of tied tensors once.
fn totals(checkpoint: &Checkpoint) -> (u64, u64) {
    let own = checkpoint.tensors.iter().filter(|tensor| tensor.tied_to.is_none());
    own.fold((0, 0), |(elements, bytes), Tensor { tensor, .. }| {
        (elements + tensor.view.shape().numel() as u64, bytes + tensor.byte_len() as u64)
    })
}

fn remarks(checkpoint: &Checkpoint, tensor: &Tensor, verbose: bool) -> Vec<String> {
    let view = &tensor.tensor.view;
    let mut remarks = Vec::new();
    if let Some(first) = tensor.tied_to.and_then(|first| checkpoint.tensors.get(first)) {
        remarks.push(format!("tied to {}", first.key));
    }
    if verbose || !view.is_contiguous() {
        remarks.push(format!("strides {:?}", view.strides()));
    }
    if verbose {
        remarks.push(format!("offset {}", view.offset()));
    }
    remarks
}

fn checkpoint_json(checkpoint: &Checkpoint) -> Json {
    let tensor = |tensor: &Tensor| {
        let view = &tensor.tensor.view;
        let first = tensor.tied_to.and_then(|first| checkpoint.tensors.get(first));
        json!({
            "key": tensor.key.as_str(),
            "dtype": tensor.tensor.dtype.name(),
            "shape": view.shape().sizes(),
            "strides": view.strides(),
            "offset": view.offset(),
            "bytes": tensor.tensor.byte_len(),
            "tied_to": first.map(|first| first.key.as_str()),
        })
    };
    let candidates = checkpoint.candidates.iter();
    let warnings = checkpoint.warnings.iter();
    json!({
        "path": checkpoint.path.to_string_lossy(),
        "form": checkpoint.form.to_string(),
        "state_dict": checkpoint.state_dict_path,
        "candidates": candidates
            .map(|found| json!({ "path": found.path, "tensors": found.tensors }))
            .collect::<Vec<_>>(),
        "stripped": checkpoint.stripped,
        "warnings": warnings.map(ToString::to_string).collect::<Vec<_>>(),
        "tensors": checkpoint.tensors.iter().map(tensor).collect::<Vec<_>>(),
    })
}

fn show_architecture(architecture: &Architecture, terminal: Terminal) -> Result<(), Failure> {
    let place = |at: usize| dataset_path(architecture, Format::WeightsH5, at);
    if terminal.json {
        let variables = architecture.variables.iter().enumerate().map(|(at, variable)| {
            json!({
                "path": variable.path.as_str(),
                "class": architecture.layers.get(variable.layer).and_then(|layer| layer.class.as_deref()),
                "shape": variable.shape.sizes(),
                "dtype": variable.dtype.name(),
                "trainable": variable.trainable,
                "weights_h5": place(at),
            })
        });
        return terminal.json_result(&json!({
            "path": architecture.path.to_string_lossy(),
            "form": origin_name(architecture.origin),
            "variables": variables.collect::<Vec<_>>(),
        }));
    }
    terminal.result(|out| {
        let path = escape(&architecture.path.to_string_lossy());
        writeln!(out, "{HEADING}{path}{HEADING:#}: {}\n", origin_name(architecture.origin))?;
        let row = |(at, variable): (usize, &crate::keras::Variable)| {
            let layer = architecture.layers.get(variable.layer);
            let class = layer.and_then(|layer| layer.class.clone());
            vec![
                variable.path.to_string(),
                class.unwrap_or_else(|| "?".to_owned()),
                variable.shape.to_string(),
                variable.dtype.to_string(),
                place(at).unwrap_or_else(String::new),
            ]
        };
        let rows = architecture.variables.iter().enumerate().map(row);
        table::print(out, &["VARIABLE", "CLASS", "SHAPE", "DTYPE", "IN .weights.h5"], rows)?;
        let elements: usize = architecture.variables.iter().map(|variable| variable.shape.numel()).sum();
        let variables = count(architecture.variables.len(), "variable");
        writeln!(out, "\n{variables}, {} elements", HumanCount(elements as u64))
    })
}

fn show_weights(file: &WeightsFile, terminal: Terminal) -> Result<(), Failure> {
    if terminal.json {
        let variables = file.variables.iter().map(|stored| {
            json!({
                "path": stored.path,
                "layer": stored.layer,
                "shape": stored.tensor.view.shape().sizes(),
                "dtype": stored.tensor.dtype.name(),
            })
        });
        return terminal.json_result(&json!({
            "path": file.path.to_string_lossy(),
            "form": "legacy Keras weights",
            "variables": variables.collect::<Vec<_>>(),
        }));
    }
    terminal.result(|out| {
        let path = escape(&file.path.to_string_lossy());
        writeln!(out, "{HEADING}{path}{HEADING:#}: legacy Keras weights\n")?;
        let rows = file.variables.iter().map(|stored| {
            let shape = stored.tensor.view.shape().to_string();
            let layer = stored.layer.clone().unwrap_or_else(String::new);
            vec![stored.path.clone(), layer, shape, stored.tensor.dtype.to_string()]
        });
        table::print(out, &["PATH", "LAYER", "SHAPE", "DTYPE"], rows)?;
        writeln!(out, "\n{}", count(file.variables.len(), "variable"))
    })
}
