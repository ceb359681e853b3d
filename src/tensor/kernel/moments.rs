//! Counts, extremes, means and squared deviations of numbers.
//!
//! Numbers are taken in blocks of [`BLOCK`]: the mean of a block first, then the squares of what deviates from
//! it, so that no large square swallows a small difference; the blocks are merged in their order (Chan, Golub
//! and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979). So the
//! outcome depends on the numbers and their order alone: neither on the machine's instructions nor on how
//! many threads there are.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::small_float;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::tensor::Dtype;

/// Numbers of a block: as `float64` they stay in the first-level cache between the two passes.
pub const BLOCK: usize = 1024;
/// Sums that are kept side by side, whatever instructions there are.
const LANES: usize = 8;

/// What is known of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// NaNs.
    pub nan: u64,
    /// Infinities above zero.
    pub positive_infinity: u64,
    /// Infinities below zero.
    pub negative_infinity: u64,
    /// Numbers that are neither NaN nor infinite. All that follows is of these alone.
    pub finite: u64,
    /// Zeros, of either sign.
    pub zeros: u64,
    /// The least; positive infinity where there is none.
    pub min: f64,
    /// The largest; negative infinity where there is none.
    pub max: f64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// The sum of the squares of their deviations from the mean; infinite where that is beyond a `float64`.
    pub squares: f64,
}

impl Moments {
    /// Of no numbers.
    pub const NONE: Self = Self {
        nan: 0,
        positive_infinity: 0,
        negative_infinity: 0,
        finite: 0,
        zeros: 0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        mean: 0.0,
        squares: 0.0,
    };

    /// Of these numbers and those that follow.
    pub fn merge(&mut self, next: &Self) {
        self.nan += next.nan;
        self.positive_infinity += next.positive_infinity;
        self.negative_infinity += next.negative_infinity;
        self.zeros += next.zeros;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        if next.finite == 0 {
            return;
        }
        if self.finite == 0 {
            (self.finite, self.mean, self.squares) = (next.finite, next.mean, next.squares);
            return;
        }
        let finite = self.finite + next.finite;
        let (weight, next_weight) = (self.finite as f64 / finite as f64, next.finite as f64 / finite as f64);
        let apart = next.mean - self.mean;
        self.mean = if apart.is_finite() {
            self.mean + apart * next_weight
        } else {
            self.mean * weight + next.mean * next_weight
        };
        self.squares += next.squares + apart * (apart * weight) * next.finite as f64;
        self.finite = finite;
    }
}

/// Adds the numbers of little-endian elements to `sum`: those of a complex element are two, those of a byte of
/// `float4_e2m1fn_x2` are two. Where several calls take the elements of one tensor, all but the last take
/// multiples of [`BLOCK`] elements.
pub fn add_moments(bytes: &[u8], dtype: Dtype, sum: &mut Moments) {
    #[cfg(target_arch = "x86_64")]
    if x86::has_avx2() {
        // SAFETY: AVX2 is there.
        #[expect(unsafe_code, reason = "vector instructions need it")]
        unsafe {
            return with_avx2(bytes, dtype, sum);
        }
    }
    add(bytes, dtype, sum);
}

/// The same code, with wider instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(bytes: &[u8], dtype: Dtype, sum: &mut Moments) {
    add(bytes, dtype, sum);
}

#[inline(always)]
fn add(bytes: &[u8], dtype: Dtype, sum: &mut Moments) {
    macro_rules! numbers {
        ($type:ty, $to_f64:expr) => {
            blocks(bytes, sum, |bytes: [u8; size_of::<$type>()]| $to_f64(<$type>::from_le_bytes(bytes)))
        };
    }
    match dtype {
        Dtype::Bool => blocks(bytes, sum, |[byte]| f64::from(u8::from(byte != 0))),
        Dtype::U8 => numbers!(u8, f64::from),
        Dtype::I8 => numbers!(i8, f64::from),
        Dtype::U16 => numbers!(u16, f64::from),
        Dtype::I16 => numbers!(i16, f64::from),
        Dtype::U32 => numbers!(u32, f64::from),
        Dtype::I32 => numbers!(i32, f64::from),
        Dtype::U64 => numbers!(u64, |value| value as f64),
        Dtype::I64 => numbers!(i64, |value| value as f64),
        Dtype::F32 | Dtype::Complex64 => numbers!(f32, f64::from),
        Dtype::F64 | Dtype::Complex128 => numbers!(f64, |value| value),
        Dtype::Bf16 | Dtype::Bcomplex32 => numbers!(bf16, |value: bf16| f64::from(value.to_f32())),
        Dtype::F16 | Dtype::Complex32 => half_blocks(bytes, sum),
        Dtype::F4E2m1fnX2 => pair_blocks(bytes, sum),
        Dtype::F8E4m3fn | Dtype::F8E5m2 | Dtype::F8E4m3fnuz | Dtype::F8E5m2fnuz | Dtype::F8E8m0fnu => {
            if let Some(value) = small_float::values(dtype) {
                blocks(bytes, sum, |[code]| f64::from(value(code)));
            }
        }
    }
}

#[inline(always)]
fn blocks<const SIZE: usize>(bytes: &[u8], sum: &mut Moments, number: impl Fn([u8; SIZE]) -> f64) {
    let mut numbers = [0.0; BLOCK];
    for elements in bytes.as_chunks::<SIZE>().0.chunks(BLOCK) {
        for (to, from) in numbers.iter_mut().zip(elements) {
            *to = number(*from);
        }
        sum.merge(&block(&mut numbers[..elements.len()]));
    }
}

/// `float16`, with the instructions there are for it.
#[inline(always)]
fn half_blocks(bytes: &[u8], sum: &mut Moments) {
    let (mut halves, mut floats, mut numbers) = ([f16::ZERO; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    for elements in bytes.as_chunks().0.chunks(BLOCK) {
        let count = elements.len();
        for (half, bytes) in halves.iter_mut().zip(elements) {
            *half = f16::from_le_bytes(*bytes);
        }
        halves[..count].convert_to_f32_slice(&mut floats[..count]);
        for (to, from) in numbers.iter_mut().zip(&floats) {
            *to = f64::from(*from);
        }
        sum.merge(&block(&mut numbers[..count]));
    }
}

fn pair_blocks(bytes: &[u8], sum: &mut Moments) {
    let mut numbers = [0.0; BLOCK];
    for bytes in bytes.chunks(BLOCK / 2) {
        for (to, from) in numbers.iter_mut().zip(bytes.iter().flat_map(|&byte| small_float::pair(byte))) {
            *to = f64::from(from);
        }
        sum.merge(&block(&mut numbers[..bytes.len() * 2]));
    }
}

/// Of one block, which may be reordered.
#[inline(always)]
fn block(numbers: &mut [f64]) -> Moments {
    let moments = finite_block(numbers);
    // Neither a NaN nor an infinity is lost in a sum.
    if moments.mean.is_finite() { moments } else { mixed_block(numbers) }
}

/// Of one block of finite numbers. The mean is not finite if the numbers are not, or if their sum is beyond a
/// `float64`.
#[inline(always)]
fn finite_block(numbers: &[f64]) -> Moments {
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let (mut sums, mut zeros) = ([0.0; LANES], [0.0; LANES]);
    let (mut least, mut largest) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    for numbers in lanes {
        for (lane, &number) in numbers.iter().enumerate() {
            sums[lane] += number;
            zeros[lane] += if number == 0.0 { 1.0 } else { 0.0 };
            least[lane] = if number < least[lane] { number } else { least[lane] };
            largest[lane] = if number > largest[lane] { number } else { largest[lane] };
        }
    }
    for (lane, &number) in rest.iter().enumerate() {
        sums[lane] += number;
        zeros[lane] += if number == 0.0 { 1.0 } else { 0.0 };
        least[lane] = if number < least[lane] { number } else { least[lane] };
        largest[lane] = if number > largest[lane] { number } else { largest[lane] };
    }
    let mean = across(sums) / numbers.len() as f64;
    let mut squares = [0.0; LANES];
    for numbers in lanes {
        for (lane, &number) in numbers.iter().enumerate() {
            squares[lane] += (number - mean) * (number - mean);
        }
    }
    for (lane, &number) in rest.iter().enumerate() {
        squares[lane] += (number - mean) * (number - mean);
    }
    Moments {
        finite: numbers.len() as u64,
        zeros: across(zeros) as u64,
        min: least.into_iter().fold(f64::INFINITY, f64::min),
        max: largest.into_iter().fold(f64::NEG_INFINITY, f64::max),
        mean,
        squares: across(squares),
        ..Moments::NONE
    }
}

#[inline(always)]
fn across([a, b, c, d, e, f, g, h]: [f64; LANES]) -> f64 {
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

/// Of one block with numbers that are not finite, or whose sum is not.
#[cold]
fn mixed_block(numbers: &mut [f64]) -> Moments {
    let mut others = Moments::NONE;
    let mut finite = 0;
    for place in 0..numbers.len() {
        let number = numbers[place];
        if number.is_finite() {
            numbers[finite] = number;
            finite += 1;
        } else if number.is_nan() {
            others.nan += 1;
        } else if number > 0.0 {
            others.positive_infinity += 1;
        } else {
            others.negative_infinity += 1;
        }
    }
    let numbers = &numbers[..finite];
    if numbers.is_empty() {
        return others;
    }
    let mut moments = finite_block(numbers);
    if !moments.mean.is_finite() {
        moments.mean = numbers.iter().map(|number| number / finite as f64).sum();
        moments.squares = f64::INFINITY;
    }
    moments.merge(&others);
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[f64], expected: Moments) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let mut sum = Moments::NONE;
        add_moments(&bytes, Dtype::F64, &mut sum);
        assert_eq!(sum, expected, "{numbers:?}");
        let mut portable = Moments::NONE;
        add(&bytes, Dtype::F64, &mut portable);
        assert_eq!(portable, expected, "{numbers:?}");
    }

    #[test]
    fn few_numbers() {
        check(&[], Moments::NONE);
        let one = Moments { finite: 1, min: -3.0, max: -3.0, mean: -3.0, ..Moments::NONE };
        check(&[-3.0], one);
        let four = Moments { finite: 4, zeros: 2, min: -0.0, max: 8.0, mean: 3.0, ..Moments::NONE };
        check(&[8.0, 4.0, 0.0, -0.0], Moments { squares: 44.0, min: 0.0, ..four });
    }

    #[test]
    fn not_finite() {
        let inf = f64::INFINITY;
        let others = Moments { nan: 2, positive_infinity: 1, negative_infinity: 3, ..Moments::NONE };
        check(&[-inf, f64::NAN, inf, -inf, -f64::NAN, -inf], others);
        let mixed =
            Moments { nan: 1, finite: 2, min: 1.0, max: 3.0, mean: 2.0, squares: 2.0, ..Moments::NONE };
        check(&[1.0, f64::NAN, 3.0], mixed);
        let (min, max) = (f64::MAX / 2.0, f64::MAX);
        let large = Moments { finite: 2, min, max, mean: 0.75 * max, squares: inf, ..Moments::NONE };
        check(&[f64::MAX, f64::MAX / 2.0], large);
    }

    #[test]
    fn many_numbers_far_from_zero() {
        // 0, 1, 2, 0, 1, 2, … above a billion: no digit of the deviations is lost.
        let count = 3 * BLOCK * 7;
        let bytes: Vec<u8> = (0..count).flat_map(|at| (1e9 + (at % 3) as f64).to_le_bytes()).collect();
        let mut sum = Moments::NONE;
        add_moments(&bytes, Dtype::F64, &mut sum);
        assert_eq!((sum.finite, sum.min, sum.max), (count as u64, 1e9, 1e9 + 2.0));
        assert!((sum.mean - (1e9 + 1.0)).abs() < 1e-6, "{}", sum.mean);
        assert!((sum.squares / count as f64 - 2.0 / 3.0).abs() < 1e-9, "{}", sum.squares);
    }

    #[test]
    fn pairs_and_parts() {
        let check = |bytes: &[u8], dtype, finite, min, max| {
            let mut sum = Moments::NONE;
            add_moments(bytes, dtype, &mut sum);
            assert_eq!((sum.finite, sum.min, sum.max), (finite, min, max), "{dtype}");
        };
        check(&[0x72, 0x9F], Dtype::F4E2m1fnX2, 4, -6.0, 6.0);
        check(&[0x00, 0x3C, 0x00, 0xC0], Dtype::Complex32, 2, -2.0, 1.0);
        check(&[0x80, 0x3F, 0x00, 0xC0], Dtype::Bcomplex32, 2, -2.0, 1.0);
        check(&[7, 0, 1], Dtype::Bool, 3, 0.0, 1.0);
        check(&[0x38, 0x7E, 0x7F], Dtype::F8E4m3fn, 2, 1.0, 448.0);
        check(&[126, 128], Dtype::F8E8m0fnu, 2, 0.5, 2.0);
    }
}
