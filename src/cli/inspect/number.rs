//! Statistics as people read them.

/// Significant digits that are shown: enough to tell initialisations apart.
const DIGITS: usize = 5;

/// Decimal exponents from which on numbers are written with one, as C's `%g` does.
const LEAST_PLAIN_EXPONENT: i32 = -4;

/// The largest number without a fraction that is written in full: what a `float64` tells apart from its
/// neighbours.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The number in a few significant digits: `0.051234`, `1.2e-7`, `-3`. Whole numbers are written in full.
pub(super) fn significant(value: f64) -> String {
    if !value.is_finite() || (value.fract() == 0.0 && value.abs() <= MAX_WHOLE) {
        // Adding zero makes a negative zero positive.
        return (value + 0.0).to_string();
    }
    let scientific = format!("{value:.*e}", DIGITS - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    // Rust writes a decimal exponent of a few digits.
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let decimals = i32::try_from(DIGITS).unwrap_or(i32::MAX) - 1 - exponent;
    match usize::try_from(decimals) {
        Ok(decimals) if exponent >= LEAST_PLAIN_EXPONENT => {
            without_zeros(&format!("{value:.decimals$}")).to_owned()
        }
        Ok(_) | Err(_) => format!("{}e{exponent}", without_zeros(mantissa)),
    }
}

/// Without the zeros that end a fraction.
fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64, expected: &str) {
        assert_eq!(significant(value), expected);
    }

    #[test]
    fn a_few_digits() {
        check(0.0, "0");
        check(-0.0, "0");
        check(1.0, "1");
        check(-3.0, "-3");
        check(1_234_567.0, "1234567");
        check(0.051_234_567, "0.051235");
        check(-0.5, "-0.5");
        check(123.456_78, "123.46");
        check(12_345.678, "12346");
        check(123_456.78, "1.2346e5");
        check(0.000_123_4, "0.0001234");
        check(0.000_012_34, "1.234e-5");
        check(9.999_999, "10");
        check(99_999.97, "1e5");
        check(1e300, "1e300");
        check(f64::INFINITY, "inf");
        check(f64::NAN, "NaN");
    }
}
