//! `adapter_config.json`: what PEFT keeps beside an adapter's tensors (peft/tuners/lora/config.py, 0.21).

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::json::Pairs;
use crate::lazy::Bytes;

/// The file's name (peft/utils/constants.py, `CONFIG_NAME`).
pub const NAME: &str = "adapter_config.json";

/// Bytes of the file. PEFT writes about 1 kB; a pattern for each module of the largest models makes it 100 kB.
const MAX_BYTES: usize = 1 << 20;

/// What `adapter_config.json` says of low-rank adapters.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// The file.
    pub path: PathBuf,
    /// `lora_alpha`.
    pub alpha: f64,
    /// `r`.
    pub rank: usize,
    /// `use_rslora`: alpha is divided by the root of the rank.
    pub by_root: bool,
    /// `fan_in_fan_out`: matrices are (in, out).
    pub transposed: bool,
    /// `alpha_pattern`: other alphas, by regular expressions that end the names of modules, in the file's order.
    pub alpha_pattern: Vec<(String, f64)>,
    /// `rank_pattern`: the same of ranks.
    pub rank_pattern: Vec<(String, usize)>,
    /// The option that makes another adapter of it than two factors: `use_dora`.
    pub variant: Option<&'static str>,
}

/// Why the file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterConfigError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A folder, a pipe or a device.
    #[error("it is no file")]
    NotAFile,
    /// Larger than any that PEFT writes.
    #[error("it has {bytes} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not such a JSON object.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Of another kind of adapter than the tensors are.
    #[error("its `peft_type` is {found:?}, and the checkpoint's tensors are those of \"LORA\"")]
    Type {
        /// `peft_type`.
        found: String,
    },
    /// A key that every file of that kind has.
    #[error("it has no `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A rank that no adapter has.
    #[error("its `{key}` has a rank of 0")]
    NoRank {
        /// The key.
        key: &'static str,
    },
}

/// A key that comes twice is an error of serde's.
#[derive(Deserialize)]
struct Document {
    peft_type: String,
    r: Option<usize>,
    lora_alpha: Option<f64>,
    use_rslora: Option<bool>,
    fan_in_fan_out: Option<bool>,
    alpha_pattern: Option<Pairs<f64>>,
    rank_pattern: Option<Pairs<usize>>,
    use_dora: Option<Value>,
    use_qalora: Option<Value>,
    use_bdlora: Option<Value>,
    kasa_config: Option<Value>,
    arrow_config: Option<Value>,
    alora_invocation_tokens: Option<Value>,
    lora_bias: Option<Value>,
}

impl AdapterConfig {
    /// Reads the one in a folder; `None` where there is none.
    pub(in crate::checkpoint) fn beside(folder: &Path) -> Result<Option<Self>, AdapterConfigError> {
        let path = folder.join(NAME);
        match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
            // Opening a pipe would wait for its writer.
            Ok(metadata) if !metadata.is_file() => return Err(AdapterConfigError::NotAFile),
            Ok(_) => {}
        }
        let bytes = Bytes::map(&path)?;
        Self::parse(path, bytes.as_slice()).map(Some)
    }

    fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, AdapterConfigError> {
        if bytes.len() > MAX_BYTES {
            return Err(AdapterConfigError::TooLarge { bytes: bytes.len(), limit: MAX_BYTES });
        }
        let document: Document = serde_json::from_slice(bytes)?;
        if document.peft_type != "LORA" {
            return Err(AdapterConfigError::Type { found: document.peft_type });
        }
        let missing = |key| AdapterConfigError::Missing { key };
        let rank = document.r.ok_or_else(|| missing("r"))?;
        let alpha = document.lora_alpha.ok_or_else(|| missing("lora_alpha"))?;
        let rank_pattern = document.rank_pattern.map_or_else(Vec::new, |pairs| pairs.0);
        for (key, has_none) in
            [("r", rank == 0), ("rank_pattern", rank_pattern.iter().any(|(_, rank)| *rank == 0))]
        {
            if has_none {
                return Err(AdapterConfigError::NoRank { key });
            }
        }
        // They make another adapter of it than the sum of the weight and the product of two factors.
        let variants = [
            ("use_dora", document.use_dora),
            ("use_qalora", document.use_qalora),
            ("use_bdlora", document.use_bdlora),
            ("kasa_config", document.kasa_config),
            ("arrow_config", document.arrow_config),
            ("alora_invocation_tokens", document.alora_invocation_tokens),
            ("lora_bias", document.lora_bias),
        ];
        let variant = variants.into_iter().find(|(_, value)| value.as_ref().is_some_and(is_on));
        Ok(Self {
            path,
            alpha,
            rank,
            by_root: document.use_rslora == Some(true),
            transposed: document.fan_in_fan_out == Some(true),
            alpha_pattern: document.alpha_pattern.map_or_else(Vec::new, |pairs| pairs.0),
            rank_pattern,
            variant: variant.map(|(name, _)| name),
        })
    }
}

/// Whether Python takes it for true, as PEFT asks.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_on) => *is_on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
    }
}
