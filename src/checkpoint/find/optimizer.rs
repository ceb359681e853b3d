//! Optimizers' state: as many tensors as the weights have, and none of them a weight.

use super::graph::attribute;
use super::words::is_training;
use crate::checkpoint::pickle::torch::is_tensor;
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

/// Those that name nothing else, and their plurals.
const TELLING: [&str; 11] = [
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "momentum_buffer",
    "square_avg",
    "exp_avg_sq_row",
    "exp_avgs",
    "exp_avg_sqs",
    "max_exp_avg_sqs",
    "momentum_buffers",
    "momentum_buffer_list",
];

/// Whether a value is an optimizer, its state_dict, or its state for one parameter.
pub(super) fn is_optimizer(pickle: &Pickle<'_>, id: ValueId) -> bool {
    let has = |name| attribute(pickle, id, name).is_some_and(|value| !is_tensor(pickle, value));
    if has("param_groups") && has("state") {
        return true;
    }
    let Value::Dict(dict) = pickle.get(id) else { return false };
    // A dictionary of slots has no more items than there are slots.
    dict.len() <= SLOTS.len()
        && TELLING.iter().any(|name| attribute(pickle, id, name).is_some())
        && dict.items().all(|(key, _)| pickle.text(key).is_some_and(|key| SLOTS.contains(&key)))
}

/// Whether a key names what optimizers keep and nothing else.
pub(super) fn is_slot(key: &str) -> bool {
    const LENGTHS: u32 = lengths(&TELLING);
    is_one(key, &TELLING, LENGTHS)
}

/// The lengths of names, a bit each.
const fn lengths(names: &[&str]) -> u32 {
    let (mut lengths, mut at) = (0, 0);
    while at < names.len() {
        lengths |= 1 << names[at].len();
        at += 1;
    }
    lengths
}

/// Whether a name is one of some that have these lengths, which tell most others apart.
fn is_one(name: &str, names: &[&str], lengths: u32) -> bool {
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    lengths.checked_shr(length).is_some_and(|bits| bits & 1 == 1) && names.contains(&name)
}

/// Bytes of a whole name that can say something: the deepest modules have names of some hundred, and a hostile
/// pickle can show the same long text many thousand times.
const MAX_NAME: usize = 4096;

/// Whether a whole name is one of an optimizer's that was saved flat: `optim.state.fc.weight.exp_avg`,
/// `optimizer.param_groups.fc.weight.lr`.
pub(in crate::checkpoint) fn is_flat_slot(name: &str) -> bool {
    if name.len() > MAX_NAME {
        return false;
    }
    const LENGTHS: u32 = lengths(&SLOTS);
    let Some((before, last)) = split_last(name) else { return false };
    is_slot(last)
        || (is_one(last, &SLOTS, LENGTHS) && is_training_part(before, b".state"))
        || is_training_part(before, b".param_groups")
}

/// The text before the last dot, and the one after it.
fn split_last(name: &str) -> Option<(&str, &str)> {
    // The last name is short: to look at each byte takes less than to prepare a search, here and below.
    let dot = name.bytes().rposition(|byte| byte == b'.')?;
    Some((name.get(..dot)?, name.get(dot + 1..)?))
}

/// Whether a part stands in a name for the first time after what belongs to the training, and ends with a segment.
fn is_training_part<const N: usize>(name: &str, part: &[u8; N]) -> bool {
    let Some(at) = name.as_bytes().windows(N).position(|window| window == part) else { return false };
    let (first, rest) = (name.get(..at), name.get(at + N..));
    first.is_some_and(is_training) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
