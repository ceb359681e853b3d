//! Many claims bound at a time.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

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
    /// Binds claims, each for itself, by so many threads at most (by default as many as there are cores).
    pub(in crate::plan) fn bind_all<'c>(
        &self,
        claims: Vec<Claim<'c>>,
        threads: Option<NonZeroUsize>,
    ) -> Vec<BoundBatch<'c>> {
        let belt = Belt::new();
        let mut claims = claims.into_iter().peekable();
        for number in 0.. {
            if claims.peek().is_none() {
                break;
            }
            belt.put(Batch { number, claims: claims.by_ref().take(WORTH_A_THREAD).collect() });
        }
        drop(belt.end());
        self.bind_left(&belt, Hands::own(threads))
    }

    /// Binds what is left on a belt that nothing more comes to.
    pub(in crate::plan) fn bind_left<'c>(
        &self,
        belt: &Belt<Batch<'c>>,
        hands: Hands<'_>,
    ) -> Vec<BoundBatch<'c>> {
        let bound = Mutex::new(Vec::new());
        share(hands, belt.len(), &|_| {
            let own = self.bind_batches(belt);
            bound.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        });
        bound.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds batches as they are made, until there are no more; whoever else does so too takes others.
    pub(in crate::plan) fn bind_batches<'c>(&self, belt: &Belt<Batch<'c>>) -> Vec<BoundBatch<'c>> {
        // Each thread solves layouts for itself, so that none waits for another.
        let binder = Binder { solved: Solved::default(), ..*self };
        let mut bound = Vec::new();
        while let Some(Batch { number, claims }) = belt.take() {
            let outcomes = claims.iter().map(|claim| binder.bound(claim)).collect();
            bound.push(BoundBatch { number, claims, outcomes });
        }
        bound
    }

    fn bound(&self, claim: &Claim<'_>) -> Result<Bound, Box<Fault>> {
        let bindings = self.bind(claim)?;
        let unpermuted = self.unpermuted(claim);
        let details = if self.options.explain { self.details(claim) } else { Vec::new() };
        Ok(Bound { bindings, unpermuted, details })
    }
}
