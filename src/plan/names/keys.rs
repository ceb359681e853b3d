//! Names in order: what begins with what, and what has which name.

use std::ops::Range;

use crate::map::Map;

/// Some tensors by their names. Several may have one.
pub(super) struct Keys<'a> {
    /// Every name once, in order.
    names: Vec<&'a str>,
    /// The tensors in the order of their names, and of the file where they have the same.
    tensors: Vec<usize>,
    /// Where the tensors of each name begin, and last where they end.
    starts: Vec<usize>,
    /// The place of each name.
    places: Map<&'a str, usize>,
}

impl<'a> Keys<'a> {
    /// Those of the tensors, whose names are `keys`.
    pub(super) fn new(keys: &[&'a str], tensors: &[usize]) -> Self {
        let mut tensors = tensors.to_vec();
        // Files have them in some order already, which a stable sort makes use of.
        tensors.sort_by_key(|&at| (keys[at], at));
        let mut names: Vec<&str> = Vec::with_capacity(tensors.len());
        let mut starts = Vec::with_capacity(tensors.len() + 1);
        for (start, &at) in tensors.iter().enumerate() {
            if names.last() != Some(&keys[at]) {
                names.push(keys[at]);
                starts.push(start);
            }
        }
        starts.push(tensors.len());
        let places = names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
        Self { names, tensors, starts, places }
    }

    /// Every name once, in order.
    pub(super) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// The tensors of a name.
    pub(super) fn of(&self, name: &str) -> &[usize] {
        self.places.get(name).map_or(&[], |&place| self.at(place))
    }

    /// The one tensor of a name.
    pub(super) fn one(&self, name: &str) -> Option<usize> {
        match self.of(name) {
            &[at] => Some(at),
            _ => None,
        }
    }

    /// The names that begin with `start`, each with its tensors.
    pub(super) fn below(&self, start: &str) -> impl Iterator<Item = (&'a str, &[usize])> {
        let first = self.names.partition_point(|name| *name < start);
        let names = self.names[first..].iter().enumerate();
        names
            .take_while(move |(_, name)| name.starts_with(start))
            .map(move |(place, name)| (*name, self.at(first + place)))
    }

    fn at(&self, place: usize) -> &[usize] {
        let range: Range<usize> = self.starts[place]..self.starts[place + 1];
        &self.tensors[range]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings() {
        let keys = ["b.x", "a", "b", "b.x", "b.c.x", "hidden"];
        let found = Keys::new(&keys, &[0, 1, 2, 3, 4]);
        assert_eq!(found.names(), ["a", "b", "b.c.x", "b.x"]);
        assert_eq!((found.of("b.x"), found.of("b."), found.of("hidden")), (&[0, 3][..], &[][..], &[][..]));
        assert_eq!((found.one("b.x"), found.one("a")), (None, Some(1)));
        let below = |start| found.below(start).collect::<Vec<_>>();
        assert_eq!(below("b."), [("b.c.x", &[4][..]), ("b.x", &[0, 3][..])]);
        assert_eq!(below("").len(), 4);
        assert_eq!(below("c"), []);
    }
}
