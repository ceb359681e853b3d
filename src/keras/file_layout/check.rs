//! Whether the Keras that is to read a file could.

use std::collections::HashSet;

use crate::keras::json::Value;
use crate::tensor::Dtype;

use super::super::architecture::{Architecture, Generation, Layer, Origin, Weightless};
use super::super::legacy::{is_trainable, untold_freezing};
use super::reader::{config, stored_dtype};
use super::since::unknown_to;
use super::{Form, Format, LayoutError};

/// Refuses what the reader could not load.
pub(super) fn check(
    architecture: &Architecture,
    form: &Form,
    written: &dyn Fn(usize) -> Option<Dtype>,
) -> Result<(), LayoutError> {
    check_version(architecture, form)?;
    if architecture.origin == Origin::LegacyTemplate && !form.format.is_legacy() {
        return Err(LayoutError::Groups { format: form.format });
    }
    if form.format.is_whole_model() {
        check_config(architecture, form)?;
    }
    // A whole model is built from its configuration, so its constructors are told.
    if form.format == Format::LegacyH5
        && let Some(layer) = untold_freezing(architecture).or_else(|| untold_before_3_3(architecture, form))
    {
        return Err(LayoutError::UntoldFreezing { layer: layer.path.clone() });
    }
    check_adapted(architecture, form.format)?;
    check_float8(architecture, form)?;
    if form.format == Format::WholeH5
        && let Some(layer) = shared_across(architecture)
    {
        return Err(LayoutError::SharedAcross { layer: layer.path.clone() });
    }
    if form.optimizer {
        check_optimizer(architecture, form.format)?;
    }
    let is_opaque = |&index: &usize| written(index) == Some(Dtype::Bf16);
    if stored_dtype(architecture, form, Dtype::Bf16) != Dtype::Bf16
        && let Some(variable) = (0..architecture.variables.len()).find(is_opaque)
        && let Some(variable) = architecture.variables.get(variable)
    {
        let reader = if form.format.is_legacy() { "no Keras can" } else { "Keras 2 cannot" };
        return Err(LayoutError::Bfloat16 { variable: variable.path.clone(), reader });
    }
    Ok(())
}

fn check_version(architecture: &Architecture, form: &Form) -> Result<(), LayoutError> {
    let Some(version) = form.keras else { return Ok(()) };
    let since = match form.format {
        // Sharding came with 3.10 (`saving_lib.py`), and `.weights.h5` of today's groups with 2.14.
        Format::Sharded => Some((3, 10)),
        Format::WeightsH5 => Some((2, 14)),
        Format::Keras | Format::LegacyH5 | Format::WholeH5 => None,
    };
    if let Some((major, minor)) = since.filter(|&(major, minor)| version.is_before(major, minor)) {
        let since = format!("{major}.{minor}");
        return Err(LayoutError::ReaderTooOld { format: form.format, version, since });
    }
    if form.format.is_whole_model() {
        let own = match architecture.generation {
            Generation::Keras2 => 2,
            Generation::Keras3 => 3,
        };
        if own != version.major {
            return Err(LayoutError::OtherGeneration { own, version });
        }
        if version.is_before(3, 3)
            && version.major == 3
            && let Some(layer) = architecture.layers.iter().find(|layer| misloads(layer, form.format))
        {
            return Err(LayoutError::Misloaded { layer: layer.path.clone(), version });
        }
    }
    Ok(())
}

/// Whether Keras 3.0 loads a whole model with that layer wrongly. Of a `Bidirectional` it builds one more cell,
/// from the configuration of the inner layer, and then misses its weights. And a layer that its configuration
/// freezes it holds for trainable, so that the weights of a nested model come in another order than it loads.
fn misloads(layer: &Layer, format: Format) -> bool {
    let is_nested = layer.path.contains('/');
    layer.class.as_deref() == Some("Bidirectional") || format.is_legacy() && is_nested && !is_trainable(layer)
}

/// A frozen layer in a nested model, where Keras before 3.3 reads: there a layer that its constructor was told to
/// freeze counts as trained in a model around it, and one whose `trainable` was set does not (`variable.py`).
fn untold_before_3_3<'a>(architecture: &'a Architecture, form: &Form) -> Option<&'a Layer> {
    let version = form.keras.filter(|version| version.major == 3 && version.is_before(3, 3));
    version.and_then(|_| frozen_inside(architecture))
}

/// A frozen layer in a nested model that a configuration of Keras 3 describes.
pub(super) fn frozen_inside(architecture: &Architecture) -> Option<&Layer> {
    let is_told = architecture.legacy.is_some() || architecture.generation == Generation::Keras2;
    let mut inside = architecture.layers.iter().filter(|layer| layer.path.contains('/'));
    inside.find(|layer| !is_told && !is_trainable(layer))
}

/// A `.keras` is read by the `module` of each object, which the configuration in an `.h5` and that of Keras 2's
/// `to_json()` do not have ("Could not locate class 'Functional'").
fn check_config(architecture: &Architecture, form: &Form) -> Result<(), LayoutError> {
    let config = config(architecture).ok_or(LayoutError::NoConfig)?;
    if form.format == Format::Keras && config.get("module").is_none_or(Value::is_null) {
        return Err(LayoutError::NoModules);
    }
    if let Some(version) = form.keras.filter(|version| version.major == 3)
        && let Some((minor, what)) = unknown_to(&config, version)
    {
        return Err(LayoutError::ConfigTooNew { what, since: format!("3.{minor}"), version });
    }
    Ok(())
}

/// What a lookup layer with weights by frequency (`idf_weights`) was adapted to, and `Discretization` of Keras 2,
/// is read with the weights; a `.keras` has it in its `.weights.h5`, a configuration does not. The legacy format has
/// it in Keras 2 alone, where this does not carry it over.
fn check_adapted(architecture: &Architecture, format: Format) -> Result<(), LayoutError> {
    let is_old = architecture.generation == Generation::Keras2;
    let is_carried = matches!(architecture.origin, Origin::Archive | Origin::Folder);
    if if format.is_legacy() { !is_old } else { is_carried } {
        return Ok(());
    }
    let is_adapted = |layer: &&Weightless| match layer.class.as_str() {
        "Discretization" => is_old && layer.config.get("bin_boundaries").is_none_or(Value::is_null),
        "IntegerLookup" | "StringLookup" | "TextVectorization" => {
            layer.config.get("output_mode").and_then(Value::as_str) == Some("tf_idf")
        }
        _ => false,
    };
    match architecture.weightless.iter().find(is_adapted) {
        Some(Weightless { path, class, .. }) => {
            Err(LayoutError::Adapted { layer: path.clone(), class: class.clone(), format })
        }
        None => Ok(()),
    }
}

/// Keras before 3.12 made the bookkeeping of float8 before the kernel (`dense.py`, `build`).
fn check_float8(architecture: &Architecture, form: &Form) -> Result<(), LayoutError> {
    let old = form.keras.filter(|version| version.major == 3 && version.is_before(3, 12));
    let Some(version) = old.filter(|_| architecture.origin == Origin::Json) else { return Ok(()) };
    let bookkeeping = architecture.variables.iter().find(|variable| variable.initial.is_some());
    match bookkeeping.and_then(|variable| architecture.layers.get(variable.layer)) {
        Some(layer) => Err(LayoutError::Float8Order { layer: layer.path.clone(), version }),
        None => Ok(()),
    }
}

/// A layer inside several models, which a configuration with modules tells by a number: reading it from an `.h5`,
/// Keras does not look for that (`legacy_h5_format.load_model_from_hdf5`).
fn shared_across(architecture: &Architecture) -> Option<&Layer> {
    if !matches!(architecture.origin, Origin::Archive | Origin::Folder | Origin::Json)
        || architecture.generation == Generation::Keras2
    {
        return None;
    }
    // Used several times in one model, a layer is inside it once.
    let inside = |layer: &Layer| layer.inside.iter().copied().collect::<HashSet<usize>>();
    let mut seen = HashSet::new();
    let twice = architecture.layers.iter().flat_map(inside).find(|&layer| !seen.insert(layer))?;
    architecture.layers.get(twice)
}

pub(super) fn check_optimizer(architecture: &Architecture, format: Format) -> Result<(), LayoutError> {
    if architecture.carried.optimizer.is_empty() {
        return Err(LayoutError::NoOptimizer);
    }
    let is_h5 = architecture.origin == Origin::WholeH5;
    let fits = match format {
        Format::LegacyH5 => false,
        Format::WholeH5 => is_h5,
        Format::WeightsH5 | Format::Sharded | Format::Keras => !is_h5,
    };
    if fits { Ok(()) } else { Err(LayoutError::OptimizerForm) }
}
