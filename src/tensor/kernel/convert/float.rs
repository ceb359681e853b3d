//! Anything to floats.

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};

use super::ConvertError;
use super::chunks::{narrow, round_to_bf16, widen};
use super::element::{Element, each, put_float};
use crate::tensor::Dtype;
use crate::tensor::kernel::small_float;

/// Converts to floats, rounding once.
pub(super) fn to_float(
    source: &[u8],
    from: Dtype,
    big: bool,
    target: &mut [u8],
    to: Dtype,
    allow_overflow: bool,
) -> Result<(), ConvertError> {
    let overflow = match (from, to) {
        (Dtype::F16, Dtype::F32) if !big => {
            widen(source, target, f16::from_le_bytes);
            None
        }
        (Dtype::Bf16, Dtype::F32) if !big => {
            widen(source, target, bf16::from_le_bytes);
            None
        }
        (Dtype::F32, Dtype::F16) if !big => {
            let slice = <[f16]>::convert_from_f32_slice;
            narrow(source, target, f32::from_le_bytes, slice, f16::to_le_bytes, f16::is_infinite)
        }
        (Dtype::F32, Dtype::Bf16) if !big => {
            narrow(source, target, f32::from_le_bytes, round_to_bf16, bf16::to_le_bytes, bf16::is_infinite)
        }
        (Dtype::F64, Dtype::F32) if !big => {
            let slice = |rounded: &mut [f32], values: &[f64]| {
                rounded.iter_mut().zip(values).for_each(|(rounded, &value)| *rounded = value as f32);
            };
            narrow(source, target, f64::from_le_bytes, slice, f32::to_le_bytes, f32::is_infinite)
        }
        _ => match small_float::values(from) {
            Some(value) => look_up(source, value, target, to),
            None => to_float_one_by_one(source, from, big, target, to),
        },
    };
    match overflow {
        Some((index, value)) if !allow_overflow => Err(ConvertError::Overflow { index, value, target: to }),
        _ => Ok(()),
    }
}

/// Converts floats of eight bits, whose values are few. Tells the first finite value that became an infinity,
/// and its place.
fn look_up(source: &[u8], value: impl Fn(u8) -> f32, target: &mut [u8], to: Dtype) -> Option<(usize, f64)> {
    let mut elements = [[0; 8]; 256];
    let mut is_lost = [false; 256];
    for (code, (element, is_lost)) in (0..=u8::MAX).zip(elements.iter_mut().zip(&mut is_lost)) {
        let value = f64::from(value(code));
        *is_lost = put_float(Element::Float(value), &mut element[..to.size()], to) && value.is_finite();
    }
    fn fill<const SIZE: usize>(source: &[u8], elements: &[[u8; 8]; 256], target: &mut [u8]) {
        let elements = elements.map(|[a, b, c, d, e, f, g, h]| {
            let mut element = [0; SIZE];
            element.iter_mut().zip([a, b, c, d, e, f, g, h]).for_each(|(to, from)| *to = from);
            element
        });
        for (target, &code) in target.as_chunks_mut::<SIZE>().0.iter_mut().zip(source) {
            *target = elements[usize::from(code)];
        }
    }
    match to.size() {
        2 => fill::<2>(source, &elements, target),
        4 => fill::<4>(source, &elements, target),
        _ => fill::<8>(source, &elements, target),
    }
    if !is_lost.contains(&true) {
        return None;
    }
    let codes = &source[..source.len().min(target.len() / to.size())];
    let place = codes.iter().position(|&code| is_lost[usize::from(code)])?;
    Some((place, value(codes[place]).into()))
}

/// Converts to floats by way of the widest types. Tells the first finite value that became an infinity, and
/// its place.
pub(super) fn to_float_one_by_one(
    source: &[u8],
    from: Dtype,
    big: bool,
    target: &mut [u8],
    to: Dtype,
) -> Option<(usize, f64)> {
    let mut overflow = None;
    let size = to.size();
    each(source, from, big, |index, value| {
        let Some(target) = target.get_mut(index * size..(index + 1) * size) else { return };
        let infinite = put_float(value, target, to);
        if infinite && overflow.is_none() && value.to_f64().is_finite() {
            overflow = Some((index, value.to_f64()));
        }
    });
    overflow
}
