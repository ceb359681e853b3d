//! The order of weights in legacy files, by which Keras reads them.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// What stands at another place in the other of two lists: for each its places in both, counted from 0. Where one
/// list has something more often, as a layer that two share, the first place of each counts.
pub(super) fn moved<T: Copy + Eq + Hash>(one: &[T], other: &[T]) -> HashMap<T, (usize, usize)> {
    let (once_in_one, once_in_other);
    let (one, other) = if one.len() == other.len() {
        (one, other)
    } else {
        (once_in_one, once_in_other) = (once(one), once(other));
        (once_in_one.as_slice(), once_in_other.as_slice())
    };
    let mut places: HashMap<T, Vec<usize>> = HashMap::new();
    for (place, &item) in other.iter().enumerate().rev() {
        places.entry(item).or_default().push(place);
    }
    let mut moved = HashMap::new();
    for (place, item) in one.iter().enumerate() {
        let in_other = places.get_mut(item).and_then(Vec::pop);
        if let Some(in_other) = in_other.filter(|&in_other| in_other != place) {
            moved.entry(*item).or_insert((place, in_other));
        }
    }
    moved
}

fn once<T: Copy + Eq + Hash>(items: &[T]) -> Vec<T> {
    let mut seen = HashSet::new();
    items.iter().copied().filter(|&item| seen.insert(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lists of letters, and what is moved.
    fn check(one: &str, other: &str, expected: &[(char, usize, usize)]) {
        let list = |text: &str| text.chars().collect::<Vec<_>>();
        let found = moved(&list(one), &list(other));
        let mut found: Vec<_> = found.into_iter().map(|(item, (one, other))| (item, one, other)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{one} {other}");
    }

    #[test]
    fn what_moved() {
        check("abcd", "abcd", &[]);
        check("abcd", "acbd", &[('b', 1, 2), ('c', 2, 1)]);
        check("abac", "abac", &[]);
        check("abac", "aabc", &[('a', 2, 1), ('b', 1, 2)]);
        check("abac", "abc", &[]);
        check("abac", "bac", &[('a', 0, 1), ('b', 1, 0)]);
    }
}
