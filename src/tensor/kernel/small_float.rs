//! The values of the floats of eight bits and less, each exactly a `float32` (formats/pytorch.md section 3.2).

use crate::tensor::Dtype;

/// The quiet bit of a `float32` NaN.
const QUIET: u32 = 1 << 22;
/// The bits of a `float32` infinity.
const INFINITY: u32 = 0xFF << 23;

/// What the topmost codes of a format stand for.
#[derive(Clone, Copy)]
enum Specials {
    /// As IEEE 754: infinities and NaNs have the largest exponent.
    Ieee,
    /// The largest magnitude is NaN; there are no infinities ("fn").
    LargestIsNan,
    /// Negative zero is NaN; there are no infinities ("fnuz").
    NegativeZeroIsNan,
    /// Every code is a number.
    None,
}

/// Bits of the `float32` values of all codes of each format.
static E4M3FN: [u32; 256] = table(4, 3, 7, Specials::LargestIsNan);
static E5M2: [u32; 256] = table(5, 2, 15, Specials::Ieee);
static E4M3FNUZ: [u32; 256] = table(4, 3, 8, Specials::NegativeZeroIsNan);
static E5M2FNUZ: [u32; 256] = table(5, 2, 16, Specials::NegativeZeroIsNan);
static E8M0FNU: [u32; 256] = powers();
/// The same of the 16 codes of four bits.
static E2M1FN: [u32; 256] = table(2, 1, 1, Specials::None);

/// The values of all 256 codes of a float of eight bits, or `None` for any other type. A NaN keeps its sign
/// and is quiet.
pub(crate) fn values(dtype: Dtype) -> Option<impl Fn(u8) -> f32> {
    let table = match dtype {
        Dtype::F8E4m3fn => &E4M3FN,
        Dtype::F8E5m2 => &E5M2,
        Dtype::F8E4m3fnuz => &E4M3FNUZ,
        Dtype::F8E5m2fnuz => &E5M2FNUZ,
        Dtype::F8E8m0fnu => &E8M0FNU,
        _ => return None,
    };
    Some(|code: u8| f32::from_bits(table[usize::from(code)]))
}

/// The two numbers of a byte of `float4_e2m1fn_x2`: the low half first.
pub(crate) fn pair(byte: u8) -> [f32; 2] {
    [byte & 0xF, byte >> 4].map(|code| f32::from_bits(E2M1FN[usize::from(code)]))
}

/// Of `1 + exponent_bits + fraction_bits` bits, from the highest: sign, exponent, fraction.
const fn table(exponent_bits: u32, fraction_bits: u32, bias: u32, specials: Specials) -> [u32; 256] {
    let magnitudes = 1 << (exponent_bits + fraction_bits);
    let mut bits = [0; 256];
    let mut code = 0;
    while code < 2 * magnitudes {
        let sign = (code / magnitudes) << 31;
        let exponent = (code % magnitudes) >> fraction_bits;
        let fraction = code % (1 << fraction_bits);
        // Places from the fraction's highest bit to the one of `float32`.
        let shift = 23 - fraction_bits;
        bits[code as usize] = match specials {
            Specials::LargestIsNan if code % magnitudes == magnitudes - 1 => {
                sign | INFINITY | QUIET | (fraction << shift)
            }
            Specials::NegativeZeroIsNan if code == magnitudes => INFINITY | QUIET,
            Specials::Ieee if exponent == (1 << exponent_bits) - 1 && fraction == 0 => sign | INFINITY,
            Specials::Ieee if exponent == (1 << exponent_bits) - 1 => {
                sign | INFINITY | QUIET | (fraction << shift)
            }
            _ if exponent > 0 => sign | ((exponent + 127 - bias) << 23) | (fraction << shift),
            _ if fraction == 0 => sign,
            // A subnormal number: its highest bit becomes the implicit one.
            _ => {
                let top = fraction.ilog2();
                let exponent = top + 1 + 127 - bias - fraction_bits;
                sign | (exponent << 23) | ((fraction << (23 - top)) & ((1 << 23) - 1))
            }
        };
        code += 1;
    }
    bits
}

/// `2^(code - 127)`, of which the least is a subnormal `float32`; the last code is NaN.
const fn powers() -> [u32; 256] {
    let mut bits = [0; 256];
    let mut code = 0;
    while code < 255 {
        bits[code as usize] = code << 23;
        code += 1;
    }
    bits[0] = 1 << 22;
    bits[255] = INFINITY | QUIET;
    bits
}
