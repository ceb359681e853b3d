//! Quantized tensors as `float32` (formats/pytorch.md section 8).
//!
//! The arithmetic is that of torch 2.15's `dequantize()` on a CPU, bit for bit, and differs by scheme:
//!
//! ```text
//! one scale               f32(scale) · f32(q − z)           the difference wraps in int32
//! scale of a channel      f32(scale · f64(f32(q) − f32(z)))
//! float32 parameters      (f32(q) − z) · scale              in f32
//! ```

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::Dtype;

use super::memory::reserve;

/// A quantized tensor.
#[derive(Debug)]
pub struct Dequantize {
    integers: LazyTensor,
    parameters: QuantizationParameters,
}

/// Scales and zero points.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a quantized tensor has one, which is not moved about")]
pub enum QuantizationParameters {
    /// `per_tensor_affine`: one for all elements.
    PerTensor {
        /// The scale.
        scale: f64,
        /// The integer that stands for zero.
        zero_point: i64,
    },
    /// `per_channel_affine`: one for each index of an axis.
    PerChannel {
        /// The axis.
        axis: usize,
        /// Vectors as long as the axis: `float64` and `int64`, or both `float32`
        /// (`per_channel_affine_float_qparams`).
        scales: LazyTensor,
        /// See `scales`.
        zero_points: LazyTensor,
    },
}

/// Why a tensor cannot be dequantized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DequantizeError {
    /// The integers are of another type than torch quantizes to.
    #[error("{dtype} integers are not what torch quantizes to")]
    Integers {
        /// The type.
        dtype: Dtype,
    },
    /// The axis is none of the tensor's.
    #[error("the scales are for axis {axis} of a tensor that has {rank} axes")]
    Axis {
        /// The axis.
        axis: usize,
        /// Axes that there are.
        rank: usize,
    },
    /// As many scales and zero points as the axis is long are needed.
    #[error("there are {scales} scales and {zero_points} zero points for an axis of {size}")]
    Length {
        /// Scales.
        scales: usize,
        /// Zero points.
        zero_points: usize,
        /// What is needed.
        size: usize,
    },
    /// The scales and zero points are of types that torch does not write.
    #[error(
        "its scales are {scales} and its zero points {zero_points}; torch writes float64 and int64, or float32"
    )]
    ParameterTypes {
        /// The scales' type.
        scales: Dtype,
        /// The zero points' type.
        zero_points: Dtype,
    },
    /// torch itself cannot compute it.
    #[error("it is a qint32 tensor with float32 parameters, which torch itself cannot dequantize")]
    FloatParameters,
    /// A zero point that the integers cannot have; torch refuses it too.
    #[error("the zero point {zero_point} is no {dtype}")]
    ZeroPoint {
        /// The zero point.
        zero_point: i64,
        /// The integers' type.
        dtype: Dtype,
    },
}

impl Dequantize {
    pub(super) fn description(&self) -> String {
        let dtype = self.integers.dtype;
        match &self.parameters {
            QuantizationParameters::PerTensor { .. } => format!("dequantized from {dtype}"),
            QuantizationParameters::PerChannel { axis, .. } => {
                format!("dequantized from {dtype}, scales along axis {axis}")
            }
        }
    }

    /// A recipe for quantized integers. Zero points of channels are checked by [`Self::check`].
    ///
    /// # Errors
    /// When integers, scales and zero points do not go together.
    pub fn new(integers: LazyTensor, parameters: QuantizationParameters) -> Result<Self, DequantizeError> {
        let dtype = integers.dtype;
        if !matches!(dtype, Dtype::I8 | Dtype::U8 | Dtype::I32) {
            return Err(DequantizeError::Integers { dtype });
        }
        match &parameters {
            &QuantizationParameters::PerTensor { zero_point, .. } => check_zero_point(dtype, zero_point)?,
            QuantizationParameters::PerChannel { axis, scales, zero_points } => {
                let sizes = integers.view.shape().sizes();
                let &size =
                    sizes.get(*axis).ok_or(DequantizeError::Axis { axis: *axis, rank: sizes.len() })?;
                let (scale_sizes, zero_sizes) =
                    (scales.view.shape().sizes(), zero_points.view.shape().sizes());
                if scale_sizes != [size] || zero_sizes != [size] {
                    let length = |sizes: &[usize]| sizes.iter().product();
                    let (scales, zero_points) = (length(scale_sizes), length(zero_sizes));
                    return Err(DequantizeError::Length { scales, zero_points, size });
                }
                match (scales.dtype, zero_points.dtype) {
                    (Dtype::F64, Dtype::I64) => {}
                    (Dtype::F32, Dtype::F32) if dtype == Dtype::I32 => {
                        return Err(DequantizeError::FloatParameters);
                    }
                    (Dtype::F32, Dtype::F32) => {}
                    (scales, zero_points) => {
                        return Err(DequantizeError::ParameterTypes { scales, zero_points });
                    }
                }
            }
        }
        Ok(Self { integers, parameters })
    }

    /// Reads the zero points and checks them.
    ///
    /// # Errors
    /// When one is none of the integers, or they cannot be loaded.
    pub fn check(&self) -> Result<(), LoadError> {
        if let QuantizationParameters::PerChannel { zero_points, .. } = &self.parameters
            && zero_points.dtype == Dtype::I64
        {
            for zero_point in numbers(zero_points, i64::from_le_bytes)? {
                check_zero_point(self.integers.dtype, zero_point)?;
            }
        }
        Ok(())
    }

    /// Bytes of the `float32` values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.integers.view.shape().numel().saturating_mul(Dtype::F32.size())
    }

    /// The tensors that it is made of.
    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        let parameters = match &self.parameters {
            QuantizationParameters::PerTensor { .. } => None,
            QuantizationParameters::PerChannel { scales, zero_points, .. } => Some([scales, zero_points]),
        };
        parameters.into_iter().flatten().chain([&self.integers]).collect()
    }

    pub(super) fn compute(&self) -> Result<Vec<u8>, LoadError> {
        self.check()?;
        let bytes = self.integers.contiguous()?;
        match self.integers.dtype {
            Dtype::I8 => {
                self.floats(bytes.chunks_exact(1).map(|byte| i32::from(i8::from_le_bytes(array(byte)))))
            }
            Dtype::U8 => self.floats(bytes.iter().map(|&byte| i32::from(byte))),
            _ => self.floats(bytes.chunks_exact(4).map(|word| i32::from_le_bytes(array(word)))),
        }
    }

    fn floats(&self, integers: impl Iterator<Item = i32>) -> Result<Vec<u8>, LoadError> {
        let mut floats = reserve(self.byte_len())?;
        let mut push = |value: f32| floats.extend_from_slice(&value.to_le_bytes());
        match &self.parameters {
            &QuantizationParameters::PerTensor { scale, zero_point } => {
                // A zero point is checked to be one of the integers, so it fits.
                let (scale, zero_point) = (scale as f32, zero_point as i32);
                integers.for_each(|q| push(scale * q.wrapping_sub(zero_point) as f32));
            }
            QuantizationParameters::PerChannel { axis, scales, zero_points } => {
                let sizes = self.integers.view.shape().sizes();
                let inner: usize = sizes.iter().skip(axis + 1).product();
                let channels = (0..scales.view.shape().numel()).cycle();
                let mut channels = channels.flat_map(|channel| std::iter::repeat_n(channel, inner));
                let missing = || {
                    LoadError::Dequantize(DequantizeError::Length {
                        scales: scales.view.shape().numel(),
                        zero_points: zero_points.view.shape().numel(),
                        size: sizes.get(*axis).copied().unwrap_or(0),
                    })
                };
                if scales.dtype == Dtype::F64 {
                    let scales = numbers(scales, f64::from_le_bytes)?;
                    let zero_points = numbers(zero_points, i64::from_le_bytes)?;
                    for q in integers {
                        let channel = channels.next().ok_or_else(missing)?;
                        let (Some(scale), Some(&zero)) = (scales.get(channel), zero_points.get(channel))
                        else {
                            return Err(missing());
                        };
                        push((f64::from(q as f32 - zero as f32) * scale) as f32);
                    }
                } else {
                    let scales = numbers(scales, f32::from_le_bytes)?;
                    let zero_points = numbers(zero_points, f32::from_le_bytes)?;
                    for q in integers {
                        let channel = channels.next().ok_or_else(missing)?;
                        let (Some(scale), Some(zero)) = (scales.get(channel), zero_points.get(channel))
                        else {
                            return Err(missing());
                        };
                        push((q as f32 - zero) * scale);
                    }
                }
            }
        }
        Ok(floats)
    }
}

fn check_zero_point(dtype: Dtype, zero_point: i64) -> Result<(), DequantizeError> {
    let fits = match dtype {
        Dtype::I8 => i8::try_from(zero_point).is_ok(),
        Dtype::U8 => u8::try_from(zero_point).is_ok(),
        _ => i32::try_from(zero_point).is_ok(),
    };
    if fits { Ok(()) } else { Err(DequantizeError::ZeroPoint { zero_point, dtype }) }
}

/// The numbers of a vector.
fn numbers<T, const N: usize>(vector: &LazyTensor, number: fn([u8; N]) -> T) -> Result<Vec<T>, LoadError> {
    let bytes = vector.contiguous()?;
    let mut numbers = reserve(bytes.len() / N)?;
    numbers.extend(bytes.chunks_exact(N).map(|bytes| number(array(bytes))));
    Ok(numbers)
}

/// Bytes of a chunk, which has as many.
fn array<const N: usize>(chunk: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.iter_mut().zip(chunk).for_each(|(target, &byte)| *target = byte);
    array
}
