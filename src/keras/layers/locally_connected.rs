//! The variables of the layers of Keras 2 that have a kernel for each position.

use crate::keras::error::ErrorKind;
use crate::keras::json::Config;

use super::shapes::{InputShapes, open_size};
use super::specs::Specs;

/// The layers of Keras 2 with a kernel for each position (`locally_connected1d.py`), in the three forms that
/// they keep it in.
pub(super) fn own(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
) -> Result<(), ErrorKind> {
    let rank = if class == "LocallyConnected1D" { 1 } else { 2 };
    let layer = config.layer;
    let shape = inputs.first(layer)?;
    if shape.len() != rank + 2 {
        return Err(open_size(layer, shape));
    }
    let is_first = config.text("data_format")? == Some("channels_first");
    let channels = inputs.size(if is_first { 1 } else { -1 }, layer)?;
    let positions = if is_first { 2..rank + 2 } else { 1..rank + 1 };
    let sizes = positions.map(|axis| inputs.size(i64::try_from(axis).unwrap_or(i64::MAX), layer));
    let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
    let (kernel, filters) = (config.sizes("kernel_size", rank)?, config.size("filters")?);
    let strides =
        if config.get("strides").is_some() { config.sizes("strides", rank)? } else { vec![1; rank] };
    let is_same = config.text("padding")? == Some("same");
    let too_large = || config.wrong("kernel_size", "sizes that fit the input");
    let mut outputs = Vec::with_capacity(rank);
    for ((&size, &kernel), &stride) in sizes.iter().zip(&kernel).zip(&strides) {
        let covered =
            if is_same { Some(size) } else { size.checked_sub(kernel).and_then(|n| n.checked_add(1)) };
        let steps = covered.filter(|_| stride > 0).map(|covered| covered.div_ceil(stride));
        outputs.push(steps.ok_or_else(too_large)?);
    }
    let all = |sizes: &[usize]| {
        sizes.iter().try_fold(1_usize, |all, &size| all.checked_mul(size)).ok_or_else(too_large)
    };
    let kernel = match config.size_or("implementation", 1)? {
        1 => vec![all(&outputs)?, all(&[all(&kernel)?, channels])?, filters],
        2 if is_first => [&[channels], sizes.as_slice(), &[filters], &outputs].concat(),
        2 => [sizes.as_slice(), &[channels], &outputs, &[filters]].concat(),
        // Only the connections that exist: fewer at the borders of a padded input.
        3 if !is_same => vec![all(&[all(&outputs)?, all(&kernel)?, channels, filters])?],
        _ => return Err(config.wrong("implementation", "1 or 2, or 3 without padding")),
    };
    specs.weight("kernel", kernel)?;
    let bias = outputs.into_iter().chain(std::iter::once(filters)).collect();
    specs.weight_if(config.flag("use_bias", true)?, "bias", bias)
}
