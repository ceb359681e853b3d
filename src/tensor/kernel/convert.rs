//! Conversion of elements between types, from either byte order.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::small_float;
use crate::tensor::{ByteOrder, Dtype};

/// Why elements cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A finite value is beyond the target's largest.
    #[error("the value {value} does not fit in {target}")]
    Overflow {
        /// The place of the element among those given.
        index: usize,
        /// The value.
        value: f64,
        /// The element type it was to become.
        target: Dtype,
    },
    /// A sum of finite values is beyond the largest of the type they are added in.
    #[error("the values {one:?} and {other:?} have no sum in {dtype}")]
    SumOverflow {
        /// The sum so far.
        one: f64,
        /// What was added.
        other: f64,
        /// The element type they are added in.
        dtype: Dtype,
    },
    /// No such conversion: it would drop fractions or wrap integers.
    #[error("{source_dtype} elements cannot become {target}")]
    Unsupported {
        /// The element type given.
        source_dtype: Dtype,
        /// The element type asked for.
        target: Dtype,
    },
}

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

/// Converts whole numbers to little-endian elements of a type, rounding as [`convert`] does.
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

/// One value, wide enough for its type.
#[derive(Clone, Copy)]
enum Element {
    Integer(i128),
    Float(f64),
}

impl Element {
    /// The value, to nearest.
    fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// Calls for every element.
#[inline(always)]
fn each(source: &[u8], from: Dtype, big: bool, mut call: impl FnMut(usize, Element)) {
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

/// Widens integers that are known to fit: the low bytes of the sign-extended value.
fn to_integer(source: &[u8], from: Dtype, big: bool, target: &mut [u8], to: Dtype) {
    let size = to.size();
    each(source, from, big, |index, value| {
        if let (Element::Integer(value), Some(target)) =
            (value, target.get_mut(index * size..(index + 1) * size))
        {
            target.copy_from_slice(&value.to_le_bytes()[..size]);
        }
    });
}

fn to_float(
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

/// Elements that are converted at a time between floats, on the stack.
const CHUNK: usize = 256;

/// Converts 16-bit floats to `float32`.
fn widen<H>(source: &[u8], target: &mut [u8], element: fn([u8; 2]) -> H)
where
    H: Copy + Default,
    [H]: HalfFloatSliceExt,
{
    let (mut halves, mut floats) = ([H::default(); CHUNK], [0.0; CHUNK]);
    let sources = source.as_chunks().0.chunks(CHUNK);
    for (source, target) in sources.zip(target.as_chunks_mut().0.chunks_mut(CHUNK)) {
        for (half, &bytes) in halves.iter_mut().zip(source) {
            *half = element(bytes);
        }
        halves[..source.len()].convert_to_f32_slice(&mut floats[..source.len()]);
        for (bytes, float) in target.iter_mut().zip(&floats[..source.len()]) {
            *bytes = float.to_le_bytes();
        }
    }
}

/// Converts floats to narrower ones, a chunk at a time. Tells the first finite value that became an infinity, and
/// its place.
#[inline]
fn narrow<const WIDE: usize, const NARROW: usize, W, N>(
    source: &[u8],
    target: &mut [u8],
    wide: impl Fn([u8; WIDE]) -> W,
    convert: impl Fn(&mut [N], &[W]),
    bytes_of: impl Fn(N) -> [u8; NARROW],
    is_infinite: impl Fn(N) -> bool,
) -> Option<(usize, f64)>
where
    W: Copy + Default + Into<f64>,
    N: Copy + Default,
{
    let mut overflow = None;
    let (mut values, mut rounded) = ([W::default(); CHUNK], [N::default(); CHUNK]);
    let sources = source.as_chunks().0.chunks(CHUNK);
    for (chunk, (source, target)) in sources.zip(target.as_chunks_mut().0.chunks_mut(CHUNK)).enumerate() {
        let count = source.len().min(target.len());
        for (value, &bytes) in values.iter_mut().zip(source) {
            *value = wide(bytes);
        }
        let (values, rounded) = (&values[..count], &mut rounded[..count]);
        convert(rounded, values);
        for (bytes, &rounded) in target.iter_mut().zip(&*rounded) {
            *bytes = bytes_of(rounded);
        }
        if overflow.is_none() {
            let lost =
                |(value, rounded): (&W, &N)| is_infinite(*rounded) && Into::<f64>::into(*value).is_finite();
            // Most chunks have no infinity, which all of them at once tell fastest.
            if rounded.iter().fold(false, |any, &rounded| any | is_infinite(rounded)) {
                let place = values.iter().zip(&*rounded).position(lost);
                overflow = place.map(|place| (chunk * CHUNK + place, values[place].into()));
            }
        }
    }
    overflow
}

/// Rounds `float32` to `bfloat16` as `half` does one by one, many at a time.
fn round_to_bf16(rounded: &mut [bf16], values: &[f32]) {
    for (rounded, value) in rounded.iter_mut().zip(values) {
        let bits = value.to_bits();
        let is_nan = bits & 0x7FFF_FFFF > 0x7F80_0000;
        // To nearest, ties to even; a NaN stays one, and is made quiet.
        let nearest = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
        let quiet = bits >> 16 | 0x0040;
        *rounded = bf16::from_bits(if is_nan { quiet } else { nearest } as u16);
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
fn to_float_one_by_one(
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

/// Writes a value as an element of a float type, rounded once. Whether that is an infinity.
fn put_float(value: Element, target: &mut [u8], to: Dtype) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &[u8], from: Dtype, to: Dtype, expected: &[u8]) {
        let count = source.len() / from.size();
        let mut target = vec![0xAA; count * to.size()];
        convert(source, from, ByteOrder::Little, &mut target, to, false).unwrap();
        assert_eq!(target, expected, "{from} to {to}");
        let reversed: Vec<u8> =
            source.chunks(from.size()).flat_map(|element| element.iter().rev().copied()).collect();
        convert(&reversed, from, ByteOrder::Big, &mut target, to, false).unwrap();
        assert_eq!(target, expected, "big-endian {from} to {to}");
    }

    #[test]
    fn values() {
        check(&1.5_f32.to_le_bytes(), Dtype::F32, Dtype::F32, &1.5_f32.to_le_bytes());
        check(&1.5_f32.to_le_bytes(), Dtype::F32, Dtype::F64, &1.5_f64.to_le_bytes());
        check(&[0, 2, 1], Dtype::Bool, Dtype::Bool, &[0, 1, 1]);
        check(&[0, 2], Dtype::Bool, Dtype::I16, &[0, 0, 1, 0]);
        check(&(-2_i8).to_le_bytes(), Dtype::I8, Dtype::I64, &(-2_i64).to_le_bytes());
        check(&250_u8.to_le_bytes(), Dtype::U8, Dtype::I16, &250_i16.to_le_bytes());
        check(&bf16::from_f32(3.0).to_le_bytes(), Dtype::Bf16, Dtype::F32, &3_f32.to_le_bytes());
        check(&f16::from_f32(3.0).to_le_bytes(), Dtype::F16, Dtype::Bf16, &bf16::from_f32(3.0).to_le_bytes());
        check(&u64::MAX.to_le_bytes(), Dtype::U64, Dtype::F32, &18_446_744_073_709_551_616_f32.to_le_bytes());
        check(&f64::INFINITY.to_le_bytes(), Dtype::F64, Dtype::F16, &f16::INFINITY.to_le_bytes());
    }

    #[test]
    fn rounds_once() {
        // Halfway between two binary16 numbers, and a little more: rounding to float32 first would lose it.
        let above = 1.0 + 2_f64.powi(-11) + 2_f64.powi(-40);
        check(
            &above.to_le_bytes(),
            Dtype::F64,
            Dtype::F16,
            &f16::from_f32(1.0 + 2_f32.powi(-10)).to_le_bytes(),
        );
        let above = 1.0 + 2_f64.powi(-8) + 2_f64.powi(-40);
        check(&above.to_le_bytes(), Dtype::F64, Dtype::Bf16, &[0x81, 0x3F]);
        let tie = 1.0 + 2_f64.powi(-11);
        check(&tie.to_le_bytes(), Dtype::F64, Dtype::F16, &f16::ONE.to_le_bytes());
        let above = (1_i64 << 62) + (1 << 54) + 1;
        let expected = bf16::from_f32(2_f32.powi(62) + 2_f32.powi(55));
        check(&above.to_le_bytes(), Dtype::I64, Dtype::Bf16, &expected.to_le_bytes());
    }

    #[test]
    fn chunks_equal_one_by_one() {
        let check = |source: &[u8], from: Dtype, to: Dtype| {
            let count = source.len() / from.size();
            let mut expected = vec![0xAA; count * to.size()];
            let overflow = to_float_one_by_one(source, from, false, &mut expected, to);
            let mut target = vec![0x55; count * to.size()];
            let outcome = convert(source, from, ByteOrder::Little, &mut target, to, false);
            assert!(target == expected, "{from} to {to}");
            let refused = overflow.map(|(index, value)| ConvertError::Overflow { index, value, target: to });
            assert_eq!(outcome.err(), refused, "{from} to {to}");
        };
        let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        check(&all, Dtype::F16, Dtype::F32);
        check(&all, Dtype::Bf16, Dtype::F32);
        // Every sign, exponent and upper mantissa, with what lies below: nothing, a little, a tie and its
        // neighbours for either type.
        let low = [0, 1, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0x8001, 0xFFFF];
        let floats: Vec<u32> =
            (0..=u16::MAX).flat_map(|high| low.map(|low| (u32::from(high) << 16) | low)).collect();
        let bytes = |keep: &dyn Fn(f32) -> bool| -> Vec<u8> {
            let kept = floats.iter().filter(|&&bits| keep(f32::from_bits(bits)));
            kept.flat_map(|bits| bits.to_le_bytes()).collect()
        };
        for to in [Dtype::F16, Dtype::Bf16] {
            check(&bytes(&|_| true), Dtype::F32, to);
            check(&bytes(&|value| value.abs() < 65_000.0 || !value.is_finite()), Dtype::F32, to);
        }
        // The same between the `float32`, around their ties, and beyond the largest.
        let low = [0, 1, 0x0FFF_FFFF, 0x1000_0000, 0x1000_0001, 0x1FFF_FFFF];
        let wide = |&bits: &u32| low.map(|low| f64::from(f32::from_bits(bits)).to_bits() ^ low);
        let doubles = floats.iter().step_by(5).flat_map(wide).chain([f64::MAX, f64::MIN].map(f64::to_bits));
        check(&doubles.flat_map(u64::to_le_bytes).collect::<Vec<u8>>(), Dtype::F64, Dtype::F32);
    }

    #[test]
    fn overflow_is_told() {
        let source: Vec<u8> = [1.0_f32, -70_000.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut target = [0; 4];
        let run = |target: &mut [u8], allow| {
            convert(&source, Dtype::F32, ByteOrder::Little, target, Dtype::F16, allow)
        };
        let error = ConvertError::Overflow { index: 1, value: -70_000.0, target: Dtype::F16 };
        assert_eq!(run(&mut target, false), Err(error));
        assert_eq!(run(&mut target, true), Ok(()));
        assert_eq!(target[2..], f16::NEG_INFINITY.to_le_bytes());
    }

    #[test]
    fn whole_numbers_are_added_exactly() {
        let mut sums = [0; 2];
        let source: Vec<u8> = [(1_i64 << 53) + 1, -7].iter().flat_map(|value| value.to_be_bytes()).collect();
        add_whole(&source, Dtype::I64, ByteOrder::Big, &mut sums);
        add_whole(&[2, 250], Dtype::U8, ByteOrder::Little, &mut sums);
        add_whole(&[9, 0], Dtype::Bool, ByteOrder::Little, &mut sums);
        assert_eq!(sums, [(1 << 53) + 4, 243]);
    }

    fn check_whole(number: i128, to: Dtype, expected: Option<&[u8]>) {
        let mut target = vec![0xAA; to.size()];
        let outcome = convert_whole(&[number], &mut target, to, false);
        match expected {
            Some(bytes) => assert_eq!((outcome, &target[..]), (Ok(()), bytes), "{number} to {to}"),
            None => {
                let error = ConvertError::Overflow { index: 0, value: number as f64, target: to };
                assert_eq!(outcome, Err(error));
            }
        }
    }

    #[test]
    fn whole_numbers() {
        check_whole(-2, Dtype::I16, Some(&[0xFE, 0xFF]));
        check_whole(255, Dtype::U8, Some(&[0xFF]));
        check_whole(256, Dtype::U8, None);
        check_whole(-1, Dtype::U64, None);
        check_whole(1 << 63, Dtype::U64, Some(&[0, 0, 0, 0, 0, 0, 0, 0x80]));
        check_whole(1 << 63, Dtype::I64, None);
        check_whole(2, Dtype::Bool, None);
        check_whole((1 << 62) + (1 << 54) + 1, Dtype::Bf16, Some(&[0x81, 0x5E]));
        check_whole(65_520, Dtype::F16, None);
    }

    /// SHA-256 of the 256 values of each type as torch 2.15 and ml_dtypes 0.6 convert them to `float32`, every
    /// NaN as `7FC00000`.
    const TORCH: [(Dtype, &str); 5] = [
        (Dtype::F8E4m3fn, "422eccfaa21e72a6b26855bb10cdcfead6c1ce3262ecd813c99d8cbf9677f2e2"),
        (Dtype::F8E5m2, "229a94c5f728edf2259da970a0e1dfb45cc1d69cce2b30e37659f3212ec4b8b9"),
        (Dtype::F8E4m3fnuz, "ac4866f772a7c08077713fde1fa54131d49c26339c885e971a24fc0fac6e33f4"),
        (Dtype::F8E5m2fnuz, "aac12d2730bf26ca53bfa107a7a6a8df192aba8cf58b971eec9126f83991e6d4"),
        (Dtype::F8E8m0fnu, "2fb2732a956043772ccd2c1664ae5d2558c62f9c06780c04d95f1ff0050f2f2f"),
    ];

    #[test]
    fn floats_of_eight_bits() {
        use sha2::{Digest, Sha256};

        let codes: Vec<u8> = (0..=u8::MAX).collect();
        for (from, expected) in TORCH {
            let mut singles = [0; 1024];
            convert(&codes, from, ByteOrder::Big, &mut singles, Dtype::F32, false).unwrap();
            let singles: Vec<f32> =
                singles.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            let mut hash = Sha256::new();
            for &single in &singles {
                hash.update(if single.is_nan() { 0x7FC0_0000 } else { single.to_bits() }.to_le_bytes());
            }
            let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, expected, "{from}");
            // The others are what `float32` becomes.
            for to in [Dtype::F16, Dtype::Bf16, Dtype::F64] {
                for (&code, &single) in codes.iter().zip(&singles) {
                    let (mut found, mut expected) = ([0; 8], [0; 8]);
                    let outcome =
                        convert(&[code], from, ByteOrder::Little, &mut found[..to.size()], to, false);
                    let single = single.to_le_bytes();
                    let as_single = convert(&single, Dtype::F32, ByteOrder::Little, &mut expected, to, false);
                    assert_eq!((outcome, found), (as_single, expected), "{from} {code:#x} to {to}");
                }
            }
        }
        let scale =
            convert(&[127, 143, 142], Dtype::F8E8m0fnu, ByteOrder::Little, &mut [0; 6], Dtype::F16, false);
        assert_eq!(scale, Err(ConvertError::Overflow { index: 1, value: 65_536.0, target: Dtype::F16 }));
        let mut infinite = [0; 4];
        convert(&[254, 127], Dtype::F8E8m0fnu, ByteOrder::Little, &mut infinite, Dtype::F16, true).unwrap();
        assert_eq!(infinite, [0, 0x7C, 0, 0x3C]);
    }

    #[test]
    fn unsupported() {
        for (from, to) in [
            (Dtype::F32, Dtype::I32),
            (Dtype::I64, Dtype::I32),
            (Dtype::U8, Dtype::Bool),
            (Dtype::F8E5m2, Dtype::I64),
            (Dtype::F8E5m2, Dtype::F8E4m3fn),
            (Dtype::F32, Dtype::F8E5m2),
            (Dtype::F4E2m1fnX2, Dtype::F32),
            (Dtype::Complex64, Dtype::F32),
            (Dtype::Complex64, Dtype::Complex128),
            (Dtype::F32, Dtype::Complex64),
        ] {
            assert_eq!(
                convert(&[0; 8], from, ByteOrder::Little, &mut [0; 8], to, true),
                Err(ConvertError::Unsupported { source_dtype: from, target: to })
            );
        }
    }
}
