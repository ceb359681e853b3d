//! Which bytes are to be read, each once, whoever needs them.

use std::collections::BTreeMap;

use crate::lazy::Bytes;

/// Which bytes are listed already: ends of ranges by their starts, as addresses. No two overlap.
#[derive(Default)]
pub(super) struct Listed(BTreeMap<usize, usize>);

impl Listed {
    /// Adds to the runs what of these bytes is not among them.
    pub(super) fn add(&mut self, bytes: &Bytes, runs: &mut Vec<Bytes>) {
        let base = bytes.as_slice().as_ptr().addr();
        let (mut at, end) = (base, base + bytes.len());
        let before = self.0.range(..=base).next_back().filter(|&(_, &stop)| stop > base).into_iter();
        let within = self.0.range(base + 1..end.max(base + 1));
        let overlapping: Vec<_> = before.chain(within).map(|(&start, &stop)| (start, stop)).collect();
        for &(start, stop) in overlapping.iter().chain([&(end, end)]) {
            if at < start.min(end) {
                runs.extend(bytes.slice(at - base..start - base));
            }
            at = at.max(stop);
        }
        // They are one now.
        let first = overlapping.first().map_or(base, |range| base.min(range.0));
        for (start, _) in overlapping {
            self.0.remove(&start);
        }
        if first < at {
            self.0.insert(first, at);
        }
    }
}
