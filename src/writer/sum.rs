//! Sums of tensors, and arithmetic on them.
//!
//! Terms are added in the type that the types of all of them decide, in their order, and the sum is then
//! converted to the type of the file, whatever that is:
//!
//! | terms | added in |
//! |---|---|
//! | whole numbers and `bool` alone | whole numbers, exactly |
//! | floats of 8, 16 and 32 bits alone | `float32`, every step rounded |
//! | any others | `float64`, every step rounded |
//!
//! So `float32` and `float64` are added as PyTorch does. It rounds sums of the 16-bit floats to 16 bits, adds
//! whole numbers to floats in the float's type, and wraps whole numbers around; here they keep their bits. A
//! sum of finite values that is beyond the type it is added in is an error, unless overflow is allowed; a sum
//! of whole numbers that the file's whole type does not hold always is.
//!
//! A scale, an offset and a rounding follow in the type of the sum, whether there is one term or more; what is
//! whole is taken as `float64` for them.

use std::ops::Range;

use crate::plan::Term;
use crate::tensor::kernel::{ConvertError, add_whole, convert_whole};
use crate::tensor::{Arithmetic, ByteOrder, Dtype, clip};

use super::Error;
use super::fill::Buffers;
use super::tile::{packed, runs};
use super::tile_writer::TileWriter;

impl TileWriter<'_, '_> {
    /// Adds what of the terms lies in a range, and leaves the sums as elements of the file in `buffers.out`.
    pub(super) fn add(
        &self,
        terms: &[Term],
        range: &Range<usize>,
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let mut dtypes = terms.iter().flat_map(|term| &term.parts).map(|part| part.source.dtype);
        if let Some(dtype) = dtypes.clone().find(|dtype| dtype.is_complex()) {
            let target = self.target.binding.dtype;
            return Err(self.convert_error(ConvertError::Unsupported { source_dtype: dtype, target }));
        }
        let is_float = |dtype: Dtype| dtype.is_float() || dtype.is_small_float();
        let is_whole = self.target.binding.arithmetic.is_none() && !dtypes.clone().any(is_float);
        if !is_whole {
            let narrow = dtypes.all(|dtype| is_float(dtype) && dtype != Dtype::F64);
            let dtype = if narrow { Dtype::F32 } else { Dtype::F64 };
            self.add_floats(terms, range, dtype, buffers)
        } else {
            self.add_whole(terms, range, buffers)
        }
    }

    /// Adds terms in `float32` or `float64`, and converts the sums.
    fn add_floats(
        &self,
        terms: &[Term],
        range: &Range<usize>,
        dtype: Dtype,
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let Buffers { gathered, converted, term: sum_term, sums, out, .. } = buffers;
        sums.clear();
        sums.resize(range.len(), 0.0);
        for (index, term) in terms.iter().enumerate() {
            sum_term.clear();
            sum_term.resize(range.len() * size_of::<f64>(), 0);
            self.assemble(term, range, Dtype::F64, gathered, converted, sum_term)?;
            for (sum, bytes) in sums.iter_mut().zip(sum_term.as_chunks().0) {
                let value = f64::from_le_bytes(*bytes);
                // The first is not added to a zero: -0.0 stays.
                let mut next = if index == 0 { value } else { *sum + value };
                if dtype == Dtype::F32 {
                    // A sum of two `float32` in `float64`, rounded, is their sum in `float32`.
                    next = f64::from(next as f32);
                }
                if !next.is_finite() && sum.is_finite() && value.is_finite() && !self.options.allow_overflow {
                    return Err(self.convert_error(ConvertError::SumOverflow {
                        one: *sum,
                        other: value,
                        dtype,
                    }));
                }
                *sum = next;
            }
        }
        let Arithmetic { scale, offset, round } = self.target.binding.arithmetic;
        if let Some(scale) = scale {
            self.step(sums, dtype, |value| value * nearest(scale, dtype))?;
        }
        if let Some(offset) = offset {
            self.step(sums, dtype, |value| value + nearest(offset, dtype))?;
        }
        for (bytes, sum) in sum_term.as_chunks_mut().0.iter_mut().zip(sums) {
            *bytes = sum.to_le_bytes();
        }
        if let Some(round) = round {
            out.clear();
            out.resize(range.len() * round.size(), 0);
            self.convert(sum_term, Dtype::F64, ByteOrder::Little, out, round)?;
            self.convert(out, round, ByteOrder::Little, sum_term, Dtype::F64)?;
        }
        let target = self.target.binding.dtype;
        out.clear();
        out.resize(range.len() * target.size(), 0);
        self.convert(sum_term, Dtype::F64, ByteOrder::Little, out, target)
    }

    /// One step of arithmetic, rounded to the type that is computed in.
    fn step(&self, values: &mut [f64], dtype: Dtype, step: impl Fn(f64) -> f64) -> Result<(), Error> {
        for (index, value) in values.iter_mut().enumerate() {
            // A product or sum of two `float32` in `float64`, rounded, is the one in `float32`.
            let next = step(*value);
            let rounded = nearest(next, dtype);
            if !rounded.is_finite() && value.is_finite() && !self.options.allow_overflow {
                let overflow = ConvertError::Overflow { index, value: next, target: dtype };
                return Err(self.convert_error(overflow));
            }
            *value = rounded;
        }
        Ok(())
    }

    /// Adds terms of whole numbers, and converts the sums.
    fn add_whole(&self, terms: &[Term], range: &Range<usize>, buffers: &mut Buffers) -> Result<(), Error> {
        let Buffers { gathered, converted, whole_sums: sums, out, .. } = buffers;
        sums.clear();
        sums.resize(range.len(), 0);
        for part in terms.iter().flat_map(|term| &term.parts).filter(|part| part.copy.numel() > 0) {
            clip(&part.copy.collapse(), range, &mut |mut copy| {
                copy.target_offset -= range.start;
                let dtype = part.source.dtype;
                let packed = packed(&copy);
                let bytes = self.pack(part, &packed, dtype, gathered, converted)?;
                let (run, starts) = runs(&copy, &packed);
                for (from, to) in starts {
                    let bytes = &bytes[from * dtype.size()..(from + run) * dtype.size()];
                    add_whole(bytes, dtype, ByteOrder::Little, &mut sums[to..to + run]);
                }
                Ok::<(), Error>(())
            })?;
        }
        let dtype = self.target.binding.dtype;
        out.clear();
        out.resize(range.len() * dtype.size(), 0);
        convert_whole(sums, out, dtype, self.options.allow_overflow)
            .map_err(|source| self.convert_error(source))
    }
}

/// The nearest value of the type that is computed in.
fn nearest(value: f64, dtype: Dtype) -> f64 {
    if dtype == Dtype::F32 { f64::from(value as f32) } else { value }
}
