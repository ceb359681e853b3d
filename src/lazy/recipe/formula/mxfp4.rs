//! MXFP4: numbers of four bits (E2M1), each 32 of them with a scale of their own (E8M0), as gpt-oss stores its
//! experts. The values are KerasHub's and transformers', bit for bit.
//!
//! ```text
//! blocks (…, n, 16) of bytes, the low half first        scales (…, n): the power of two, plus 127
//! w      (…, 32 n)
//! ```

use crate::lazy::recipe::memory::reserve;
use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::kernel::small_float;
use crate::tensor::{Dtype, Shape};

use super::FormulaError;
use super::numbers::Real;

/// Bytes of a block.
const BLOCK: usize = 16;
/// What is added to a power of two.
const BIAS: i32 = 127;

/// Numbers of four bits, with scales.
#[derive(Debug)]
pub struct Mxfp4 {
    blocks: LazyTensor,
    scales: LazyTensor,
    shape: Shape,
}

impl Mxfp4 {
    /// The blocks and their scales.
    ///
    /// # Errors
    /// When they are not bytes, or not as many.
    pub fn new(blocks: LazyTensor, scales: LazyTensor) -> Result<Self, FormulaError> {
        for (role, tensor) in [("blocks", &blocks), ("scales", &scales)] {
            let dtype = tensor.dtype;
            if dtype != Dtype::U8 && !(role == "scales" && dtype == Dtype::F8E8m0fnu) {
                return Err(FormulaError::Type { role, dtype, expected: "bytes (uint8)" });
            }
        }
        let shape = match blocks.view.shape().sizes() {
            [outer @ .., count, BLOCK] => {
                let last = count.checked_mul(2 * BLOCK).ok_or(FormulaError::TooMany)?;
                let mut sizes = outer.to_vec();
                sizes.push(*count);
                if scales.view.shape().sizes() != sizes.as_slice() {
                    let expected = format!(
                        "the shape {} of `blocks` without its last axis is needed",
                        blocks.view.shape()
                    );
                    let shape = scales.view.shape().clone();
                    return Err(FormulaError::Shape { role: "scales", shape, expected });
                }
                sizes.pop();
                sizes.push(last);
                Shape::new(sizes).map_err(|_| FormulaError::TooMany)?
            }
            _ => {
                let expected = format!("a last axis of {BLOCK} bytes is needed");
                let shape = blocks.view.shape().clone();
                return Err(FormulaError::Shape { role: "blocks", shape, expected });
            }
        };
        Ok(Self { blocks, scales, shape })
    }

    pub(super) const fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        vec![&self.blocks, &self.scales]
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let (blocks, scales) = (self.blocks.contiguous()?, self.scales.contiguous()?);
        let mut values = reserve(self.shape.numel())?;
        for (block, &scale) in blocks.chunks_exact(BLOCK).zip(&scales) {
            // Exact, but for the largest power, which is an infinity in `float32` for both others too.
            let scale = 2_f64.powi(i32::from(scale) - BIAS) as f32;
            let numbers = block.iter().flat_map(|&byte| small_float::pair(byte));
            values.extend(numbers.map(|number| T::nearest(f64::from(number * scale))));
        }
        Ok(values)
    }
}
