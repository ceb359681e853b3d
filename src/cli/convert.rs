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
use super::progress::Bar;
use super::terminal::Terminal;
use super::{inputs, interrupt, ledger};
use crate::keras::file_layout::Format;
use crate::writer::{self, WriteOptions};

/// Converts a checkpoint.
///
/// # Errors
/// When an input cannot be read, the plan has faults, or the output cannot be written.
pub fn convert(source: &Source, output: &Output, terminal: Terminal) -> Result<Exit, Failure> {
    let path = output_path(source, output)?;
    let format = format(&path)?;
    let targets: Vec<&Path> = output.report.iter().map(PathBuf::as_path).chain([path.as_path()]).collect();
    refuse_input(&targets, &source.checkpoint, "checkpoint")?;
    refuse_input(&targets, Path::new(&source.schema), "schema")?;
    if output.dry_run {
        return super::plan(source, terminal);
    }

    let started = Instant::now();
    let plan = inputs::plan(source, terminal)?;
    refuse_input(&targets, &plan.architecture.path, "architecture")?;
    interrupt::watch()?;
    let bar = Bar::new(terminal, ledger::byte_len(&plan));
    let options = WriteOptions {
        format,
        threads: output.threads.map(std::num::NonZeroUsize::get),
        allow_overflow: output.allow_overflow,
    };
    let written = writer::write(&plan, &path, &options, &bar);
    bar.finish();
    let written = match written {
        Err(_) if interrupt::is_interrupted() => return Err(Failure::Interrupted { path }),
        written => written?,
    };
    let seconds = started.elapsed().as_secs_f64();

    if let Some(report) = &output.report {
        let mut ledger = ledger::to_json(&plan, source);
        ledger["output"] = json!({ "path": path.to_string_lossy(), "bytes": written.bytes });
        write_report(report, &ledger).map_err(|source| Failure::Report { path: report.clone(), source })?;
    }
    if terminal.json {
        terminal.json_result(&json!({
            "output": path.to_string_lossy(),
            "variables": written.variables,
            "bytes": written.bytes,
            "seconds": seconds,
            "unused": plan.unused.len(),
            "left_out": plan.left_out.len(),
            "notes": ledger::notes_json(&plan.notes),
        }))?;
    } else {
        ledger::remark(&plan.notes, terminal);
        if !terminal.quiet {
            terminal.result(|out| {
                let path = escape(&path.to_string_lossy());
                let plural = if written.variables == 1 { "" } else { "s" };
                let bytes = HumanBytes(written.bytes);
                writeln!(out, "{path}: {} variable{plural}, {bytes}, {seconds:.2} s", written.variables)
            })?;
        }
    }
    Ok(Exit::Done)
}

/// `-o`, or the checkpoint's stem with `.weights.h5` in the current folder.
fn output_path(source: &Source, output: &Output) -> Result<PathBuf, Failure> {
    if let Some(path) = &output.output {
        return Ok(path.clone());
    }
    let stem = source.checkpoint.file_stem();
    let mut name: OsString =
        stem.ok_or_else(|| Failure::NoStem { path: source.checkpoint.clone() })?.to_owned();
    name.push(".weights.h5");
    Ok(name.into())
}

/// The format that the name stands for, as in Keras (`saving_api.save_weights`).
fn format(path: &Path) -> Result<Format, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let ends = |end: &str| name.as_ref().is_some_and(|name| name.ends_with(end));
    let unsupported = |format| Err(Failure::UnsupportedFormat { path: path.to_owned(), format });
    match () {
        () if ends(".weights.h5") => Ok(Format::WeightsH5),
        () if ends(".h5") => Ok(Format::LegacyH5),
        () if ends(".keras") => unsupported("a `.keras` archive"),
        () if ends(".weights.json") => unsupported("sharded weights"),
        () => Err(Failure::UnknownFormat { path: path.to_owned() }),
    }
}

/// Refuses to write over an input, by whatever name.
fn refuse_input(targets: &[&Path], input: &Path, what: &'static str) -> Result<(), Failure> {
    // What has no canonical path does not exist, so it cannot be overwritten.
    let Ok(input) = input.canonicalize() else { return Ok(()) };
    match targets.iter().find(|target| target.canonicalize().is_ok_and(|target| target == input)) {
        Some(target) => Err(Failure::OutputIsInput { path: (*target).to_owned(), input: what }),
        None => Ok(()),
    }
}

/// Writes the report, whole or not at all.
fn write_report(path: &Path, ledger: &serde_json::Value) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".ptw2k-report-").tempfile_in(folder)?;
    writeln!(file, "{ledger:#}")?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Result<Format, Exit>) {
        assert_eq!(format(Path::new(name)).map_err(|failure| failure.exit()), expected, "{name}");
    }

    #[test]
    fn names_decide_the_format() {
        check("a.weights.h5", Ok(Format::WeightsH5));
        check("out/a.h5", Ok(Format::LegacyH5));
        check("a.keras", Err(Exit::Usage));
        check("a.weights.json", Err(Exit::Usage));
        check("a.pt", Err(Exit::Usage));
        check("..", Err(Exit::Usage));
    }
}
