//! What one thread makes for others to take.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Items in the order in which they were put, for whoever takes them first.
#[derive(Debug)]
pub(crate) struct Belt<T> {
    state: Mutex<State<T>>,
    /// There is an item, or there will be no more.
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    has_ended: bool,
}

/// Ends a belt when it is dropped, however that comes: nobody waits for what will not be put.
#[derive(Debug)]
pub(crate) struct End<'b, T>(&'b Belt<T>);

impl<T> Belt<T> {
    /// Without items.
    pub(crate) const fn new() -> Self {
        let state = State { items: VecDeque::new(), has_ended: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Puts an item behind the others.
    pub(crate) fn put(&self, item: T) {
        self.state().items.push_back(item);
        self.changed.notify_one();
    }

    /// Takes the first item; waits for one while there may be more, and is `None` from then on.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.has_ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many items nobody has taken yet.
    pub(crate) fn len(&self) -> usize {
        self.state().items.len()
    }

    /// What ends it when it is dropped.
    pub(crate) const fn end(&self) -> End<'_, T> {
        End(self)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        self.0.state().has_ended = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crew::beside;

    /// Every item is taken once, in order by each, and nobody waits after the end.
    #[test]
    fn all_are_taken() {
        for count in [0, 1, 100] {
            let belt = Belt::new();
            let all = || std::iter::from_fn(|| belt.take()).collect::<Vec<usize>>();
            let (others, own) = beside(true, all, || {
                let end = belt.end();
                (0..count).for_each(|item| belt.put(item));
                assert!(belt.len() <= count);
                drop(end);
                all()
            });
            let others = others.unwrap_or_default();
            assert!(others.is_sorted() && own.is_sorted());
            let mut taken = [others, own].concat();
            taken.sort_unstable();
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
            assert_eq!((belt.take(), belt.len()), (None, 0));
        }
    }

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let belt = Belt::<u8>::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            beside(
                true,
                || belt.take(),
                || {
                    let _end = belt.end();
                    std::panic::resume_unwind(Box::new("no fault of the belt"));
                },
            )
        }));
        assert!(panicked.is_err());
    }
}
