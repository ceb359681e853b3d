//! Layouts applied to numbered elements: each target element must be written once, from where a naive loop
//! reads it.

use std::collections::BTreeMap;

use super::*;
use crate::tensor::{Capture, CopyAxis, Layout, Side, Slice};

/// The modifiers of an operation, for tests.
#[derive(Default)]
struct Modifiers {
    sizes: BTreeMap<String, usize>,
    order: BTreeMap<String, Vec<usize>>,
    slice: BTreeMap<String, Slice>,
    take: BTreeMap<String, usize>,
    captures: Vec<Capture>,
}

/// Applies a layout to sources that hold `1000 · piece + position`, and returns the targets' elements.
/// Every element must be written once.
fn apply(
    layout: &str,
    modifiers: &Modifiers,
    sources: &[(&[usize], &[usize])],
    targets: &[(&[usize], &[usize])],
) -> Result<Vec<Vec<usize>>, SolveError> {
    let layout = Layout::parse(layout).unwrap();
    let operation = Operation {
        layout: &layout,
        sizes: &modifiers.sizes,
        order: &modifiers.order,
        slice: &modifiers.slice,
        take: &modifiers.take,
        captures: &modifiers.captures,
    };
    let views: Vec<Strided> =
        sources.iter().map(|(_, shape)| Strided::contiguous(Shape::new(*shape).unwrap())).collect();
    let shapes: Vec<Shape> = targets.iter().map(|(_, shape)| Shape::new(*shape).unwrap()).collect();
    let source_pieces: Vec<SourcePiece<'_>> = sources
        .iter()
        .zip(&views)
        .map(|((values, _), view)| SourcePiece { values: values.to_vec(), view })
        .collect();
    let target_pieces: Vec<TargetPiece<'_>> = targets
        .iter()
        .zip(&shapes)
        .map(|((values, _), shape)| TargetPiece { values: values.to_vec(), shape })
        .collect();
    let copies = rearrange(&operation, &source_pieces, &target_pieces)?;
    let mut written: Vec<Vec<Option<usize>>> = shapes.iter().map(|shape| vec![None; shape.numel()]).collect();
    for Rearranged { source, target, copy } in copies {
        run(&copy, &mut |from, to| {
            let size = views[source].shape().numel();
            assert!(from < size, "reads element {from} of {size}");
            let previous = written[target][to].replace(1000 * source + from);
            assert_eq!(previous, None, "element {to} is written twice");
        });
    }
    Ok(written
        .into_iter()
        .map(|target| target.into_iter().map(|value| value.expect("written")).collect())
        .collect())
}

fn run(copy: &StridedCopy, visit: &mut dyn FnMut(usize, usize)) {
    fn step(axes: &[CopyAxis], from: usize, to: usize, visit: &mut dyn FnMut(usize, usize)) {
        match axes.split_first() {
            None => visit(from, to),
            Some((axis, rest)) => {
                for i in 0..axis.size {
                    step(rest, from + i * axis.source_stride, to + i * axis.target_stride, visit);
                }
            }
        }
    }
    step(&copy.axes, copy.source_offset, copy.target_offset, visit);
}

fn check(
    layout: &str,
    modifiers: &Modifiers,
    sources: &[(&[usize], &[usize])],
    targets: &[(&[usize], &[usize])],
    expected: &[&[usize]],
) {
    assert_eq!(apply(layout, modifiers, sources, targets).unwrap(), expected, "{layout}");
}

fn check_error(
    layout: &str,
    modifiers: &Modifiers,
    source: &[usize],
    target: &[usize],
    expected: SolveError,
) {
    assert_eq!(apply(layout, modifiers, &[(&[], source)], &[(&[], target)]), Err(expected), "{layout}");
}

fn captures(captures: &[(&str, Side, usize)]) -> Modifiers {
    let captures =
        captures.iter().map(|&(name, side, count)| Capture { name: name.to_owned(), side, count }).collect();
    Modifiers { captures, ..Modifiers::default() }
}

fn one<T>(name: &str, value: T) -> BTreeMap<String, T> {
    BTreeMap::from([(name.to_owned(), value)])
}

#[test]
fn permutes_and_groups() {
    let none = Modifiers::default();
    check("o i -> i o", &none, &[(&[], &[2, 3])], &[(&[], &[3, 2])], &[&[0, 3, 1, 4, 2, 5]]);
    check("c -> 1 1 c", &none, &[(&[], &[3])], &[(&[], &[1, 1, 3])], &[&[0, 1, 2]]);
    check("o 1 -> o", &none, &[(&[], &[3, 1])], &[(&[], &[3])], &[&[0, 1, 2]]);
    check("1 -> 1 c", &none, &[(&[], &[1])], &[(&[], &[1, 3])], &[&[0, 0, 0]]);
    check(
        "(h d) e -> e h d",
        &none,
        &[(&[], &[4, 3])],
        &[(&[], &[3, 2, 2])],
        &[&[0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]],
    );
    let sizes =
        Modifiers { sizes: [("c".to_owned(), 2), ("h".to_owned(), 3)].into(), ..Modifiers::default() };
    check("o (c h) -> (h c) o", &sizes, &[(&[], &[1, 6])], &[(&[], &[6, 1])], &[&[0, 3, 1, 4, 2, 5]]);
}

#[test]
fn captures_stack_split_and_concatenate() {
    check(
        "o i -> e i o",
        &captures(&[("e", Side::Source, 2)]),
        &[(&[0], &[1, 2]), (&[1], &[1, 2])],
        &[(&[], &[2, 2, 1])],
        &[&[0, 1, 1000, 1001]],
    );
    check(
        "(p o) i -> i o",
        &captures(&[("p", Side::Target, 2)]),
        &[(&[], &[4, 2])],
        &[(&[0], &[2, 2]), (&[1], &[2, 2])],
        &[&[0, 2, 1, 3], &[4, 6, 5, 7]],
    );
    // Parts of unequal size: queries of two heads, keys of one.
    check(
        "(p h) i -> i h",
        &captures(&[("p", Side::Target, 2)]),
        &[(&[], &[3, 2])],
        &[(&[0], &[2, 2]), (&[1], &[2, 1])],
        &[&[0, 2, 1, 3], &[4, 5]],
    );
    // Interleaved: the capture is not the leading axis.
    check(
        "(h p) -> h",
        &captures(&[("p", Side::Target, 2)]),
        &[(&[], &[6])],
        &[(&[0], &[3]), (&[1], &[3])],
        &[&[0, 2, 4], &[1, 3, 5]],
    );
    check(
        "o i -> i (g o)",
        &captures(&[("g", Side::Source, 2)]),
        &[(&[0], &[1, 2]), (&[1], &[2, 2])],
        &[(&[], &[2, 3])],
        &[&[0, 1000, 1002, 1, 1001, 1003]],
    );
    // Two sources against two targets: every combination.
    check(
        "(p o) -> g o",
        &captures(&[("g", Side::Source, 2), ("p", Side::Target, 2)]),
        &[(&[0], &[2]), (&[1], &[2])],
        &[(&[0], &[2, 1]), (&[1], &[2, 1])],
        &[&[0, 1000], &[1, 1001]],
    );
}

#[test]
fn order_slice_and_take() {
    let order = Modifiers { order: one("g", vec![1, 0, 2]), sizes: one("g", 3), ..Modifiers::default() };
    check("(g u) -> (g u)", &order, &[(&[], &[6])], &[(&[], &[6])], &[&[2, 3, 0, 1, 4, 5]]);
    let mut concat = captures(&[("g", Side::Source, 3)]);
    concat.order = one("g", vec![1, 2, 0]);
    check(
        "o -> (g o)",
        &concat,
        &[(&[0], &[1]), (&[1], &[2]), (&[2], &[1])],
        &[(&[], &[4])],
        &[&[1000, 1001, 2000, 0]],
    );
    let mut split = captures(&[("p", Side::Target, 3)]);
    split.order = one("p", vec![1, 2, 0]);
    check(
        "(p o) -> o",
        &split,
        &[(&[], &[4])],
        &[(&[0], &[1]), (&[1], &[2]), (&[2], &[1])],
        &[&[1], &[2, 3], &[0]],
    );
    let range =
        |start, end| Modifiers { slice: one("v", Slice::Range { start, end }), ..Modifiers::default() };
    check("v d -> v d", &range(2, None), &[(&[], &[4, 1])], &[(&[], &[2, 1])], &[&[2, 3]]);
    check("v d -> d v", &range(1, Some(3)), &[(&[], &[4, 1])], &[(&[], &[1, 2])], &[&[1, 2]]);
    let fit = Modifiers { slice: one("v", Slice::Fit), ..Modifiers::default() };
    check("v d -> v d", &fit, &[(&[], &[4, 1])], &[(&[], &[3, 1])], &[&[0, 1, 2]]);
    let take = Modifiers { take: one("p", 1), ..Modifiers::default() };
    check("p d -> d", &take, &[(&[], &[2, 3])], &[(&[], &[3])], &[&[3, 4, 5]]);
}

#[test]
fn refuses_what_does_not_fit() {
    let none = Modifiers::default();
    let shape = |sizes: &[usize]| Shape::new(sizes).unwrap();
    check_error(
        "o i -> i o",
        &none,
        &[2, 3],
        &[2, 3],
        SolveError::Unequal { axis: "i".into(), source_size: 3, target_size: 2 },
    );
    check_error(
        "o i -> i o",
        &none,
        &[2, 3, 1],
        &[3, 2],
        SolveError::Rank { side: Side::Source, shape: shape(&[2, 3, 1]), expected: 2 },
    );
    check_error(
        "o 1 -> o",
        &none,
        &[2, 3],
        &[2],
        SolveError::Size {
            side: Side::Source,
            axis: 1,
            shape: shape(&[2, 3]),
            expected: 1,
            group: "a unit axis".into(),
        },
    );
    check_error("(a b) -> (b a)", &none, &[6], &[6], SolveError::Undetermined { axis: "a".into() });
    check_error(
        "(a b) -> a b",
        &none,
        &[7],
        &[2, 3],
        SolveError::Size {
            side: Side::Source,
            axis: 0,
            shape: shape(&[7]),
            expected: 6,
            group: "a=2 b=3".into(),
        },
    );
    let four = Modifiers { sizes: one("a", 4), ..Modifiers::default() };
    check_error(
        "(a b) -> b a",
        &four,
        &[6],
        &[2, 3],
        SolveError::Indivisible {
            side: Side::Source,
            axis: 0,
            shape: shape(&[6]),
            divisor: 4,
            group: "a b".into(),
        },
    );
    check_error("a b -> a", &none, &[2, 3], &[2], SolveError::Lost { axis: "b".into() });
    let take = Modifiers { take: one("b", 3), ..Modifiers::default() };
    check_error(
        "a b -> a",
        &take,
        &[2, 3],
        &[2],
        SolveError::TakeOutOfRange { axis: "b".into(), index: 3, size: 3 },
    );
    let order = Modifiers { order: one("a", vec![1, 1]), ..Modifiers::default() };
    check_error("a -> a", &order, &[2], &[2], SolveError::NotAPermutation { axis: "a".into(), size: 2 });
    let fit = Modifiers { slice: one("a", Slice::Fit), ..Modifiers::default() };
    check_error("a -> a", &fit, &[2], &[3], SolveError::SliceOutOfRange { axis: "a".into(), size: 2 });
    let bad = Modifiers { sizes: one("z", 3), ..Modifiers::default() };
    check_error("a -> a", &bad, &[2], &[2], SolveError::UnknownAxis { axis: "z".into(), keyword: "sizes" });
    let ragged = apply(
        "o -> (g o)",
        &captures(&[("g", Side::Source, 2)]),
        &[(&[0], &[1]), (&[1], &[2])],
        &[(&[], &[4])],
    );
    assert_eq!(
        ragged,
        Err(SolveError::Size {
            side: Side::Target,
            axis: 0,
            shape: shape(&[4]),
            expected: 3,
            group: "the parts 1 + 2 of `g`".into()
        })
    );
    let missing = apply("o -> g o", &captures(&[("g", Side::Source, 2)]), &[(&[1], &[1])], &[(&[], &[2, 1])]);
    assert_eq!(missing, Err(SolveError::MissingPiece { side: Side::Source, expected: 2, found: 1 }));
}
