//! What is promised, and whether it is kept.

use super::spread::Spread;

/// How much worse than its goal the best of the pairs has to be to be a gross regression. Noise makes runs slower,
/// of both contestants alike, and hardly ever in every pair; what is twice as slow in the best of them has become
/// slower. So a busy machine fails no quick run, and what that lets pass, the full run tells.
const GROSS: f64 = 2.0;

/// The same for seconds that nothing was measured beside: a slow machine takes longer, too.
const GROSS_ALONE: f64 = 5.0;

/// Which side of the limit is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    AtMost,
    AtLeast,
}

/// A limit for a median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Goal {
    pub(super) bound: Bound,
    pub(super) limit: f64,
    /// A weaker limit that has to hold on a busy machine too.
    pub(super) gate: Option<f64>,
}

/// How a goal fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    /// The goal is missed, its gate is not.
    GateMet,
    Missed,
}

impl Goal {
    pub(super) const fn at_most(limit: f64) -> Self {
        Self { bound: Bound::AtMost, limit, gate: None }
    }

    pub(super) const fn at_least(limit: f64) -> Self {
        Self { bound: Bound::AtLeast, limit, gate: None }
    }

    pub(super) const fn or_gate(self, gate: f64) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// By the median.
    pub(super) fn judge(&self, spread: &Spread) -> Verdict {
        if self.holds(spread.median, self.limit) {
            Verdict::Met
        } else if self.gate.is_some_and(|gate| self.holds(spread.median, gate)) {
            Verdict::GateMet
        } else {
            Verdict::Missed
        }
    }

    /// Whether even the best of the runs is far from the goal (from the gate, where there is one).
    pub(super) fn is_grossly_missed(&self, spread: &Spread, is_ratio: bool) -> bool {
        let limit = self.gate.unwrap_or(self.limit);
        let gross = if is_ratio { GROSS } else { GROSS_ALONE };
        match self.bound {
            Bound::AtMost => !self.holds(spread.min, limit * gross),
            Bound::AtLeast => !self.holds(spread.max, limit / gross),
        }
    }

    /// A number of no measurements is on no side.
    fn holds(&self, value: f64, limit: f64) -> bool {
        match self.bound {
            Bound::AtMost => value <= limit,
            Bound::AtLeast => value >= limit,
        }
    }

    /// In the table's words.
    pub(super) fn text(&self) -> String {
        let sign = match self.bound {
            Bound::AtMost => '≤',
            Bound::AtLeast => '≥',
        };
        let gate = self.gate.map_or_else(String::new, |gate| format!(", gate {gate}"));
        format!("{sign} {}{gate}", self.limit)
    }
}

impl Verdict {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::GateMet => "MISSED, gate met",
            Self::Missed => "MISSED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let copy = Goal::at_most(0.9).or_gate(1.2);
        let faster = Goal::at_least(15.0);
        for (goal, measurements, verdict, gross) in [
            (copy, [0.8, 0.9, 1.5], Verdict::Met, false),
            (copy, [0.8, 1.2, 1.5], Verdict::GateMet, false),
            (copy, [2.4, 2.5, 3.0], Verdict::Missed, false),
            (copy, [2.41, 2.5, 3.0], Verdict::Missed, true),
            (faster, [1.0, 15.0, 99.0], Verdict::Met, false),
            (faster, [1.0, 7.0, 7.5], Verdict::Missed, false),
            (faster, [1.0, 7.0, 7.4], Verdict::Missed, true),
        ] {
            let spread = Spread::of(&measurements);
            assert_eq!(goal.judge(&spread), verdict, "{goal:?} {measurements:?}");
            assert_eq!(goal.is_grossly_missed(&spread, true), gross, "{goal:?} {measurements:?}");
        }
    }

    #[test]
    fn seconds_alone_are_judged_more_mildly() {
        let goal = Goal::at_most(0.06);
        assert!(!goal.is_grossly_missed(&Spread::of(&[0.29, 0.4]), false));
        assert!(goal.is_grossly_missed(&Spread::of(&[0.31, 0.4]), false));
    }

    #[test]
    fn no_measurements_meet_no_goal() {
        let none = Spread::of(&[]);
        for goal in [Goal::at_most(0.9), Goal::at_least(15.0)] {
            assert_eq!(goal.judge(&none), Verdict::Missed);
            assert!(goal.is_grossly_missed(&none, true));
        }
    }
}
