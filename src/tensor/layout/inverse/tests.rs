//! Random operations against naive loops over indices, and back again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Rearranged, Slice, SourcePiece, TargetPiece, rearrange};
use super::*;
use crate::tensor::{Shape, Strided};

/// Random operations that are tried. Each has at most 3^5 elements.
const CASES: u32 = 10_000;

/// What an axis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// On both sides.
    Plain,
    /// On both, the source longer by two: all but the first and the last.
    Sliced,
    /// On the left alone, one index of it.
    Taken,
    /// On the right alone.
    Repeated,
    /// In the names of the sources, on the right.
    SourceCapture,
    /// In the names of the targets, on the left.
    TargetCapture,
}

#[derive(Debug, Clone)]
struct Axis {
    kind: Kind,
    /// In the target.
    size: usize,
    /// Which source index each target index reads, where that is said.
    order: Option<Vec<usize>>,
}

impl Axis {
    fn is_left(&self) -> bool {
        !matches!(self.kind, Kind::Repeated | Kind::SourceCapture)
    }

    fn is_right(&self) -> bool {
        !matches!(self.kind, Kind::Taken | Kind::TargetCapture)
    }

    fn source_size(&self) -> usize {
        if self.kind == Kind::Sliced { self.size + 2 } else { self.size }
    }

    /// The source's index, of an index in the target.
    fn source_index(&self, target: usize) -> usize {
        match (self.kind, &self.order) {
            (Kind::Sliced, _) => target + 1,
            (_, Some(order)) => order[target],
            (_, None) => target,
        }
    }
}

/// A random expression: axes, their order on each side, and whether each joins the group before it.
#[derive(Debug, Clone)]
struct Expression {
    axes: Vec<Axis>,
    left: Vec<(usize, bool)>,
    right: Vec<(usize, bool)>,
}

fn axis(kinds: &'static [Kind]) -> impl Strategy<Value = Axis> {
    (prop::sample::select(kinds), 1..4_usize).prop_flat_map(|(kind, size)| {
        let can_be_ordered = !matches!(kind, Kind::Sliced | Kind::Taken | Kind::Repeated);
        let order = (Just((0..size).collect::<Vec<_>>()).prop_shuffle(), 0..3_u8);
        order.prop_map(move |(order, chance)| Axis {
            kind,
            size,
            order: (can_be_ordered && chance == 0).then_some(order),
        })
    })
}

fn expressions(kinds: &'static [Kind]) -> impl Strategy<Value = Expression> {
    prop::collection::vec(axis(kinds), 1..6).prop_flat_map(|axes| {
        let places: Vec<usize> = (0..axes.len()).collect();
        let side = || (Just(places.clone()).prop_shuffle(), prop::collection::vec(any::<bool>(), axes.len()));
        (Just(axes.clone()), side(), side()).prop_map(|(axes, left, right)| {
            let side =
                |(order, joins): (Vec<usize>, Vec<bool>), has: fn(&Axis) -> bool| -> Vec<(usize, bool)> {
                    order.into_iter().zip(joins).filter(|(at, _)| has(&axes[*at])).collect()
                };
            let (left, right) = (side(left, Axis::is_left), side(right, Axis::is_right));
            Expression { axes, left, right }
        })
    })
}

fn name(at: usize) -> String {
    char::from(b'a' + u8::try_from(at).unwrap()).to_string()
}

impl Expression {
    /// The text and the shape of a side.
    fn side(&self, side: &[(usize, bool)], size: fn(&Axis) -> usize) -> (String, Vec<usize>) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &(at, joins) in side {
            match groups.last_mut() {
                Some(group) if joins => group.push(at),
                _ => groups.push(vec![at]),
            }
        }
        let text = |group: &Vec<usize>| {
            format!("({})", group.iter().map(|&at| name(at)).collect::<Vec<_>>().join(" "))
        };
        let extent = |group: &Vec<usize>| group.iter().map(|&at| size(&self.axes[at])).product();
        (groups.iter().map(text).collect::<Vec<_>>().join(" "), groups.iter().map(extent).collect())
    }

    /// The axes of a kind, by place.
    fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.axes.len()).filter(|&at| self.axes[at].kind == kind).collect()
    }

    /// A value for each axis of a kind that has them in its names, for each of its tensors.
    fn pieces(&self, kind: Kind) -> Vec<Vec<usize>> {
        let mut pieces = vec![Vec::new()];
        for at in self.of(kind) {
            let each = |piece: Vec<usize>| {
                (0..self.axes[at].size).map(move |value| [piece.clone(), vec![value]].concat())
            };
            pieces = pieces.into_iter().flat_map(each).collect();
        }
        pieces
    }

    /// Which element of which source each element of each target is, by loops over indices.
    fn naive(&self, numel: usize) -> Vec<Vec<(usize, usize)>> {
        let targets = self.pieces(Kind::TargetCapture);
        let mut found = vec![vec![(usize::MAX, usize::MAX); numel]; targets.len()];
        let (own, others) = (self.of(Kind::SourceCapture), self.of(Kind::TargetCapture));
        let steps: usize =
            self.axes.iter().filter(|axis| axis.kind != Kind::Taken).map(|axis| axis.size).product();
        for step in 0..steps {
            let mut rest = step;
            let index: Vec<usize> = self
                .axes
                .iter()
                .map(|axis| {
                    // The last of a taken axis.
                    let size = if axis.kind == Kind::Taken { return axis.size - 1 } else { axis.size };
                    let at = rest % size;
                    rest /= size;
                    at
                })
                .collect();
            let source = self.left.iter().fold(0, |place, &(at, _)| {
                place * self.axes[at].source_size() + self.axes[at].source_index(index[at])
            });
            let target = self.right.iter().fold(0, |place, &(at, _)| place * self.axes[at].size + index[at]);
            let piece = |captures: &[usize], of: &dyn Fn(usize) -> usize| {
                captures.iter().fold(0, |place, &at| place * self.axes[at].size + of(at))
            };
            let source_piece = piece(&own, &|at| self.axes[at].source_index(index[at]));
            let target_piece = piece(&others, &|at| index[at]);
            found[target_piece][target] = (source_piece, source);
        }
        found
    }
}

/// Runs copies over sources that are numbered, and returns what stands in the targets; each element is written once.
fn run(copies: &[Rearranged], targets: usize, numel: usize) -> Vec<Vec<(usize, usize)>> {
    let mut written = vec![vec![None; numel]; targets];
    for Rearranged { source, target, copy } in copies {
        for step in 0..copy.numel() {
            let mut rest = step;
            let (mut from, mut to) = (copy.source_offset, copy.target_offset);
            for axis in &copy.axes {
                let at = rest % axis.size;
                rest /= axis.size;
                from += at * axis.source_stride;
                to += at * axis.target_stride;
            }
            assert_eq!(written[*target][to].replace((*source, from)), None, "element {to} is written twice");
        }
    }
    let all = written.into_iter().map(|target| target.into_iter().map(|element| element.expect("written")));
    all.map(Iterator::collect).collect()
}

/// Everything that an operation is made of.
struct Made {
    layout: Layout,
    sizes: BTreeMap<String, usize>,
    order: BTreeMap<String, Vec<usize>>,
    slice: BTreeMap<String, Slice>,
    take: BTreeMap<String, usize>,
    captures: Vec<Capture>,
    source: Shape,
    target: Shape,
}

impl Made {
    fn of(expression: &Expression) -> Self {
        let (left, source) = expression.side(&expression.left, Axis::source_size);
        let (right, target) = expression.side(&expression.right, |axis| axis.size);
        let named = || expression.axes.iter().enumerate().map(|(at, axis)| (name(at), axis));
        let of = |kind: Kind| named().filter(move |(_, axis)| axis.kind == kind);
        let is_capture = |axis: &Axis| matches!(axis.kind, Kind::SourceCapture | Kind::TargetCapture);
        let capture = |side, (name, axis): (String, &Axis)| Capture { name, side, count: axis.size };
        Self {
            layout: Layout::parse(&format!("{left} -> {right}")).unwrap(),
            sizes: named()
                .filter(|(_, axis)| !is_capture(axis))
                .map(|(name, axis)| (name, axis.source_size()))
                .collect(),
            order: named().filter_map(|(name, axis)| Some((name, axis.order.clone()?))).collect(),
            slice: of(Kind::Sliced)
                .map(|(name, axis)| (name, Slice::Range { start: 1, end: Some(axis.size + 1) }))
                .collect(),
            take: of(Kind::Taken).map(|(name, axis)| (name, axis.size - 1)).collect(),
            captures: of(Kind::SourceCapture)
                .map(|named| capture(Side::Source, named))
                .chain(of(Kind::TargetCapture).map(|named| capture(Side::Target, named)))
                .collect(),
            source: Shape::new(source).unwrap(),
            target: Shape::new(target).unwrap(),
        }
    }

    fn operation(&self) -> Operation<'_> {
        Operation {
            layout: &self.layout,
            sizes: &self.sizes,
            order: &self.order,
            slice: &self.slice,
            take: &self.take,
            captures: &self.captures,
        }
    }
}

/// What an operation puts where, from tensors of one shape, told apart by values, to tensors of another.
fn apply(
    operation: &Operation<'_>,
    (sources, source): (&[Vec<usize>], &Shape),
    (targets, target): (&[Vec<usize>], &Shape),
) -> Vec<Vec<(usize, usize)>> {
    let view = Strided::contiguous(source.clone());
    let sources: Vec<SourcePiece<'_>> =
        sources.iter().map(|values| SourcePiece { values: values.clone(), view: &view }).collect();
    let pieces: Vec<TargetPiece<'_>> =
        targets.iter().map(|values| TargetPiece { values: values.clone(), shape: target }).collect();
    let copies = rearrange(operation, &sources, &pieces).unwrap_or_else(|error| panic!("{error}"));
    run(&copies, targets.len(), target.numel())
}

/// The part that is used, by what stands in it, and the inverse's layout.
fn part_of(
    layout: &str,
    slice: Option<(&str, Slice)>,
    take: Option<(&str, usize)>,
    source: &[usize],
    target: &[usize],
) -> String {
    let layout = Layout::parse(layout).unwrap();
    let operation = Operation {
        layout: &layout,
        sizes: &BTreeMap::new(),
        order: &BTreeMap::new(),
        slice: &slice.into_iter().map(|(axis, slice)| (axis.to_owned(), slice)).collect(),
        take: &take.into_iter().map(|(axis, index)| (axis.to_owned(), index)).collect(),
        captures: &[],
    };
    let (source, target) = (Shape::new(source).unwrap(), Shape::new(target).unwrap());
    match operation.part(&source, &target) {
        Ok((shape, copy)) => {
            let places = run(&[Rearranged { source: 0, target: 0, copy }], 1, shape.numel()).remove(0);
            let places: Vec<usize> = places.into_iter().map(|(_, place)| place).collect();
            // It comes back, without sizes that are given.
            let inverse = operation.inverse();
            apply(&inverse.operation(), (&[vec![]], &target), (&[vec![]], &shape));
            format!("{shape} {places:?} {}", inverse.operation().layout)
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn parts() {
    let range = |start, end| Slice::Range { start, end };
    let check = |found: String, expected: &str| assert_eq!(found, expected);
    check(part_of("a b -> b a", None, None, &[2, 3], &[3, 2]), "(2, 3) [0, 1, 2, 3, 4, 5] b a -> a b");
    check(
        part_of("v d -> d v", Some(("v", Slice::Fit)), None, &[5, 3], &[3, 2]),
        "(2, 3) [0, 1, 2, 3, 4, 5] d v -> v d",
    );
    check(
        part_of("v d -> v d", Some(("v", range(2, None))), None, &[4, 3], &[2, 3]),
        "(2, 3) [6, 7, 8, 9, 10, 11] v d -> v d",
    );
    check(
        part_of("(d v) -> d v", Some(("v", range(1, Some(3)))), None, &[8], &[2, 2]),
        "(4,) [1, 2, 5, 6] d v -> (d v)",
    );
    check(part_of("p c -> c", None, Some(("p", 1)), &[3, 2], &[2]), "(1, 2) [2, 3] c -> p c");
    check(
        part_of("p c -> c", None, Some(("p", 3)), &[3, 2], &[2]),
        "`take` asks for index 3 of axis `p`, whose size is 3",
    );
    check(part_of("c -> h c", None, None, &[2], &[3, 2]), "(2,) [0, 1] h c -> c");
}

/// Where the parts of an axis are of unequal size, there is no one part that is used of each.
#[test]
fn no_part_of_unequal_parts() {
    let layout = Layout::parse("(p h) -> h").unwrap();
    let operation = Operation {
        layout: &layout,
        sizes: &BTreeMap::new(),
        order: &BTreeMap::new(),
        slice: &BTreeMap::from([("h".to_owned(), Slice::Range { start: 1, end: None })]),
        take: &BTreeMap::new(),
        captures: &[Capture { name: "p".to_owned(), side: Side::Target, count: 2 }],
    };
    let part = |length| operation.part(&Shape::new([length]).unwrap(), &Shape::new([2]).unwrap());
    let (shape, copy) = part(6).unwrap();
    assert_eq!((shape.sizes(), copy.source_offset), (&[4][..], 1));
    assert!(matches!(part(7), Err(SolveError::Size { expected: 6, .. })));
}

const ALL: &[Kind] = &[
    Kind::Plain,
    Kind::Plain,
    Kind::Plain,
    Kind::Sliced,
    Kind::Taken,
    Kind::Repeated,
    Kind::SourceCapture,
    Kind::TargetCapture,
];
const BIJECTIVE: &[Kind] = &[Kind::Plain, Kind::Plain, Kind::Plain, Kind::SourceCapture, Kind::TargetCapture];

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) }
}

proptest! {
    #![proptest_config(cases())]

    /// Every operation does what loops over indices do, and its nature is what the elements show.
    #[test]
    fn agrees_with_the_index_loop(expression in expressions(ALL)) {
        let made = Made::of(&expression);
        let operation = made.operation();
        let (sources, targets) = (expression.pieces(Kind::SourceCapture), expression.pieces(Kind::TargetCapture));
        let found = apply(&operation, (&sources, &made.source), (&targets, &made.target));
        prop_assert_eq!(&found, &expression.naive(made.target.numel()), "{}", made.layout);

        let mut reads = vec![vec![0_usize; made.source.numel()]; sources.len()];
        found.iter().flatten().for_each(|&(piece, element)| reads[piece][element] += 1);
        let reads: Vec<usize> = reads.concat();
        let nature = operation.nature();
        prop_assert!(nature.cuts || reads.iter().all(|&times| times > 0), "{}", made.layout);
        prop_assert!(nature.repeats || reads.iter().all(|&times| times < 2), "{}", made.layout);
    }

    /// There and back again every element is where it was, and back and there again too.
    #[test]
    fn the_inverse_undoes_it(expression in expressions(BIJECTIVE)) {
        let made = Made::of(&expression);
        let (sources, targets) = (expression.pieces(Kind::SourceCapture), expression.pieces(Kind::TargetCapture));
        let (source, target) = ((sources.as_slice(), &made.source), (targets.as_slice(), &made.target));
        let there = apply(&made.operation(), source, target);
        let inverse = made.operation().inverse();
        let back = apply(&inverse.operation(), target, source);
        for (piece, elements) in back.iter().enumerate() {
            for (element, &(target, place)) in elements.iter().enumerate() {
                prop_assert_eq!(there[target][place], (piece, element), "{}", made.layout);
            }
        }
        let again = inverse.operation().inverse();
        prop_assert_eq!(apply(&again.operation(), source, target), there);
    }

    /// Where elements are left out or repeat, the inverse undoes it on the part that is used: that is all that is read,
    /// and no more.
    #[test]
    fn the_inverse_undoes_it_on_the_part(expression in expressions(ALL)) {
        let made = Made::of(&expression);
        let operation = made.operation();
        let (sources, targets) = (expression.pieces(Kind::SourceCapture), expression.pieces(Kind::TargetCapture));
        let target = (targets.as_slice(), &made.target);
        let there = apply(&operation, (&sources, &made.source), target);
        let (part, copy) = operation.part(&made.source, &made.target).unwrap_or_else(|error| panic!("{error}"));
        let places = run(&[Rearranged { source: 0, target: 0, copy }], 1, part.numel()).remove(0);
        let back = apply(&operation.inverse().operation(), target, (&sources, &part));
        let mut used = BTreeSet::new();
        for (piece, elements) in back.iter().enumerate() {
            prop_assert_eq!(elements.len(), places.len());
            for (&(target, place), &(_, element)) in elements.iter().zip(&places) {
                prop_assert_eq!(there[target][place], (piece, element), "{}", made.layout);
                used.insert((piece, element));
            }
        }
        prop_assert_eq!(used, there.into_iter().flatten().collect::<BTreeSet<_>>(), "{}", made.layout);
        // An operation that leaves nothing out uses all, in its own order.
        if !operation.nature().cuts {
            prop_assert_eq!(&part, &made.source);
            prop_assert!(places.iter().map(|&(_, element)| element).eq(0..part.numel()));
        }
    }

    /// Parts of unequal size, cut out of one tensor and put together again.
    #[test]
    fn unequal_parts(
        parts in prop::collection::vec(1..5_usize, 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 4),
        rows in 1..4_usize,
        is_leading in any::<bool>(),
    ) {
        let mut places: Vec<usize> = (0..parts.len()).collect();
        // A few exchanges of places.
        order.iter().enumerate().for_each(|(at, with)| places.swap(at % parts.len(), with.index(parts.len())));
        let layout = Layout::parse(if is_leading { "(p h) i -> i h" } else { "i (p h) -> h i" }).unwrap();
        let orders = BTreeMap::from([("p".to_owned(), places.clone())]);
        let captures = [Capture { name: "p".to_owned(), side: Side::Target, count: parts.len() }];
        let operation = Operation {
            layout: &layout,
            sizes: &BTreeMap::new(),
            order: &orders,
            slice: &BTreeMap::new(),
            take: &BTreeMap::new(),
            captures: &captures,
        };
        let whole: usize = parts.iter().sum();
        let sizes = |long: usize, turned: bool| if turned { [rows, long] } else { [long, rows] };
        let source = Shape::new(sizes(whole, !is_leading)).unwrap();
        let shapes: Vec<Shape> =
            parts.iter().map(|&part| Shape::new(sizes(part, is_leading)).unwrap()).collect();
        let view = Strided::contiguous(source.clone());
        let views: Vec<Strided> = shapes.iter().cloned().map(Strided::contiguous).collect();
        let values = |at: usize| vec![at];
        let targets: Vec<TargetPiece<'_>> =
            shapes.iter().enumerate().map(|(at, shape)| TargetPiece { values: values(at), shape }).collect();
        let there = rearrange(&operation, &[SourcePiece { values: vec![], view: &view }], &targets).unwrap();

        // Value j has the rows that stand at place `order[j]`.
        let at_place = |place: usize| places.iter().position(|&other| other == place).unwrap();
        for Rearranged { target, copy, .. } in &there {
            let before: usize = (0..places[*target]).map(|place| parts[at_place(place)]).sum();
            for step in 0..copy.numel() {
                let mut rest = step;
                let (mut from, mut to) = (copy.source_offset, copy.target_offset);
                for axis in &copy.axes {
                    from += rest % axis.size * axis.source_stride;
                    to += rest % axis.size * axis.target_stride;
                    rest /= axis.size;
                }
                let part = parts[*target];
                let (row, at) = if is_leading { (to / part, to % part) } else { (to % rows, to / rows) };
                let expected = if is_leading { (before + at) * rows + row } else { row * whole + before + at };
                prop_assert_eq!(from, expected);
            }
        }

        let inverse = operation.inverse();
        let sources: Vec<SourcePiece<'_>> =
            views.iter().enumerate().map(|(at, view)| SourcePiece { values: values(at), view }).collect();
        let back =
            rearrange(&inverse.operation(), &sources, &[TargetPiece { values: vec![], shape: &source }]).unwrap();
        let back = run(&back, 1, source.numel());
        let longest = shapes.iter().map(Shape::numel).max().unwrap();
        let mut arrived = vec![vec![None; longest]; parts.len()];
        for Rearranged { target, copy, .. } in &there {
            let single = [Rearranged { source: 0, target: 0, copy: copy.clone() }];
            for (to, (_, from)) in run(&single, 1, shapes[*target].numel()).remove(0).into_iter().enumerate() {
                arrived[*target][to] = Some(from);
            }
        }
        for (element, &(piece, place)) in back[0].iter().enumerate() {
            prop_assert_eq!(arrived[piece][place], Some(element));
        }
    }
}
