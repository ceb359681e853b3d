//! Addition of a sparse tensor's values to a dense one.

use half::{bf16, f16};

use crate::tensor::Dtype;

/// Adds little-endian elements to as many others.
pub(super) type Accumulate = fn(target: &mut [u8], values: &[u8]);

/// How torch adds values of a type where a sparse tensor becomes dense: rounded to the type at every step,
/// integers wrapping, `bool` as "or". `None` for the types that torch has no such addition for.
pub(super) fn accumulate(dtype: Dtype) -> Option<Accumulate> {
    Some(match dtype {
        Dtype::Bool => {
            |target, values| each(target, values, |a: [u8; 1], b| [u8::from(a != [0] || b != [0])])
        }
        Dtype::U8 | Dtype::I8 => |target, values| {
            each(target, values, |a, b| {
                u8::from_le_bytes(a).wrapping_add(u8::from_le_bytes(b)).to_le_bytes()
            });
        },
        Dtype::I16 => |target, values| {
            each(target, values, |a, b| {
                i16::from_le_bytes(a).wrapping_add(i16::from_le_bytes(b)).to_le_bytes()
            });
        },
        Dtype::I32 => |target, values| {
            each(target, values, |a, b| {
                i32::from_le_bytes(a).wrapping_add(i32::from_le_bytes(b)).to_le_bytes()
            });
        },
        Dtype::I64 => |target, values| {
            each(target, values, |a, b| {
                i64::from_le_bytes(a).wrapping_add(i64::from_le_bytes(b)).to_le_bytes()
            });
        },
        Dtype::F16 => |target, values| {
            each(target, values, |a, b| {
                f16::from_f32(f16::from_le_bytes(a).to_f32() + f16::from_le_bytes(b).to_f32()).to_le_bytes()
            });
        },
        Dtype::Bf16 => |target, values| {
            each(target, values, |a, b| {
                bf16::from_f32(bf16::from_le_bytes(a).to_f32() + bf16::from_le_bytes(b).to_f32())
                    .to_le_bytes()
            });
        },
        // A complex sum is the sums of the components.
        Dtype::F32 | Dtype::Complex64 => |target, values| {
            each(target, values, |a, b| (f32::from_le_bytes(a) + f32::from_le_bytes(b)).to_le_bytes());
        },
        Dtype::F64 | Dtype::Complex128 => |target, values| {
            each(target, values, |a, b| (f64::from_le_bytes(a) + f64::from_le_bytes(b)).to_le_bytes());
        },
        _ => return None,
    })
}

fn each<const N: usize>(target: &mut [u8], values: &[u8], add: impl Fn([u8; N], [u8; N]) -> [u8; N]) {
    let (targets, _) = target.as_chunks_mut::<N>();
    let (values, _) = values.as_chunks::<N>();
    for (target, &value) in targets.iter_mut().zip(values) {
        *target = add(*target, value);
    }
}
