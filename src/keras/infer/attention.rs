//! What attention layers make: their output, and on request the scores.

use crate::keras::architecture::Generation;
use crate::keras::json::InputShape;
use crate::tensor::MAX_RANK;

use super::reading::Reading;

/// The layers with projections, which are called with `query`, `value` and perhaps `key`.
pub(super) fn projected(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let tensor = |name, position| call.operand(name, position);
    let query = tensor("query", 0)?;
    let is_multi_head = call.class == "MultiHeadAttention";
    let features = if is_multi_head { call.config.shape("output_shape").ok()? } else { None };
    let output = match features.filter(|features| !features.is_empty()) {
        Some(features) => [query.get(..query.len().checked_sub(1)?)?, features.as_slice()].concat(),
        None => query.clone(),
    };
    if output.len() > MAX_RANK {
        return None;
    }
    if !call.arguments.flag("return_attention_scores") {
        return Some(vec![output]);
    }
    // Keras 3 tells the length of the query for both axes of the scores of MultiHeadAttention.
    let value = tensor("key", 2).or_else(|| tensor("value", 1))?;
    let heads = call.config.size(if is_multi_head { "num_heads" } else { "num_query_heads" }).ok()?;
    let (from, to) = (query.get(1).copied().flatten(), value.get(1).copied().flatten());
    let is_told = from == to || !is_multi_head || call.generation == Generation::Keras2;
    let to = if is_told { to } else { None };
    let scores = if query.len() == 3 {
        vec![query.first().copied().flatten(), Some(heads), from, to]
    } else {
        return None;
    };
    Some(vec![output, scores])
}

/// The layers without projections, which are called with a list of query, value and perhaps key.
pub(super) fn plain(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let inputs = call.inputs()?;
    let (query, value) = (*inputs.first()?, *inputs.get(1)?);
    let positions = query.get(..query.len().checked_sub(1)?)?;
    let output = [positions, &[*value.last()?]].concat();
    if !call.arguments.flag("return_attention_scores") {
        return Some(vec![output]);
    }
    let key = inputs.get(2).copied().unwrap_or(value);
    let length = key.len().checked_sub(2).and_then(|axis| key.get(axis))?;
    Some(vec![output, [positions, &[*length]].concat()])
}
