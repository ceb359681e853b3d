//! The modules that names tell.

use crate::map::Map;

/// Modules around a tensor that rules can name, from the outermost on. Models are some ten deep; a hostile name has as
/// many modules as letters, each as long as what is before it.
const MAX_DEPTH: usize = 256;

/// The modules around some tensors.
#[derive(Default)]
pub(in crate::plan) struct Modules<'a> {
    /// Every module, in order of first appearance, with the tensors directly in it.
    all: Vec<(&'a str, Vec<usize>)>,
    places: Map<&'a str, usize>,
}

impl<'a> Modules<'a> {
    /// Those around the tensors, whose names are `keys`.
    pub(super) fn new(keys: &[&'a str], tensors: &[usize]) -> Self {
        let mut modules = Self::default();
        // Most tensors have their neighbour's module.
        let mut last = None;
        for &tensor in tensors {
            let key = keys[tensor];
            let parent = key.rfind('.').unwrap_or(0);
            let known = last.filter(|&at: &usize| modules.all[at].0 == &key[..parent]);
            let at = known.unwrap_or_else(|| modules.add(key, parent));
            modules.all[at].1.push(tensor);
            last = Some(at);
        }
        modules
    }

    /// Adds the modules around a key, the innermost of which ends at `parent`, and says which that is. It counts however
    /// deep it is.
    fn add(&mut self, key: &'a str, parent: usize) -> usize {
        let ends = key.match_indices('.').map(|(end, _)| end).take_while(|&end| end < parent);
        for end in ends.take(MAX_DEPTH) {
            self.place(&key[..end]);
        }
        self.place(&key[..parent])
    }

    fn place(&mut self, module: &'a str) -> usize {
        *self.places.entry(module).or_insert_with(|| {
            self.all.push((module, Vec::new()));
            self.all.len() - 1
        })
    }

    /// The paths of all, in order of first appearance.
    pub(in crate::plan) fn paths(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.all.iter().map(|(path, _)| *path)
    }

    /// Whether there is one of that path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// The tensors directly in a module.
    pub(super) fn direct(&self, path: &str) -> &[usize] {
        self.places.get(path).map_or(&[], |&at| &self.all[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_around_tensors() {
        let keys = ["a.b.x", "top", "a.b.y", "c.z", "a.w", "hidden.v"];
        let found = Modules::new(&keys, &[0, 1, 2, 3, 4]);
        assert_eq!(found.paths().collect::<Vec<_>>(), ["a", "a.b", "", "c"]);
        assert_eq!(
            (found.direct("a.b"), found.direct(""), found.direct("a")),
            (&[0, 2][..], &[1][..], &[4][..])
        );
        assert!(found.has("c") && !found.has("hidden"));
    }

    #[test]
    fn a_key_that_begins_with_a_dot() {
        let found = Modules::new(&[".x"], &[0]);
        assert_eq!((found.paths().collect::<Vec<_>>(), found.direct("")), (vec![""], &[0][..]));
    }

    #[test]
    fn the_innermost_counts_however_deep() {
        let key = "m.".repeat(MAX_DEPTH + 9) + "x";
        let found = Modules::new(&[&key], &[0]);
        assert_eq!(found.paths().count(), MAX_DEPTH + 1);
        assert_eq!(found.direct(&key[..key.len() - 2]), [0]);
    }
}
