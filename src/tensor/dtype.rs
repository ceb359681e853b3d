//! Element types.

use std::fmt;

/// The type of one element, by the names that PyTorch and Keras share (`float32`, `bfloat16`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dtype {
    /// `bool`, one byte; any non-zero byte is true, as in torch.
    Bool,
    /// `uint8`.
    U8,
    /// `int8`.
    I8,
    /// `uint16`, little-endian like all that follow.
    U16,
    /// `int16`.
    I16,
    /// `uint32`.
    U32,
    /// `int32`.
    I32,
    /// `uint64`.
    U64,
    /// `int64`.
    I64,
    /// `float16`, IEEE 754 binary16.
    F16,
    /// `bfloat16`, the upper half of a `float32`.
    Bf16,
    /// `float32`.
    F32,
    /// `float64`.
    F64,
    /// `float8_e4m3fn`: bias 7, no infinities.
    F8E4m3fn,
    /// `float8_e5m2`: bias 15, as IEEE.
    F8E5m2,
    /// `float8_e4m3fnuz`: bias 8, neither infinities nor a negative zero.
    F8E4m3fnuz,
    /// `float8_e5m2fnuz`: bias 16, neither infinities nor a negative zero.
    F8E5m2fnuz,
    /// `float8_e8m0fnu`: a power of two, the scale of a block.
    F8E8m0fnu,
    /// `float4_e2m1fn_x2`: two numbers in a byte, the first in the low half. torch counts bytes, not numbers.
    F4E2m1fnX2,
    /// `complex32`: two `float16`, real and imaginary.
    Complex32,
    /// `bcomplex32`: two `bfloat16`.
    Bcomplex32,
    /// `complex64`: two `float32`.
    Complex64,
    /// `complex128`: two `float64`.
    Complex128,
}

impl Dtype {
    /// Every element type, in the order of the declaration.
    pub const ALL: [Self; 23] = [
        Self::Bool,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
        Self::F8E4m3fn,
        Self::F8E5m2,
        Self::F8E4m3fnuz,
        Self::F8E5m2fnuz,
        Self::F8E8m0fnu,
        Self::F4E2m1fnX2,
        Self::Complex32,
        Self::Bcomplex32,
        Self::Complex64,
        Self::Complex128,
    ];

    /// Bytes of one element: 1, 2, 4, 8 or 16.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::F8E4m3fn | Self::F8E5m2 | Self::F8E4m3fnuz | Self::F8E5m2fnuz => 1,
            Self::F8E8m0fnu | Self::F4E2m1fnX2 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 | Self::Complex32 | Self::Bcomplex32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Complex64 => 8,
            Self::Complex128 => 16,
        }
    }

    /// Bytes that are reversed together when the byte order changes: one number, of which a complex element
    /// has two.
    #[must_use]
    pub const fn swapped_size(self) -> usize {
        if self.is_complex() { self.size() / 2 } else { self.size() }
    }

    /// The name in PyTorch (without `torch.`), NumPy and Keras.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::F8E4m3fn => "float8_e4m3fn",
            Self::F8E5m2 => "float8_e5m2",
            Self::F8E4m3fnuz => "float8_e4m3fnuz",
            Self::F8E5m2fnuz => "float8_e5m2fnuz",
            Self::F8E8m0fnu => "float8_e8m0fnu",
            Self::F4E2m1fnX2 => "float4_e2m1fn_x2",
            Self::Complex32 => "complex32",
            Self::Bcomplex32 => "bcomplex32",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
        }
    }

    /// The element type of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Whether it is one of the floating-point types that a model computes in: 16 bits or more.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// Whether it is one of the floating-point types of 8 bits and less, which hold quantized weights.
    #[must_use]
    pub const fn is_small_float(self) -> bool {
        matches!(
            self,
            Self::F8E4m3fn
                | Self::F8E5m2
                | Self::F8E4m3fnuz
                | Self::F8E5m2fnuz
                | Self::F8E8m0fnu
                | Self::F4E2m1fnX2
        )
    }

    /// Whether an element is a pair of a real and an imaginary number.
    #[must_use]
    pub const fn is_complex(self) -> bool {
        matches!(self, Self::Complex32 | Self::Bcomplex32 | Self::Complex64 | Self::Complex128)
    }

    /// Whether Keras loads variables of it from a weight file: whole numbers, `bool`, floats of 16 bits and more,
    /// `complex64` and `complex128`. It stores the floats of eight bits that it knows as bytes without a type,
    /// and fails to load them ("No cast function available", Keras 3.15); the others it has no variables of.
    #[must_use]
    pub const fn is_loaded_by_keras(self) -> bool {
        !self.is_small_float() && !matches!(self, Self::Complex32 | Self::Bcomplex32)
    }

    /// Whether every value of `self` is exactly a value of `target`.
    #[must_use]
    pub const fn fits_exactly(self, target: Self) -> bool {
        // Significand bits that a float holds exactly, and bits that an integer needs.
        let (Some((need_bits, need_sign, need_exponent)), Some((have_bits, have_sign, have_exponent))) =
            (self.extent(), target.extent())
        else {
            return matches!(self, Self::Bool) || self as u8 == target as u8;
        };
        let is_any_float = self.is_float() || self.is_small_float();
        let float_to_integer = is_any_float && !target.is_float();
        !float_to_integer
            && need_bits <= have_bits
            && (have_sign || !need_sign)
            && (!is_any_float || need_exponent <= have_exponent)
    }

    /// Significand or magnitude bits, whether there is a sign, and exponent bits (0 for integers).
    const fn extent(self) -> Option<(u8, bool, u8)> {
        Some(match self {
            Self::Bool => return None,
            Self::Complex32 | Self::Bcomplex32 | Self::Complex64 | Self::Complex128 => return None,
            // Two numbers in a byte have no counterpart of one element.
            Self::F4E2m1fnX2 => return None,
            Self::F8E4m3fn | Self::F8E4m3fnuz => (4, true, 4),
            Self::F8E5m2 | Self::F8E5m2fnuz => (3, true, 5),
            Self::F8E8m0fnu => (1, false, 8),
            Self::U8 => (8, false, 0),
            Self::I8 => (7, true, 0),
            Self::U16 => (16, false, 0),
            Self::I16 => (15, true, 0),
            Self::U32 => (32, false, 0),
            Self::I32 => (31, true, 0),
            Self::U64 => (64, false, 0),
            Self::I64 => (63, true, 0),
            Self::F16 => (11, true, 5),
            Self::Bf16 => (8, true, 8),
            Self::F32 => (24, true, 8),
            Self::F64 => (53, true, 11),
        })
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The order of the bytes of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first; what Keras files hold.
    Little,
    /// Most significant byte first: checkpoints written on s390x or old Power.
    Big,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: Dtype, target: Dtype, exact: bool) {
        assert_eq!(source.fits_exactly(target), exact, "{source} to {target}");
    }

    #[test]
    fn exact_conversions() {
        check(Dtype::F32, Dtype::F32, true);
        check(Dtype::Bf16, Dtype::F32, true);
        check(Dtype::F16, Dtype::F32, true);
        check(Dtype::F16, Dtype::Bf16, false);
        check(Dtype::Bf16, Dtype::F16, false);
        check(Dtype::F32, Dtype::F16, false);
        check(Dtype::F64, Dtype::F32, false);
        check(Dtype::I64, Dtype::F32, false);
        check(Dtype::I32, Dtype::F64, true);
        check(Dtype::I8, Dtype::Bf16, true);
        check(Dtype::U8, Dtype::I8, false);
        check(Dtype::U8, Dtype::I16, true);
        check(Dtype::I8, Dtype::U64, false);
        check(Dtype::F32, Dtype::I64, false);
        check(Dtype::Bool, Dtype::F16, true);
        check(Dtype::U8, Dtype::Bool, false);
        check(Dtype::Complex64, Dtype::Complex64, true);
        check(Dtype::Complex64, Dtype::Complex128, false);
        check(Dtype::F8E4m3fn, Dtype::Bf16, true);
        check(Dtype::F8E8m0fnu, Dtype::F16, false);
        check(Dtype::F4E2m1fnX2, Dtype::F32, false);
    }

    #[test]
    fn names_are_inverse() {
        for dtype in Dtype::ALL {
            assert_eq!(Dtype::from_name(dtype.name()), Some(dtype));
        }
        assert_eq!(Dtype::from_name("float128"), None);
    }
}
