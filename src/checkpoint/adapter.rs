//! Adapters (PEFT): small tensors that change a model, not a model (formats/pytorch.md section 6).

mod config;

use std::path::Path;

pub use config::{AdapterConfig, AdapterConfigError, NAME as ADAPTER_CONFIG};

use super::error::ErrorKind;
use super::state_dict::{Tensor, Warning};
use crate::map::Set;

/// Names that only adapters use, as one segment of a key.
const NAMES: [&str; 7] = [
    "lora_A",
    "lora_B",
    "lora_embedding_A",
    "lora_embedding_B",
    "lora_magnitude_vector",
    "ia3_l",
    "prompt_embeddings",
];

/// Names of the factors of low-rank adapters.
const FACTORS: [&str; 2] = ["lora_A", "lora_embedding_A"];

/// What PEFT keeps beside a checkpoint that holds low-rank adapters together with the weights that they change;
/// `None` where the checkpoint holds none, or nothing is beside it. `path` is the checkpoint's file or folder.
pub(super) fn config(path: &Path, tensors: &[Tensor]) -> Result<Option<AdapterConfig>, ErrorKind> {
    let is_factor = |tensor: &Tensor| tensor.key.as_str().split('.').any(|name| FACTORS.contains(&name));
    let is_base = |tensor: &Tensor| tensor.key.as_str().split('.').any(|name| name == "base_layer");
    if !tensors.iter().any(is_factor) || !tensors.iter().any(is_base) {
        return Ok(None);
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    Ok(AdapterConfig::beside(folder)?)
}

/// A warning when tensors of a state_dict belong to an adapter, and those that it changes are not there.
pub(super) fn warning(tensors: &[Tensor]) -> Option<Warning> {
    let is_named = |tensor: &Tensor| {
        let mut names = tensor.key.as_str().as_bytes().split(|&byte| byte == b'.');
        names.any(|name| NAMES.iter().any(|known| known.as_bytes() == name))
    };
    if !tensors.iter().any(is_named) {
        return None;
    }
    let keys: Set<&str> = tensors.iter().map(|tensor| tensor.key.as_str()).collect();
    let is_adapter = |tensor: &&Tensor| {
        let key = tensor.key.as_str();
        let mut start = 0;
        key.split('.').any(|name| {
            let module = key.get(..start).unwrap_or("");
            start += name.len() + 1;
            NAMES.contains(&name) && !keys.contains(format!("{module}base_layer.weight").as_str())
        })
    };
    let of_adapter = tensors.iter().filter(is_adapter).count();
    (of_adapter > 0).then_some(Warning::Adapter { tensors: of_adapter, of: tensors.len() })
}
