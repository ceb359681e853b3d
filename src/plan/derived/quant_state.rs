//! `quant_state.bitsandbytes__nf4`: a JSON text in a tensor of bytes, which says what four-bit numbers stand for
//! (bitsandbytes, `QuantState.as_dict(packed=True)`).

use serde::Deserialize;

use crate::lazy::{LazyTensor, LoadError};
use crate::tensor::{Dtype, Shape, ShapeError};

/// The longest text, in bytes. bitsandbytes writes less than 300.
const MAX_LENGTH: usize = 4096;

/// What the text says.
pub(super) struct QuantState {
    /// `nf4` or `fp4`.
    pub(super) kind: String,
    /// Numbers of a block.
    pub(super) block: usize,
    /// The weight's shape.
    pub(super) shape: Shape,
    /// The weight's type.
    pub(super) dtype: Dtype,
    /// Where the largest magnitudes are quantized too: numbers of a block of them, and what is added.
    pub(super) nested: Option<(usize, f32)>,
}

#[derive(Deserialize)]
struct Text {
    quant_type: String,
    blocksize: usize,
    dtype: String,
    shape: Vec<usize>,
    nested_blocksize: Option<usize>,
    nested_offset: Option<f64>,
}

/// Why a text does not say it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantStateError {
    /// Of another type than bytes, or too long.
    #[error("it is no text of at most {MAX_LENGTH} bytes")]
    NoText,
    /// The bytes cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Not such a JSON object.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A type that bitsandbytes does not quantize.
    #[error("it speaks of the type `{0}`")]
    Dtype(String),
    /// Blocks without numbers.
    #[error("it speaks of blocks of no numbers")]
    EmptyBlocks,
    /// One of two that come together.
    #[error("it has only one of `nested_blocksize` and `nested_offset`")]
    HalfNested,
    /// A shape that no tensor has.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl QuantState {
    /// Reads the text.
    pub(super) fn read(tensor: &LazyTensor) -> Result<Self, QuantStateError> {
        if tensor.dtype != Dtype::U8 || tensor.byte_len() > MAX_LENGTH {
            return Err(QuantStateError::NoText);
        }
        let bytes = tensor.contiguous()?;
        let text: Text = serde_json::from_slice(&bytes)?;
        let dtype = match text.dtype.as_str() {
            "float32" => Dtype::F32,
            "float16" => Dtype::F16,
            "bfloat16" => Dtype::Bf16,
            other => return Err(QuantStateError::Dtype(other.to_owned())),
        };
        if text.blocksize == 0 || text.nested_blocksize == Some(0) {
            return Err(QuantStateError::EmptyBlocks);
        }
        let nested = match (text.nested_blocksize, text.nested_offset) {
            (Some(block), Some(offset)) => Some((block, offset as f32)),
            (None, None) => None,
            _ => return Err(QuantStateError::HalfNested),
        };
        let shape = Shape::new(text.shape)?;
        Ok(Self { kind: text.quant_type, block: text.blocksize, shape, dtype, nested })
    }
}
