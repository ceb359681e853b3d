//! What is done to gathered values, one by one, before they become elements of a variable.

use std::fmt;

use super::Dtype;

/// Arithmetic on the value of every element, in this order; each step rounds to the type that is computed in
/// (`float32` for floats of at most 32 bits, `float64` for all else).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arithmetic {
    /// What values are multiplied by.
    pub scale: Option<f64>,
    /// What is then added.
    pub offset: Option<f64>,
    /// The type of 16 bits that values then go through.
    pub round: Option<Dtype>,
}

impl Arithmetic {
    /// Whether values stay as they are.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.scale.is_none() && self.offset.is_none() && self.round.is_none()
    }
}

/// For people: `× 0.5, + 1, through float16`.
impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = [
            self.scale.map(|scale| format!("× {scale}")),
            self.offset.map(|offset| {
                if offset.is_sign_negative() { format!("− {}", -offset) } else { format!("+ {offset}") }
            }),
            self.round.map(|round| format!("through {round}")),
        ];
        f.pad(&steps.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown() {
        let check = |scale, offset, round, expected: &str| {
            assert_eq!(Arithmetic { scale, offset, round }.to_string(), expected);
        };
        check(None, None, None, "");
        check(Some(0.5), Some(-1.0), Some(Dtype::Bf16), "× 0.5, − 1, through bfloat16");
        check(None, Some(2.5), None, "+ 2.5");
    }
}
