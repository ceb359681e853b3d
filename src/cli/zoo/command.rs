//! What `ptw2k zoo` does.

use super::screen::Screen;
use super::stream::Stream;
use super::{args, beside, depfile, list, report, summary};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::cli::terminal::Terminal;
use crate::zoo::{Job, RunOptions, Summary, Zoo, run};

/// Does the jobs of a manifest.
///
/// # Errors
/// When the manifest cannot run, the report cannot be written, or stdout is closed. That jobs failed is told by the
/// exit code alone: each has said why.
pub fn zoo(args: &args::Zoo, terminal: Terminal) -> Result<Exit, Failure> {
    let zoo = Zoo::open(&args.manifest)?;
    beside::check(args.report.as_deref(), args.depfile.as_deref(), &zoo)?;
    let jobs: Vec<Job> =
        zoo.jobs.iter().filter(|job| args.shard.is_none_or(|shard| shard.has(job))).cloned().collect();
    if args.depfile.is_some() {
        depfile::check(&jobs)?;
    }
    interrupt::watch()?;
    let options = RunOptions {
        threads: args.threads,
        memory: args.memory,
        force: args.force,
        fail_fast: args.fail_fast,
        dry_run: args.dry_run,
    };
    let terminal = terminal.in_a_manifest();
    let (summary, results, shown) = if terminal.json {
        let stream = Stream::new(&jobs, terminal);
        let summary = run(&jobs, &options, &stream);
        let (results, shown) = stream.end(&summary);
        (summary, results, shown)
    } else {
        let screen = Screen::new(&jobs, terminal, args.dry_run);
        let summary = run(&jobs, &options, &screen);
        let results = screen.end();
        let shown = match args.shard {
            Some(shard) if jobs.is_empty() => summary::print_empty(shard, zoo.jobs.len(), terminal),
            _ => {
                let list =
                    if args.dry_run { list::print(&jobs, &results, &summary, terminal) } else { Ok(()) };
                list.and_then(|()| summary::print(&jobs, &results, &summary, terminal))
            }
        };
        (summary, results, shown)
    };
    if let Some(path) = &args.report {
        let text = report::text(&zoo, &jobs, &results, &summary, args.shard);
        beside::write(path, &text, &zoo, &results)?;
    }
    if let Some(path) = &args.depfile {
        let text = depfile::text(&zoo, &results, args.report.as_deref())?;
        beside::write(path, &text, &zoo, &results)?;
    }
    // A reader that has seen enough is told by the exit code what became of the jobs.
    match (shown, exit(&summary)) {
        (Err(failure), Exit::Done) => Err(failure),
        (_, exit) => Ok(exit),
    }
}

fn exit(summary: &Summary) -> Exit {
    if interrupt::is_interrupted() {
        Exit::Interrupted
    } else if summary.is_success() {
        Exit::Done
    } else {
        Exit::Jobs
    }
}
