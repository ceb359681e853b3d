//! `quant_state.bitsandbytes__nf4`: a JSON text in a tensor of bytes, which says what four-bit numbers stand for
//! (bitsandbytes, `QuantState.as_dict(packed=True)`).

use serde::Deserialize;

use crate::lazy::LazyTensor;
use crate::tensor::{Dtype, Shape};

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

impl QuantState {
    /// Reads the text, or says what is wrong with it.
    pub(super) fn read(tensor: &LazyTensor) -> Result<Self, String> {
        if tensor.dtype != Dtype::U8 || tensor.byte_len() > MAX_LENGTH {
            return Err(format!("it is no text of at most {MAX_LENGTH} bytes"));
        }
        let bytes = tensor.contiguous().map_err(|error| error.to_string())?;
        let text: Text = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let dtype = match text.dtype.as_str() {
            "float32" => Dtype::F32,
            "float16" => Dtype::F16,
            "bfloat16" => Dtype::Bf16,
            other => return Err(format!("it speaks of the type `{other}`")),
        };
        if text.blocksize == 0 || text.nested_blocksize == Some(0) {
            return Err("it speaks of blocks of no numbers".to_owned());
        }
        let nested = match (text.nested_blocksize, text.nested_offset) {
            (Some(block), Some(offset)) => Some((block, offset as f32)),
            (None, None) => None,
            _ => return Err("it has only one of `nested_blocksize` and `nested_offset`".to_owned()),
        };
        let shape = Shape::new(text.shape).map_err(|error| error.to_string())?;
        Ok(Self { kind: text.quant_type, block: text.blocksize, shape, dtype, nested })
    }
}
