//! What came of each job, as it comes.

use std::sync::OnceLock;

use super::diagnosis::Ended;

/// What came of each job.
#[derive(Debug)]
pub(super) struct Results(Vec<OnceLock<Ended>>);

impl Results {
    pub(super) fn new(jobs: usize) -> Self {
        Self((0..jobs).map(|_| OnceLock::new()).collect())
    }

    /// A job ends once.
    pub(super) fn put(&self, job: usize, ended: Ended) {
        if let Some(slot) = self.0.get(job) {
            slot.get_or_init(|| ended);
        }
    }

    pub(super) fn get(&self, job: usize) -> Option<&Ended> {
        self.0.get(job).and_then(OnceLock::get)
    }

    /// Those that have ended.
    pub(super) fn all(&self) -> impl Iterator<Item = &Ended> {
        self.0.iter().filter_map(OnceLock::get)
    }
}
