//! A row of the table: what was measured, beside what, and what was promised.

use super::goal::{Goal, Verdict};
use super::measure::Pairs;
use super::spread::{Spread, ratios};

/// One row, or the reason why there is none.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What `--only` calls it.
    pub(super) case: &'static str,
    pub(super) name: String,
    pub(super) result: Result<Measured, String>,
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) unit: &'static str,
    pub(super) ours: Vec<f64>,
    pub(super) beside: Option<Beside>,
    /// For the ratios, or for `ours` where nothing is beside.
    pub(super) goal: Option<Goal>,
    pub(super) note: Option<String>,
}

/// What it was measured beside, in the same unit.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    pub(super) name: String,
    pub(super) theirs: Vec<f64>,
    /// Pair by pair.
    pub(super) ratios: Vec<f64>,
}

/// Which way a ratio goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ratio {
    OursToTheirs,
    TheirsToOurs,
}

impl Row {
    pub(super) fn new(
        case: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        ours: Vec<f64>,
    ) -> Self {
        let measured = Measured { unit, ours, ..Measured::default() };
        Self { case, name: name.into(), result: Ok(measured) }
    }

    /// Seconds of pairs.
    pub(super) fn beside(
        case: &'static str,
        name: impl Into<String>,
        pairs: Pairs,
        other: impl Into<String>,
        way: Ratio,
    ) -> Self {
        Self::new(case, name, "s", pairs.ours).and_beside(other, pairs.theirs, way)
    }

    pub(super) fn not_run(case: &'static str, name: impl Into<String>, reason: impl ToString) -> Self {
        Self { case, name: name.into(), result: Err(reason.to_string()) }
    }

    pub(super) fn and_beside(self, other: impl Into<String>, theirs: Vec<f64>, way: Ratio) -> Self {
        self.map(|measured| {
            let ratios = match way {
                Ratio::OursToTheirs => ratios(&measured.ours, &theirs),
                Ratio::TheirsToOurs => ratios(&theirs, &measured.ours),
            };
            Measured { beside: Some(Beside { name: other.into(), theirs, ratios }), ..measured }
        })
    }

    pub(super) fn goal(self, goal: Goal) -> Self {
        self.map(|measured| Measured { goal: Some(goal), ..measured })
    }

    pub(super) fn note(self, note: impl Into<String>) -> Self {
        self.map(|measured| Measured { note: Some(note.into()), ..measured })
    }

    fn map(self, change: impl FnOnce(Measured) -> Measured) -> Self {
        Self { result: self.result.map(change), ..self }
    }

    /// The verdict on the goal, if there is one.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let measured = self.result.as_ref().ok()?;
        Some(measured.goal?.judge(&measured.judged()))
    }

    /// Whether the row fails a quick run.
    pub(super) fn is_gross_regression(&self) -> bool {
        let Ok(measured) = &self.result else { return true };
        let is_ratio = measured.beside.is_some();
        measured.goal.is_some_and(|goal| goal.is_grossly_missed(&measured.judged(), is_ratio))
    }
}

impl Measured {
    /// What the goal is for.
    pub(super) fn judged(&self) -> Spread {
        Spread::of(self.beside.as_ref().map_or(&self.ours, |beside| &beside.ratios))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Pairs {
        Pairs { ours: vec![1.0, 2.0, 4.0], theirs: vec![2.0, 2.0, 2.0] }
    }

    #[test]
    fn ratios_go_either_way() {
        for (way, median, goal) in
            [(Ratio::OursToTheirs, 1.0, Goal::at_most(1.0)), (Ratio::TheirsToOurs, 1.0, Goal::at_least(1.0))]
        {
            let row = Row::beside("a", "b", pairs(), "cp", way).goal(goal);
            assert_eq!(row.result.as_ref().map(|measured| measured.judged().median), Ok(median));
            assert_eq!(row.verdict(), Some(Verdict::Met));
        }
    }

    #[test]
    fn what_did_not_run_fails_a_quick_run_and_has_no_verdict() {
        let row = Row::not_run("a", "b", "no python").goal(Goal::at_most(1.0));
        assert_eq!(row.verdict(), None);
        assert!(row.is_gross_regression());
    }
}
