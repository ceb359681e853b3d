//! Values, rounding and refusals.

use half::{bf16, f16};

use super::float::to_float_one_by_one;
use super::*;
use crate::tensor::{ByteOrder, Dtype};

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
    check(&above.to_le_bytes(), Dtype::F64, Dtype::F16, &f16::from_f32(1.0 + 2_f32.powi(-10)).to_le_bytes());
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
    let run =
        |target: &mut [u8], allow| convert(&source, Dtype::F32, ByteOrder::Little, target, Dtype::F16, allow);
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
                let outcome = convert(&[code], from, ByteOrder::Little, &mut found[..to.size()], to, false);
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
