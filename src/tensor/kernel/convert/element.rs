//! Elements one by one, by way of the widest types.

use half::{bf16, f16};

use crate::tensor::Dtype;

/// One value, wide enough for its type.
#[derive(Clone, Copy)]
pub(super) enum Element {
    Integer(i128),
    Float(f64),
}

impl Element {
    /// The value, to nearest.
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Calls for every element.
#[inline(always)]
pub(super) fn each(source: &[u8], from: Dtype, big: bool, mut call: impl FnMut(usize, Element)) {
    macro_rules! elements {
        ($type:ty, $wrap:expr) => {{
            let (elements, _) = source.as_chunks::<{ size_of::<$type>() }>();
            for (index, &bytes) in elements.iter().enumerate() {
                let value = if big { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) };
                call(index, $wrap(value));
            }
        }};
    }
    match from {
        Dtype::Bool => elements!(u8, |value| Element::Integer(i128::from(value != 0))),
        Dtype::U8 => elements!(u8, |value| Element::Integer(i128::from(value))),
        Dtype::I8 => elements!(i8, |value| Element::Integer(i128::from(value))),
        Dtype::U16 => elements!(u16, |value| Element::Integer(i128::from(value))),
        Dtype::I16 => elements!(i16, |value| Element::Integer(i128::from(value))),
        Dtype::U32 => elements!(u32, |value| Element::Integer(i128::from(value))),
        Dtype::I32 => elements!(i32, |value| Element::Integer(i128::from(value))),
        Dtype::U64 => elements!(u64, |value| Element::Integer(i128::from(value))),
        Dtype::I64 => elements!(i64, |value| Element::Integer(i128::from(value))),
        Dtype::F16 => elements!(f16, |value: f16| Element::Float(value.to_f64())),
        Dtype::Bf16 => elements!(bf16, |value: bf16| Element::Float(value.to_f64())),
        Dtype::F32 => elements!(f32, |value| Element::Float(f64::from(value))),
        Dtype::F64 => elements!(f64, Element::Float),
        // Those of eight bits go by their tables; `convert` refuses the others.
        Dtype::F8E4m3fn
        | Dtype::F8E5m2
        | Dtype::F8E4m3fnuz
        | Dtype::F8E5m2fnuz
        | Dtype::F8E8m0fnu
        | Dtype::F4E2m1fnX2
        | Dtype::Complex32
        | Dtype::Bcomplex32
        | Dtype::Complex64
        | Dtype::Complex128 => {}
    }
}

/// Writes a value as an element of a float type, rounded once. Whether that is an infinity.
pub(super) fn put_float(value: Element, target: &mut [u8], to: Dtype) -> bool {
    match to {
        Dtype::F64 => {
            target.copy_from_slice(&value.to_f64().to_le_bytes());
            false
        }
        Dtype::F32 => {
            let rounded = match value {
                Element::Integer(value) => value as f32,
                Element::Float(value) => value as f32,
            };
            target.copy_from_slice(&rounded.to_le_bytes());
            rounded.is_infinite()
        }
        Dtype::F16 => {
            let rounded = f16::from_f32(round_to_odd(value));
            target.copy_from_slice(&rounded.to_le_bytes());
            rounded.is_infinite()
        }
        _ => {
            let rounded = bf16::from_f32(round_to_odd(value));
            target.copy_from_slice(&rounded.to_le_bytes());
            rounded.is_infinite()
        }
    }
}

/// The `f32` nearest to a value or, where none is equal, the one of its two neighbours whose last bit is set.
/// Rounding that to a narrower type gives what rounding the value itself would.
fn round_to_odd(value: Element) -> f32 {
    let wide = match value {
        Element::Float(value) => value,
        Element::Integer(value) => {
            let wide = value as f64;
            let back = wide as i128;
            if back == value || wide.to_bits() & 1 == 1 {
                wide
            } else if back.unsigned_abs() > value.unsigned_abs() {
                f64::from_bits(wide.to_bits() - 1)
            } else {
                f64::from_bits(wide.to_bits() + 1)
            }
        }
    };
    let near = wide as f32;
    if f64::from(near) == wide || wide.is_nan() || near.to_bits() & 1 == 1 {
        near
    } else if f64::from(near.abs()) > wide.abs() {
        f32::from_bits(near.to_bits() - 1)
    } else {
        f32::from_bits(near.to_bits() + 1)
    }
}
