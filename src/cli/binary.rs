//! Floating-point formats in integer arithmetic: what is stored is judged by code that shares neither an
//! instruction nor a library with what rounded it.

use super::element::Number;

/// A binary format of IEEE 754: a sign, an exponent and a fraction, from the highest bit to the lowest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binary {
    exponent_bits: u32,
    fraction_bits: u32,
}

/// binary16.
pub(super) const F16: Binary = Binary { exponent_bits: 5, fraction_bits: 10 };
/// The upper half of binary32.
pub(super) const BF16: Binary = Binary { exponent_bits: 8, fraction_bits: 7 };
/// binary32.
pub(super) const F32: Binary = Binary { exponent_bits: 8, fraction_bits: 23 };
/// binary64.
pub(super) const F64: Binary = Binary { exponent_bits: 11, fraction_bits: 52 };

impl Binary {
    const fn sign_bit(self) -> u64 {
        1 << (self.exponent_bits + self.fraction_bits)
    }

    /// The bits of infinity: all of the exponent.
    const fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    /// What the unit of the fraction's last place is to the least exponent: a power of two.
    const fn least_unit(self) -> i32 {
        2 - (1 << (self.exponent_bits - 1)) - self.fraction_bits.cast_signed()
    }

    /// The bits of the nearest value, ties to even: the number is rounded once. A NaN keeps its sign and the
    /// upper bits of its payload, and is quiet.
    pub(super) fn nearest(self, number: Number) -> u64 {
        let value = match number {
            Number::Integer(value) => {
                return self.round(value < 0, value.unsigned_abs(), 0);
            }
            Number::Float(value) => value.to_bits(),
            // Not one number; a NaN is none either.
            Number::Complex(..) => f64::NAN.to_bits(),
        };
        let negative = value & F64.sign_bit() != 0;
        let (exponent, fraction) =
            ((value & F64.infinity()) >> F64.fraction_bits, value & ((1 << F64.fraction_bits) - 1));
        if exponent == F64.infinity() >> F64.fraction_bits {
            let quiet = if fraction == 0 { 0 } else { 1 << (self.fraction_bits - 1) };
            let payload = fraction >> (F64.fraction_bits - self.fraction_bits);
            return self.signed(negative, self.infinity() | quiet | payload);
        }
        let (magnitude, steps) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | (1 << F64.fraction_bits), exponent - 1),
        };
        #[expect(clippy::cast_possible_truncation, reason = "an exponent has 11 bits")]
        self.round(negative, magnitude.into(), F64.least_unit() + steps as i32)
    }

    const fn signed(self, negative: bool, bits: u64) -> u64 {
        if negative { self.sign_bit() | bits } else { bits }
    }

    /// The bits of what is nearest to `magnitude * 2^power`.
    fn round(self, negative: bool, magnitude: u128, power: i32) -> u64 {
        if magnitude == 0 {
            return self.signed(negative, 0);
        }
        // The power of two of the last place that is kept.
        let top = power + magnitude.ilog2().cast_signed();
        let unit = (top - self.fraction_bits.cast_signed()).max(self.least_unit());
        let dropped = unit - power;
        let kept = if dropped <= 0 {
            magnitude << dropped.unsigned_abs()
        } else if dropped.unsigned_abs() > magnitude.ilog2() + 1 {
            // Less than half of a unit.
            0
        } else {
            let half = 1 << (dropped - 1);
            let kept = if dropped.unsigned_abs() == u128::BITS { 0 } else { magnitude >> dropped };
            let rest = magnitude & (half | (half - 1));
            kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
        };
        // The leading one adds the first step of the exponent, and a carry the next.
        let steps = u128::from((unit - self.least_unit()).unsigned_abs());
        let bits = (steps << self.fraction_bits) + kept;
        let bits = u64::try_from(bits).unwrap_or(u64::MAX).min(self.infinity());
        self.signed(negative, bits)
    }

    /// The value of these bits, exactly. A NaN comes out quiet.
    pub(super) fn value(self, bits: u64) -> f64 {
        let fraction = bits & ((1 << self.fraction_bits) - 1);
        let exponent = (bits & self.infinity()) >> self.fraction_bits;
        let sign = if bits & self.sign_bit() == 0 { 0 } else { F64.sign_bit() };
        if bits & self.infinity() == self.infinity() {
            let quiet = if fraction == 0 { 0 } else { 1 << (F64.fraction_bits - 1) };
            let payload = fraction << (F64.fraction_bits - self.fraction_bits);
            return f64::from_bits(sign | F64.infinity() | quiet | payload);
        }
        let (magnitude, steps) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | (1 << self.fraction_bits), exponent - 1),
        };
        #[expect(clippy::cast_possible_truncation, reason = "an exponent has 11 bits at most")]
        let power = self.least_unit() + steps as i32;
        f64::from_bits(sign | F64.round(false, magnitude.into(), power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Binary, value: f64, bits: u64) {
        assert_eq!(format.nearest(Number::Float(value)), bits, "{value:e} as {format:?}");
    }

    fn check_whole(format: Binary, value: i128, bits: u64) {
        assert_eq!(format.nearest(Number::Integer(value)), bits, "{value} as {format:?}");
        assert_eq!(format.nearest(Number::Integer(-value)), format.sign_bit() | bits, "-{value}");
    }

    /// What lies just above or below a tie, where a step by way of `float32` would lose it.
    #[test]
    fn low_bits_count() {
        let low = 2_f64.powi(-40);
        for (format, tie, even, odd) in
            [(F16, 2_f64.powi(-11), 0x3C00, 0x3C01), (BF16, 2_f64.powi(-8), 0x3F80, 0x3F81)]
        {
            check(format, 1.0 + tie, even);
            check(format, 1.0 + tie + low, odd);
            check(format, 1.0 + tie - low, even);
            check(format, 1.0 + 3.0 * tie, odd + 1);
            check(format, 1.0 + 3.0 * tie - low, odd);
            check(format, -1.0 - tie - low, format.sign_bit() | odd);
        }
        check(F32, 1.0 + 2_f64.powi(-24) + low, 0x3F80_0001);
        check(F32, 1.0 + 2_f64.powi(-24), 0x3F80_0000);
    }

    #[test]
    fn ends_of_the_range() {
        check(F16, 65_519.999, 0x7BFF);
        check(F16, 65_520.0, 0x7C00);
        check(F16, f64::NEG_INFINITY, 0xFC00);
        check(F16, 2_f64.powi(-24), 0x0001);
        check(F16, 2_f64.powi(-25), 0x0000);
        check(F16, 2_f64.powi(-25) * 1.000_001, 0x0001);
        check(F16, -2_f64.powi(-26), 0x8000);
        check(F16, 2_f64.powi(-14) - 2_f64.powi(-26), 0x0400);
        check(F16, f64::from_bits(1), 0x0000);
        check(BF16, f64::MAX, 0x7F80);
        check(F32, -0.0, 0x8000_0000);
    }

    #[test]
    fn whole_numbers() {
        check_whole(F16, 2_049, 0x6800);
        check_whole(F16, 2_051, 0x6802);
        check_whole(F32, 16_777_217, 0x4B80_0000);
        check_whole(F32, 16_777_219, 0x4B80_0002);
        // 2^62 + 2^54 is a tie of bfloat16; the one above it is lost in a float64.
        check_whole(BF16, (1 << 62) + (1 << 54), 0x5E80);
        check_whole(BF16, (1 << 62) + (1 << 54) + 1, 0x5E81);
        check_whole(F64, (1 << 53) + 1, 0x4340_0000_0000_0000);
        check_whole(F64, (1 << 54) + 3, 0x4350_0000_0000_0001);
    }

    /// The processor's own conversions, where there are any: every sign, exponent and upper half of a
    /// fraction, with ties and their neighbours below.
    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "that is what is tested")]
    fn as_the_processor() {
        let low = [0, 1, 0x0FFF_FFFF, 0x1000_0000, 0x1000_0001, 0x2FFF_FFFF, 0x3000_0000, 0xFFFF_FFFF];
        for high in (0..=u32::MAX).step_by(9973) {
            for low in low {
                let value = f64::from_bits(u64::from(high) << 32 | low);
                assert_eq!(
                    F32.nearest(Number::Float(value)),
                    u64::from((value as f32).to_bits()),
                    "{value:e}"
                );
                if !value.is_nan() {
                    assert_eq!(F64.nearest(Number::Float(value)), value.to_bits());
                }
            }
            let value = f32::from_bits(high);
            assert_eq!(F32.value(high.into()).to_bits(), f64::from(value).to_bits(), "{value:e}");
        }
    }

    #[test]
    fn values_come_back() {
        for bits in 0..=u64::from(u16::MAX) {
            for format in [F16, BF16] {
                let value = format.value(bits);
                let quiet = if value.is_nan() { 1 << (format.fraction_bits - 1) } else { 0 };
                assert_eq!(format.nearest(Number::Float(value)), bits | quiet, "{bits:#x} {format:?}");
            }
            let half = half::f16::from_bits(u16::try_from(bits).unwrap()).to_f64();
            assert_eq!(F16.value(bits).to_bits(), half.to_bits(), "{bits:#x}");
        }
        assert_eq!(BF16.value(0xC049).to_bits(), (-3.140_625_f64).to_bits());
    }
}
