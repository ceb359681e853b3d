//! One job.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::before::Before;
use super::digest::Look;
use super::error::JobError;
use super::event::{Done, Event, Outcome, Remark};
use super::job::Job;
use super::lock::{Claim, Lock, claim};
use super::memory::{Grant, Need};
use super::record::{self, Input, Output, Record, written};
use super::run::{Run, enough};
use super::stamp::Stamp;
use super::state::State;
use crate::checkpoint::{Checkpoint, Warning};
use crate::convert::{ConvertError, Planned, Progress, Report};
use crate::crew::{Crew, Hands, Place};

/// How often it is looked whether a signal has come, or another process is done, while a job waits.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often the folder for the lock may vanish before it is held: another process that ends removes it if it is empty.
const MAX_VANISHED: usize = 10;

/// About how many bytes a variable takes in a plan, with its tensor, what was read of both, and its place in the output that
/// is laid out.
const VARIABLE_BYTES: u64 = 8 << 10;

/// Does a job, or plans it.
pub(super) fn work(run: &Run<'_>, job: &Job, at: usize) -> Outcome {
    let mut worker = Worker { run, job, at, started: Instant::now(), place: Some(run.crew.enter()) };
    run.listener.hear(&Event::Started { job: at });
    let outcome = if run.options.dry_run { worker.plan_only() } else { worker.convert() };
    match outcome {
        Ok(outcome) => outcome,
        Err(JobError::Convert(ConvertError::Cancelled { .. })) => Outcome::Stopped,
        Err(_) if run.is_cancelled() => Outcome::Stopped,
        Err(error) => Outcome::Failed(Box::new(error)),
    }
}

struct Worker<'w> {
    run: &'w Run<'w>,
    job: &'w Job,
    at: usize,
    started: Instant,
    /// Held while it works, and given up while it waits.
    place: Option<Place<'w>>,
}

impl<'w> Worker<'w> {
    fn plan_only(&self) -> Result<Outcome, JobError> {
        let ear = Ear { worker: self, crew: None };
        let planned = self.plan(&ear)?;
        planned.check()?;
        let bytes_read = planned.inputs.iter().filter_map(|path| path.metadata().ok());
        Ok(Outcome::Planned(Box::new(Done {
            files: Vec::new(),
            inputs: planned.inputs.iter().map(|path| written(self.job, path)).collect(),
            bytes: planned.bytes(),
            bytes_read: bytes_read.map(|metadata| metadata.len()).sum(),
            variables: planned.plan.bindings.len(),
            unused: planned.plan.unused.len(),
            left_out: planned.plan.left_out.len(),
            warnings: planned.warnings.iter().map(ToString::to_string).collect(),
            notes: Done::notes_of(&planned.plan.notes),
            seconds: self.started.elapsed().as_secs_f64(),
        })))
    }

    fn plan(&self, ear: &Ear<'_>) -> Result<Planned, ConvertError> {
        let schema = self.run.schemas.load(&self.job.schema)?.schema;
        self.job.conversion().plan_by(Some(schema), ear)
    }

    /// The same, with every file looked at before it is opened.
    fn plan_after(&self, before: &mut Before) -> Result<Planned, ConvertError> {
        let known = self.run.schemas.load(&self.job.schema)?;
        before.know(&known);
        let conversion = self.job.conversion();
        let ear = Ear { worker: self, crew: None };
        let planned = conversion.plan_by(Some(known.schema.clone()), &ear)?;
        if !before.add(&planned.inputs) {
            return Ok(planned);
        }
        drop(planned);
        conversion.plan_by(Some(known.schema), &Again(&ear))
    }

    fn convert(&mut self) -> Result<Outcome, JobError> {
        let Some(_lock) = self.reserve()? else { return Ok(Outcome::Stopped) };
        // Another process may have been here since the states were found.
        if let State::Current(done) = self.run.state(self.job) {
            return Ok(Outcome::Current(done));
        }
        let mut before = Before::of(self.job)?;
        let planned = self.plan_after(&mut before)?;
        planned.check()?;
        let Some(grant) = self.admit(&planned) else { return Ok(Outcome::Stopped) };

        let Some(looks) = self.look_at(&planned)? else { return Ok(Outcome::Stopped) };
        if let Some(path) = before.changed(&looks) {
            let (path, output) = (path.to_owned(), self.job.output.clone());
            return Err(ConvertError::Changed { path, output }.into());
        }
        let ear = Ear { worker: self, crew: grant.with_help.then_some(&self.run.crew) };
        let report = planned.write(&ear)?;
        drop(planned);
        let changed = before.changed(&looks);
        let (record, is_whole) = self.record(report, before, &looks);
        let done = record.done.clone();
        match changed {
            Some(path) => self.remark(Remark::Input(path)),
            // What is gone already is to be done again in the next run.
            None if !is_whole => {}
            None => record
                .store(self.job)
                .map_err(|source| JobError::Record { output: self.job.output.clone(), source })?,
        }
        Ok(Outcome::Written(Box::new(done)))
    }

    /// Makes the output's folder, and locks the output; `None` when that is stopped.
    fn reserve(&mut self) -> Result<Option<Lock>, JobError> {
        let folder = record::folder_of(self.job);
        let path = record::path_of(self.job, "lock");
        let (mut waits, mut vanished) = (false, 0);
        loop {
            let made = self.make(&folder).map_err(|source| JobError::Folder { path: folder.clone(), source });
            let claimed = made
                .and_then(|()| claim(&path).map_err(|source| JobError::Lock { path: path.clone(), source }));
            match claimed {
                Ok(Claim::Held(lock)) => {
                    self.place.get_or_insert_with(|| self.run.crew.enter());
                    return Ok(Some(lock));
                }
                Ok(Claim::Busy) => {
                    if !std::mem::replace(&mut waits, true) {
                        self.run.listener.hear(&Event::Waiting { job: self.at });
                    }
                }
                Err(error) if vanished < MAX_VANISHED && has_vanished(&error) => vanished += 1,
                Err(error) => return Err(error),
            }
            self.place = None;
            std::thread::sleep(PATIENCE);
            if self.run.is_cancelled() {
                return Ok(None);
            }
        }
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        let absent =
            folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let absent: Vec<PathBuf> = absent.map(Path::to_owned).collect();
        if !absent.is_empty() {
            std::fs::create_dir_all(folder)?;
            self.run.made.lock().unwrap_or_else(PoisonError::into_inner).extend(absent);
        }
        Ok(())
    }

    /// Waits for memory; `None` when that is stopped.
    fn admit(&mut self, planned: &Planned) -> Option<Grant<'w>> {
        let plan = VARIABLE_BYTES * planned.plan.bindings.len() as u64;
        let need = |threads| plan.saturating_add(planned.computed_memory(threads));
        let need = Need { alone: need(NonZeroUsize::MIN), with_help: need(self.run.crew.places()) };
        let grant = loop {
            if let Some(grant) = self.run.budget.try_grant(need) {
                break grant;
            }
            self.place = None;
            self.run.budget.wait(PATIENCE);
            if self.run.is_cancelled() {
                return None;
            }
        };
        self.place.get_or_insert_with(|| self.run.crew.enter());
        if grant.is_over && !self.run.is_memory_told.swap(true, Ordering::Relaxed) {
            let needed = enough(self.run.options.threads, need.alone);
            self.remark(Remark::Memory { needed, limit: self.run.memory });
        }
        Some(grant)
    }

    /// The contents of all files that are read; `None` when that is stopped.
    fn look_at(&self, planned: &Planned) -> Result<Option<Vec<(PathBuf, Look)>>, JobError> {
        let mut looks = Vec::with_capacity(planned.inputs.len());
        for path in &planned.inputs {
            let look = self.run.looks.look(path, Hands::Crew(&self.run.crew), &|| self.run.is_cancelled());
            let look = look.map_err(|source| JobError::Input { path: path.clone(), source })?;
            let Some(look) = look else { return Ok(None) };
            looks.push((path.clone(), look));
        }
        Ok(Some(looks))
    }

    /// What is known of the conversion, and whether all its files are still there.
    fn record(&self, report: Report, before: Before, looks: &[(PathBuf, Look)]) -> (Record, bool) {
        let mut outputs = Vec::with_capacity(report.files.len());
        let mut is_whole = true;
        for path in &report.files {
            match Stamp::of(path) {
                Ok(stamp) => outputs.push(Output { path: written(self.job, path), stamp }),
                Err(_) => is_whole = false,
            }
        }
        let input = |(path, look): &(PathBuf, Look)| Input {
            path: written(self.job, path),
            blake3: look.digest.clone(),
            stamp: look.stamp,
            looked: look.looked,
        };
        let inputs: Vec<Input> = looks.iter().map(input).collect();
        let done = Done {
            files: report.files.iter().map(|path| written(self.job, path)).collect(),
            inputs: inputs.iter().map(|input| input.path.clone()).collect(),
            bytes: report.bytes,
            bytes_read: inputs.iter().map(|input| input.stamp.size).sum(),
            variables: report.variables,
            unused: report.unused,
            left_out: report.left_out,
            warnings: report.warnings.iter().map(ToString::to_string).collect(),
            notes: Done::notes_of(&report.notes),
            seconds: self.started.elapsed().as_secs_f64(),
        };
        let Before { folders, absent, .. } = before;
        let record = Record { inputs, folders, absent, outputs, ..Record::new(self.job, done) };
        (record, is_whole)
    }

    fn remark(&self, remark: Remark<'_>) {
        self.run.listener.hear(&Event::Warned { job: self.at, remark });
    }
}

fn has_vanished(error: &JobError) -> bool {
    matches!(error, JobError::Folder { source, .. } | JobError::Lock { source, .. }
        if source.kind() == io::ErrorKind::NotFound)
}

/// What a conversion tells, as events of its job.
struct Ear<'e> {
    worker: &'e Worker<'e>,
    crew: Option<&'e Crew>,
}

impl Progress for Ear<'_> {
    fn opened(&self, checkpoint: &Checkpoint) {
        checkpoint.warnings.iter().for_each(|warning| self.warned(warning));
    }

    fn warned(&self, warning: &Warning) {
        self.worker.remark(Remark::Checkpoint(warning));
    }

    fn started(&self, bytes: u64) {
        self.worker.run.listener.hear(&Event::Writing { job: self.worker.at, bytes });
    }

    fn advanced(&self, bytes: u64) {
        self.worker.run.listener.hear(&Event::Advanced { job: self.worker.at, bytes });
    }

    fn is_cancelled(&self) -> bool {
        self.worker.run.is_cancelled()
    }

    fn crew(&self) -> Option<&Crew> {
        self.crew
    }
}

/// A conversion that is planned once more: what it says was said.
struct Again<'e>(&'e Ear<'e>);

impl Progress for Again<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
