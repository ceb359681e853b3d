//! `--format github`: what is wrong with the jobs, at the end. GitHub shows ten annotations of a step, so what many
//! jobs have in common is one.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::cli::escape::escape;
use crate::cli::failure::Failure;
use crate::cli::github::{Annotation, Level};
use crate::cli::terminal::Terminal;
use crate::zoo::Job;

/// Jobs that are named for one message.
const JOBS: usize = 5;

/// Messages that differ between the jobs that one rule fails.
const MESSAGES: usize = 3;

/// What is to be told, with the job that it is about.
pub(super) struct Annotations {
    terminal: Terminal,
    heard: Mutex<Vec<(usize, Annotation)>>,
}

impl Annotations {
    pub(super) const fn new(terminal: Terminal) -> Self {
        Self { terminal, heard: Mutex::new(Vec::new()) }
    }

    /// A job failed.
    pub(super) fn failed(&self, job: usize, failure: &Failure) {
        self.hear(job, || failure.annotations(self.terminal.asked));
    }

    /// Something is worth knowing about a job, unless nothing is.
    pub(super) fn remarked(&self, job: usize, label: &str, text: &str) {
        if !self.terminal.quiet {
            self.hear(job, || vec![Annotation::new(Level::of(label), "", self.terminal.asked.says(text))]);
        }
    }

    fn hear(&self, job: usize, found: impl FnOnce() -> Vec<Annotation>) {
        if self.terminal.github {
            let found = found().into_iter().map(|annotation| (job, annotation));
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        }
    }

    /// Tells them, in the order of the jobs.
    pub(super) fn tell(self, jobs: &[Job]) {
        let heard = self.heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        merge(heard, &|job| {
            jobs.get(job).map(|job| escape(&job.output.to_string_lossy())).unwrap_or_default()
        })
        .iter()
        .for_each(|annotation| self.terminal.annotate(annotation));
    }
}

/// What jobs have in common: a rule, or else a message.
struct Group {
    /// The first of them.
    annotation: Annotation,
    /// Each message, and the jobs that it is about.
    messages: Vec<(String, Vec<usize>)>,
}

fn merge(mut heard: Vec<(usize, Annotation)>, name: &dyn Fn(usize) -> String) -> Vec<Annotation> {
    heard.sort_by_key(|&(job, _)| job);
    let mut groups: Vec<Group> = Vec::new();
    let mut places = HashMap::new();
    for (job, annotation) in heard {
        let place = *places.entry(Subject::of(&annotation)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group { annotation: annotation.clone(), messages: Vec::new() });
        }
        let Some(Group { messages, .. }) = groups.get_mut(place) else { continue };
        match messages.iter_mut().find(|(message, _)| *message == annotation.message) {
            Some((_, jobs)) => jobs.push(job),
            None => messages.push((annotation.message, vec![job])),
        }
    }
    groups.into_iter().map(|group| group.merged(name)).collect()
}

/// What annotations of several jobs are about.
#[derive(PartialEq, Eq, Hash)]
enum Subject {
    Rule(Level, String, Range<usize>),
    Kind(Level, String),
    Message(Level, String),
}

impl Subject {
    fn of(annotation: &Annotation) -> Self {
        let Annotation { level, place, title, message } = annotation;
        match place {
            Some(place) => Self::Rule(*level, place.file.name.clone(), place.span.clone()),
            None if !title.is_empty() => Self::Kind(*level, title.clone()),
            None => Self::Message(*level, message.clone()),
        }
    }
}

impl Group {
    fn merged(self, name: &dyn Fn(usize) -> String) -> Annotation {
        let mut lines = Vec::new();
        for (message, jobs) in self.messages.iter().take(MESSAGES) {
            let names: Vec<String> = jobs.iter().take(JOBS).map(|&job| name(job)).collect();
            let label = if jobs.len() == 1 { "job" } else { "jobs" };
            let more = jobs.len().checked_sub(JOBS).filter(|&more| more > 0);
            let more = more.map(|more| format!(", … and {more} more")).unwrap_or_default();
            lines.push(format!("{message}\n{label}: {}{more}", names.join(", ")));
        }
        let others: usize = self.messages.iter().skip(MESSAGES).map(|(_, jobs)| jobs.len()).sum();
        if others > 0 {
            lines.push(format!("… and {others} more of other jobs"));
        }
        Annotation { message: lines.join("\n"), ..self.annotation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heard: &[(usize, &str, &str)], expected: &[&str]) {
        let annotation = |&(job, title, message): &(usize, &str, &str)| {
            (job, Annotation::new(Level::Error, title, message))
        };
        let found = merge(heard.iter().map(annotation).collect(), &|job| format!("{job}.h5"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_jobs_have_in_common_is_one() {
        check(&[], &[]);
        check(&[(0, "", "a")], &["::error title=ptw2k::a%0Ajob: 0.h5\n"]);
        check(
            &[(1, "", "a"), (2, "", "b"), (0, "", "a")],
            &["::error title=ptw2k::a%0Ajobs: 0.h5, 1.h5\n", "::error title=ptw2k::b%0Ajob: 2.h5\n"],
        );
        let many: Vec<_> = (0..8).map(|job| (job, "", "a")).collect();
        check(&many, &["::error title=ptw2k::a%0Ajobs: 0.h5, 1.h5, 2.h5, 3.h5, 4.h5, … and 3 more\n"]);
        check(
            &[(0, ": k", "a"), (1, ": k", "b"), (2, ": k", "c"), (3, ": k", "d"), (4, ": k", "d")],
            &[
                "::error title=ptw2k%3A k::a%0Ajob: 0.h5%0Ab%0Ajob: 1.h5%0Ac%0Ajob: 2.h5%0A… and 2 more of other jobs\n",
            ],
        );
    }
}
