//! Optimizers' state: as many tensors as the weights have, and none of them a weight.

use super::graph::attribute;
use crate::checkpoint::pickle::{Pickle, Value, ValueId};

/// What optimizers keep for each parameter: those of `torch.optim`, and of apex, bitsandbytes and Adafactor.
const SLOTS: [&str; 20] = [
    "step",
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "exp_inf",
    "exp_avg_sq_row",
    "exp_avg_sq_col",
    "RMS",
    "momentum_buffer",
    "square_avg",
    "grad_avg",
    "acc_delta",
    "sum",
    "prev",
    "step_size",
    "mu_product",
    "ax",
    "master_param",
    "state1",
    "state2",
];

/// Those that name nothing else.
const TELLING: [&str; 5] = ["exp_avg", "exp_avg_sq", "momentum_buffer", "square_avg", "exp_avg_sq_row"];

/// Whether a value is an optimizer, its state_dict, or its state for one parameter.
pub(super) fn is_optimizer(pickle: &Pickle<'_>, id: ValueId) -> bool {
    let has = |name| attribute(pickle, id, name).is_some();
    if has("param_groups") && has("state") {
        return true;
    }
    let Value::Dict(dict) = pickle.get(id) else { return false };
    // A dictionary of slots has no more items than there are slots.
    dict.len() <= SLOTS.len()
        && TELLING.iter().any(|name| has(name))
        && dict.items().all(|(key, _)| pickle.text(key).is_some_and(|key| SLOTS.contains(&key)))
}
