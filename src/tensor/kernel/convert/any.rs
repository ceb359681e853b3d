//! From any type to any other.

use super::ConvertError;
use super::float::to_float;
use super::whole::to_integer;
use crate::tensor::{ByteOrder, Dtype};

/// Converts elements to little-endian elements of another type, rounding to the nearest and ties to even
/// (once: never through an intermediate rounding). `bool` becomes 0 or 1. Both buffers hold as many elements;
/// what one has more than the other is left alone.
///
/// # Errors
/// When the conversion is not supported, or a finite value becomes an infinity and `allow_overflow` is not
/// set.
pub fn convert(
    source: &[u8],
    from: Dtype,
    order: ByteOrder,
    target: &mut [u8],
    to: Dtype,
    allow_overflow: bool,
) -> Result<(), ConvertError> {
    let big = order == ByteOrder::Big;
    if from == to && from != Dtype::Bool {
        copy(source, from.swapped_size(), big, target);
        return Ok(());
    }
    // A byte of two numbers is no element that another could be made of.
    let lacks_one_value = from.is_complex() || from == Dtype::F4E2m1fnX2;
    if lacks_one_value || to.is_complex() || to.is_small_float() {
        return Err(ConvertError::Unsupported { source_dtype: from, target: to });
    }
    if from == Dtype::Bool && to == Dtype::Bool {
        for (target, &source) in target.iter_mut().zip(source) {
            *target = u8::from(source != 0);
        }
        return Ok(());
    }
    match (from.is_float(), to.is_float()) {
        (_, true) => to_float(source, from, big, target, to, allow_overflow),
        (false, false) if from.fits_exactly(to) => {
            to_integer(source, from, big, target, to);
            Ok(())
        }
        _ => Err(ConvertError::Unsupported { source_dtype: from, target: to }),
    }
}

/// Copies elements of one type, putting their bytes in little-endian order.
fn copy(source: &[u8], size: usize, big: bool, target: &mut [u8]) {
    let len = source.len().min(target.len());
    target[..len].copy_from_slice(&source[..len]);
    if big && size > 1 {
        for element in target[..len].chunks_exact_mut(size) {
            element.reverse();
        }
    }
}
