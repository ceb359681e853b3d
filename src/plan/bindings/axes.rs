//! Captures that are axes.

use crate::schema::{CaptureKind, CaptureValue, Captures, Pattern};
use crate::tensor::{Capture, Side};

/// The captures of one side that are axes of the other.
#[derive(Default)]
pub(super) struct Axes<'a> {
    axes: Vec<(&'a str, Vec<CaptureValue>)>,
    side: Option<Side>,
    /// An axis whose values are not all there: listed alternatives, or integers with gaps.
    missing: Option<(String, Vec<String>)>,
}

impl<'a> Axes<'a> {
    /// Of the pattern's captures, those that the pieces were told apart by and that are axes. Values are in
    /// the order of the alternatives, or of the integers. Where what is no axis is `reduced`, none of it may be missing
    /// either.
    pub(super) fn new<T>(
        pattern: &'a Pattern,
        side: Side,
        pieces: &[(Captures, T)],
        is_axis: impl Fn(&str) -> bool,
        is_reduced: bool,
    ) -> Self {
        let mut axes = Vec::new();
        let mut missing = None;
        for (name, kind) in pattern.captures() {
            let own = pieces.iter().all(|(captures, _)| captures.get(name).is_some());
            if !own || !(is_reduced || is_axis(name)) {
                continue;
            }
            let mut values: Vec<CaptureValue> =
                pieces.iter().filter_map(|(captures, _)| captures.get(name).cloned()).collect();
            values.sort();
            values.dedup();
            if let CaptureKind::Alternatives(listed) = kind {
                let absent = |text: &&String| !values.contains(&CaptureValue::Text((*text).clone()));
                let absent: Vec<String> = listed.iter().filter(absent).cloned().collect();
                if !absent.is_empty() {
                    missing = Some((name.clone(), absent));
                }
                values = listed.iter().cloned().map(CaptureValue::Text).collect();
            }
            let gaps = gaps(&values);
            if !gaps.is_empty() {
                missing = Some((name.clone(), gaps));
            }
            if is_axis(name) {
                axes.push((name.as_str(), values));
            }
        }
        Self { axes, side: Some(side), missing }
    }

    pub(super) fn missing(&self) -> Option<(String, Vec<String>)> {
        self.missing.clone()
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    pub(super) fn is_axis(&self, name: &str) -> bool {
        self.axes.iter().any(|(axis, _)| *axis == name)
    }

    pub(super) fn places(&self, captures: &Captures) -> Vec<usize> {
        let place = |(name, values): &(&str, Vec<CaptureValue>)| {
            values.iter().position(|value| captures.get(name) == Some(value)).unwrap_or(0)
        };
        self.axes.iter().map(place).collect()
    }

    pub(super) fn captures(&self) -> impl Iterator<Item = Capture> {
        let side = self.side.unwrap_or(Side::Source);
        self.axes.iter().map(move |(name, values)| Capture {
            name: (*name).to_owned(),
            side,
            count: values.len(),
        })
    }
}

/// How many missing values are named at most: a stray number far off would make millions of them.
const NAMED_GAPS: usize = 5;

/// The integers between the first and the last that are not there.
fn gaps(values: &[CaptureValue]) -> Vec<String> {
    let neighbours = values.iter().zip(values.iter().skip(1));
    let between = neighbours.flat_map(|pair| match pair {
        (CaptureValue::Integer(one), CaptureValue::Integer(next)) => one.saturating_add(1)..*next,
        _ => 0..0,
    });
    between.take(NAMED_GAPS).map(|value| value.to_string()).collect()
}
