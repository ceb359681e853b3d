//! How `verify` adds, and computes with the sums.

use super::binary::F64;
use super::element::{self, Number};
use crate::plan::Term;
use crate::tensor::{Arithmetic, Dtype};

/// How numbers are added: what the writer documents of sums, decided here again from the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addition {
    /// Whole numbers alone: exactly.
    Exact,
    /// Floats of at most 32 bits alone: each step rounded to `float32`.
    Single,
    /// All else: each step rounded to `float64`.
    Double,
}

impl Addition {
    pub(super) fn of(terms: &[Term], arithmetic: &Arithmetic) -> Self {
        let mut dtypes = terms.iter().flat_map(|term| &term.parts).map(|part| part.source.dtype);
        if dtypes.clone().all(|dtype| !dtype.is_float() && !dtype.is_small_float()) {
            if arithmetic.is_none() { Self::Exact } else { Self::Double }
        } else if dtypes
            .all(|dtype| dtype.is_small_float() || matches!(dtype, Dtype::F16 | Dtype::Bf16 | Dtype::F32))
        {
            Self::Single
        } else {
            Self::Double
        }
    }

    pub(super) fn add(self, one: Number, other: Number) -> Number {
        if let (Number::Integer(one), Number::Integer(other), Self::Exact) = (one, other, self) {
            // Only so many sums of 64 bits that no checkpoint holds as many tensors would reach the end.
            return Number::Integer(one.saturating_add(other));
        }
        let (one, other) = (float(one), float(other));
        #[expect(clippy::cast_possible_truncation, reason = "single precision is the point")]
        Number::Float(if self == Self::Single { f64::from(one as f32 + other as f32) } else { one + other })
    }

    /// A value after the steps that the plan has for it.
    pub(super) fn apply(self, number: Number, arithmetic: &Arithmetic) -> Number {
        let Arithmetic { scale, offset, round } = *arithmetic;
        let mut value = number;
        if let Some(scale) = scale {
            let (one, other) = (float(value), scale);
            #[expect(clippy::cast_possible_truncation, reason = "single precision is the point")]
            let product =
                if self == Self::Single { f64::from(one as f32 * other as f32) } else { one * other };
            value = Number::Float(product);
        }
        if let Some(offset) = offset {
            value = self.add(value, Number::Float(offset));
        }
        match round {
            Some(round) => element::encode(value, round).map_or(value, |raw| element::decode(raw, round)),
            None => value,
        }
    }
}

fn float(number: Number) -> f64 {
    match number {
        Number::Float(value) => value,
        Number::Integer(_) => f64::from_bits(F64.nearest(number)),
        // No plan computes with them.
        Number::Complex(..) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lazy::{Bytes, LazyTensor};
    use crate::plan::Part;
    use crate::tensor::{ByteOrder, Shape, StateDictKey, Strided, StridedCopy};

    fn part(dtype: Dtype) -> Part {
        let source = LazyTensor {
            dtype,
            view: Strided::contiguous(Shape::scalar()),
            byte_order: ByteOrder::Little,
            storage: Bytes::held(vec![0; dtype.size()]).into(),
        };
        let copy = StridedCopy { axes: vec![].into(), source_offset: 0, target_offset: 0 };
        Part { key: StateDictKey::new("tensor"), source, copy, derivation: None }
    }

    fn check_sum(dtypes: &[Dtype], numbers: &[Number], expected: Number) {
        let term = |&dtype: &Dtype| Term { parts: vec![part(dtype)] };
        let terms: Vec<_> = dtypes.iter().map(term).collect();
        let addition = Addition::of(&terms, &Arithmetic::default());
        let sum = numbers.iter().copied().reduce(|sum, number| addition.add(sum, number)).unwrap();
        assert_eq!(sum, expected, "{dtypes:?}");
    }

    #[test]
    fn sums() {
        use Number::{Float, Integer};
        let low = 2_f64.powi(-24);
        let (one, small) = (Float(1.0), Float(low));
        check_sum(&[Dtype::F32, Dtype::F32], &[one, small], one);
        check_sum(&[Dtype::F16, Dtype::Bf16, Dtype::F32], &[one, small, small], one);
        check_sum(&[Dtype::F8E5m2, Dtype::F8E8m0fnu], &[one, small], one);
        check_sum(&[Dtype::F64, Dtype::F32], &[one, small], Float(1.0 + low));
        check_sum(&[Dtype::F32, Dtype::I8], &[small, Integer(1)], Float(1.0 + low));
        check_sum(&[Dtype::F32, Dtype::F32], &[Float(3e38_f32.into()); 2], Float(f64::INFINITY));
        let large = Integer((1 << 53) + 1);
        check_sum(&[Dtype::I64, Dtype::U8], &[large, Integer(2)], Integer((1 << 53) + 3));
        check_sum(&[Dtype::I64, Dtype::F32], &[large, one], Float(9_007_199_254_740_992.0));
    }
}
