//! Numbers of four bits with a table of values, each block of them with its largest magnitude: `Params4bit` of
//! bitsandbytes, "nf4" and "fp4".
//!
//! ```text
//! w[i] = table[q[i]] · absmax[i / block]        the high half of a byte is the first of its two numbers
//! absmax[j] = table2[c[j]] · absmax2[j / block2] + offset        where these are quantized as well
//! ```
//!
//! All in `float32`, and then rounded to the type that the weight had.

use crate::lazy::recipe::memory::reserve;
use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::kernel::convert;
use crate::tensor::{ByteOrder, Dtype, Shape};

use super::FormulaError;
use super::numbers::{Real, load, store};

/// Values of a table of four bits.
const CODES: usize = 16;
/// Values of a table of eight bits.
const NESTED_CODES: usize = 256;

/// Numbers of four bits with a table of values.
#[derive(Debug)]
pub struct Blockwise {
    packed: LazyTensor,
    table: LazyTensor,
    maxima: AbsoluteMaxima,
    block: usize,
    shape: Shape,
    /// The type that the weight had.
    rounded: Dtype,
}

/// The largest magnitude of each block.
#[derive(Debug)]
pub enum AbsoluteMaxima {
    /// As `float32`.
    Plain(LazyTensor),
    /// Quantized again.
    Nested {
        /// A byte for each block: which value of the table.
        codes: LazyTensor,
        /// 256 values.
        table: LazyTensor,
        /// The largest magnitude of each block of these.
        maxima: LazyTensor,
        /// Bytes of such a block.
        block: usize,
        /// What is added.
        offset: f32,
    },
}

impl Blockwise {
    /// Packed numbers, the values they stand for, the largest magnitudes of blocks of `block` numbers, and the shape
    /// and type of the weight.
    ///
    /// # Errors
    /// When there are not as many of each as the shape needs.
    pub fn new(
        packed: LazyTensor,
        table: LazyTensor,
        maxima: AbsoluteMaxima,
        block: usize,
        shape: Shape,
        rounded: Dtype,
    ) -> Result<Self, FormulaError> {
        let bytes = |role, tensor: &LazyTensor| match tensor.dtype {
            Dtype::U8 => Ok(()),
            dtype => Err(FormulaError::Type { role, dtype, expected: "bytes (uint8)" }),
        };
        let floats = |role, tensor: &LazyTensor| match tensor.dtype {
            Dtype::F32 => Ok(()),
            dtype => Err(FormulaError::Type { role, dtype, expected: "float32 values" }),
        };
        let length = |role, tensor: &LazyTensor, expected: usize| match tensor.view.shape().numel() {
            found if found == expected => Ok(()),
            found => Err(FormulaError::Length { role, found, expected }),
        };
        if !matches!(rounded, Dtype::F32 | Dtype::F16 | Dtype::Bf16) {
            let expected = "float32, float16 or bfloat16 values";
            return Err(FormulaError::Type { role: "dtype", dtype: rounded, expected });
        }
        let numel = shape.numel();
        bytes("weight", &packed)?;
        length("weight", &packed, numel.div_ceil(2))?;
        floats("quant_map", &table)?;
        length("quant_map", &table, CODES)?;
        let blocks = numel.div_ceil(block.max(1));
        match &maxima {
            AbsoluteMaxima::Plain(maxima) => {
                floats("absmax", maxima)?;
                length("absmax", maxima, blocks)?;
            }
            AbsoluteMaxima::Nested { codes, table, maxima, block, .. } => {
                bytes("absmax", codes)?;
                length("absmax", codes, blocks)?;
                floats("nested_quant_map", table)?;
                length("nested_quant_map", table, NESTED_CODES)?;
                floats("nested_absmax", maxima)?;
                length("nested_absmax", maxima, blocks.div_ceil((*block).max(1)))?;
            }
        }
        Ok(Self { packed, table, maxima, block: block.max(1), shape, rounded })
    }

    pub(super) const fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn sources(&self) -> Vec<&LazyTensor> {
        let mut sources = vec![&self.packed, &self.table];
        match &self.maxima {
            AbsoluteMaxima::Plain(maxima) => sources.push(maxima),
            AbsoluteMaxima::Nested { codes, table, maxima, .. } => sources.extend([codes, table, maxima]),
        }
        sources
    }

    pub(super) fn compute<T: Real>(&self) -> Result<Vec<T>, LoadError> {
        let (packed, table) = (self.packed.contiguous()?, load::<f32>(&self.table)?);
        let maxima = self.maxima()?;
        let value = |table: &[f32], code: u8| table.get(usize::from(code)).copied().unwrap_or_default();
        let mut values: Vec<f32> = reserve(self.shape.numel())?;
        let codes = packed.iter().flat_map(|&byte| [byte >> 4, byte & 0xF]).take(self.shape.numel());
        let each_maximum = maxima.iter().flat_map(|&maximum| std::iter::repeat_n(maximum, self.block));
        values.extend(codes.zip(each_maximum).map(|(code, maximum)| value(&table, code) * maximum));
        if self.rounded != Dtype::F32 {
            values = round(values, self.rounded)?;
        }
        let mut wide = reserve(values.len())?;
        wide.extend(values.into_iter().map(|value| T::nearest(value.into())));
        Ok(wide)
    }

    fn maxima(&self) -> Result<Vec<f32>, LoadError> {
        match &self.maxima {
            AbsoluteMaxima::Plain(maxima) => load(maxima),
            AbsoluteMaxima::Nested { codes, table, maxima, block, offset } => {
                let (codes, table) = (codes.contiguous()?, load::<f32>(table)?);
                let outer = load::<f32>(maxima)?;
                let outer = outer.iter().flat_map(|&maximum| std::iter::repeat_n(maximum, (*block).max(1)));
                let value = |code: u8| table.get(usize::from(code)).copied().unwrap_or_default();
                let mut maxima = reserve(codes.len())?;
                maxima.extend(codes.iter().zip(outer).map(|(&code, outer)| value(code) * outer + offset));
                Ok(maxima)
            }
        }
    }
}

/// Values through a smaller type and back.
fn round(values: Vec<f32>, through: Dtype) -> Result<Vec<f32>, LoadError> {
    let wrong =
        |_| LoadError::Formula(FormulaError::Type { role: "dtype", dtype: through, expected: "floats" });
    let mut bytes = store(values)?;
    let mut small = crate::lazy::recipe::memory::zeros(bytes.len() / 2)?;
    convert(&bytes, Dtype::F32, ByteOrder::Little, &mut small, through, true).map_err(wrong)?;
    convert(&small, through, ByteOrder::Little, &mut bytes, Dtype::F32, true).map_err(wrong)?;
    let mut values = reserve(bytes.len() / 4)?;
    values.extend(bytes.chunks_exact(4).map(f32::read));
    Ok(values)
}
