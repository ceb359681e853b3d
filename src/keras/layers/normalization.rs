//! The variables of normalizations.

use crate::keras::architecture::Generation;
use crate::keras::error::ErrorKind;
use crate::keras::json::Config;
use crate::tensor::Dtype;

use super::own::Rules;
use super::shapes::InputShapes;
use super::specs::Specs;

/// `BatchNormalization` and its relatives.
pub(super) fn own(
    specs: &mut Specs<'_>,
    class: &str,
    config: Config<'_>,
    inputs: &InputShapes,
    rules: Rules,
) -> Result<bool, ErrorKind> {
    let layer = config.layer;
    let sizes = |default: i64, sorted: bool| -> Result<Vec<usize>, ErrorKind> {
        let axes = config.axes("axis")?.unwrap_or_else(|| vec![default]);
        // Keras 3.14 and later sort them when the layer is built, and then the configuration is sorted; earlier
        // ones take them as they stand.
        if sorted && rules.is_unbuilt && !axes.is_sorted() {
            return Err(
                config.wrong("axis", "a rising list, such as [-1, 1]: versions of Keras disagree on others")
            );
        }
        axes.iter().map(|&axis| inputs.size(axis, layer)).collect()
    };
    let scale = config.flag("scale", true);
    let center = config.flag("center", true);
    match class {
        "BatchNormalization" | "SyncBatchNormalization" => {
            // Keras 2 keeps these in full precision (`_param_dtype`).
            if rules.generation == Generation::Keras2 && matches!(specs.dtype, Dtype::F16 | Dtype::Bf16) {
                specs.dtype = Dtype::F32;
            }
            let shape = sizes(-1, false)?;
            specs.weight_if(scale?, "gamma", shape.clone())?;
            specs.weight_if(center?, "beta", shape.clone())?;
            specs.statistic("moving_mean", shape.clone())?;
            specs.statistic("moving_variance", shape.clone())?;
            if config.flag("renorm", false)? {
                specs.statistic("moving_stddev", shape.clone())?;
                specs.statistic("renorm_mean", shape.clone())?;
                specs.statistic("renorm_stddev", shape)?;
            }
        }
        "LayerNormalization" => {
            let shape = sizes(-1, true)?;
            let is_rms = config.flag("rms_scaling", false)?;
            specs.weight_if(scale? || is_rms, "gamma", shape.clone())?;
            specs.weight_if(center? && !is_rms, "beta", shape)?;
        }
        "GroupNormalization" => {
            let shape = sizes(-1, false)?;
            specs.weight_if(scale?, "gamma", shape.clone())?;
            specs.weight_if(center?, "beta", shape)?;
        }
        "RMSNormalization" => specs.weight("scale", sizes(-1, true)?)?,
        "Normalization" => {
            if config.get("mean").is_some() {
                return Ok(true);
            }
            // `axis: null` means no axis at all here, and the sizes are those of the kept axes in order.
            let rank = i64::try_from(inputs.first(layer)?.len()).unwrap_or(i64::MAX);
            let mut axes = config.axes("axis")?.unwrap_or_default();
            axes.iter_mut().filter(|axis| **axis < 0).for_each(|axis| *axis = axis.saturating_add(rank));
            axes.sort_unstable();
            let shape = axes.iter().map(|&axis| inputs.size(axis, layer)).collect::<Result<Vec<_>, _>>()?;
            specs.statistic("mean", shape.clone())?;
            specs.statistic("variance", shape)?;
            specs.statistic("count", vec![])?;
            if let Some(count) = specs.list.last_mut() {
                count.dtype = if rules.generation == Generation::Keras2 { Dtype::I64 } else { Dtype::I32 };
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}
