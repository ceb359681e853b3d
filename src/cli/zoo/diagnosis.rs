//! What came of a job, for people and machines.

use serde_json::{Value as Json, json};

use crate::cli::asked::Asked;
use crate::cli::failure::Failure;
use crate::cli::tell::causes;
use crate::cli::{faults, inputs};
use crate::convert::ConvertError;
use crate::schema;
use crate::zoo::{Done, Job, JobError, Outcome, State};

/// What came of a job.
#[derive(Debug)]
pub(super) struct Ended {
    /// `written`, `current`, `planned`, `failed`, `stopped`.
    pub(super) outcome: &'static str,
    pub(super) done: Option<Box<Done>>,
    pub(super) failure: Option<Failure>,
}

impl Ended {
    pub(super) fn new(job: &Job, outcome: Outcome) -> Self {
        let done = |outcome, done| Self { outcome, done: Some(done), failure: None };
        match outcome {
            Outcome::Written(found) => done("written", found),
            Outcome::Current(found) => done("current", found),
            Outcome::Planned(found) => done("planned", found),
            Outcome::Failed(error) => {
                Self { outcome: "failed", done: None, failure: Some(failure(job, *error)) }
            }
            Outcome::Stopped => Self { outcome: "stopped", done: None, failure: None },
        }
    }

    /// What is known of a job and of what came of it.
    pub(super) fn to_json(&self, job: &Job, state: &State) -> Json {
        let mut all = about(job, state);
        let mut put = |key: &str, value: Json| all.insert(key.to_owned(), value);
        put("outcome", json!(self.outcome));
        if let Some(done) = &self.done {
            put("variables", json!(done.variables));
            put("bytes", json!(done.bytes));
            put("bytes_read", json!(done.bytes_read));
            put("seconds", json!(done.seconds));
            put("files", json!(done.files));
            put("inputs", json!(done.inputs));
            put("unused", json!(done.unused));
            put("left_out", json!(done.left_out));
            put("warnings", done.warnings.iter().map(|warning| says(warning)).collect());
            let notes = done.notes.iter().map(|(about, text)| json!({ "about": about, "text": text }));
            put("notes", notes.collect());
        }
        if let Some(failure) = &self.failure {
            put("error", error_json(failure));
        }
        all.into()
    }
}

/// What is known of a job before it begins.
pub(super) fn about(job: &Job, state: &State) -> serde_json::Map<String, Json> {
    let reasons: Vec<String> = state.reasons().iter().map(ToString::to_string).collect();
    let pairs = [
        ("output", json!(job.output.to_string_lossy())),
        ("checkpoint", json!(job.checkpoint.to_string_lossy())),
        ("schema", json!(job.schema.as_path().to_string_lossy())),
        ("architecture", json!(job.architecture.as_ref().map(|path| path.to_string_lossy()))),
        ("state", json!(state_name(state))),
        ("reasons", json!(reasons)),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// `new`, `stale`, `current`.
pub(super) const fn state_name(state: &State) -> &'static str {
    match state {
        State::New => "new",
        State::Stale(_) => "stale",
        State::Current(_) => "current",
    }
}

/// What a job's error is on the command line: as for a single conversion.
fn failure(job: &Job, error: JobError) -> Failure {
    match error {
        JobError::Convert(error) => inputs::told(error, &job.conversion().source),
        error => Failure::Job(error),
    }
}

/// What names options, as the manifest has them.
fn says(text: &str) -> String {
    Asked::Keys.says(text)
}

/// The full diagnosis: the exit code of a single conversion, the chain of causes, every fault.
fn error_json(failure: &Failure) -> Json {
    let faults = match failure {
        Failure::Convert(ConvertError::Faults { faults: found, .. }) => {
            faults::to_json(found)["faults"].take()
        }
        Failure::Convert(ConvertError::Schema(schema::Error::Invalid { faults: found, .. })) => {
            let fault = |fault: &schema::Fault| json!({ "place": fault.position.to_string(), "text": fault.to_string(), "help": fault.help });
            found.iter().map(fault).collect()
        }
        _ => json!([]),
    };
    json!({
        "exit": failure.exit().code(),
        "message": says(&failure.to_string()),
        "causes": causes(failure).iter().map(|cause| says(cause)).collect::<Vec<_>>(),
        "hint": failure.hint(Asked::Keys),
        "faults": faults,
    })
}
