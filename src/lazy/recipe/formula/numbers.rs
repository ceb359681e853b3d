//! Tensors as vectors of numbers to compute with.

use std::ops::{Add, Div, Mul, Sub};

use crate::lazy::recipe::memory::{reserve, zeros};
use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::kernel::convert;
use crate::tensor::{ByteOrder, Dtype};

use super::FormulaError;

/// A type that is computed in.
pub(super) trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Default
{
    /// Its element type.
    const DTYPE: Dtype;
    /// How many of them a vector register of torch's kernels holds: 32 bytes.
    const LANES: usize;
    /// From little-endian bytes, of which there are as many.
    fn read(bytes: &[u8]) -> Self;
    /// Appends its little-endian bytes.
    fn write(self, to: &mut Vec<u8>);
    /// As a `float64`, exactly.
    fn wide(self) -> f64;
    /// The nearest to a `float64`.
    fn nearest(value: f64) -> Self;
    /// The square root, rounded once.
    fn root(self) -> Self;
}

macro_rules! real {
    ($type:ty, $dtype:expr, $nearest:expr) => {
        impl Real for $type {
            const DTYPE: Dtype = $dtype;
            const LANES: usize = 32 / size_of::<$type>();

            fn read(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$type>()];
                array.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
                Self::from_le_bytes(array)
            }

            fn write(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn wide(self) -> f64 {
                self.into()
            }

            fn nearest(value: f64) -> Self {
                $nearest(value)
            }

            fn root(self) -> Self {
                self.sqrt()
            }
        }
    };
}

real!(f32, Dtype::F32, |value| value as f32);
real!(f64, Dtype::F64, std::convert::identity);

/// Whether numbers of a type can be computed with: floats, whole numbers and `bool`.
pub(super) fn is_number(dtype: Dtype) -> bool {
    !dtype.is_complex() && dtype != Dtype::F4E2m1fnX2
}

/// Checks that a tensor holds floats.
pub(super) fn check_float(role: &'static str, tensor: &LazyTensor) -> Result<(), FormulaError> {
    let dtype = tensor.dtype;
    if dtype.is_float() || dtype.is_small_float() && is_number(dtype) {
        return Ok(());
    }
    Err(FormulaError::Type { role, dtype, expected: "floats" })
}

/// The type to compute in.
pub(super) fn wider<'a>(tensors: impl IntoIterator<Item = &'a LazyTensor>) -> Dtype {
    let is_wide = tensors.into_iter().any(|tensor| tensor.dtype == Dtype::F64);
    if is_wide { Dtype::F64 } else { Dtype::F32 }
}

/// All elements in row-major order. The values and the bytes that they are made of are held at the same time.
pub(super) fn load<T: Real>(tensor: &LazyTensor) -> Result<Vec<T>, LoadError> {
    let mut bytes = tensor.contiguous()?;
    if tensor.dtype != T::DTYPE {
        let mut converted = zeros(tensor.view.shape().numel().saturating_mul(size_of::<T>()))?;
        // An infinity stays one, and no value of another type is beyond these two but a `float64`, which is
        // never loaded as less.
        convert(&bytes, tensor.dtype, ByteOrder::Little, &mut converted, T::DTYPE, true).map_err(|_| {
            LoadError::Formula(FormulaError::Type {
                role: "values",
                dtype: tensor.dtype,
                expected: "numbers",
            })
        })?;
        bytes = converted;
    }
    let mut values = reserve(bytes.len() / size_of::<T>())?;
    values.extend(bytes.chunks_exact(size_of::<T>()).map(T::read));
    Ok(values)
}

/// The bytes of elements.
pub(super) fn store<T: Real>(values: Vec<T>) -> Result<Vec<u8>, LoadError> {
    let mut bytes = reserve(values.len().saturating_mul(size_of::<T>()))?;
    for value in values {
        value.write(&mut bytes);
    }
    Ok(bytes)
}
