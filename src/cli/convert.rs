//! The main job.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::HumanBytes;
use serde_json::json;

use super::args::{Output, Source};
use super::escape::escape;
use super::exit::Exit;
use super::failure::Failure;
use super::listener::Listener;
use super::table::count;
use super::terminal::Terminal;
use super::{inputs, interrupt, ledger};
use crate::convert::Conversion;
use crate::writer;

/// Converts a checkpoint.
///
/// # Errors
/// When an input cannot be read, the plan has faults, or the output cannot be written.
pub fn convert(source: &Source, output: &Output, terminal: Terminal) -> Result<Exit, Failure> {
    let conversion = conversion(source, output)?;
    if let Some(report) = &output.report {
        if conversion.may_write(report) {
            return Err(Failure::ReportIsOutput { path: report.clone() });
        }
        let named = [&conversion.source.checkpoint, &conversion.source.schema];
        refuse_inputs(report, named.into_iter().chain(&conversion.source.architecture))?;
    }

    let started = Instant::now();
    let listener = Listener::new(terminal, &conversion.source.reading);
    let planned = conversion.plan(&listener).map_err(|error| inputs::told(error, &conversion.source))?;
    if let Some(report) = &output.report {
        refuse_inputs(report, &planned.inputs)?;
    }
    if output.dry_run {
        planned.check()?;
        return super::plan::show(&planned.plan, source, terminal);
    }
    interrupt::watch()?;
    let report = output.report.as_deref().map(Report::start).transpose()?;
    let written = planned.write(&listener);
    listener.finish();
    let written = match written {
        Err(_) if interrupt::is_interrupted() => {
            return Err(Failure::Interrupted { path: conversion.output });
        }
        written => written?,
    };
    let seconds = started.elapsed().as_secs_f64();

    let path = &conversion.output;
    if let Some(report) = report {
        let mut ledger = ledger::to_json(&planned.plan, source);
        ledger["output"] = json!({ "path": path.to_string_lossy(), "bytes": written.bytes });
        report.publish(&ledger)?;
    }
    if terminal.json {
        terminal.json_result(&json!({
            "output": path.to_string_lossy(),
            "variables": written.variables,
            "bytes": written.bytes,
            "seconds": seconds,
            "unused": written.unused,
            "left_out": written.left_out,
            "notes": ledger::notes_json(&written.notes),
        }))?;
    } else if !terminal.quiet {
        terminal.result(|out| {
            let path = escape(&path.to_string_lossy());
            let variables = count(written.variables, "variable");
            writeln!(out, "{path}: {variables}, {}, {seconds:.2} s", HumanBytes(written.bytes))
        })?;
        ledger::remark(&written.notes, terminal);
    }
    Ok(Exit::Done)
}

/// The arguments, as the library has them.
fn conversion(source: &Source, output: &Output) -> Result<Conversion, Failure> {
    let path = output_path(source, output)?;
    let mut conversion = Conversion::new(&source.checkpoint, &source.schema, path);
    conversion.source = inputs::source(source);
    conversion.save = output.target.save.map(Into::into);
    conversion.keras = source.keras;
    conversion.dtype = source.dtype;
    conversion.optimizer = output.target.optimizer;
    conversion.max_shard_bytes = output.target.max_shard_size;
    conversion.allow_missing = inputs::allow_missing(&source.allow_missing)?;
    conversion.allow_unexpected = inputs::allow_unexpected(&source.allow_unexpected)?;
    conversion.allow_overflow = output.allow_overflow;
    conversion.threads = output.threads;
    Ok(conversion)
}

/// `-o`, or the checkpoint's stem with `.weights.h5` in the current folder.
fn output_path(source: &Source, output: &Output) -> Result<PathBuf, Failure> {
    if let Some(path) = &output.target.output {
        return Ok(path.clone());
    }
    let stem = source.checkpoint.file_stem();
    let mut name: OsString =
        stem.ok_or_else(|| Failure::NoStem { path: source.checkpoint.clone() })?.to_owned();
    name.push(".weights.h5");
    Ok(name.into())
}

/// Refuses to write over an input, by whatever name. An input that is not there is for its reader to name.
fn refuse_inputs<'a>(target: &Path, inputs: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    for input in inputs.into_iter().filter(|input| input.exists()) {
        writer::check_not_input(target, input)?;
    }
    Ok(())
}

/// A report in the making: it appears whole or not at all, and a folder that cannot be written to is found
/// before the work.
struct Report<'a> {
    path: &'a Path,
    file: tempfile::NamedTempFile,
}

impl<'a> Report<'a> {
    fn start(path: &'a Path) -> Result<Self, Failure> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(writer::Error::NoFolder { path: path.to_owned(), folder: folder.to_owned() }.into());
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ptw2k-report-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As for any new file, less what the umask forbids.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder);
        Ok(Self { path, file: file.map_err(|source| failure(path, source))? })
    }

    fn publish(mut self, ledger: &serde_json::Value) -> Result<(), Failure> {
        writeln!(self.file, "{ledger:#}").map_err(|source| failure(self.path, source))?;
        self.file.persist(self.path).map_err(|error| failure(self.path, error.error))?;
        Ok(())
    }
}

fn failure(path: &Path, source: std::io::Error) -> Failure {
    Failure::Report { path: path.to_owned(), source }
}
