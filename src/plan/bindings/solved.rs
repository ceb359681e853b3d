//! Layouts that were solved before: a model has many layers of few kinds.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::tensor::{
    Operation, Rearranged, Shape, SolveError, SourcePiece, Strided, StridedCopy, TargetPiece, rearrange,
};

/// Copies between some tensors and some variables; mostly one.
pub(super) type Found = SmallVec<[Rearranged; 1]>;

/// What was solved, by all that a solution depends on.
#[derive(Default)]
pub(in crate::plan) struct Solved {
    /// For tensors that begin with their storage.
    copies: Mutex<HashTable<(Answered, Vec<StridedCopy>)>>,
    /// That of [`crate::map`], with a random seed.
    hasher: RandomState,
}

/// One tensor to one variable by a layout alone. What orders, cuts or gathers is asked anew each time.
#[derive(PartialEq, Eq, Hash)]
struct Question<'a> {
    /// The layout's text, which all of it follows from.
    layout: &'a str,
    /// The given sizes by their names.
    sizes: &'a BTreeMap<String, usize>,
    /// The tensor's sizes.
    source: &'a [usize],
    /// The tensor's strides.
    strides: &'a [usize],
    /// The variable's sizes.
    target: &'a [usize],
}

/// A question that was answered.
struct Answered {
    layout: String,
    sizes: BTreeMap<String, usize>,
    source: Strided,
    target: Shape,
}

impl<'a> Question<'a> {
    /// None where there is more to an operation.
    fn of(operation: &Operation<'a>, view: &'a Strided, shape: &'a Shape) -> Option<Self> {
        let &Operation { layout, sizes, order, slice, take, captures } = operation;
        if !(order.is_empty() && slice.is_empty() && take.is_empty() && captures.is_empty()) {
            return None;
        }
        let (source, strides) = (view.shape().sizes(), view.strides());
        Some(Self { layout: layout.as_str(), sizes, source, strides, target: shape.sizes() })
    }
}

impl Answered {
    fn question(&self) -> Question<'_> {
        let Self { layout, sizes, source, target } = self;
        let (source, strides) = (source.shape().sizes(), source.strides());
        Question { layout, sizes, source, strides, target: target.sizes() }
    }
}

impl Solved {
    /// As [`rearrange`].
    pub(super) fn rearrange(
        &self,
        operation: &Operation<'_>,
        sources: &[SourcePiece<'_>],
        targets: &[TargetPiece<'_>],
    ) -> Result<Found, SolveError> {
        let solve = || Ok(Found::from_vec(rearrange(operation, sources, targets)?));
        let ([source], [target]) = (sources, targets) else { return solve() };
        let Some(question) = Question::of(operation, source.view, target.shape) else { return solve() };
        let offset = source.view.offset();
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = self.hasher.hash_one(&question);
        if let Some((_, copies)) = copies.find(hash, |(answered, _)| answered.question() == question) {
            let moved = |copy: &StridedCopy| StridedCopy {
                source_offset: copy.source_offset + offset,
                ..copy.clone()
            };
            return Ok(copies
                .iter()
                .map(|copy| Rearranged { source: 0, target: 0, copy: moved(copy) })
                .collect());
        }
        let found = solve()?;
        let copies_of = found.iter().map(|found| StridedCopy {
            source_offset: found.copy.source_offset - offset,
            ..found.copy.clone()
        });
        let answered = Answered {
            layout: question.layout.to_owned(),
            sizes: question.sizes.clone(),
            source: source.view.clone(),
            target: target.shape.clone(),
        };
        let hash_of = |(answered, _): &(Answered, _)| self.hasher.hash_one(answered.question());
        copies.insert_unique(hash, (answered, copies_of.collect()), hash_of);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::tensor::Layout;

    /// A layout, sizes that are given, and a view of some shape to a variable of another.
    type Asked = (&'static str, Option<usize>, Vec<usize>, Vec<usize>, usize, Vec<usize>);

    /// The same answer as without memory.
    fn check(solved: &Solved, (layout, h, sizes, strides, offset, target): &Asked) {
        let layout = Layout::parse(layout).unwrap();
        let given: BTreeMap<String, usize> = h.iter().map(|&h| ("h".to_owned(), h)).collect();
        let shape = Shape::new(sizes.as_slice()).unwrap();
        let target = Shape::new(target.as_slice()).unwrap();
        let view = Strided::new(shape, strides.clone(), *offset, 1 << 20).unwrap();
        let operation = Operation {
            layout: &layout,
            sizes: &given,
            order: &BTreeMap::new(),
            slice: &BTreeMap::new(),
            take: &BTreeMap::new(),
            captures: &[],
        };
        let sources = [SourcePiece { values: Vec::new(), view: &view }];
        let targets = [TargetPiece { values: Vec::new(), shape: &target }];
        let found = solved.rearrange(&operation, &sources, &targets);
        let found = found.map(Found::into_vec).map_err(|error| error.to_string());
        let expected = rearrange(&operation, &sources, &targets).map_err(|error| error.to_string());
        assert_eq!(found, expected, "{layout} {given:?} {view:?} {target}");
    }

    fn asked() -> impl Strategy<Value = Asked> {
        let size = || prop::sample::select(vec![1_usize, 2, 3, 4, 6]);
        let layouts =
            ["a b -> b a", "a b -> a b", "(h d) e -> e h d", "h d -> (d h)", "a -> a", "a b -> (a b) 1"];
        let sizes = |count| prop::collection::vec(size(), count);
        let numbers = (prop::option::of(size()), sizes(1..=2), sizes(2..=2), 0..3_usize, sizes(1..=3));
        (prop::sample::select(layouts.to_vec()), numbers).prop_map(
            |(layout, (h, sizes, mut strides, offset, target))| {
                strides.truncate(sizes.len());
                (layout, h, sizes, strides, offset, target)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn remembers_what_it_would_find(asked in prop::collection::vec(asked(), 1..60)) {
            let solved = Solved::default();
            asked.iter().for_each(|asked| check(&solved, asked));
        }
    }

    /// Questions that differ in one thing each, and one that is refused between two that are not.
    #[test]
    fn differences() {
        let solved = Solved::default();
        for asked in [
            ("a b -> b a", None, vec![2, 3], vec![3, 1], 0, vec![3, 2]),
            ("a b -> b a", None, vec![2, 3], vec![3, 1], 6, vec![3, 2]),
            ("a b -> b a", None, vec![2, 3], vec![1, 2], 6, vec![3, 2]),
            ("a b -> b a", None, vec![2, 3], vec![3, 1], 0, vec![2, 3]),
            ("a b -> b a", None, vec![2, 3], vec![3, 1], 1, vec![3, 2]),
            ("(h d) e -> e h d", Some(2), vec![6, 5], vec![5, 1], 0, vec![5, 2, 3]),
            ("(h d) e -> e h d", Some(3), vec![6, 5], vec![5, 1], 0, vec![5, 3, 2]),
            ("(h d) e -> e h d", Some(2), vec![6, 5], vec![5, 1], 0, vec![5, 3, 2]),
        ] {
            check(&solved, &asked);
            check(&solved, &asked);
        }
    }
}
