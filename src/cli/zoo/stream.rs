//! `--json`: an object for each event, a line each.

use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value as Json, json};

use super::annotations::Annotations;
use super::diagnosis::{Ended, about};
use super::results::Results;
use super::summary::{Counts, states_json};
use crate::cli::escape::escape;
use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::cli::terminal::{ERROR, Terminal};
use crate::zoo::{Event, Job, Listener, Outcome, State, Summary};

/// Tells every event on stdout.
pub(super) struct Stream<'z> {
    jobs: &'z [Job],
    states: OnceLock<Vec<State>>,
    results: Results,
    annotations: Annotations,
    terminal: Terminal,
    /// Why stdout cannot be written to: from then on nothing is.
    broken: Mutex<Option<Failure>>,
}

impl<'z> Stream<'z> {
    pub(super) fn new(jobs: &'z [Job], terminal: Terminal) -> Self {
        Self {
            jobs,
            states: OnceLock::new(),
            results: Results::new(jobs.len()),
            annotations: Annotations::new(terminal),
            terminal,
            broken: Mutex::new(None),
        }
    }

    /// The last event. What came of the jobs is in the results.
    pub(super) fn end(self, summary: &Summary) -> (Results, Result<(), Failure>) {
        let counts = Counts::new(&self.results);
        self.tell(
            "summary",
            json!({
                "jobs": counts.to_json(),
                "bytes": counts.bytes_written(),
                "seconds": summary.elapsed.as_secs_f64(),
                "interrupted": interrupt::is_interrupted(),
            }),
        );
        self.annotations.tell(self.jobs);
        let broken = self.broken.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.results, broken.map_or(Ok(()), Err))
    }

    fn tell(&self, event: &str, about: Json) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.is_some() {
            return;
        }
        let mut line = json!({ "event": event });
        if let (Json::Object(line), Json::Object(about)) = (&mut line, about) {
            line.extend(about);
        }
        *broken = self.terminal.result(|out| writeln!(out, "{line}")).err();
    }

    fn about(&self, job: usize) -> Json {
        match (self.jobs.get(job), self.states.get().and_then(|states| states.get(job))) {
            (Some(job), Some(state)) => about(job, state).into(),
            _ => Json::Null,
        }
    }

    fn output(&self, job: usize) -> Json {
        json!(self.jobs.get(job).map(|job| job.output.to_string_lossy()))
    }
}

impl Listener for Stream<'_> {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Checked { jobs, states, crew, memory } => {
                let states = self.states.get_or_init(|| states.to_vec());
                let mut about = json!({ "jobs": jobs.len() });
                if let (Json::Object(about), Json::Object(states)) = (&mut about, states_json(states)) {
                    about.extend(states);
                }
                about["threads"] = json!(crew.places());
                about["memory"] = json!(memory);
                self.tell("checked", about);
            }
            Event::Started { job } => self.tell("started", self.about(*job)),
            Event::Waiting { job } => self.tell("waiting", json!({ "output": self.output(*job) })),
            Event::Writing { job, bytes } => {
                self.tell("writing", json!({ "output": self.output(*job), "bytes": bytes }));
            }
            Event::Warned { job, remark } => {
                let text = self.terminal.asked.says(&remark.to_string());
                self.annotations.remarked(*job, "warning", &text);
                self.tell("warning", json!({ "output": self.output(*job), "text": text }));
            }
            // Thousands for each job: a line for each would take longer than the work.
            Event::Advanced { .. } => {}
        }
    }

    fn ended(&self, at: usize, outcome: Outcome) {
        let (Some(job), Some(state)) =
            (self.jobs.get(at), self.states.get().and_then(|states| states.get(at)))
        else {
            return;
        };
        let ended = Ended::new(job, outcome);
        self.tell("ended", ended.to_json(job, state));
        if let Some(failure) = &ended.failure {
            let text = format_args!("{}: {failure}", escape(&job.output.to_string_lossy()));
            self.terminal.label(ERROR, "error", text);
            self.annotations.failed(at, failure);
        }
        self.results.put(at, ended);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}
