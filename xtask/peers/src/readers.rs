//! The readers, and the work that a child does with one of them.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use pytorch_reader::PytorchReader;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Outcome;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Ptw2k,
    Candle,
    Burn,
}

impl Reader {
    pub(crate) const ALL: [Self; 3] = [Self::Ptw2k, Self::Candle, Self::Burn];

    /// The word for the command line and the crate's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ptw2k => "ptw2k",
            Self::Candle => "candle-core",
            Self::Burn => "pytorch-reader",
        }
    }

    /// Whether the reader's documentation says that it reads such a file at all.
    pub(crate) fn claims(self, path: &Path) -> bool {
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        match self {
            Self::Ptw2k => true,
            Self::Candle => path.is_file(),
            // burn reads safetensors with the crate of that name.
            Self::Burn => path.is_file() && !is_safetensors,
        }
    }
}

/// Reads all tensors with one of the others; `key` is where the state_dict lies in the root dictionary.
pub(crate) fn read(reader: &str, path: &Path, key: Option<&str>) -> Outcome<Value> {
    let tensors = match reader {
        "candle-core" => candle(path, key)?,
        "pytorch-reader" => burn(path, key)?,
        other => return Err(format!("no reader {other}").into()),
    };
    Ok(json!({ "state_dict": key.into_iter().collect::<Vec<_>>(), "stripped": [], "tensors": tensors }))
}

fn row(key: &str, dtype: &str, shape: &[usize], bytes: &[u8]) -> Value {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "key": key, "dtype": dtype, "shape": shape, "sha256": digest })
}

fn candle(path: &Path, key: Option<&str>) -> Outcome<Vec<Value>> {
    let tensors: Vec<(String, Tensor)> =
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            candle_core::safetensors::load(path, &Device::Cpu)?.into_iter().collect()
        } else {
            candle_core::pickle::read_all_with_key(path, key)?
        };
    tensors
        .iter()
        .map(|(name, tensor)| {
            let (dtype, bytes) = candle_bytes(tensor)?;
            Ok(row(name, dtype, tensor.dims(), &bytes))
        })
        .collect()
}

/// PyTorch's name of the dtype, and the little-endian bytes in row-major order.
fn candle_bytes(tensor: &Tensor) -> Outcome<(&'static str, Vec<u8>)> {
    macro_rules! bytes {
        ($name:literal, $element:ty) => {{
            let values = tensor.flatten_all()?.to_vec1::<$element>()?;
            Ok(($name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        }};
    }
    match tensor.dtype() {
        DType::U8 => bytes!("uint8", u8),
        DType::U32 => bytes!("uint32", u32),
        DType::I16 => bytes!("int16", i16),
        DType::I32 => bytes!("int32", i32),
        DType::I64 => bytes!("int64", i64),
        DType::BF16 => bytes!("bfloat16", half::bf16),
        DType::F16 => bytes!("float16", half::f16),
        DType::F32 => bytes!("float32", f32),
        DType::F64 => bytes!("float64", f64),
        other => Err(format!("a tensor of dtype {other:?} gives no values").into()),
    }
}

fn burn(path: &Path, key: Option<&str>) -> Outcome<Vec<Value>> {
    use pytorch_reader::DType as Burn;
    let reader = match key {
        Some(key) => PytorchReader::with_top_level_key(path, key)?,
        None => PytorchReader::new(path)?,
    };
    reader
        .tensors()
        .iter()
        .map(|(name, tensor)| {
            let dtype = match tensor.dtype() {
                Burn::F64 => "float64",
                Burn::F32 => "float32",
                Burn::F16 => "float16",
                Burn::BF16 => "bfloat16",
                Burn::I64 => "int64",
                Burn::I32 => "int32",
                Burn::I16 => "int16",
                Burn::I8 => "int8",
                Burn::U64 => "uint64",
                Burn::U32 => "uint32",
                Burn::U16 => "uint16",
                Burn::U8 => "uint8",
                Burn::Bool => "bool",
            };
            // Native-endian: the table is made on little-endian machines.
            Ok(row(name, dtype, tensor.shape(), &tensor.read()?))
        })
        .collect()
}
