//! What can be said about a rule's axes without shapes.

use std::ops::Range;

use super::error::FaultKind;
use super::pattern::{CaptureKind, Pattern};
use super::reader::Faults;
use super::rule::TensorRule;
use crate::tensor::Layout;

/// The axes that keys beside the layout name, with their places.
pub(super) struct Named {
    pub(super) sizes: Vec<(String, Range<usize>)>,
    pub(super) order: Vec<(String, Range<usize>)>,
    pub(super) slice: Vec<(String, Range<usize>)>,
    pub(super) take: Vec<(String, Range<usize>)>,
}

/// The captures of a rule that stand on one side.
struct OneSided {
    torch: Vec<String>,
    keras: Vec<String>,
}

/// Adds the faults of a rule's axes. `places` has the place of each layout.
pub(super) fn check(rule: &TensorRule, places: &[Range<usize>], named: &Named, faults: &mut Faults) {
    let captures = one_sided(rule, &[]);
    check_layouts(rule, &captures, places, named, faults);
    for name in &captures.keras {
        if rule.layouts.iter().any(|layout| !layout.has_left(name)) || rule.layouts.is_empty() {
            faults.add(rule.keras_position.span.clone(), FaultKind::Unbound(name.clone())).help(format!(
                "to split the tensor, name `{name}` as an axis on the left of the layout; to write it to \
                 several variables, list them: `keras = [..]`"
            ));
        }
    }
}

/// The same of a term of `add`, in a rule of that torch name. A capture that splits the rule's tensor need not split
/// the term, which then counts for each of the variables.
pub(super) fn check_term(
    term: &TensorRule,
    torch: &Pattern,
    places: &[Range<usize>],
    named: &Named,
    faults: &mut Faults,
) {
    check_layouts(term, &one_sided(term, torch.captures()), places, named, faults);
}

fn check_layouts(
    rule: &TensorRule,
    captures: &OneSided,
    places: &[Range<usize>],
    named: &Named,
    faults: &mut Faults,
) {
    for (layout, place) in rule.layouts.iter().zip(places) {
        check_captures(layout, captures, place, faults);
        check_order(layout, rule, captures, place, faults);
        check_lost(layout, captures, rule, place, faults);
    }
    let is_on_a_side = |layout: &Layout, axis: &str| layout.has_left(axis) || layout.has_right(axis);
    check_named("sizes", &named.sizes, rule, is_on_a_side, faults);
    check_named("order", &named.order, rule, is_on_a_side, faults);
    check_named("slice", &named.slice, rule, Layout::has_left, faults);
    check_named("take", &named.take, rule, Layout::has_left, faults);
}

/// The captures of one side; those of the keras names that are bound elsewhere are of none.
fn one_sided(rule: &TensorRule, bound: &[(String, CaptureKind)]) -> OneSided {
    let torch: Vec<&String> = rule.torch.captures().iter().map(|(name, _)| name).collect();
    let has_keras = |name: &str| {
        rule.keras.iter().any(|pattern| {
            pattern.reads().contains(&name) || pattern.captures().iter().any(|(other, _)| other == name)
        })
    };
    let mut keras: Vec<String> = Vec::new();
    for (name, _) in rule.keras.iter().flat_map(|pattern| pattern.captures()) {
        let is_bound = torch.contains(&name) || bound.iter().any(|(other, _)| other == name);
        if !is_bound && !keras.contains(name) {
            keras.push(name.clone());
        }
    }
    OneSided { torch: torch.into_iter().filter(|name| !has_keras(name)).cloned().collect(), keras }
}

/// A capture of one side becomes an axis of the other side. The axis may not be there already.
fn check_captures(layout: &Layout, captures: &OneSided, place: &Range<usize>, faults: &mut Faults) {
    let clashes = captures.torch.iter().filter(|name| layout.has_left(name)).map(|name| (name, "tensor"));
    let also = captures.keras.iter().filter(|name| layout.has_right(name)).map(|name| (name, "variable"));
    for (name, side) in clashes.chain(also) {
        faults
            .add(place.clone(), FaultKind::CaptureIsAxis(name.clone(), side))
            .help("rename one of the two: the capture in both names, or the axis in the layout");
    }
}

/// A capture that becomes an axis needs values with an order of their own: integers or listed alternatives.
fn check_order(
    layout: &Layout,
    rule: &TensorRule,
    captures: &OneSided,
    place: &Range<usize>,
    faults: &mut Faults,
) {
    let patterns = std::iter::once(&rule.torch).chain(&rule.keras);
    for (name, kind) in patterns.flat_map(|pattern| pattern.captures()) {
        let is_text = matches!(kind, CaptureKind::Segment | CaptureKind::Segments);
        let is_axis = captures.torch.contains(name) && layout.has_right(name)
            || captures.keras.contains(name) && layout.has_left(name);
        if is_text && is_axis {
            faults.add(place.clone(), FaultKind::TextAxis(name.clone())).help(format!(
                "capture an integer, `{{{name}}}`, or list the values in order: `{{{name}:first|second}}`"
            ));
        }
    }
}

/// Every axis on the left has to arrive, be split off by a capture, or be cut to one index.
fn check_lost(
    layout: &Layout,
    captures: &OneSided,
    rule: &TensorRule,
    place: &Range<usize>,
    faults: &mut Faults,
) {
    for axis in layout.left_axes() {
        let is_used = layout.has_right(axis)
            || captures.keras.iter().any(|name| name == axis)
            || captures.torch.iter().any(|name| name == axis)
            || rule.take.contains_key(axis);
        if !is_used {
            faults.add(place.clone(), FaultKind::AxisLost(axis.to_owned())).help(format!(
                "name `{axis}` on the right too, write `1` if its size is one, or choose an index: \
                 `take = {{ {axis} = 0 }}`"
            ));
        }
    }
}

fn check_named(
    key: &'static str,
    named: &[(String, Range<usize>)],
    rule: &TensorRule,
    has: impl Fn(&Layout, &str) -> bool,
    faults: &mut Faults,
) {
    for (axis, span) in named {
        if rule.layouts.is_empty() {
            faults.add(span.clone(), FaultKind::NoLayout(key)).help("as in `layout = \"o i -> i o\"`");
        } else if !rule.layouts.iter().any(|layout| has(layout, axis)) {
            let side = if key == "slice" || key == "take" { "on the left side" } else { "in the layout" };
            faults
                .add(span.clone(), FaultKind::NoAxis { key, axis: axis.clone() })
                .help(format!("name it {side}, or leave it out here"));
        }
    }
}
