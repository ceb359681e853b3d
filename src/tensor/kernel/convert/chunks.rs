//! Floats to floats, many at a time.

use half::bf16;
use half::slice::HalfFloatSliceExt;

/// Elements that are converted at a time between floats, on the stack.
const CHUNK: usize = 256;

/// Converts 16-bit floats to `float32`.
pub(super) fn widen<H>(source: &[u8], target: &mut [u8], element: fn([u8; 2]) -> H)
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
pub(super) fn narrow<const WIDE: usize, const NARROW: usize, W, N>(
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
pub(super) fn round_to_bf16(rounded: &mut [bf16], values: &[f32]) {
    for (rounded, value) in rounded.iter_mut().zip(values) {
        let bits = value.to_bits();
        let is_nan = bits & 0x7FFF_FFFF > 0x7F80_0000;
        // To nearest, ties to even; a NaN stays one, and is made quiet.
        let nearest = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
        let quiet = bits >> 16 | 0x0040;
        *rounded = bf16::from_bits(if is_nan { quiet } else { nearest } as u16);
    }
}
