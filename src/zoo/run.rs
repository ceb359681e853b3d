//! All jobs, in parallel.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::event::{Event, Listener, Outcome, Summary};
use super::job::Job;
use super::lock::claim;
use super::memory::{Budget, default_memory};
use super::record;
use super::schemas::Schemas;
use super::state::{Looks, Reason, State, state};
use super::work::work;
use crate::convert::{Outputs, Shards, WORKER_BYTES};
use crate::crew::{Crew, Hands, share};
use crate::writer;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Threads, for all jobs together; `None` for as many as there are cores. The outputs do not depend on it.
    pub threads: Option<NonZeroUsize>,
    /// Bytes of memory that all jobs may take together; `None` for [`default_memory`]. Mapped files and the system's
    /// cache are not among them.
    pub memory: Option<u64>,
    /// Whether jobs are done that are current.
    pub force: bool,
    /// Whether no job begins after one has failed.
    pub fail_fast: bool,
    /// Whether every job is planned, and nothing is written.
    pub dry_run: bool,
}

/// What the jobs of a run share.
pub(super) struct Run<'r> {
    pub(super) options: &'r RunOptions,
    pub(super) listener: &'r dyn Listener,
    pub(super) crew: Crew,
    /// Bytes that all jobs may take, the buffers of the threads among them.
    pub(super) memory: u64,
    pub(super) budget: Budget,
    /// Whether it was told that a job needs more.
    pub(super) is_memory_told: AtomicBool,
    pub(super) looks: Looks,
    pub(super) schemas: Schemas,
    /// Folders that were made for outputs.
    pub(super) made: Mutex<BTreeSet<PathBuf>>,
    /// Whether no further job begins.
    is_stopped: AtomicBool,
}

impl Run<'_> {
    /// Whether to stop at once.
    pub(super) fn is_cancelled(&self) -> bool {
        self.listener.is_cancelled()
    }
}

/// Does the jobs: those that are current are passed over, the others run in parallel, each whole or not at all, and
/// one that fails leaves the others alone.
#[must_use]
pub fn run(jobs: &[Job], options: &RunOptions, listener: &dyn Listener) -> Summary {
    let started = Instant::now();
    let memory = options.memory.unwrap_or_else(default_memory);
    let threads = threads(options.threads, memory);
    let buffers = WORKER_BYTES.saturating_mul(threads.get() as u64);
    let run = Run {
        options,
        listener,
        crew: Crew::new(threads),
        memory,
        budget: Budget::new(memory.saturating_sub(buffers)),
        is_memory_told: AtomicBool::new(false),
        looks: Looks::default(),
        schemas: Schemas::default(),
        made: Mutex::default(),
        is_stopped: AtomicBool::new(false),
    };
    if !options.dry_run {
        sweep(jobs);
    }
    let states = run.states(jobs);
    listener.hear(&Event::Checked { jobs, states: &states, crew: &run.crew, memory });

    let is_done: Vec<AtomicBool> = jobs.iter().map(|_| AtomicBool::new(false)).collect();
    let end = |job: usize, outcome: Outcome| {
        let is_success = !matches!(outcome, Outcome::Failed(_) | Outcome::Stopped);
        listener.ended(job, outcome);
        if let Some(is_done) = is_done.get(job) {
            is_done.store(is_success, Ordering::Relaxed);
        }
    };
    let mut open = Vec::with_capacity(jobs.len());
    for (at, state) in states.iter().enumerate() {
        match state {
            State::Current(done) if !options.dry_run => end(at, Outcome::Current(done.clone())),
            State::New | State::Stale(_) | State::Current(_) => open.push(at),
        }
    }
    // The largest first: what is left in the end is small, or is done by all together.
    open.sort_by_key(|&at| std::cmp::Reverse(jobs.get(at).map_or(0, |job| job.bytes)));
    run.all(jobs, &open, &end);
    run.tidy(jobs);
    let is_done: Vec<bool> = is_done.into_iter().map(AtomicBool::into_inner).collect();
    if !options.dry_run {
        sweep_old(jobs.iter().zip(&is_done).filter(|&(_, &is_done)| is_done).map(|(job, _)| job));
    }
    Summary { states, is_done, elapsed: started.elapsed() }
}

/// As many threads as were asked for, or as there are cores; fewer where their buffers would take most of the memory.
fn threads(asked: Option<NonZeroUsize>, memory: u64) -> NonZeroUsize {
    let affordable = usize::try_from(memory / 2 / WORKER_BYTES).unwrap_or(usize::MAX);
    let affordable = NonZeroUsize::new(affordable).unwrap_or(NonZeroUsize::MIN);
    wanted(asked).min(affordable)
}

fn wanted(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// The memory of a run that leaves that much for jobs, with the buffers of as many threads as it then has.
pub(super) fn enough(asked: Option<NonZeroUsize>, need: u64) -> u64 {
    let of_all = WORKER_BYTES.saturating_mul(wanted(asked).get() as u64);
    need.saturating_add(of_all.min(need.max(WORKER_BYTES)))
}

/// Removes what a process that was killed has left beside the outputs. What cannot be removed is not of this run.
fn sweep(jobs: &[Job]) {
    let folders: BTreeSet<&Path> = jobs.iter().filter_map(|job| job.output.parent()).collect();
    for folder in folders {
        let _ = writer::sweep(folder);
        let _ = writer::sweep(&folder.join(super::folder::OWN));
    }
    // A lock that nobody holds goes when it was held for a moment; that of a job to be done goes with the job.
    for lock in jobs.iter().map(|job| record::path_of(job, "lock")).filter(|lock| lock.exists()) {
        drop(claim(&lock));
    }
}

/// Removes what a process that was killed has moved out of the way of outputs that are whole again. Only those of
/// several files are replaced in such steps.
fn sweep_old<'j>(done: impl Iterator<Item = &'j Job>) {
    let mut folders: BTreeMap<PathBuf, Vec<Outputs>> = BTreeMap::new();
    for job in done {
        if let Some(folder) =
            Shards::of(&job.output).and_then(|shards| Some(shards.index.parent()?.to_owned()))
        {
            folders.entry(folder).or_default().push(Outputs::of(&job.output));
        }
    }
    for (folder, outputs) in folders {
        let _ = writer::sweep_old(&folder, &|old| outputs.iter().any(|outputs| outputs.has(old)));
    }
}

impl Run<'_> {
    /// The state of each job.
    fn states(&self, jobs: &[Job]) -> Vec<State> {
        let next = AtomicUsize::new(0);
        let states: Mutex<Vec<(usize, State)>> = Mutex::new(Vec::with_capacity(jobs.len()));
        let _place = self.crew.enter();
        let find = |goes_on: &dyn Fn() -> bool| {
            while goes_on() {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(at) else { break };
                let state = self.state(job);
                states.lock().unwrap_or_else(PoisonError::into_inner).push((at, state));
            }
        };
        share(Hands::Crew(&self.crew), jobs.len(), &find);
        let mut states = states.into_inner().unwrap_or_else(PoisonError::into_inner);
        states.sort_by_key(|&(at, _)| at);
        states.into_iter().map(|(_, state)| state).collect()
    }

    /// The state of a job.
    pub(super) fn state(&self, job: &Job) -> State {
        let found =
            state(job, &self.looks, Hands::Crew(&self.crew), &|| self.is_cancelled(), !self.options.dry_run);
        match found {
            State::Current(_) | State::Stale(_) if self.options.force => State::Stale(vec![Reason::Forced]),
            found => found,
        }
    }

    /// Does the open jobs.
    fn all(&self, jobs: &[Job], open: &[usize], end: &(dyn Fn(usize, Outcome) + Sync)) {
        let next = AtomicUsize::new(0);
        let worker = || {
            while let Some(&at) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(job) = jobs.get(at) else { break };
                if self.is_cancelled() || self.is_stopped.load(Ordering::Relaxed) {
                    end(at, Outcome::Stopped);
                    continue;
                }
                let outcome = work(self, job, at);
                if self.options.fail_fast && matches!(outcome, Outcome::Failed(_)) {
                    self.is_stopped.store(true, Ordering::Relaxed);
                }
                end(at, outcome);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.crew.places().get().min(open.len()) {
                // A thread that the system refuses is done without.
                if std::thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                    break;
                }
            }
            worker();
        });
    }

    /// Removes the folders that were made and stayed empty: the system refuses to remove others.
    fn tidy(&self, jobs: &[Job]) {
        if self.options.dry_run {
            return;
        }
        let records: BTreeSet<PathBuf> = jobs.iter().map(record::folder_of).collect();
        records.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().rev().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_enough_is() {
        for asked in [1, 2, 7, 64] {
            let asked = NonZeroUsize::new(asked);
            for need in [1, 100 << 10, WORKER_BYTES - 1, WORKER_BYTES, 5 * WORKER_BYTES + 3, 1 << 40] {
                let memory = enough(asked, need);
                let buffers = WORKER_BYTES * threads(asked, memory).get() as u64;
                assert!(memory - buffers >= need, "{asked:?} threads, {need} bytes");
            }
        }
    }
}
