//! Whole numbers.

use super::ConvertError;
use super::element::{Element, each, put_float};
use crate::tensor::{ByteOrder, Dtype};

/// Adds whole numbers of a whole type, or of `bool`, to sums, exactly. What one buffer has more than the other
/// is left alone.
pub fn add_whole(source: &[u8], from: Dtype, order: ByteOrder, sums: &mut [i128]) {
    each(source, from, order == ByteOrder::Big, |index, value| {
        if let (Element::Integer(value), Some(sum)) = (value, sums.get_mut(index)) {
            // A sum of 64-bit numbers reaches the end after 2^63 of them.
            *sum = sum.saturating_add(value);
        }
    });
}

/// Converts whole numbers to little-endian elements of a type, rounding as [`convert`](super::convert) does.
///
/// # Errors
/// When a number does not fit in a whole type, or is beyond a float's largest and `allow_overflow` is not set.
pub fn convert_whole(
    numbers: &[i128],
    target: &mut [u8],
    to: Dtype,
    allow_overflow: bool,
) -> Result<(), ConvertError> {
    for (index, (&number, target)) in numbers.iter().zip(target.chunks_exact_mut(to.size())).enumerate() {
        let fits = if to.is_float() {
            !put_float(Element::Integer(number), target, to) || allow_overflow
        } else {
            target.copy_from_slice(&number.to_le_bytes()[..to.size()]);
            let bits = to.size() as u32 * u8::BITS;
            match to {
                Dtype::Bool => (0..=1).contains(&number),
                Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => (0..1 << bits).contains(&number),
                _ => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&number),
            }
        };
        if !fits {
            return Err(ConvertError::Overflow { index, value: number as f64, target: to });
        }
    }
    Ok(())
}

/// Widens integers that are known to fit: the low bytes of the sign-extended value.
pub(super) fn to_integer(source: &[u8], from: Dtype, big: bool, target: &mut [u8], to: Dtype) {
    let size = to.size();
    each(source, from, big, |index, value| {
        if let (Element::Integer(value), Some(target)) =
            (value, target.get_mut(index * size..(index + 1) * size))
        {
            target.copy_from_slice(&value.to_le_bytes()[..size]);
        }
    });
}
