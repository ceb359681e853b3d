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
use super::form::Wanted;
use super::progress::Bar;
use super::table::count;
use super::terminal::Terminal;
use super::{inputs, interrupt, ledger};
use crate::writer::{self, WriteOptions};

/// Converts a checkpoint.
///
/// # Errors
/// When an input cannot be read, the plan has faults, or the output cannot be written.
pub fn convert(source: &Source, output: &Output, terminal: Terminal) -> Result<Exit, Failure> {
    let path = output_path(source, output)?;
    let wanted = Wanted::new(&path, source, &output.target)?;
    if let Some(report) = &output.report
        && (std::path::absolute(report).ok() == std::path::absolute(&path).ok()
            || wanted.may_be_shard(&path, report))
    {
        return Err(Failure::ReportIsOutput { path: report.clone() });
    }
    let targets: Vec<&Path> = output.report.iter().map(PathBuf::as_path).chain([path.as_path()]).collect();
    let inputs = [source.checkpoint.as_path(), Path::new(&source.schema)];
    let inputs: Vec<&Path> = inputs.into_iter().chain(source.arch.as_deref()).collect();
    refuse_inputs(&targets, &inputs)?;

    let started = Instant::now();
    let plan = inputs::plan(source, &|architecture| wanted.of(architecture), terminal)?;
    let files = plan.sources.iter().chain(&plan.architecture.carried.files).map(PathBuf::as_path);
    let inputs: Vec<&Path> = files.chain([plan.architecture.path.as_path()]).collect();
    refuse_inputs(&targets, &inputs)?;
    if output.dry_run {
        writer::check(&plan, &path, &wanted.of(&plan.architecture))?;
        return super::plan::show(&plan, source, terminal);
    }
    interrupt::watch()?;
    let report = output.report.as_deref().map(Report::start).transpose()?;
    inputs::check_records(&plan, output.threads, terminal);
    let bar = Bar::new(terminal, ledger::byte_len(&plan));
    let options = WriteOptions {
        form: wanted.of(&plan.architecture),
        threads: output.threads.map(std::num::NonZeroUsize::get),
        allow_overflow: output.allow_overflow,
    };
    let written = writer::write(&plan, &path, &options, &bar);
    bar.finish();
    let written = match written {
        Err(_) if interrupt::is_interrupted() => return Err(Failure::Interrupted { path }),
        Err(writer::Error::Source { source: unreadable, .. }) => {
            return Err(Failure::Unreadable { path: source.checkpoint.clone(), source: unreadable });
        }
        written => written?,
    };
    let seconds = started.elapsed().as_secs_f64();

    if let Some(report) = report {
        let mut ledger = ledger::to_json(&plan, source);
        ledger["output"] = json!({ "path": path.to_string_lossy(), "bytes": written.bytes });
        report.publish(&ledger)?;
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
    } else if !terminal.quiet {
        terminal.result(|out| {
            let path = escape(&path.to_string_lossy());
            let variables = count(written.variables, "variable");
            writeln!(out, "{path}: {variables}, {}, {seconds:.2} s", HumanBytes(written.bytes))
        })?;
        ledger::remark(&plan.notes, terminal);
    }
    Ok(Exit::Done)
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
fn refuse_inputs(targets: &[&Path], inputs: &[&Path]) -> Result<(), Failure> {
    for input in inputs.iter().filter(|input| input.exists()) {
        for target in targets {
            writer::check_not_input(target, input)?;
        }
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
