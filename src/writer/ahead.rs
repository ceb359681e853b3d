//! Reading input that is not in the page cache ahead of those who gather it.
//!
//! Gathering a transposed matrix touches pages all over it. Where these have to come from the disk, threads that fault
//! at places of their own keep it far below what it can do. So one thread more reads what the jobs need, in their order,
//! and who comes to a job waits until that is there. Small datasets are left to faults, as is everything where one
//! thread was asked for, or several conversions share a crew.

mod listed;
mod looks;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::crew::beside;
use crate::lazy::{Bytes, PageReader};

use super::jobs::Job;
use listed::Listed;
use looks::Looks;

/// Bytes that are read at a time: enough to keep a disk busy, few enough that who needs the first does not wait long.
const PIECE: usize = 4 << 20;

/// Bytes that are read ahead of what anybody has come to. With 128 MiB, threads and disk wait for each other (1.15 of the
/// time); nothing is gained by more than this, and of a model that is larger than the memory, pages that were read too
/// early would be dropped before they are used.
const AHEAD: u64 = 512 << 20;

/// What the jobs read, and how much of it has been. Places are counted through all of it.
pub(super) struct Ahead {
    /// In the order of the jobs, no byte twice.
    runs: Vec<Bytes>,
    needs: Vec<Need>,
    /// Bytes that are read ahead.
    most: u64,
    state: Mutex<State>,
    changed: Condvar,
}

/// Where what a job reads lies.
struct Need {
    start: u64,
    end: u64,
    /// Whether that is one source, and all of it: parts of it can be waited for.
    is_one: bool,
}

#[derive(Default)]
struct State {
    has_reader: bool,
    /// Whether nobody comes to another job.
    is_over: bool,
    /// Up to where it has been read.
    read: u64,
    /// Up to where anybody has asked for it.
    asked: u64,
}

impl Ahead {
    /// Of the jobs before the small ones. `None` where it is all in the page cache.
    pub(super) fn of(jobs: &[Job<'_>]) -> Option<Self> {
        let large = || jobs.iter().take_while(|job| !job.is_small());
        let mut looks = Looks::default();
        large().any(|job| job.any_source(&mut |source| looks.are_cold(source))).then(|| {
            let sources = |job: &Job<'_>| {
                let mut sources = Vec::new();
                job.any_source(&mut |source| {
                    sources.push(source.clone());
                    false
                });
                sources
            };
            Self::new(large().map(sources), AHEAD)
        })
    }

    /// Of jobs that read these, `most` bytes ahead.
    fn new(jobs: impl Iterator<Item = Vec<Bytes>>, most: u64) -> Self {
        let (mut listed, mut runs, mut needs, mut end) = (Listed::default(), Vec::new(), Vec::new(), 0);
        for sources in jobs {
            let (start, first) = (end, runs.len());
            for source in &sources {
                listed.add(source, &mut runs);
            }
            let new = runs.get(first..).unwrap_or(&[]);
            end += new.iter().map(|run| run.len() as u64).sum::<u64>();
            let is_one = matches!((new, &*sources), ([run], [source]) if run.len() == source.len());
            needs.push(Need { start, end, is_one });
        }
        Self { runs, needs, most, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Does something, and has all read meanwhile, unless somebody `stops` it.
    pub(super) fn read_beside<T>(&self, stops: &(dyn Fn() -> bool + Sync), work: impl FnOnce() -> T) -> T {
        self.state().has_reader = true;
        // Nobody waits for a thread that the system refuses, or that has ended in any way.
        let reader = OnDrop(|| self.change(|state| state.has_reader = false));
        let read = move || {
            let _reader = reader;
            self.read(stops);
        };
        let work = || {
            let _worker = OnDrop(|| self.change(|state| state.is_over = true));
            work()
        };
        beside(true, read, work).1
    }

    fn read(&self, stops: &(dyn Fn() -> bool + Sync)) {
        let (mut pages, mut place) = (PageReader::default(), 0);
        for run in &self.runs {
            for start in (0..run.len()).step_by(PIECE) {
                let is_far =
                    |state: &mut State| !state.is_over && place >= state.asked.saturating_add(self.most);
                let state = self.changed.wait_while(self.state(), is_far);
                let is_over = state.unwrap_or_else(PoisonError::into_inner).is_over;
                if is_over || stops() {
                    return;
                }
                let end = run.len().min(start + PIECE);
                pages.fetch(run, start..end);
                place += (end - start) as u64;
                self.change(|state| state.read = place);
            }
        }
    }

    /// Waits until what a job reads is there, if somebody reads it; of a job that reads one source, until so many bytes
    /// of it are, if that is told.
    pub(super) fn wait(&self, job: usize, bytes: Option<usize>) {
        let Some(need) = self.needs.get(job) else { return };
        let needed = match bytes {
            Some(bytes) if need.is_one => need.end.min(need.start.saturating_add(bytes as u64)),
            _ => need.end,
        };
        let mut state = self.state();
        if state.asked < needed {
            state.asked = needed;
            self.changed.notify_all();
        }
        drop(self.changed.wait_while(state, |state| state.has_reader && state.read < needed));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something when it is dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    /// Whoever waits for these jobs, by so many threads and in this order, finds read what each reads, and little more.
    fn check(jobs: &[&[usize]], most: u64, order: &[(usize, Option<usize>)], threads: usize) {
        let runs = |sizes: &&[usize]| sizes.iter().map(|&size| Bytes::held(vec![7; size])).collect();
        let ahead = Ahead::new(jobs.iter().map(runs), most);
        let next = AtomicUsize::new(0);
        let asked = AtomicU64::new(0);
        let work = || {
            while let Some(&(job, bytes)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sizes = jobs.get(job).copied().unwrap_or(&[]);
                let before: usize = jobs.iter().take(job).copied().flatten().sum();
                let all: usize = sizes.iter().sum();
                let own = bytes.filter(|_| sizes.len() == 1).unwrap_or(all).min(all);
                let needed = if job < jobs.len() { before + own } else { 0 } as u64;
                asked.fetch_max(needed, Ordering::Relaxed);
                ahead.wait(job, bytes);
                let state = ahead.state();
                assert!(state.read >= needed, "{order:?}: {needed}");
                let most = asked.load(Ordering::Relaxed).saturating_add(most).saturating_add(PIECE as u64);
                assert!(state.read < most, "{order:?}: {needed}");
            }
        };
        let outcome = ahead.read_beside(&|| false, || {
            std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            11
        });
        assert_eq!(outcome, 11);
        assert!(!ahead.state().has_reader);
        // Nobody reads any more, and nobody waits.
        (0..=jobs.len()).for_each(|job| ahead.wait(job, None));
    }

    #[test]
    fn what_is_waited_for_is_read() {
        let jobs: &[&[usize]] = &[&[3 * PIECE + 3], &[5, 0, 9], &[], &[2 * PIECE], &[1]];
        for most in [0, 7, u64::MAX] {
            for threads in [1, 3] {
                check(&[], most, &[(0, None), (1, Some(9))], threads);
                check(jobs, most, &[], threads);
                check(jobs, most, &[(0, Some(3))], threads);
                check(jobs, most, &[(0, Some(3)), (0, Some(PIECE + 1)), (0, None), (1, None)], threads);
                check(
                    jobs,
                    most,
                    &[(4, None), (2, None), (0, Some(9 * PIECE)), (3, Some(1)), (9, None)],
                    threads,
                );
            }
        }
    }

    #[test]
    fn nobody_is_left_waiting() {
        let one = || Ahead::new([vec![Bytes::held(vec![1; 9])]].into_iter(), 0);
        // Nobody reads.
        one().wait(0, None);
        // Who reads stops.
        let ahead = one();
        ahead.read_beside(&|| true, || ahead.wait(0, None));
        assert_eq!(ahead.state().read, 0);
        // Who reads panics, or who works.
        for panics_reading in [true, false] {
            let ahead = one();
            let stops = || if panics_reading { std::panic::panic_any(5) } else { false };
            let work = || {
                ahead.wait(0, None);
                if !panics_reading {
                    std::panic::panic_any(5);
                }
            };
            let run = std::panic::AssertUnwindSafe(|| ahead.read_beside(&stops, work));
            assert_eq!(std::panic::catch_unwind(run).unwrap_err().downcast_ref(), Some(&5));
            assert!(!ahead.state().has_reader);
        }
    }

    #[test]
    fn no_byte_is_listed_twice() {
        let all = Bytes::held((0..99).collect());
        let part = |range: std::ops::Range<usize>| all.slice(range).unwrap();
        let jobs = [
            vec![part(20..30)],
            vec![part(20..30)],
            vec![part(40..50), part(10..60)],
            vec![part(5..5), part(59..61)],
            vec![part(0..99)],
            vec![Bytes::held(vec![7; 3])],
        ];
        let ahead = Ahead::new(jobs.into_iter(), 0);
        let runs: Vec<(u8, usize)> = ahead.runs.iter().map(|run| (run.as_slice()[0], run.len())).collect();
        let expected = [(20, 10), (40, 10), (10, 10), (30, 10), (50, 10), (60, 1), (0, 10), (61, 38), (7, 3)];
        assert_eq!(runs, expected);
        let needs: Vec<_> = ahead.needs.iter().map(|need| (need.start, need.end, need.is_one)).collect();
        let expected = [
            (0, 10, true),
            (10, 10, false),
            (10, 50, false),
            (50, 51, false),
            (51, 99, false),
            (99, 102, true),
        ];
        assert_eq!(needs, expected);
    }
}
