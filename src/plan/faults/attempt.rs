//! Layouts that do not fit, with the equations of their sizes.

use std::fmt;

use crate::tensor::{SizeEquation, SolveError};

/// A layout that does not fit.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The layout.
    pub layout: String,
    /// Why it does not fit.
    pub reason: SolveError,
    /// What it makes of the sizes, where that is more than one name to each axis.
    pub equations: Vec<SizeEquation>,
    /// The sizes that the axis which nothing determines may have, where they are few.
    pub choices: Vec<usize>,
}

/// Every layout that was tried, each in a line of its own.
pub(in crate::plan) fn tried(attempts: &[Attempt]) -> String {
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

/// The layout and the reason, and each equation in a line of its own.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layout, reason, equations, choices } = self;
        write!(f, "by `{layout}`: {reason}")?;
        if let (SolveError::Undetermined { axis }, [others @ .., last]) = (reason, choices.as_slice()) {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            let or = if others.is_empty() { "" } else { " or " };
            write!(f, "\n    `{axis}` may be {}{or}{last}", others.join(", "))?;
        }
        let width = equations.iter().map(|equation| equation.text.chars().count()).max().unwrap_or(0);
        for SizeEquation { text, of } in equations {
            write!(f, "\n    {text:width$}   {of}")?;
        }
        Ok(())
    }
}
