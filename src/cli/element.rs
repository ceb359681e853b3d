//! Single elements of lazy tensors, read and converted one by one. Slow and plain on purpose: what is
//! compared here is judged by code that shares nothing with the kernels that wrote it. Where the elements lie is
//! the plan's to say, for both.

use super::binary::{BF16, F16, F32, F64};
use crate::lazy::LazyTensor;
use crate::tensor::{ByteOrder, Dtype, Shape, Strided, StridedCopy};

/// The bytes of an element in little-endian order, zeros after them.
pub(super) type Raw = [u8; 16];

/// A value, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// Of any floating-point type: each is exactly a `f64`.
    Float(f64),
    /// Of any whole type, and of `bool`.
    Integer(i128),
    /// The real and the imaginary part.
    Complex(f64, f64),
}

/// An element of the tensor's storage, or `None` past its end.
pub(super) fn read(tensor: &LazyTensor, element: usize) -> Option<Raw> {
    let size = tensor.dtype.size();
    let start = element.checked_mul(size)?;
    let bytes = tensor.storage.ready()?.as_slice().get(start..start.checked_add(size)?)?;
    let mut raw = Raw::default();
    raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    if tensor.byte_order == ByteOrder::Big {
        raw.get_mut(..size)?.chunks_exact_mut(tensor.dtype.swapped_size()).for_each(<[u8]>::reverse);
    }
    Some(raw)
}

/// The place in the storage of the element that comes `linear`-th in row-major order.
pub(super) fn place(view: &Strided, linear: usize) -> usize {
    let index = index(view.shape(), linear);
    index.iter().zip(view.strides()).fold(view.offset(), |place, (at, stride)| place + at * stride)
}

/// The index along each axis of the element that comes `linear`-th in row-major order.
pub(super) fn index(shape: &Shape, linear: usize) -> Vec<usize> {
    let mut rest = linear;
    let mut index: Vec<usize> = shape
        .sizes()
        .iter()
        .rev()
        .map(|&size| {
            let at = rest % size.max(1);
            rest /= size.max(1);
            at
        })
        .collect();
    index.reverse();
    index
}

/// The step of a copy that comes `step`-th: the element it reads and the element it writes.
pub(super) fn step(copy: &StridedCopy, step: usize) -> (usize, usize) {
    let mut rest = step;
    let mut places = (copy.source_offset, copy.target_offset);
    for axis in copy.axes.iter().rev() {
        let at = rest % axis.size.max(1);
        rest /= axis.size.max(1);
        places = (places.0 + at * axis.source_stride, places.1 + at * axis.target_stride);
    }
    places
}

/// The value of an element.
pub(super) fn decode(raw: Raw, dtype: Dtype) -> Number {
    let [a, b, c, d, e, f, g, h, ..] = raw;
    let wide = [a, b, c, d, e, f, g, h];
    match dtype {
        Dtype::Bool => Number::Integer(i128::from(a != 0)),
        Dtype::U8 => Number::Integer(a.into()),
        Dtype::I8 => Number::Integer(i8::from_le_bytes([a]).into()),
        Dtype::U16 => Number::Integer(u16::from_le_bytes([a, b]).into()),
        Dtype::I16 => Number::Integer(i16::from_le_bytes([a, b]).into()),
        Dtype::U32 => Number::Integer(u32::from_le_bytes([a, b, c, d]).into()),
        Dtype::I32 => Number::Integer(i32::from_le_bytes([a, b, c, d]).into()),
        Dtype::U64 => Number::Integer(u64::from_le_bytes(wide).into()),
        Dtype::I64 => Number::Integer(i64::from_le_bytes(wide).into()),
        Dtype::F16 => Number::Float(F16.value(u16::from_le_bytes([a, b]).into())),
        Dtype::Bf16 => Number::Float(BF16.value(u16::from_le_bytes([a, b]).into())),
        Dtype::F32 => Number::Float(f32::from_le_bytes([a, b, c, d]).into()),
        Dtype::F64 => Number::Float(f64::from_le_bytes(wide)),
        Dtype::F8E4m3fn if a & 0x7F == 0x7F => Number::Float(small_nan(a, 3)),
        Dtype::F8E4m3fn => Number::Float(small(a, 3, 7)),
        Dtype::F8E5m2 if a & 0x7C == 0x7C && a & 3 != 0 => Number::Float(small_nan(a, 2)),
        Dtype::F8E5m2 if a & 0x7C == 0x7C => Number::Float(f64::INFINITY.copysign(small(a, 2, 15))),
        Dtype::F8E5m2 => Number::Float(small(a, 2, 15)),
        Dtype::F8E4m3fnuz | Dtype::F8E5m2fnuz if a == 0x80 => Number::Float(small_nan(0, 2)),
        Dtype::F8E4m3fnuz => Number::Float(small(a, 3, 8)),
        Dtype::F8E5m2fnuz => Number::Float(small(a, 2, 16)),
        Dtype::F8E8m0fnu if a == 0xFF => Number::Float(small_nan(0, 2)),
        Dtype::F8E8m0fnu => Number::Float(2_f64.powi(i32::from(a) - 127)),
        // A plan takes its numbers out first.
        Dtype::F4E2m1fnX2 => Number::Float(f64::NAN),
        Dtype::Complex32 => {
            let part = |bytes| F16.value(u16::from_le_bytes(bytes).into());
            Number::Complex(part([a, b]), part([c, d]))
        }
        Dtype::Bcomplex32 => {
            let part = |bytes| BF16.value(u16::from_le_bytes(bytes).into());
            Number::Complex(part([a, b]), part([c, d]))
        }
        Dtype::Complex64 => {
            let part = |bytes| f32::from_le_bytes(bytes).into();
            Number::Complex(part([a, b, c, d]), part([e, f, g, h]))
        }
        Dtype::Complex128 => {
            let imaginary = raw.last_chunk().copied().unwrap_or_default();
            Number::Complex(f64::from_le_bytes(wide), f64::from_le_bytes(imaginary))
        }
    }
}

/// A number of eight bits: a sign, an exponent of what is left, a fraction.
fn small(code: u8, fraction_bits: u32, bias: i32) -> f64 {
    let (exponent, fraction) = ((code & 0x7F) >> fraction_bits, code & ((1 << fraction_bits) - 1));
    let implied = if exponent == 0 { 0 } else { 1 << fraction_bits };
    let power = i32::from(exponent.max(1)) - bias - fraction_bits.cast_signed();
    let magnitude = f64::from(implied + fraction) * 2_f64.powi(power);
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// The NaN of such a number: quiet, with its sign and its fraction.
fn small_nan(code: u8, fraction_bits: u32) -> f64 {
    const QUIET: u64 = 0xFFF << 51;
    let fraction = u64::from(code & ((1 << fraction_bits) - 1)) << (52 - fraction_bits);
    f64::from_bits(u64::from(code >> 7) << 63 | QUIET | fraction)
}

/// The bytes of the nearest value of a type, ties to even, rounded once: also where `torch.Tensor.to` goes by
/// way of `float32` and rounds twice. `None` if it is a whole type that lacks the number.
pub(super) fn encode(number: Number, dtype: Dtype) -> Option<Raw> {
    let whole = || match number {
        Number::Integer(value) => Some(value),
        #[expect(clippy::cast_possible_truncation, reason = "what does not come back is refused")]
        #[expect(clippy::cast_precision_loss, reason = "what does not come back is refused")]
        Number::Float(value) => Some(value as i128).filter(|&whole| whole as f64 == value),
        Number::Complex(..) => None,
    };
    if matches!(number, Number::Complex(..)) {
        return None;
    }
    match dtype {
        Dtype::Bool => whole()?.try_into().ok().filter(|&value: &u8| value <= 1).map(|value| pad([value])),
        Dtype::U8 => u8::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::I8 => i8::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::U16 => u16::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::I16 => i16::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::U32 => u32::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::I32 => i32::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::U64 => u64::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::I64 => i64::try_from(whole()?).ok().map(|value| pad(value.to_le_bytes())),
        Dtype::F16 => Some(pad(F16.nearest(number).to_le_bytes())),
        Dtype::Bf16 => Some(pad(BF16.nearest(number).to_le_bytes())),
        Dtype::F32 => Some(pad(F32.nearest(number).to_le_bytes())),
        Dtype::F64 => Some(pad(F64.nearest(number).to_le_bytes())),
        Dtype::F8E4m3fn
        | Dtype::F8E5m2
        | Dtype::F8E4m3fnuz
        | Dtype::F8E5m2fnuz
        | Dtype::F8E8m0fnu
        | Dtype::F4E2m1fnX2
        | Dtype::Complex32
        | Dtype::Bcomplex32 => None,
        // A real number: its imaginary part is zero.
        Dtype::Complex64 => Some(pad(F32.nearest(number).to_le_bytes())),
        Dtype::Complex128 => Some(pad(F64.nearest(number).to_le_bytes())),
    }
}

fn pad<const N: usize>(bytes: [u8; N]) -> Raw {
    let mut raw = Raw::default();
    raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    raw
}

impl Number {
    /// The shortest text that tells the value from all others of its type.
    #[expect(clippy::cast_possible_truncation, reason = "the value is one of the smaller type")]
    pub(super) fn shown(self, dtype: Dtype) -> String {
        match self {
            Self::Complex(real, imaginary) => {
                let part = if dtype == Dtype::Complex128 { Dtype::F64 } else { Dtype::F32 };
                format!("({}, {})", Self::Float(real).shown(part), Self::Float(imaginary).shown(part))
            }
            Self::Float(value) if dtype == Dtype::F64 => format!("{value:?}"),
            // Values of the half types are `f32` too; its text has a few digits more than they need.
            Self::Float(value) => format!("{:?}", value as f32),
            Self::Integer(value) => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::CopyAxis;

    fn check(number: Number, dtype: Dtype, bytes: &[u8]) {
        let mut raw = Raw::default();
        raw[..bytes.len()].copy_from_slice(bytes);
        assert_eq!(bytes.len(), dtype.size());
        assert_eq!(encode(number, dtype), Some(raw), "{number:?} as {dtype}");
        assert_eq!(decode(raw, dtype), number, "{dtype}");
    }

    #[test]
    fn bytes_of_every_type() {
        let (whole, float) = (Number::Integer, Number::Float);
        check(whole(1), Dtype::Bool, &[1]);
        check(whole(200), Dtype::U8, &[200]);
        check(whole(-2), Dtype::I8, &[0xFE]);
        check(whole(0x8001), Dtype::U16, &[0x01, 0x80]);
        check(whole(-3), Dtype::I16, &[0xFD, 0xFF]);
        check(whole(0x8000_0201), Dtype::U32, &[0x01, 0x02, 0, 0x80]);
        check(whole(-257), Dtype::I32, &[0xFF, 0xFE, 0xFF, 0xFF]);
        check(whole(u64::MAX.into()), Dtype::U64, &[0xFF; 8]);
        check(whole(i64::MIN.into()), Dtype::I64, &[0, 0, 0, 0, 0, 0, 0, 0x80]);
        check(float(-1.5), Dtype::F16, &[0x00, 0xBE]);
        check(float(-1.5), Dtype::Bf16, &[0xC0, 0xBF]);
        check(float(-1.5), Dtype::F32, &[0, 0, 0xC0, 0xBF]);
        check(float(-1.5), Dtype::F64, &[0, 0, 0, 0, 0, 0, 0xF8, 0xBF]);
    }

    #[test]
    fn floats_of_eight_bits() {
        use crate::tensor::kernel::convert;

        for dtype in [Dtype::F8E4m3fn, Dtype::F8E5m2, Dtype::F8E4m3fnuz, Dtype::F8E5m2fnuz, Dtype::F8E8m0fnu]
        {
            for code in 0..=u8::MAX {
                let mut written = [0; 4];
                convert(&[code], dtype, ByteOrder::Little, &mut written, Dtype::F32, false).unwrap();
                assert_eq!(
                    encode(decode(pad([code]), dtype), Dtype::F32),
                    Some(pad(written)),
                    "{dtype} {code}"
                );
            }
        }
    }

    #[test]
    fn whole_types_hold_no_other_numbers() {
        for (number, dtype) in [
            (Number::Integer(2), Dtype::Bool),
            (Number::Integer(256), Dtype::U8),
            (Number::Integer(-1), Dtype::U64),
            (Number::Integer(1 << 63), Dtype::I64),
            (Number::Float(0.5), Dtype::I32),
            (Number::Float(f64::NAN), Dtype::I32),
        ] {
            assert_eq!(encode(number, dtype), None, "{number:?} as {dtype}");
        }
    }

    #[test]
    fn values_are_shown_short() {
        assert_eq!(Number::Float(f64::from(0.1_f32)).shown(Dtype::F32), "0.1");
        assert_eq!(Number::Float(f64::from(0.1_f32)).shown(Dtype::F64), "0.10000000149011612");
        assert_eq!(Number::Integer(-3).shown(Dtype::I8), "-3");
    }

    #[test]
    fn places() {
        let shape = Shape::new([2, 3, 5]).unwrap();
        assert_eq!(index(&shape, 23), [1, 1, 3]);
        let view = Strided::new(shape, [1, 10, 2], 7, 100).unwrap();
        assert_eq!(place(&view, 23), 7 + 1 + 10 + 6);
        let axis = |size, source_stride, target_stride| CopyAxis { size, source_stride, target_stride };
        let copy = StridedCopy {
            axes: vec![axis(3, 1, 5), axis(5, 3, 1)].into(),
            source_offset: 2,
            target_offset: 4,
        };
        let steps: Vec<_> = (0..7).map(|at| step(&copy, at)).collect();
        assert_eq!(steps, [(2, 4), (5, 5), (8, 6), (11, 7), (14, 8), (3, 9), (6, 10)]);
    }
}
