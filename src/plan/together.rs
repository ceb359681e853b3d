//! Many claims bound at a time.

use std::num::NonZeroUsize;
use std::thread::ScopedJoinHandle;

use super::bind::Binder;
use super::binding::{Binding, Detail};
use super::expansion::Claim;
use super::faults::Fault;
use super::solved::Solved;

/// Claims that are worth a thread: binding so many takes some milliseconds, beginning one a fraction of one.
const WORTH_A_THREAD: usize = 1000;

/// What a claim came to.
pub(super) struct Bound {
    pub(super) bindings: Vec<Binding>,
    /// What is to be noted of a layout that leaves the features of a map in another order.
    pub(super) unpermuted: Option<String>,
    /// Where they are asked for.
    pub(super) details: Vec<(usize, Detail)>,
}

impl Binder<'_> {
    /// Binds claims, each for itself, by so many threads at most (by default as many as there are cores).
    pub(super) fn bind_all(
        &self,
        claims: &[Claim<'_>],
        threads: Option<NonZeroUsize>,
    ) -> Vec<Result<Bound, Box<Fault>>> {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let parts = (claims.len() / WORTH_A_THREAD).max(1);
        let parts = if parts == 1 { 1 } else { parts.min(threads.map_or_else(cores, NonZeroUsize::get)) };
        let mut parts = claims.chunks(claims.len().div_ceil(parts).max(1));
        let own = parts.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = parts
                .map(|part| {
                    let begun = std::thread::Builder::new().spawn_scoped(scope, move || self.bind_part(part));
                    (part, begun.ok())
                })
                .collect();
            let mut bound = self.bind_part(own);
            for (part, other) in others {
                // What a thread that the system refused would have done is done here.
                match other.map(ScopedJoinHandle::join) {
                    None => bound.extend(self.bind_part(part)),
                    Some(Ok(other)) => bound.extend(other),
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                }
            }
            bound
        })
    }

    fn bind_part(&self, claims: &[Claim<'_>]) -> Vec<Result<Bound, Box<Fault>>> {
        // Layouts are solved once in each part, so that no thread waits for another.
        let binder = Binder { solved: Solved::default(), ..*self };
        claims.iter().map(|claim| binder.bound(claim)).collect()
    }

    fn bound(&self, claim: &Claim<'_>) -> Result<Bound, Box<Fault>> {
        let bindings = self.bind(claim)?;
        let unpermuted = self.unpermuted(claim);
        let details = if self.explain { self.details(claim) } else { Vec::new() };
        Ok(Bound { bindings, unpermuted, details })
    }
}
