//! The arithmetic of measurements.

/// The extremes and the middle of some measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of measurements, at least one; not a number of none.
    pub(crate) fn of(measurements: &[f64]) -> Self {
        let mut sorted = measurements.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let (last, half) = (sorted.len().saturating_sub(1), sorted.len() / 2);
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(at(half.saturating_sub(1)), at(half))
        } else {
            at(half)
        };
        Self { min: at(0), median, max: at(last) }
    }
}

/// `a[i] / b[i]`, as far as both reach.
pub(crate) fn ratios(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a / b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        for (measurements, expected) in
            [(vec![3.0, 1.0, 2.0], (1.0, 2.0, 3.0)), (vec![4.0, 1.0], (1.0, 2.5, 4.0))]
        {
            let spread = Spread::of(&measurements);
            assert_eq!((spread.min, spread.median, spread.max), expected);
        }
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn ratios_are_of_pairs() {
        assert_eq!(ratios(&[1.0, 6.0, 5.0], &[2.0, 3.0]), [0.5, 2.0]);
    }
}
