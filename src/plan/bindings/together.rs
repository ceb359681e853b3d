//! Many claims bound at a time.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::binder::{Binder, Bindings};
use super::solved::Solved;
use crate::crew::{Belt, Hands, share};
use crate::plan::claims::expansion::{Batch, Claim};
use crate::plan::faults::fault::Fault;
use crate::plan::outcome::Detail;

/// Claims that are bound at a time, and worth a thread: binding so many takes some milliseconds, beginning one a fraction of one.
const WORTH_A_THREAD: usize = 1000;

/// What a claim came to.
pub(in crate::plan) struct Bound {
    pub(in crate::plan) bindings: Bindings,
    /// What is to be noted of a layout that leaves the features of a map in another order.
    pub(in crate::plan) unpermuted: Option<String>,
    /// Where they are asked for.
    pub(in crate::plan) details: Vec<(usize, Detail)>,
}

/// Claims, and what they came to.
pub(in crate::plan) struct BoundBatch<'a> {
    /// How many batches came before it.
    pub(in crate::plan) number: usize,
    pub(in crate::plan) claims: Vec<Claim<'a>>,
    pub(in crate::plan) outcomes: Vec<Result<Bound, Box<Fault>>>,
}

impl Binder<'_> {
    /// Binds claims, each for itself, by so many threads at most (by default as many as there are cores), and tells in
    /// their order, part by part, what they came to.
    pub(in crate::plan) fn bind_all(
        &self,
        claims: &[Claim<'_>],
        threads: Option<NonZeroUsize>,
    ) -> Vec<Vec<Result<Bound, Box<Fault>>>> {
        let parts: Vec<_> = claims.chunks(WORTH_A_THREAD).map(|part| (part, OnceLock::new())).collect();
        let next = AtomicUsize::new(0);
        share(Hands::own(threads), parts.len(), &|goes_on| {
            while goes_on() {
                let Some((part, bound)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                bound.get_or_init(|| self.bind_part(part));
            }
        });
        let bound =
            |(part, bound): (_, OnceLock<_>)| bound.into_inner().unwrap_or_else(|| self.bind_part(part));
        parts.into_iter().map(bound).collect()
    }

    /// Binds batches as they are made, until there are no more; whoever else does so too takes others.
    pub(in crate::plan) fn bind_batches<'c>(&self, belt: &Belt<Batch<'c>>) -> Vec<BoundBatch<'c>> {
        let binder = self.anew();
        let mut bound = Vec::new();
        while let Some(Batch { number, claims }) = belt.take() {
            let outcomes = claims.iter().map(|claim| binder.bound(claim)).collect();
            bound.push(BoundBatch { number, claims, outcomes });
        }
        bound
    }

    fn bind_part(&self, claims: &[Claim<'_>]) -> Vec<Result<Bound, Box<Fault>>> {
        let binder = self.anew();
        claims.iter().map(|claim| binder.bound(claim)).collect()
    }

    /// The same, for one thread. Each solves layouts for itself, so that none waits for another.
    fn anew(&self) -> Self {
        Self { solved: Solved::default(), ..*self }
    }

    fn bound(&self, claim: &Claim<'_>) -> Result<Bound, Box<Fault>> {
        let bindings = self.bind(claim)?;
        let unpermuted = self.unpermuted(claim);
        let details = if self.options.explain { self.details(claim) } else { Vec::new() };
        Ok(Bound { bindings, unpermuted, details })
    }
}
