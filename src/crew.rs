//! Threads that several pieces of work share.
//!
//! A crew has a fixed number of places, and a thread works only while it holds one. Whoever does a large piece of
//! work in tiles (or turns of small ones) looks between two of them whether a place is free, and takes a helper in; a
//! helper leaves after its tile as soon as somebody waits for a place. So a piece of work that is alone has all places, several share
//! them, and none is ever put aside for another in the middle.
//!
//! Who holds a place has no threads of its own: [`beside`], and a belt on which one thread puts what others take, are
//! for those who are in no crew.

mod belt;

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) use belt::Belt;

/// A number of places for threads that work.
#[derive(Debug)]
pub struct Crew {
    places: NonZeroUsize,
    state: Mutex<State>,
    /// Somebody has left a place.
    left: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Threads that wait for a place.
    waiting: usize,
}

/// A place that a thread holds; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place<'c>(&'c Crew);

impl Crew {
    /// A crew of so many places, all of them free.
    #[must_use]
    pub const fn new(places: NonZeroUsize) -> Self {
        let state = State { free: places.get(), waiting: 0 };
        Self { places, state: Mutex::new(state), left: Condvar::new() }
    }

    /// How many places there are.
    #[must_use]
    pub const fn places(&self) -> NonZeroUsize {
        self.places
    }

    /// Waits for a place. Helpers make room for it.
    pub fn enter(&self) -> Place<'_> {
        let mut state = self.state();
        while state.free == 0 {
            state.waiting += 1;
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.free -= 1;
        Place(self)
    }

    /// A place that nobody has and nobody waits for.
    fn spare(&self) -> Option<Place<'_>> {
        let mut state = self.state();
        if state.free == 0 || state.waiting > 0 {
            return None;
        }
        state.free -= 1;
        Some(Place(self))
    }

    fn is_wanted(&self) -> bool {
        self.state().waiting > 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().free += 1;
        self.0.left.notify_one();
    }
}

/// Whose threads do a piece of work.
#[derive(Debug, Clone, Copy)]
pub enum Hands<'c> {
    /// So many of its own, this one among them.
    Own(usize),
    /// This one, which holds a place of the crew, and whoever finds a place free there.
    Crew(&'c Crew),
}

impl Hands<'_> {
    /// So many of its own, or as many as there are cores.
    #[must_use]
    pub fn own(threads: Option<NonZeroUsize>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::Own(threads.map_or_else(cores, NonZeroUsize::get))
    }

    /// The same, with one thread of its own fewer: somebody else has that already.
    #[must_use]
    pub const fn but_one(self) -> Self {
        match self {
            Self::Own(threads @ 2..) => Self::Own(threads - 1),
            Self::Own(_) | Self::Crew(_) => self,
        }
    }

    /// How many threads do it at most.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Own(threads) => threads,
            Self::Crew(crew) => crew.places().get(),
        }
    }

    /// Whether more than one thread of its own does it, whoever else is busy.
    #[must_use]
    pub const fn are_several(self) -> bool {
        matches!(self, Self::Own(2..))
    }
}

/// Has work done that consists of so many tiles, by this thread and by others. Each calls `work` once; `work` takes
/// tiles until there are none, and asks before each whether to go on.
pub fn share(hands: Hands<'_>, tiles: usize, work: &(dyn Fn(&dyn Fn() -> bool) + Sync)) {
    std::thread::scope(|scope| match hands {
        Hands::Own(threads) => {
            for _ in 1..threads.clamp(1, tiles.max(1)) {
                // A thread that the system refuses is done without.
                if std::thread::Builder::new().spawn_scoped(scope, || work(&|| true)).is_err() {
                    break;
                }
            }
            work(&|| true);
        }
        Hands::Crew(crew) => {
            // More helpers than tiles that are left would find nothing to do.
            let left = Cell::new(tiles);
            work(&|| {
                left.set(left.get().saturating_sub(1));
                if left.get() > 0
                    && let Some(place) = crew.spare()
                {
                    left.set(left.get() - 1);
                    let help = move || {
                        work(&|| !crew.is_wanted());
                        drop(place);
                    };
                    // The place of a thread that the system refuses is free again.
                    let _ = std::thread::Builder::new().spawn_scoped(scope, help);
                }
                true
            });
        }
    });
}

/// Does two pieces of work, the first by another thread meanwhile where `is_worth` one. What it comes to is `None` where
/// it was not done: it is not worth a thread, or the system refuses one.
pub fn beside<T: Send, U>(
    is_worth: bool,
    other: impl FnOnce() -> T + Send,
    own: impl FnOnce() -> U,
) -> (Option<T>, U) {
    std::thread::scope(|scope| {
        let begun = is_worth.then(|| std::thread::Builder::new().spawn_scoped(scope, other).ok()).flatten();
        let own = own();
        let other = begun.map(|begun| begun.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        (other, own)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// All tiles are done once each, by at most so many threads at a time.
    fn check(hands: Hands<'_>, tiles: usize, most: usize) {
        let next = AtomicUsize::new(0);
        let (now, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done: Vec<AtomicUsize> = (0..tiles).map(|_| AtomicUsize::new(0)).collect();
        share(hands, tiles, &|goes_on| {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            while goes_on() {
                let Some(tile) = done.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
                tile.fetch_add(1, Ordering::SeqCst);
                std::thread::yield_now();
            }
            now.fetch_sub(1, Ordering::SeqCst);
        });
        assert!(done.iter().all(|tile| tile.load(Ordering::SeqCst) == 1), "{hands:?}, {tiles} tiles");
        assert!(peak.load(Ordering::SeqCst) <= most, "{hands:?}, {tiles} tiles: {peak:?}");
    }

    #[test]
    fn every_tile_is_done_once() {
        for tiles in [0, 1, 2, 500] {
            check(Hands::Own(1), tiles, 1);
            check(Hands::Own(5), tiles, 5);
            let crew = Crew::new(NonZeroUsize::new(3).unwrap());
            let place = crew.enter();
            check(Hands::Crew(&crew), tiles, 3);
            drop(place);
            assert_eq!(crew.state().free, 3);
        }
    }

    #[test]
    fn one_beside_the_other() {
        let own = std::thread::current().id();
        let (other, three) = beside(true, || std::thread::current().id(), || 3);
        assert!(other.is_some_and(|other| other != own) && three == 3);
        assert_eq!(beside(false, || 7, || "own"), (None, "own"));
        let panics = || beside(true, || std::panic::panic_any("other"), || ());
        let panic = std::panic::catch_unwind(panics).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"other"));
    }

    #[test]
    fn pieces_of_work_share_a_crew() {
        let crew = Crew::new(NonZeroUsize::new(2).unwrap());
        std::thread::scope(|scope| {
            for tiles in [300, 5, 170, 1] {
                let crew = &crew;
                scope.spawn(move || {
                    let _place = crew.enter();
                    check(Hands::Crew(crew), tiles, 2);
                });
            }
        });
        let state = crew.state();
        assert_eq!((state.free, state.waiting), (2, 0));
    }

    /// A helper that finds somebody waiting leaves, and the one who waited gets its place.
    #[test]
    fn helpers_make_room() {
        let crew = Crew::new(NonZeroUsize::new(2).unwrap());
        let place = crew.enter();
        let entered = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            share(Hands::Crew(&crew), usize::MAX, &|goes_on| {
                while goes_on() && entered.load(Ordering::SeqCst) < 2 {
                    // As soon as both places are taken, somebody else wants one.
                    if crew.state().free == 0
                        && entered.swap(entered.load(Ordering::SeqCst).max(1), Ordering::SeqCst) == 0
                    {
                        let (crew, entered) = (&crew, &entered);
                        scope.spawn(move || {
                            drop(crew.enter());
                            entered.store(2, Ordering::SeqCst);
                        });
                    }
                    std::thread::yield_now();
                }
            });
        });
        drop(place);
        assert_eq!(entered.into_inner(), 2);
    }
}
