//! The formulas over tensors of every form: what they make does not depend on where elements lie.

use super::*;
use crate::lazy::{Bytes, LazyTensor};
use crate::tensor::{ByteOrder, Dtype, Shape, Strided};

/// A tensor that counts in steps of an eighth from -1, contiguous or with its axes turned in memory and its bytes
/// too.
fn tensor(dtype: Dtype, sizes: &[usize], turned: bool) -> LazyTensor {
    let shape = Shape::new(sizes).unwrap();
    let mut strides = shape.contiguous_strides();
    let numel = shape.numel();
    let mut places: Vec<usize> = (0..numel).collect();
    if turned {
        strides = sizes
            .iter()
            .scan(1, |step, size| {
                let own = *step;
                *step *= size;
                Some(own)
            })
            .collect();
        places = (0..numel)
            .map(|place| {
                let mut rest = place;
                let mut index: Vec<usize> = sizes
                    .iter()
                    .map(|size| {
                        let at = rest % size;
                        rest /= size;
                        at
                    })
                    .collect();
                sizes.iter().zip(index.drain(..)).fold(0, |linear, (size, at)| linear * size + at)
            })
            .collect();
    }
    let value = |place: usize| place as f64 / 8.0 - 1.0;
    let mut bytes: Vec<u8> = match dtype {
        Dtype::F64 => places.iter().flat_map(|&place| value(place).to_le_bytes()).collect(),
        Dtype::F32 => places.iter().flat_map(|&place| (value(place) as f32).to_le_bytes()).collect(),
        Dtype::F16 => {
            places.iter().flat_map(|&place| half::f16::from_f64(value(place)).to_le_bytes()).collect()
        }
        Dtype::I8 => places.iter().map(|&place| (value(place) * 8.0) as i8 as u8).collect(),
        _ => places.iter().map(|&place| place as u8).collect(),
    };
    let byte_order = if turned { ByteOrder::Big } else { ByteOrder::Little };
    if turned {
        bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    let view = Strided::new(shape, strides, 0, numel.max(1)).unwrap();
    bytes.resize(numel.max(1) * dtype.size(), 0);
    LazyTensor { dtype, view, byte_order, storage: Bytes::held(bytes).into() }
}

type Make = fn(Dtype, bool, &[usize]) -> Formula;

/// Every formula, of a weight of two axes.
const FORMULAS: &[(&str, Make)] = &[
    ("weight_norm", |dtype, turned, sizes| {
        Formula::WeightNorm(
            WeightNorm::new(tensor(dtype, &[sizes[0], 1], turned), tensor(dtype, sizes, turned)).unwrap(),
        )
    }),
    ("weight_norm, columns", |dtype, turned, sizes| {
        Formula::WeightNorm(
            WeightNorm::new(tensor(dtype, &[1, sizes[1]], turned), tensor(dtype, sizes, turned)).unwrap(),
        )
    }),
    ("weight_norm, whole", |dtype, turned, sizes| {
        Formula::WeightNorm(
            WeightNorm::new(tensor(dtype, &[], turned), tensor(dtype, sizes, turned)).unwrap(),
        )
    }),
    ("spectral_norm", |dtype, turned, sizes| {
        let (u, v) = (tensor(dtype, &sizes[..1], turned), tensor(dtype, &sizes[1..], turned));
        Formula::SpectralNorm(SpectralNorm::new(tensor(dtype, sizes, turned), u, v, Some(0)).unwrap())
    }),
    ("pruned", |dtype, turned, sizes| {
        Formula::Masked(Masked::new(tensor(dtype, sizes, turned), tensor(Dtype::U8, sizes, turned)).unwrap())
    }),
    ("lora", |dtype, turned, sizes| {
        let (a, b) = (tensor(dtype, &[2, sizes[1]], turned), tensor(dtype, &[sizes[0], 2], turned));
        let scale = LowRankScale { alpha: 3.0, by_root: false, transposed: false };
        Formula::LowRank(LowRank::new(tensor(dtype, sizes, turned), a, b, scale).unwrap())
    }),
    ("dequantize", |dtype, turned, sizes| {
        let (scale, zero) = (tensor(dtype, &sizes[1..], turned), tensor(Dtype::I8, &[sizes[0], 1], turned));
        Formula::Scaled(Scaled::new(tensor(Dtype::I8, sizes, turned), scale, Some(zero), 1, None).unwrap())
    }),
];

fn values(formula: Formula) -> Vec<f64> {
    let tensor = formula.tensor();
    let bytes = tensor.contiguous().unwrap();
    assert_eq!(bytes.len(), tensor.storage.byte_len());
    match tensor.dtype {
        Dtype::F64 => {
            bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
        }
        _ => {
            bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()).into()).collect()
        }
    }
}

#[test]
fn any_view_and_any_float() {
    for (name, make) in FORMULAS {
        for sizes in [[3, 5], [4, 37], [1, 2]] {
            let wide = values(make(Dtype::F64, false, &sizes));
            for dtype in [Dtype::F64, Dtype::F32, Dtype::F16] {
                let plain = values(make(dtype, false, &sizes));
                let turned = values(make(dtype, true, &sizes));
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&plain), bits(&turned), "{name} {dtype} {sizes:?}");
                // The small numbers are floats of every type, so only the arithmetic differs.
                for (one, other) in plain.iter().zip(&wide) {
                    let near =
                        (one - other).abs() <= 1e-5 * other.abs().max(1.0) || one.is_nan() && other.is_nan();
                    assert!(near || one == other, "{name} {dtype} {sizes:?}: {one} {other}");
                }
            }
        }
    }
}

/// The norm over all axes but one that has one index is that of all values, whichever axis it is.
#[test]
fn a_kept_axis_of_one_index() {
    let norm = |g: &[usize], v: &[usize]| {
        WeightNorm::new(tensor(Dtype::F64, g, false), tensor(Dtype::F64, v, false))
    };
    let numbers = |norm| values(Formula::WeightNorm(norm));
    for sizes in [[4, 5, 1], [4, 1, 5], [1, 4, 5]] {
        let whole = numbers(norm(&[], &sizes).unwrap());
        let kept = numbers(norm(&[1, 1, 1], &sizes).unwrap());
        assert!(whole.iter().zip(&kept).all(|(one, other)| (one - other).abs() < 1e-12), "{sizes:?}");
    }
    let refused = norm(&[1, 1, 1], &[4, 5, 3]).unwrap_err();
    assert!(matches!(refused, FormulaError::Shape { role: "g", .. }), "{refused}");
}

#[test]
fn no_elements() {
    for (name, make) in FORMULAS.iter().filter(|(name, _)| *name != "spectral_norm") {
        for sizes in [[0, 3], [3, 0]] {
            assert_eq!(values(make(Dtype::F32, false, &sizes)), [0.0; 0], "{name}");
        }
    }
}
