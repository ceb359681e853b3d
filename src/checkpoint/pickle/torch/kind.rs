//! Which values are tensors, and which are modules.

use crate::checkpoint::pickle::value::{Pickle, Value, ValueId};

/// Whether a value stands for a tensor, supported or not.
pub(crate) fn is_tensor(pickle: &Pickle<'_>, id: ValueId) -> bool {
    match pickle.get(id) {
        Value::Persistent(pid) => pickle
            .sequence(*pid)
            .and_then(|elements| elements.first())
            .is_some_and(|&tag| pickle.text(tag) == Some("storage")),
        Value::Object(object) => pickle.global(object.callable).is_some_and(|(module, name)| {
            is_torch(module)
                && (name.starts_with("_rebuild")
                    || (name.ends_with("Tensor") && !module.contains("classes"))
                    || matches!(name, "Parameter" | "Buffer" | "Variable"))
        }),
        _ => false,
    }
}

/// Whether a value is a ShardedTensor of `torch.distributed`: one rank's part.
pub(crate) fn is_sharded(pickle: &Pickle<'_>, id: ValueId) -> bool {
    let Value::Object(object) = pickle.get(id) else { return false };
    pickle.global(object.callable).is_some_and(|(module, name)| is_torch(module) && name == "ShardedTensor")
}

/// The state of a `torch.ScriptObject`, which the packed weights of quantized recurrent layers are: its BUILD
/// has the state and the name of the class (torch/csrc/jit/python/script_init.cpp).
pub(crate) fn script_object_state(pickle: &Pickle<'_>, id: ValueId) -> Option<ValueId> {
    let Value::Object(object) = pickle.get(id) else { return None };
    if pickle.global(object.callable) != Some(("torch", "ScriptObject")) {
        return None;
    }
    let Value::Tuple(elements) = pickle.get(object.state?) else { return None };
    let [state, class] = **elements else { return None };
    pickle.text(class).is_some().then_some(state)
}

pub(super) fn is_torch(module: &str) -> bool {
    module == "torch" || module.starts_with("torch.")
}
