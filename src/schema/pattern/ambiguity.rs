//! Whether a name can match a pattern in two ways.
//!
//! The pattern becomes an automaton whose every step consumes one character and belongs to one part. A name
//! with two readings is a pair of runs over the same characters that at some character are in different
//! parts, so the search walks pairs of steps. It takes time in the square of the pattern's length, which is
//! limited.

use super::part::{CaptureKind, Joint, Part};

/// The characters that a step accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepts {
    Char(char),
    Digit,
    NonZeroDigit,
    /// Anything but the separator.
    NotSeparator,
    /// The value of the expression that is this part: unknown, and the same in both runs.
    Expression(usize),
}

struct Step {
    accepts: Accepts,
    /// The capture's part, or `None` for fixed letters.
    part: Option<usize>,
    next: Vec<usize>,
}

/// A piece of the automaton: where it begins and ends, and whether it may be passed over.
struct Fragment {
    first: Vec<usize>,
    last: Vec<usize>,
    nullable: bool,
}

#[derive(Default)]
struct Automaton {
    steps: Vec<Step>,
}

/// Whether some name matches in two ways.
pub(super) fn is_ambiguous(parts: &[Part], separator: char) -> bool {
    let open = |part: &&Part| matches!(part, Part::Capture { .. });
    if parts.iter().filter(open).count() < 2 {
        return false;
    }
    let mut automaton = Automaton::default();
    let whole = parts
        .iter()
        .enumerate()
        .map(|(index, part)| automaton.part(index, part, separator))
        .collect::<Vec<_>>();
    let Some(whole) = automaton.chain(whole) else { return false };
    automaton.has_two_readings(&whole, separator)
}

impl Automaton {
    fn step(&mut self, accepts: Accepts, part: Option<usize>) -> Fragment {
        let index = self.steps.len();
        self.steps.push(Step { accepts, part, next: Vec::new() });
        Fragment { first: vec![index], last: vec![index], nullable: false }
    }

    fn connect(&mut self, last: &[usize], first: &[usize]) {
        for &from in last {
            if let Some(step) = self.steps.get_mut(from) {
                step.next.extend(first);
            }
        }
    }

    fn text(&mut self, text: &str, part: Option<usize>) -> Option<Fragment> {
        let steps = text.chars().map(|c| self.step(Accepts::Char(c), part)).collect();
        self.chain(steps)
    }

    /// One after the other; `None` for nothing at all.
    fn chain(&mut self, fragments: Vec<Fragment>) -> Option<Fragment> {
        fragments.into_iter().reduce(|mut left, mut right| {
            self.connect(&left.last, &right.first);
            if left.nullable {
                left.first.append(&mut right.first);
            }
            if right.nullable {
                right.last.append(&mut left.last);
            }
            Fragment { first: left.first, last: right.last, nullable: left.nullable && right.nullable }
        })
    }

    fn either(fragments: impl IntoIterator<Item = Fragment>) -> Fragment {
        let mut result = Fragment { first: Vec::new(), last: Vec::new(), nullable: false };
        for fragment in fragments {
            result.first.extend(fragment.first);
            result.last.extend(fragment.last);
            result.nullable |= fragment.nullable;
        }
        result
    }

    fn part(&mut self, index: usize, part: &Part, separator: char) -> Fragment {
        let nothing = || Fragment { first: Vec::new(), last: Vec::new(), nullable: true };
        match part {
            Part::Text(text) => self.text(text, None).unwrap_or_else(nothing),
            Part::Expression { .. } => self.step(Accepts::Expression(index), None),
            Part::Capture { kind, joint, .. } => match kind {
                CaptureKind::Integer => {
                    let zero = self.step(Accepts::Char('0'), Some(index));
                    let lead = self.step(Accepts::NonZeroDigit, Some(index));
                    let rest = self.repeated(Accepts::Digit, index);
                    let rest = Fragment { nullable: true, ..rest };
                    let long = self.chain(vec![lead, rest]).unwrap_or_else(nothing);
                    Self::either([zero, long])
                }
                CaptureKind::Alternatives(alternatives) => {
                    let alternatives: Vec<Fragment> =
                        alternatives.iter().filter_map(|text| self.text(text, Some(index))).collect();
                    Self::either(alternatives)
                }
                CaptureKind::Segment => self.repeated(Accepts::NotSeparator, index),
                CaptureKind::Segments => {
                    let segment = self.repeated(Accepts::NotSeparator, index);
                    let between = self.step(Accepts::Char(separator), Some(index));
                    self.connect(&segment.last, &between.first);
                    self.connect(&between.last, &segment.first);
                    let chain = match joint {
                        Joint::None => vec![segment],
                        Joint::Before => vec![self.step(Accepts::Char(separator), None), segment],
                        Joint::After => {
                            let after = self.step(Accepts::Char(separator), None);
                            vec![segment, after]
                        }
                    };
                    let whole = self.chain(chain).unwrap_or_else(nothing);
                    Fragment { nullable: true, ..whole }
                }
            },
        }
    }

    /// One or more characters.
    fn repeated(&mut self, accepts: Accepts, part: usize) -> Fragment {
        let step = self.step(accepts, Some(part));
        self.connect(&step.last, &step.first);
        step
    }

    fn has_two_readings(&self, whole: &Fragment, separator: char) -> bool {
        let count = self.steps.len();
        // For each pair of steps, and whether the runs have been in different parts before.
        let mut seen = vec![false; count * count * 2];
        let mut open = Vec::new();
        let mut visit = |left: usize, right: usize, differ: bool, open: &mut Vec<_>| {
            let (Some(a), Some(b)) = (self.steps.get(left), self.steps.get(right)) else { return };
            if !intersects(a.accepts, b.accepts, separator) {
                return;
            }
            let differ = differ || a.part != b.part;
            if let Some(seen) = seen.get_mut((left * count + right) * 2 + usize::from(differ))
                && !*seen
            {
                *seen = true;
                open.push((left, right, differ));
            }
        };
        for &left in &whole.first {
            for &right in &whole.first {
                visit(left, right, false, &mut open);
            }
        }
        while let Some((left, right, differ)) = open.pop() {
            if differ && whole.last.contains(&left) && whole.last.contains(&right) {
                return true;
            }
            let (Some(a), Some(b)) = (self.steps.get(left), self.steps.get(right)) else { continue };
            for &left in &a.next {
                for &right in &b.next {
                    visit(left, right, differ, &mut open);
                }
            }
        }
        false
    }
}

/// Whether some character is accepted by both.
fn intersects(a: Accepts, b: Accepts, separator: char) -> bool {
    match (a, b) {
        (Accepts::Expression(a), Accepts::Expression(b)) => a == b,
        (Accepts::Expression(_), _) | (_, Accepts::Expression(_)) => false,
        (Accepts::Char(c), other) | (other, Accepts::Char(c)) => match other {
            Accepts::Char(other) => c == other,
            Accepts::Digit => c.is_ascii_digit(),
            Accepts::NonZeroDigit => c.is_ascii_digit() && c != '0',
            Accepts::NotSeparator => c != separator,
            Accepts::Expression(_) => false,
        },
        // Digits and everything but the separator have digits in common.
        (Accepts::Digit | Accepts::NonZeroDigit | Accepts::NotSeparator, _) => true,
    }
}
