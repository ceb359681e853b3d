//! What is known of a tensor's values.

use crate::tensor::kernel::Moments;

/// Statistics of a tensor's numbers. A complex element is two numbers, its parts; a byte of
/// `float4_e2m1fn_x2` is two numbers; `bool` is 0 and 1. All is computed in `float64`: whole numbers beyond
/// 2⁵³ are rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// How many numbers there are.
    pub count: u64,
    /// The least finite number; `None` where none is finite.
    pub min: Option<f64>,
    /// The largest finite number; `None` where none is finite.
    pub max: Option<f64>,
    /// The mean of the finite numbers; `None` where none is finite.
    pub mean: Option<f64>,
    /// The standard deviation of the finite numbers, as `torch.std` has it: divided by one less than their
    /// number. `None` where there are fewer than two; infinite where the squares are beyond a `float64`.
    pub std: Option<f64>,
    /// The numbers that are not finite.
    pub non_finite: NonFinite,
    /// How many zeros there are, of either sign.
    pub zeros: u64,
}

/// How many numbers are not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NonFinite {
    /// NaNs.
    pub nan: u64,
    /// Infinities above zero.
    pub positive_infinity: u64,
    /// Infinities below zero.
    pub negative_infinity: u64,
}

impl NonFinite {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.nan + self.positive_infinity + self.negative_infinity
    }
}

impl From<Moments> for Statistics {
    fn from(moments: Moments) -> Self {
        let Moments { nan, positive_infinity, negative_infinity, finite, zeros, min, max, mean, squares } =
            moments;
        let non_finite = NonFinite { nan, positive_infinity, negative_infinity };
        let any = |value| (finite > 0).then_some(value);
        Self {
            count: finite + non_finite.total(),
            min: any(min),
            max: any(max),
            mean: any(mean),
            std: (finite > 1).then(|| (squares / (finite - 1) as f64).sqrt()),
            non_finite,
            zeros,
        }
    }
}
