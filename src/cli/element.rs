//! Single elements of lazy tensors, read and converted one by one. Slow and plain on purpose: what is
//! compared here is judged by code that shares nothing with the kernels that wrote it.

use half::{bf16, f16};

use crate::bytes::LazyTensor;
use crate::tensor::{ByteOrder, Dtype, Shape, Strided, StridedCopy};

/// The bytes of an element in little-endian order, zeros after them.
pub(super) type Raw = [u8; 8];

/// A value, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// Of any floating-point type: each is exactly a `f64`.
    Float(f64),
    /// Of any whole type, and of `bool`.
    Integer(i128),
}

/// An element of the tensor's storage, or `None` past its end.
pub(super) fn read(tensor: &LazyTensor, element: usize) -> Option<Raw> {
    let size = tensor.dtype.size();
    let start = element.checked_mul(size)?;
    let bytes = tensor.bytes.as_slice().get(start..start.checked_add(size)?)?;
    let mut raw = Raw::default();
    raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    if tensor.byte_order == ByteOrder::Big {
        raw.get_mut(..size)?.reverse();
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
    let [a, b, c, d, ..] = raw;
    match dtype {
        Dtype::Bool => Number::Integer(i128::from(a != 0)),
        Dtype::U8 => Number::Integer(a.into()),
        Dtype::I8 => Number::Integer(i8::from_le_bytes([a]).into()),
        Dtype::U16 => Number::Integer(u16::from_le_bytes([a, b]).into()),
        Dtype::I16 => Number::Integer(i16::from_le_bytes([a, b]).into()),
        Dtype::U32 => Number::Integer(u32::from_le_bytes([a, b, c, d]).into()),
        Dtype::I32 => Number::Integer(i32::from_le_bytes([a, b, c, d]).into()),
        Dtype::U64 => Number::Integer(u64::from_le_bytes(raw).into()),
        Dtype::I64 => Number::Integer(i64::from_le_bytes(raw).into()),
        Dtype::F16 => Number::Float(f16::from_le_bytes([a, b]).to_f64()),
        Dtype::Bf16 => Number::Float(bf16::from_le_bytes([a, b]).to_f64()),
        Dtype::F32 => Number::Float(f32::from_le_bytes([a, b, c, d]).into()),
        Dtype::F64 => Number::Float(f64::from_le_bytes(raw)),
    }
}

/// The nearest value of another type, ties to even, as `torch.Tensor.to` has it.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "rounding is the point")]
pub(super) fn encode(number: Number, dtype: Dtype) -> Raw {
    fn pad<const N: usize>(bytes: [u8; N]) -> Raw {
        let mut raw = Raw::default();
        raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        raw
    }
    let float = match number {
        Number::Float(value) => value,
        Number::Integer(value) => value as f64,
    };
    let integer = match number {
        Number::Float(value) => value as i128,
        Number::Integer(value) => value,
    };
    match dtype {
        Dtype::Bool => pad([u8::from(float != 0.0)]),
        Dtype::U8 | Dtype::I8 => pad([integer as u8]),
        Dtype::U16 | Dtype::I16 => pad((integer as u16).to_le_bytes()),
        Dtype::U32 | Dtype::I32 => pad((integer as u32).to_le_bytes()),
        Dtype::U64 | Dtype::I64 => (integer as u64).to_le_bytes(),
        Dtype::F16 => pad(f16::from_f64(float).to_le_bytes()),
        Dtype::Bf16 => pad(bf16::from_f64(float).to_le_bytes()),
        Dtype::F32 => pad(match number {
            Number::Float(value) => value as f32,
            // Straight to `f32`: by way of `f64` it would be rounded twice.
            Number::Integer(value) => value as f32,
        }
        .to_le_bytes()),
        Dtype::F64 => float.to_le_bytes(),
    }
}

impl Number {
    /// The shortest text that tells the value from all others of its type.
    #[expect(clippy::cast_possible_truncation, reason = "the value is one of the smaller type")]
    pub(super) fn shown(self, dtype: Dtype) -> String {
        match self {
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

    #[test]
    fn every_type_keeps_its_values() {
        for dtype in Dtype::ALL {
            let values = if dtype.is_float() {
                vec![Number::Float(-1.5), Number::Float(0.0), Number::Float(f64::INFINITY)]
            } else {
                vec![Number::Integer(0), Number::Integer(1)]
            };
            for value in values {
                assert_eq!(decode(encode(value, dtype), dtype), value, "{dtype}");
            }
        }
    }

    fn check_rounding(value: f64, dtype: Dtype, expected: f64) {
        assert_eq!(decode(encode(Number::Float(value), dtype), dtype), Number::Float(expected));
    }

    #[test]
    fn rounds_to_even() {
        check_rounding(2049.0, Dtype::F16, 2048.0);
        check_rounding(2051.0, Dtype::F16, 2052.0);
        check_rounding(257.0, Dtype::Bf16, 256.0);
        check_rounding(16_777_217.0, Dtype::F32, 16_777_216.0);
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
        let copy =
            StridedCopy { axes: vec![axis(3, 1, 5), axis(5, 3, 1)], source_offset: 2, target_offset: 4 };
        let steps: Vec<_> = (0..7).map(|at| step(&copy, at)).collect();
        assert_eq!(steps, [(2, 4), (5, 5), (8, 6), (11, 7), (14, 8), (3, 9), (6, 10)]);
    }
}
