//! Adapters (PEFT): small tensors that change a model, not a model (formats/pytorch.md section 6).

use std::collections::HashSet;

use super::state_dict::{Tensor, Warning};

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

/// A warning when tensors of a state_dict belong to an adapter, and those that it changes are not there.
pub(super) fn warning(tensors: &[Tensor]) -> Option<Warning> {
    let keys: HashSet<&str> = tensors.iter().map(|tensor| tensor.key.as_str()).collect();
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
