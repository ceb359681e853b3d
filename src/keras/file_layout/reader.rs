//! What the Keras that is to read a file makes of it.

use crate::keras::json::Value;
use crate::tensor::Dtype;

use super::super::architecture::{Architecture, Generation};
use super::super::json::from_python;
use super::super::legacy::shared_kernel;
use super::check::{check_optimizer, frozen_inside};
use super::{Form, Format};

/// The versions that files name where nothing tells which Keras made the model. Keras looks at `keras_version`
/// of a legacy file to tell the layouts of Keras 1 apart and takes all others as they are; it never looks at
/// that of an archive.
const KERAS_3: &str = "3.0.0";
const KERAS_2: &str = "2.15.0";

/// The element type that a file holds for a variable of the model's type. bfloat16 becomes float32, which holds
/// its values exactly, where the reader takes nothing else: HDF5 has no type for it, and its opaque bytes are
/// not understood by Keras 2 ("No cast function available") nor by any Keras in a legacy file. Keras rounds
/// them back, without a change, when it loads them.
#[must_use]
pub fn stored_dtype(architecture: &Architecture, form: &Form, dtype: Dtype) -> Dtype {
    let takes_opaque = !form.format.is_legacy() && !is_for_keras_2(architecture, form);
    if dtype == Dtype::Bf16 && !takes_opaque { Dtype::F32 } else { dtype }
}

/// What of the architecture's file does not go into the output, a sentence each.
#[must_use]
pub fn remarks(architecture: &Architecture, form: &Form) -> Vec<String> {
    let carried = &architecture.carried;
    let mut remarks = Vec::new();
    if form.format == Format::LegacyH5
        && form.keras.is_none()
        && let Some(layer) = frozen_inside(architecture)
    {
        remarks.push(format!(
            "`{}` is frozen in a nested model, whose weights Keras before 3.3 may read in another order: name the \
             reader with --keras, or write a `.weights.h5`",
            layer.path
        ));
    }
    if !form.format.is_whole_model() {
        return remarks;
    }
    for left in &carried.left {
        remarks.push(format!(
            "`{left}` of the architecture's file is no variable of the model, and is left out"
        ));
    }
    if !form.optimizer && !carried.optimizer.is_empty() && check_optimizer(architecture, form.format).is_err()
    {
        remarks.push("the optimizer's state is left out: this format holds it in another form".to_owned());
    } else if !form.optimizer && !carried.optimizer.is_empty() {
        remarks.push(
            "the optimizer's state is left out, so that training would start afresh; --optimizer carries it over"
                .to_owned(),
        );
    }
    if form.format == Format::WholeH5 {
        let assets = carried.members.iter().map(|(name, _)| name.as_str());
        let assets = assets.filter(|name| name.starts_with("assets/"));
        for lost in assets.chain(carried.datasets.iter().map(|dataset| dataset.path.as_str())) {
            remarks.push(format!("`{lost}` of the archive has no place in an `.h5`; a `.keras` holds it"));
        }
    }
    remarks
}

/// The configuration.
pub(super) fn config(architecture: &Architecture) -> Option<Value> {
    from_python(architecture.carried.config.as_ref()?.as_slice()).ok()
}

/// The version of Keras that a file names: the reader's, or that which the configuration names (that of Keras 2
/// does).
pub(super) fn version(architecture: &Architecture, form: &Form) -> String {
    if let Some(version) = form.keras {
        return version.to_string();
    }
    let named = config(architecture);
    let named = named.as_ref().and_then(|config| config.get("keras_version")?.as_str());
    let default = match architecture.generation {
        Generation::Keras2 => KERAS_2,
        Generation::Keras3 => KERAS_3,
    };
    named.unwrap_or(default).to_owned()
}

/// Whether Keras 2 reads the file: as the caller says, or else because the model is one of Keras 2.
fn is_for_keras_2(architecture: &Architecture, form: &Form) -> bool {
    form.keras.map_or(architecture.generation == Generation::Keras2, |version| version.major == 2)
}

/// Whether the projections of attention layers are to be found under the names of both generations. What names
/// no reader and is of Keras 2 may be read by either.
pub(super) fn wants_both_names(architecture: &Architecture, form: &Form) -> bool {
    is_for_keras_2(architecture, form)
}

/// The variables that files of a legacy format hold no value of: what Keras stores once.
pub(super) fn shared(architecture: &Architecture, form: &Form) -> Vec<usize> {
    let variables = 0..architecture.variables.len();
    variables
        .filter(|&index| form.format.is_legacy() && shared_kernel(architecture, index).is_some())
        .collect()
}
