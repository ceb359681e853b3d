//! The main job.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::args::{Output, Source};
use super::escape::escape;
use super::exit::{Exit, leave_to_the_system};
use super::failure::Failure;
use super::listener::Listener;
use super::table::count;
use super::terminal::Terminal;
use super::{depfile, inputs, interrupt, ledger};
use crate::convert::{Conversion, is_same_file};
use crate::writer;

/// Converts a checkpoint.
///
/// # Errors
/// When an input cannot be read, the plan has faults, or the output cannot be written.
pub fn convert(source: &Source, output: &Output, terminal: Terminal) -> Result<Exit, Failure> {
    let conversion = conversion(source, output)?;
    let beside: Vec<&Path> = output.report.iter().chain(&output.depfile).map(PathBuf::as_path).collect();
    for path in &beside {
        if conversion.may_write(path) {
            return Err(Failure::BesideIsOutput { path: (*path).to_owned() });
        }
        let named = [&conversion.source.checkpoint, &conversion.source.schema];
        refuse_inputs(path, named.into_iter().chain(&conversion.source.architecture))?;
    }
    if let [report, depfile] = beside.as_slice()
        && is_same_file(report, depfile)
    {
        return Err(Failure::BesideIsOutput { path: (*report).to_owned() });
    }

    let started = Instant::now();
    let listener = Listener::new(terminal, &conversion.source.reading);
    let planned = conversion.plan(&listener).map_err(|error| inputs::told(error, &conversion.source))?;
    for path in &beside {
        refuse_inputs(path, &planned.inputs)?;
    }
    if output.dry_run {
        planned.check()?;
        return super::plan::show(&planned.plan, source, output.threads, terminal);
    }
    interrupt::watch()?;
    let report = output.report.as_deref().map(writer::begin).transpose()?;
    let depfile = output.depfile.as_deref().map(writer::begin).transpose()?;
    if depfile.is_some() {
        // A name that it cannot say is found before the work.
        depfile::rule(std::slice::from_ref(&conversion.output), &planned.inputs)?;
    }
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
        report.finish(format!("{ledger:#}\n").as_bytes())?;
    }
    if let Some(depfile) = depfile {
        // Ninja knows the output by the first.
        let outputs: Vec<PathBuf> = written.files.iter().rev().cloned().collect();
        let rules = depfile::rule(&outputs, &written.inputs)? + &depfile::phony(&written.inputs);
        depfile.finish(rules.as_bytes())?;
    }
    if terminal.json {
        let paths =
            |paths: &[PathBuf]| paths.iter().map(|path| json!(path.to_string_lossy())).collect::<Json>();
        terminal.json_result(&json!({
            "output": path.to_string_lossy(),
            "files": paths(&written.files),
            "inputs": paths(&written.inputs),
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
    leave_to_the_system(planned);
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
