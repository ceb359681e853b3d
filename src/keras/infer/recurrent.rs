//! What recurrent layers make: the last step or all of them, and on request the states behind.

use crate::keras::json::{Config, InputShape};

use super::reading::Reading;
use super::spatial;

/// The layers with a cell of their own.
pub(super) fn units(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let units = call.config.size("units").ok()?;
    let states = vec![units; if call.class == "LSTM" { 2 } else { 1 }];
    sequence(call.config, call.input()?, units, &states)
}

/// A layer whose cell makes `output` features of each step and keeps states of those sizes.
pub(super) fn sequence(
    config: Config<'_>,
    input: &InputShape,
    output: usize,
    states: &[usize],
) -> Option<Vec<InputShape>> {
    let (&first, &second) = (input.first()?, input.get(1)?);
    // Keras 2 has layers whose first axis is time.
    let is_time_first = config.flag("time_major", false).ok()?;
    let batch = if is_time_first { second } else { first };
    let sequences = config.flag("return_sequences", false).ok()?;
    let made = if sequences { vec![first, second, Some(output)] } else { vec![batch, Some(output)] };
    let mut results = vec![made];
    if config.flag("return_state", false).ok()? {
        results.extend(states.iter().map(|&size| vec![batch, Some(size)]));
    }
    Some(results)
}

/// The convolutional LSTMs: each step is a map.
pub(super) fn convolutional(call: &Reading<'_>) -> Option<Vec<InputShape>> {
    let input = call.input()?;
    let (&batch, &time) = (input.first()?, input.get(1)?);
    let step: InputShape = [&[batch], input.get(2..)?].concat();
    let state = spatial::convolved(call.config, &step)?;
    let mut made = state.clone();
    if call.config.flag("return_sequences", false).ok()? {
        made.insert(1, time);
    }
    let mut results = vec![made];
    if call.config.flag("return_state", false).ok()? {
        results.extend([state.clone(), state]);
    }
    Some(results)
}

/// Both directions of a `Bidirectional` as one, by its `merge_mode`: `concat`, where none is written.
pub(super) fn merged(
    config: Config<'_>,
    forward: &[InputShape],
    backward: &[InputShape],
) -> Option<Vec<InputShape>> {
    let (made, states) = forward.split_first()?;
    let (back, back_states) = backward.split_first()?;
    let mut results = if config.is_null("merge_mode") {
        vec![made.clone(), back.clone()]
    } else {
        let mut joined = made.clone();
        if matches!(config.text("merge_mode").ok()?, None | Some("concat")) {
            let (last, other) = (joined.last_mut()?, back.last()?);
            *last = last.zip(*other).and_then(|(a, b)| a.checked_add(b));
        }
        vec![joined]
    };
    results.extend(states.iter().chain(back_states).cloned());
    Some(results)
}
