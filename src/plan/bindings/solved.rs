//! Layouts that were solved before: a model has many layers of few kinds.

use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use crate::map::Map;
use crate::tensor::{
    Operation, Rearranged, Shape, SolveError, SourcePiece, Strided, StridedCopy, TargetPiece, rearrange,
};

/// What was solved, by all that a solution depends on.
#[derive(Default)]
pub(in crate::plan) struct Solved {
    /// For tensors that begin with their storage.
    copies: Mutex<Map<Question, Vec<StridedCopy>>>,
}

/// One tensor to one variable by a layout alone. What orders, cuts or gathers is asked anew each time.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    /// The layout's text, which all of it follows from.
    layout: String,
    /// The given sizes by their names, in the order of these.
    sizes: Vec<(String, usize)>,
    /// The tensor's rank, sizes and strides, then the variable's sizes.
    shapes: Vec<usize>,
}

impl Question {
    /// None where there is more to an operation.
    fn of(operation: &Operation<'_>, view: &Strided, shape: &Shape) -> Option<Self> {
        let Operation { layout, sizes, order, slice, take, captures } = operation;
        if !(order.is_empty() && slice.is_empty() && take.is_empty() && captures.is_empty()) {
            return None;
        }
        let source = view.shape().sizes();
        let mut shapes = Vec::with_capacity(1 + 2 * source.len() + shape.rank());
        shapes.push(source.len());
        shapes.extend_from_slice(source);
        shapes.extend_from_slice(view.strides());
        shapes.extend_from_slice(shape.sizes());
        let sizes = sizes.iter().map(|(axis, size)| (axis.clone(), *size)).collect();
        Some(Self { layout: layout.as_str().to_owned(), sizes, shapes })
    }
}

impl Solved {
    /// As [`rearrange`].
    pub(super) fn rearrange(
        &self,
        operation: &Operation<'_>,
        sources: &[SourcePiece<'_>],
        targets: &[TargetPiece<'_>],
    ) -> Result<Vec<Rearranged>, SolveError> {
        let question = match (sources, targets) {
            ([source], [target]) => Question::of(operation, source.view, target.shape).map(|of| (of, source)),
            _ => None,
        };
        let Some((question, source)) = question else { return rearrange(operation, sources, targets) };
        let offset = source.view.offset();
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = match copies.entry(question) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let found = rearrange(operation, sources, targets)?;
                let copies = found.into_iter().map(|found| StridedCopy {
                    source_offset: found.copy.source_offset - offset,
                    ..found.copy
                });
                vacant.insert(copies.collect())
            }
        };
        let moved =
            |copy: &StridedCopy| StridedCopy { source_offset: copy.source_offset + offset, ..copy.clone() };
        Ok(copies.iter().map(|copy| Rearranged { source: 0, target: 0, copy: moved(copy) }).collect())
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
        let found = solved.rearrange(&operation, &sources, &targets).map_err(|error| error.to_string());
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
