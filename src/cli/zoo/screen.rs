//! For people: a line for each job that runs and one for all on a terminal, plain lines elsewhere, on stderr.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use indicatif::{HumanBytes, ProgressDrawTarget};

use super::annotations::Annotations;
use super::bars::{Bars, PATIENCE};
use super::diagnosis::{Ended, state_name};
use super::results::Results;
use crate::cli::escape::escape;
use crate::cli::interrupt;
use crate::cli::progress::width;
use crate::cli::table::count;
use crate::cli::terminal::{ERROR, PLACE, Terminal, WARNING};
use crate::zoo::{Done, Event, Job, Listener, Outcome, Remark, State};

/// Shows what happens.
pub(super) struct Screen<'z> {
    jobs: &'z [Job],
    terminal: Terminal,
    /// Whether also those that are current are planned.
    dry_run: bool,
    results: Results,
    annotations: Annotations,
    /// How many jobs are to be done.
    open: OnceLock<usize>,
    ended: AtomicUsize,
    states: OnceLock<Vec<State>>,
    state: Mutex<Lines>,
}

struct Lines {
    /// On a terminal.
    bars: Option<Bars>,
    /// Jobs that run.
    running: HashSet<usize>,
}

impl<'z> Screen<'z> {
    pub(super) fn new(jobs: &'z [Job], terminal: Terminal, dry_run: bool) -> Self {
        let bars =
            terminal.shows_progress().then(|| Bars::new(ProgressDrawTarget::stderr(), width(), PATIENCE));
        Self {
            jobs,
            terminal,
            dry_run,
            results: Results::new(jobs.len()),
            annotations: Annotations::new(terminal),
            open: OnceLock::new(),
            ended: AtomicUsize::new(0),
            states: OnceLock::new(),
            state: Mutex::new(Lines { bars, running: HashSet::new() }),
        }
    }

    /// Takes the lines away. What came of the jobs is in the results.
    pub(super) fn end(self) -> Results {
        let lines = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(bars) = lines.bars {
            bars.finish();
        }
        self.annotations.tell(self.jobs);
        self.results
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job(&self, at: usize) -> String {
        self.jobs.get(at).map(|job| escape(&job.output.to_string_lossy())).unwrap_or_default()
    }

    /// Why a job is done.
    fn why(&self, at: usize) -> String {
        let Some(state) = self.states.get().and_then(|states| states.get(at)) else { return String::new() };
        let reasons: Vec<String> = state.reasons().iter().map(|reason| escape(&reason.to_string())).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        format!(" ({}{reasons})", state_name(state))
    }

    /// What is worth knowing about a job.
    fn remark(&self, at: usize, label: &str, text: &str) {
        if !self.terminal.quiet {
            self.always(at, label, text);
        }
    }

    /// The same, quiet or not.
    fn always(&self, at: usize, label: &str, text: &str) {
        self.terminal.label(WARNING, label, format_args!("{}: {text}", self.job(at)));
    }

    /// What was noted when a job was done. Of an earlier run, that has the warnings too.
    fn remarks(&self, at: usize, done: &Done, is_earlier: bool) {
        if is_earlier {
            done.warnings.iter().for_each(|warning| self.remark(at, "warning", warning));
        }
        for (about, note) in &done.notes {
            let text = format!("{}: {note}", escape(about));
            self.annotations.remarked(at, "note", &text);
            self.remark(at, "note", &text);
        }
    }

    /// What is said for good, above the lines that change.
    fn say(&self, lines: &Lines, say: impl FnOnce()) {
        match &lines.bars {
            Some(bars) => bars.suspend(say),
            None => say(),
        }
    }
}

impl Listener for Screen<'_> {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Checked { jobs, states, .. } => {
                self.states.get_or_init(|| states.to_vec());
                let open: Vec<&Job> = jobs
                    .iter()
                    .zip(*states)
                    .filter(|(_, state)| self.dry_run || !matches!(state, State::Current(_)))
                    .map(|(job, _)| job)
                    .collect();
                let number = *self.open.get_or_init(|| open.len());
                if let Some(bars) = &self.lines().bars {
                    bars.checked(number, open.iter().map(|job| job.bytes).sum());
                }
            }
            Event::Started { job } => {
                let mut lines = self.lines();
                lines.running.insert(*job);
                if let Some(bars) = &mut lines.bars {
                    bars.started(*job, &self.job(*job), self.jobs.get(*job).map_or(0, |job| job.bytes));
                }
                if self.terminal.verbose {
                    let text = format!("{}{}", self.job(*job), self.why(*job));
                    self.say(&lines, || self.terminal.label(PLACE, "started", text));
                }
            }
            Event::Waiting { job } => {
                let text = "waiting for another process that works on it";
                let lines = self.lines();
                self.say(&lines, || self.remark(*job, "note", text));
            }
            Event::Writing { job, bytes } => {
                if let Some(bars) = &mut self.lines().bars {
                    bars.writing(*job, *bytes);
                }
            }
            Event::Advanced { job, bytes } => {
                if let Some(bars) = &mut self.lines().bars {
                    bars.advanced(*job, *bytes);
                }
            }
            Event::Warned { job, remark } => {
                let text = remark.to_string();
                self.annotations.remarked(*job, "warning", &text);
                let lines = self.lines();
                let is_damage = matches!(remark, Remark::Checkpoint(warning) if warning.is_damage());
                self.say(&lines, || match is_damage {
                    true => self.always(*job, "warning", &text),
                    false => self.remark(*job, "warning", &text),
                });
            }
        }
    }

    fn ended(&self, at: usize, outcome: Outcome) {
        let Some(job) = self.jobs.get(at) else { return };
        let ended = Ended::new(job, outcome);
        let mut lines = self.lines();
        let is_open = usize::from(lines.running.remove(&at));
        let number = self.ended.fetch_add(is_open, Ordering::Relaxed) + is_open;
        let open = self.open.get().copied().unwrap_or_default();
        if let Some(bars) = &mut lines.bars {
            bars.ended(at, number, open);
        }
        let name = self.job(at);
        if let Some(failure) = &ended.failure {
            let checkpoint = escape(&job.checkpoint.to_string_lossy());
            let text = format!("[{number}/{open}] {name} of {checkpoint} failed");
            self.annotations.failed(at, failure);
            self.say(&lines, || {
                self.terminal.label(ERROR, "error", text);
                failure.tell(self.terminal);
            });
        } else if let (Some(done), "written") = (&ended.done, ended.outcome)
            && !self.terminal.quiet
            && (lines.bars.is_none() || self.terminal.verbose)
        {
            let mut text = format!(
                "[{number}/{open}] {name}: {}, {}, {:.2} s",
                count(done.variables, "variable"),
                HumanBytes(done.bytes),
                done.seconds
            );
            if !done.notes.is_empty() {
                text.push_str(&format!(", {}", count(done.notes.len(), "note")));
            }
            self.say(&lines, || self.terminal.label(PLACE, "written", text));
        }
        if self.terminal.verbose
            && let Some(done) = &ended.done
        {
            self.say(&lines, || self.remarks(at, done, ended.outcome == "current"));
        }
        drop(lines);
        self.results.put(at, ended);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}
