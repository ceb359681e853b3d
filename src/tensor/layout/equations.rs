//! What a layout says of sizes, as equations for people.
//!
//! ```text
//! (h d) e -> e h d       source (6, 5), target (5, 2, 3)
//!
//! 6 = h · d   axis 0 of the tensor
//! 5 = e       axis 1 of the tensor
//! 5 = e       axis 0 of the variable
//! 2 = h       axis 1 of the variable
//! 3 = d       axis 2 of the variable
//! ```

use super::operation::{Operation, Slice};
use super::solve::{Side, open, solve};
use super::{Capture, SolveError};
use crate::tensor::Shape;

/// Sizes that an axis may have are listed up to so many: a longer list helps nobody to choose.
const MAX_CHOICES: usize = 12;

/// The largest size whose divisors are looked for, by trial up to its root.
const MAX_DIVIDED: usize = 1 << 32;

/// An equation between sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeEquation {
    /// `6 = h · d`. Of an axis that is cut, `v` is its size in the tensor and `v'` what is used of it.
    pub text: String,
    /// Where it comes from: `axis 0 of the tensor`.
    pub of: String,
}

impl Operation<'_> {
    /// The equations that the layout makes of two shapes; none where every axis stands by itself, which an error
    /// says as well, or where the layout is of tensors with another number of axes.
    #[must_use]
    pub fn equations(&self, source: &Shape, target: &Shape) -> Vec<SizeEquation> {
        let sides = [(Side::Source, source), (Side::Target, target)];
        let groups = || sides.iter().flat_map(|(side, _)| self.groups(*side));
        let is_plain = self.slice.is_empty() && groups().all(|group| group.len() < 2);
        if is_plain || sides.iter().any(|(side, shape)| shape.rank() != self.groups(*side).len()) {
            return Vec::new();
        }
        let mut equations = Vec::new();
        for (side, shape) in sides {
            for (axis, (group, size)) in self.groups(side).iter().zip(shape.sizes()).enumerate() {
                let text = format!("{size} = {}", self.product(side, group));
                equations.push(SizeEquation { text, of: format!("axis {axis} of the {side}") });
            }
        }
        for (axis, size) in self.sizes {
            equations.push(SizeEquation { text: format!("{size} = {axis}"), of: "given".to_owned() });
        }
        for Capture { name, count, .. } in self.captures {
            let of = "values of the capture".to_owned();
            equations.push(SizeEquation { text: format!("{count} = {name}"), of });
        }
        for (axis, slice) in self.slice {
            let text = match slice {
                Slice::Fit => format!("{axis}' ≤ {axis}"),
                Slice::Range { start: 0, end: None } => format!("{axis}' = {axis}"),
                Slice::Range { start, end: None } => format!("{axis}' = {axis} - {start}"),
                Slice::Range { start, end: Some(end) } => format!("{axis}' = {end} - {start}"),
            };
            equations.push(SizeEquation { text, of: "`slice`".to_owned() });
        }
        equations
    }

    /// The sizes that an axis may have which neither shape determines; none where they are too many.
    #[must_use]
    pub fn choices(&self, source: &Shape, target: &Shape, axis: &str) -> Vec<usize> {
        let Ok(open) = open(self, source, target) else { return Vec::new() };
        let product = open.into_iter().filter(|(names, _)| names.contains(&axis)).map(|(_, size)| size).min();
        let Some(divisors) = product.and_then(divisors) else { return Vec::new() };
        let fits = |size: &usize| {
            let mut sizes = self.sizes.clone();
            sizes.insert(axis.to_owned(), *size);
            let operation = Operation { sizes: &sizes, ..*self };
            matches!(solve(&operation, source, target), Ok(_) | Err(SolveError::Undetermined { .. }))
        };
        divisors.into_iter().filter(fits).collect()
    }

    /// `h · d`, and of parts that a capture leads the sum of theirs.
    fn product(&self, side: Side, group: &[String]) -> String {
        let name = |name: &String| {
            let is_cut = side == Side::Target && self.slice.contains_key(name);
            if is_cut { format!("{name}'") } else { name.clone() }
        };
        let product = |names: &[String]| names.iter().map(name).collect::<Vec<_>>().join(" · ");
        match group {
            [] => "1".to_owned(),
            [capture, rest @ ..] if !rest.is_empty() && self.capture(capture).is_some() => {
                format!("the sum of {} over {capture}", product(rest))
            }
            names => product(names),
        }
    }
}

/// The divisors of a size, in order; nothing where they are more than are listed.
fn divisors(size: usize) -> Option<Vec<usize>> {
    if size == 0 || size > MAX_DIVIDED {
        return None;
    }
    let mut found = Vec::new();
    for small in (1..).take_while(|small| small * small <= size).filter(|small| size.is_multiple_of(*small)) {
        found.push(small);
        if small != size / small {
            found.push(size / small);
        }
        if found.len() > MAX_CHOICES {
            return None;
        }
    }
    found.sort_unstable();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides() {
        assert_eq!(divisors(12), Some(vec![1, 2, 3, 4, 6, 12]));
        assert_eq!(divisors(9), Some(vec![1, 3, 9]));
        assert_eq!(divisors(1), Some(vec![1]));
        assert_eq!(divisors(0), None);
        assert_eq!(divisors(5040), None);
    }
}
