//! For people: a line for each job that runs and one for all on a terminal, plain lines elsewhere, on stderr.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::annotations::Annotations;
use super::diagnosis::Ended;
use super::results::Results;
use crate::cli::escape::escape;
use crate::cli::interrupt;
use crate::cli::table::count;
use crate::cli::terminal::{ERROR, PLACE, Terminal, WARNING};
use crate::zoo::{Done, Event, Job, Listener, Outcome, State};

/// A job that is done sooner gets no line of its own: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(200);

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
    state: Mutex<Lines>,
}

struct Lines {
    /// On a terminal.
    bars: Option<Bars>,
    running: HashMap<usize, Running>,
}

struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
}

/// A job that runs.
struct Running {
    since: Instant,
    /// Bytes to be written, and those that are.
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
}

impl<'z> Screen<'z> {
    pub(super) fn new(jobs: &'z [Job], terminal: Terminal, dry_run: bool) -> Self {
        let bars = terminal.shows_progress().then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let whole = all.add(ProgressBar::no_length());
            whole.set_style(style("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
            Bars { all, whole }
        });
        Self {
            jobs,
            terminal,
            dry_run,
            results: Results::new(jobs.len()),
            annotations: Annotations::new(terminal),
            open: OnceLock::new(),
            ended: AtomicUsize::new(0),
            state: Mutex::new(Lines { bars, running: HashMap::new() }),
        }
    }

    /// Takes the lines away. What came of the jobs is in the results.
    pub(super) fn end(self) -> Results {
        let lines = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(bars) = lines.bars {
            bars.whole.finish_and_clear();
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

    /// What is worth knowing about a job.
    fn remark(&self, at: usize, label: &str, text: &str) {
        if !self.terminal.quiet {
            self.terminal.label(WARNING, label, format_args!("{}: {text}", self.job(at)));
        }
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
            Some(bars) => bars.all.suspend(say),
            None => say(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are checked by a test; the plain bar would do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Running {
    fn advance(&mut self, bytes: u64, job: &str, bars: &Bars, weight: u64) {
        let part = |done: u64| {
            (u128::from(weight) * u128::from(done.min(self.total)) / u128::from(self.total.max(1))) as u64
        };
        let before = part(self.done);
        let after = part(self.done + bytes);
        self.done += bytes;
        bars.whole.inc(after - before);
        if self.since.elapsed() > PATIENCE {
            let bar = self.bar.get_or_insert_with(|| {
                let bar = bars.all.insert_before(&bars.whole, ProgressBar::new(self.total));
                bar.set_style(style("  {msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
                bar.set_message(job.to_owned());
                bar
            });
            bar.set_position(self.done);
        }
    }
}

impl Listener for Screen<'_> {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Checked { jobs, states, .. } => {
                let open: Vec<&Job> = jobs
                    .iter()
                    .zip(*states)
                    .filter(|(_, state)| self.dry_run || !matches!(state, State::Current(_)))
                    .map(|(job, _)| job)
                    .collect();
                let number = *self.open.get_or_init(|| open.len());
                if let Some(bars) = &self.lines().bars {
                    bars.whole.set_length(open.iter().map(|job| job.bytes).sum());
                    bars.whole.set_message(format!("0/{number}"));
                }
            }
            Event::Started { job } => {
                let running = Running { since: Instant::now(), total: 0, done: 0, bar: None };
                self.lines().running.insert(*job, running);
                if self.terminal.verbose {
                    let text = format_args!("{}", self.job(*job));
                    let lines = self.lines();
                    self.say(&lines, || self.terminal.label(PLACE, "started", text));
                }
            }
            Event::Waiting { job } => {
                let text = "waiting for another process that works on it";
                let lines = self.lines();
                self.say(&lines, || self.remark(*job, "note", text));
            }
            Event::Writing { job, bytes } => {
                if let Some(running) = self.lines().running.get_mut(job) {
                    running.total = *bytes;
                }
            }
            Event::Advanced { job, bytes } => {
                let Lines { bars, running } = &mut *self.lines();
                if let (Some(bars), Some(running)) = (bars, running.get_mut(job)) {
                    let weight = self.jobs.get(*job).map_or(0, |job| job.bytes);
                    running.advance(*bytes, &self.job(*job), bars, weight);
                }
            }
            Event::Warned { job, remark } => {
                let text = remark.to_string();
                self.annotations.remarked(*job, "warning", &text);
                let lines = self.lines();
                self.say(&lines, || self.remark(*job, "warning", &text));
            }
        }
    }

    fn ended(&self, at: usize, outcome: Outcome) {
        let Some(job) = self.jobs.get(at) else { return };
        let ended = Ended::new(job, outcome);
        let mut lines = self.lines();
        let running = lines.running.remove(&at);
        let is_open = running.is_some();
        let number = self.ended.fetch_add(usize::from(is_open), Ordering::Relaxed) + usize::from(is_open);
        let open = self.open.get().copied().unwrap_or_default();
        if let Some(bars) = &lines.bars {
            if let Some(bar) = running.as_ref().and_then(|running| running.bar.as_ref()) {
                bar.finish_and_clear();
                bars.all.remove(bar);
            }
            if let Some(running) =
                running.filter(|running| running.done < running.total || running.total == 0)
            {
                let done =
                    u128::from(job.bytes) * u128::from(running.done) / u128::from(running.total.max(1));
                bars.whole.inc(job.bytes.saturating_sub(done as u64));
            }
            bars.whole.set_message(format!("{number}/{open}"));
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
