//! What preprocessing layers make (Keras' `layers/preprocessing`).

use crate::keras::json::{Config, InputShape, Value, size};

use super::arithmetic::bounded;
use super::reading::Reading;

/// The layers that change the values of images, not their shape.
pub(super) fn keeps_shape(class: &str) -> bool {
    matches!(
        class,
        "AugMix"
            | "AutoContrast"
            | "CLAHE"
            | "ContrastLimitedAdaptiveHistogramEqualization"
            | "CutMix"
            | "Equalization"
            | "MixUp"
            | "RandAugment"
            | "RandomBrightness"
            | "RandomColorDegeneration"
            | "RandomColorJitter"
            | "RandomContrast"
            | "RandomElasticTransform"
            | "RandomErasing"
            | "RandomFlip"
            | "RandomGaussianBlur"
            | "RandomGrayscale"
            | "RandomHue"
            | "RandomInvert"
            | "RandomPerspective"
            | "RandomPosterization"
            | "RandomRotation"
            | "RandomSaturation"
            | "RandomSharpness"
            | "RandomShear"
            | "RandomTranslation"
            | "RandomZoom"
            | "Solarization"
    )
}

/// The shape of what a preprocessing layer makes; `None` for other layers too.
pub(super) fn output(call: &Reading<'_>, input: &InputShape) -> Option<InputShape> {
    let config = call.config;
    let fixed = |field: &str| config.get(field).and_then(size);
    match call.class {
        "Resizing" | "CenterCrop" | "RandomCrop" => {
            let (height, width) = (config.size("height").ok()?, config.size("width").ok()?);
            image(config, input, Some(height), Some(width))
        }
        "RandomHeight" => image(config, input, None, at_axis(config, input, 1)),
        "RandomWidth" => image(config, input, at_axis(config, input, 0), None),
        "CategoryEncoding" => encoded(config, input, "multi_hot", fixed("num_tokens")),
        "Hashing" | "HashedCrossing" => encoded(config, input, "int", fixed("num_bins")),
        "Discretization" => {
            let count = match config.get("bin_boundaries") {
                Some(Value::Array(boundaries)) => boundaries.len().checked_add(1),
                _ => fixed("num_bins"),
            };
            encoded(config, input, "int", count)
        }
        "IntegerLookup" | "StringLookup" => encoded(config, input, "int", vocabulary(call)),
        "TextVectorization" => text(call, input),
        "STFTSpectrogram" => stft(config, input),
        "MelSpectrogram" => mel(config, input),
        _ => None,
    }
}

/// Images of other sizes.
fn image(
    config: Config<'_>,
    input: &InputShape,
    height: Option<usize>,
    width: Option<usize>,
) -> Option<InputShape> {
    let at = first_spatial(config, input)?;
    let mut shape = input.clone();
    *shape.get_mut(at)? = height;
    *shape.get_mut(at + 1)? = width;
    Some(shape)
}

/// The index of the height, in images alone or in batches.
fn first_spatial(config: Config<'_>, input: &InputShape) -> Option<usize> {
    let is_first = config.text("data_format").ok()? == Some("channels_first");
    input.len().checked_sub(if is_first { 2 } else { 3 })
}

fn at_axis(config: Config<'_>, input: &InputShape, axis: usize) -> Option<usize> {
    input.get(first_spatial(config, input)?.checked_add(axis)?).copied().flatten()
}

/// Numbers as they are, or as vectors with an entry for each of `count` values.
fn encoded(
    config: Config<'_>,
    input: &InputShape,
    default: &str,
    count: Option<usize>,
) -> Option<InputShape> {
    let mode = config.text("output_mode").ok()?.unwrap_or(default);
    if mode == "int" {
        return Some(input.clone());
    }
    let mut shape = input.clone();
    // One number per example is encoded as that number.
    let replaces = mode != "one_hot" || (shape.last() == Some(&Some(1)) && shape.len() > 1);
    if replaces {
        // Keras keeps or drops other axes by version.
        if shape.len() > 2 {
            return None;
        }
        shape.pop();
    }
    shape.push(count);
    bounded(shape)
}

/// How many values a lookup tells apart, where the configuration says.
fn vocabulary(call: &Reading<'_>) -> Option<usize> {
    let config = call.config;
    if config.flag("pad_to_max_tokens", false).ok()? {
        return config.get("max_tokens").and_then(size);
    }
    if let Some(count) = config.get("vocabulary_size") {
        return size(count);
    }
    let Some(Value::Array(words)) = config.get("vocabulary") else { return None };
    words.len().checked_add(config.size_or("num_oov_indices", 1).ok()?)
}

fn text(call: &Reading<'_>, input: &InputShape) -> Option<InputShape> {
    let config = call.config;
    let batch = input.first().copied().flatten();
    match config.text("output_mode").ok()?.unwrap_or("int") {
        "int" => {
            let length = config.get("output_sequence_length").and_then(size);
            (!config.flag("ragged", false).ok()?).then_some(vec![batch, length])
        }
        _ => Some(vec![batch, vocabulary(call)]),
    }
}

/// Frames of a signal: each has a value for half of the frequencies, in two parts in the mode `stft`.
fn stft(config: Config<'_>, input: &InputShape) -> Option<InputShape> {
    let [batch, rest @ ..] = input.as_slice() else { return None };
    let is_first = config.text("data_format").ok()? == Some("channels_first");
    let (time, channels) = match (rest, is_first) {
        ([time, channels], false) | ([channels, time], true) => (*time, *channels),
        _ => return None,
    };
    let frame = config.size_or("frame_length", 256).ok()?;
    let fft = config.size_or("fft_length", frame.checked_next_power_of_two()?).ok()?;
    let step = config.size_or("frame_step", frame / 2).ok()?;
    let parts = if config.text("mode").ok()? == Some("stft") { 2 } else { 1 };
    let frequencies = (fft / 2).checked_add(1)?.checked_mul(parts)?;
    let is_valid = config.text("padding").ok()?.unwrap_or("valid") == "valid";
    let frames = time.and_then(|time| {
        if is_valid {
            time.checked_sub(frame)?.checked_div(step)?.checked_add(1)
        } else {
            Some(time.div_ceil(step.max(1)))
        }
    });
    Some(match (config.flag("expand_dims", false).ok()?, is_first) {
        (true, false) => vec![*batch, frames, Some(frequencies), channels],
        (true, true) => vec![*batch, channels, frames, Some(frequencies)],
        (false, _) => {
            let features = channels.and_then(|channels| channels.checked_mul(frequencies));
            if is_first { vec![*batch, features, frames] } else { vec![*batch, frames, features] }
        }
    })
}

fn mel(config: Config<'_>, input: &InputShape) -> Option<InputShape> {
    let bins = config.size_or("num_mel_bins", 128).ok()?;
    let stride = match config.get("sequence_stride") {
        Some(_) => config.size("sequence_stride").ok()?,
        None => 512,
    };
    let (time, lead) = input.split_last()?;
    let frames = time.and_then(|time| time.checked_add(stride)?.checked_add(1)?.checked_div(stride));
    Some([lead, &[Some(bins), frames]].concat()).filter(|_| lead.len() < 2)
}
